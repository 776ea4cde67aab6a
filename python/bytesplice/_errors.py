"""The exceptions of bytesplice. Each kind is also the built-in exception that fits."""

from typing import Literal


class Error(Exception):
    """What bytesplice raises. Unless it says otherwise the file is unchanged."""

    file_state: Literal["unchanged", "recoverable", "committed", "damaged", "old-or-new"] = (
        "unchanged"
    )
    """What the file holds now: its old contents; a commit that the next open finishes; the new
    contents; after a commit without a journal, neither old nor new; or, of an object whose store
    did not answer the last request, the old or the new contents, each of them whole."""


class FileError(Error, OSError):
    """The system or the state of a file stands against it. errno says what, as for OSError."""


class MissingError(FileError, FileNotFoundError):
    """Nothing is at this path, or there is no such object or bucket."""


class AccessError(FileError, PermissionError):
    """The file, its directory or the object may not be accessed; or no credentials are there."""


class LockedError(FileError, BlockingIOError):
    """Another bytesplice, here or in another process, holds the file."""


class ChangedError(FileError):
    """Others changed the file or object since it was opened, so that no edit was committed."""


class RecoveryError(FileError):
    """
    An earlier commit of the file was cut short and cannot be finished from here.

    Of an object: whether its commit was carried out is not known, or its upload is left over.
    """


class NoSpaceError(FileError):
    """The disk is full, or the file or object would pass a limit of its size."""


class StrategyError(FileError):
    """The strategy that was asked for cannot be had for this file."""


class StoreError(FileError):
    """The store of an object refused a request, or its answer makes no sense."""


class UnreachableError(StoreError, ConnectionError):
    """The store of an object could not be reached, or was too busy, as often as it was tried."""


class AddressError(Error, ValueError):
    """An address of an object, or of a store, that cannot be one."""


class RangeError(Error, IndexError):
    """A range lies outside the contents, is reversed or negative. Ranges are never clipped."""


class UnexpectedError(Error, ValueError):
    """The old bytes are not those that SpliceFile.expect was told, or a script."""


class OverlapError(Error, ValueError):
    """A range cannot be moved to a place within itself."""


class PatternError(Error, ValueError):
    """A pattern, or the template of a replacement, is not valid."""


class ScriptError(Error, ValueError):
    """An edit script cannot be read, applied or written."""


class HistoryError(Error, LookupError):
    """There is no such snapshot, or the limit of the history did not allow to keep it."""


class ClosedError(Error, ValueError):
    """The file is closed."""


class BusyError(Error, RuntimeError):
    """The file is in use by the very call that called this code, such as a progress callback."""


def _show_as_public() -> None:
    for kind in (Error, *_kinds(Error)):
        kind.__module__ = "bytesplice"


def _kinds(kind: type[Error]) -> list[type[Error]]:
    return [one for below in kind.__subclasses__() for one in (below, *_kinds(below))]


_show_as_public()
