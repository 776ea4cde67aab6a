"""The exceptions of bytesplice. Each kind is also the built-in exception that fits."""

from typing import Literal


class Error(Exception):
    """What bytesplice raises. Unless it says otherwise the file is unchanged."""

    file_state: Literal["unchanged", "recoverable", "committed", "damaged"] = "unchanged"
    """What the file holds now: its old contents; a commit that the next open finishes; the new
    contents; or, after a commit without a journal, neither old nor new."""


class FileError(Error, OSError):
    """The system or the state of a file stands against it. errno says what, as for OSError."""


class MissingError(FileError, FileNotFoundError):
    """Nothing is at this path."""


class AccessError(FileError, PermissionError):
    """The file, or its directory, may not be read or written."""


class LockedError(FileError, BlockingIOError):
    """Another bytesplice, here or in another process, holds the file."""


class ChangedError(FileError):
    """The file was changed by others since it was opened, so that the edits were not committed."""


class RecoveryError(FileError):
    """An earlier commit of the file was cut short and cannot be finished from here."""


class NoSpaceError(FileError):
    """The disk is full, or the file would pass a limit of its size."""


class StrategyError(FileError):
    """The strategy that was asked for cannot be had for this file."""


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
