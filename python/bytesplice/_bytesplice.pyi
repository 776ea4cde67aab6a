import datetime
import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from types import TracebackType
from typing import (
    Final,
    Literal,
    NotRequired,
    Protocol,
    Self,
    SupportsIndex,
    TypedDict,
    final,
    overload,
)

from typing_extensions import Buffer, disjoint_base

# "replace" would give the file another inode than the descriptor that was mapped.
_Strategy = Literal["auto", "journaled", "snapshot", "extents", "direct"]
# Called with the bytes done and the bytes to do.
_Progress = Callable[[int, int], object]

# In sizes of bytes. A strategy that cannot be had has no costs, but the reason under "unavailable".
class _StrategyCost(TypedDict):
    strategy: str
    unavailable: NotRequired[str]
    bytes_to_read: NotRequired[int]
    bytes_to_write: NotRequired[int]
    bytes_to_journal: NotRequired[int]
    fsyncs: NotRequired[int]
    extra_disk: NotRequired[int]
    keeps_inode: NotRequired[bool]
    steps: NotRequired[int]
    estimated_seconds: NotRequired[float]

class _Requests(TypedDict):
    tags: int
    creates: int
    gets: int
    uploads: int
    copies: int
    lists: int
    heads: int
    puts: int
    completes: int
    total: int

class _Part(TypedDict):
    range: tuple[int, int]
    copied_from: NotRequired[int]
    bytes_fetched: NotRequired[int]

# Nothing tells the type of a plan of a file from that of an object: the keys of files are said to
# be there always. Of them, a plan of an object has the lengths only.
class _Plan(TypedDict):
    old_length: int
    new_length: int
    strategy: str
    reason: str
    costs: list[_StrategyCost]
    bytes_staying: int
    bytes_moved: int
    bytes_new: int
    bytes_to_read: int
    bytes_to_write: int
    bytes_to_journal: int
    fsyncs: int
    extra_disk: int
    keeps_inode: bool
    steps: int
    # Of objects.
    single_put: NotRequired[bool]
    bytes_up: NotRequired[int]
    bytes_down: NotRequired[int]
    bytes_copied: NotRequired[int]
    requests: NotRequired[_Requests]
    price: NotRequired[float]
    parts: NotRequired[list[_Part]]

ACCESS_DEFAULT: Final[int]
ACCESS_READ: Final[int]
ACCESS_WRITE: Final[int]
ACCESS_COPY: Final[int]
PROT_READ: Final[int]
PROT_WRITE: Final[int]
MAP_SHARED: Final[int]
MAP_PRIVATE: Final[int]
PAGESIZE: Final[int]
ALLOCATIONGRANULARITY: Final[int]
MADV_DONTNEED: Final[int]
MADV_FREE: Final[int]
MADV_NORMAL: Final[int]
MADV_RANDOM: Final[int]
MADV_SEQUENTIAL: Final[int]
MADV_WILLNEED: Final[int]
MAP_ANON: Final[int]
MAP_ANONYMOUS: Final[int]
PROT_EXEC: Final[int]

if sys.platform == "linux":
    MADV_DODUMP: Final[int]
    MADV_DOFORK: Final[int]
    MADV_DONTDUMP: Final[int]
    MADV_DONTFORK: Final[int]
    MADV_HUGEPAGE: Final[int]
    MADV_HWPOISON: Final[int]
    MADV_MERGEABLE: Final[int]
    MADV_NOHUGEPAGE: Final[int]
    MADV_REMOVE: Final[int]
    MADV_UNMERGEABLE: Final[int]
    MAP_DENYWRITE: Final[int]
    MAP_EXECUTABLE: Final[int]
    MAP_POPULATE: Final[int]
    MAP_STACK: Final[int]

_Path = str | PathLike[str]
_Recovery = Literal["clean", "rolled-back", "completed"]

def abort(path: _Path, /) -> _Recovery:
    """Take back a commit that was cut short, so that the file holds the old contents again.

    RecoveryError says that it is past its commit point and can only be finished. An object has
    nothing to take back: ValueError.
    """

@disjoint_base
class mmap:
    """
    A memory-mapped file whose slices can take bytes of any length.

    Like mmap.mmap of the standard library, with one great difference: slice assignment, del,
    insert, append, extend, pop, remove and clear change the length, and shift what lies behind.
    Stores that keep the length reach the file at once, as in mmap. From the first change of the
    length on everything waits for flush, close or the end of a with block: these commit all edits
    in one crash-safe pass. With deferred=True everything always waits for them.

    Empty files can be mapped, and offset can be any number of bytes. fileno -1 maps zeros in
    memory that no file has. With trackfd=False no descriptor is kept, and the length is fixed.
    """

    def __new__(
        cls,
        fileno: int,
        length: int,
        flags: int = ...,
        prot: int = ...,
        access: int = ...,
        offset: int = 0,
        *,
        trackfd: bool = True,
        deferred: bool = False,
    ) -> Self: ...
    @property
    def closed(self) -> bool:
        """Whether the map is closed."""

    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, index: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, index: slice, /) -> bytes: ...
    @overload
    def __setitem__(self, index: SupportsIndex, value: SupportsIndex, /) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Buffer, /) -> None: ...
    def __delitem__(self, index: SupportsIndex | slice, /) -> None: ...
    def __contains__(self, item: object, /) -> bool:
        """Whether item is one of the bytes, each of them taken for a bytes object of length 1."""

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the bytes, as bytes objects of length 1."""

    def __reversed__(self) -> Iterator[bytes]:
        """Iterate over the bytes from the last to the first."""

    def __buffer__(self, flags: int, /) -> memoryview:
        """
        Return a view of the bytes, writable if the map is.

        With unsaved edits it is a read-only copy, up to 64 MiB; above that a BufferError says to
        flush first. As long as there are views the length cannot change.
        """

    def __release_buffer__(self, view: memoryview, /) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Close the map, and so save, also after an exception."""

    def insert(self, index: int, value: Buffer | SupportsIndex, /) -> None:
        """
        Insert bytes, or one byte given as an integer, before index.

        Like that of list.insert the index is clipped: one out of range inserts at the start or the
        end.
        """

    def append(self, value: SupportsIndex, /) -> None:
        """Add one byte, given as an integer, at the end."""

    def extend(self, values: Buffer | Iterable[SupportsIndex], /) -> None:
        """Add bytes, or what an iterable gives of integers, at the end: all of them or none."""

    def pop(self, index: int = -1, /) -> int:
        """Remove the byte at index and return it."""

    def remove(self, value: SupportsIndex, /) -> None:
        """Remove the first byte that has this value; ValueError if none has."""

    def clear(self) -> None:
        """Remove all bytes."""

    def resize(self, newsize: int, /) -> None:
        """
        Make the map newsize bytes long, and the file with it, at once: cut off its end, or add
        zeros.

        All other edits are saved too. What lies behind the map in the file is shifted, never cut
        off.
        """

    def find(self, sub: Buffer, start: int | None = None, end: int | None = None, /) -> int:
        """
        Return the lowest index of sub in start..end, or -1; start is the position unless given.
        """

    def rfind(self, sub: Buffer, start: int | None = None, end: int | None = None, /) -> int:
        """
        Return the highest index of sub in start..end, or -1; start is the position unless given.
        """

    def move(self, dest: int, src: int, count: int, /) -> None:
        """Copy count bytes from src over those at dest; the two may overlap, the length stays."""

    def seek(self, dist: int, whence: int = 0, /) -> int:
        """
        Set the position, counted from the start (0), the position (1) or the end (2), and return
        it.
        """

    def seekable(self) -> bool:
        """Return True."""

    def tell(self) -> int:
        """Return the position."""

    def read(self, n: int | None = None, /) -> bytes:
        """Return up to n bytes from the position on and move it; all if n is negative or None."""

    def read_byte(self) -> int:
        """Return the byte at the position and move behind it."""

    def readline(self) -> bytes:
        """
        Return the bytes from the position to the next newline, or to the end, and move behind
        them.
        """

    def write(self, bytes: Buffer, /) -> int:
        """Store bytes over those at the position, move behind them and return their number."""

    def write_byte(self, byte: int, /) -> None:
        """Store a byte over that at the position and move behind it."""

    def size(self) -> int:
        """Return the size of the file; with unsaved edits, the size it will have."""

    def madvise(self, option: int, start: int = 0, length: int | None = None, /) -> None:
        """
        Give the system advice, one of the MADV_ numbers.

        Nothing is done while there are unsaved edits.
        """

    def set_name(self, name: str, /) -> None:
        """Name anonymous memory; ValueError for a file."""

    def flush(
        self,
        offset: int = 0,
        size: int = -1,
        /,
        *,
        flags: int = ...,
        strategy: _Strategy = "auto",
        durable: bool = True,
        progress: _Progress | None = None,
    ) -> None:
        """
        Write all edits to the file in one crash-safe pass.

        Without unsaved edits the stores to size bytes from offset on are written to the disk, as
        by mmap. With durable=False a commit does not wait for the disk, and is not crash-safe.
        progress is called with the bytes done and the bytes to do; what it raises stops the commit
        if the old contents can be kept.
        """

    def plan(self, *, strategy: _Strategy = "auto", durable: bool = True) -> _Plan:
        """Return what flush would do."""

    def close(
        self,
        *,
        strategy: _Strategy = "auto",
        durable: bool = True,
        progress: _Progress | None = None,
    ) -> None:
        """
        Write all edits to the file and close the map.

        With exported views it is a BufferError.
        """

# What follows is the transactional face: SpliceFile, and what belongs to it.

class _Readable(Protocol):
    def read(self, size: int, /) -> Buffer: ...

class _Writable(Protocol):
    def write(self, data: bytes, /) -> object: ...

_Script = _Path | Buffer | _Readable
_Checks = Literal["none", "checksum", "whole"]
_Offset = SupportsIndex
_Limit = SupportsIndex | None
_AnyStrategy = Literal["auto", "journaled", "snapshot", "extents", "replace", "direct"]

class _Journal(TypedDict):
    state: Literal["none", "prepared", "committing", "finishing", "unusable"]
    path: NotRequired[str]
    step: NotRequired[int]
    steps: NotRequired[int]
    old_length: NotRequired[int]
    new_length: NotRequired[int]
    detail: NotRequired[str]

class _SetAside(TypedDict):
    journal: str
    now: str

class _Forgotten(TypedDict):
    path: str
    mark_removed: bool
    set_aside: list[_SetAside]

class _Upload(TypedDict):
    id: str
    initiated: datetime.datetime

# As for _Plan: of the keys of files, the status of an object has the path and the length only.
class _Status(TypedDict):
    path: str
    length: int
    journal: _Journal
    replacement: NotRequired[str]
    locked: bool
    lock_kind: str
    read_only: bool
    being_written: bool
    needs_recovery: bool
    # Of objects.
    etag: NotRequired[str]
    attributes: NotRequired[dict[str, str]]
    tags: NotRequired[int | None]
    endpoint: NotRequired[str | None]
    uploads: NotRequired[list[_Upload] | None]

_Store = Literal["aws", "compatible", "equal-parts"]

def open(
    path: _Path,
    *,
    read_only: bool = False,
    create: bool = False,
    lock: Literal["try", "wait", "none"] = "try",
    memory_limit: _Limit = None,
    history_limit: _Limit = None,
    temporary_directory: _Path | None = None,
    endpoint: str | None = None,
    store: _Store | None = None,
    fetched_history: _Limit = None,
    probe_store: bool = False,
    unconditional: bool = False,
    drop_tags: bool = False,
) -> SpliceFile:
    """Open a file, or an object s3://BUCKET/KEY, to be spliced.

    read_only takes a lock that readers share; edits can then be made and read, not committed.
    create makes an empty file, at once, where there is none. lock says what to do when another
    bytesplice holds the file: "try" raises LockedError, "wait" waits, "none" locks only while a
    commit runs. Up to memory_limit added bytes (16 MiB) are kept in memory, and history_limit bytes
    (64 MiB) of undo steps; what is over goes to a file without a name in temporary_directory. A
    commit that was cut short is finished or taken back first.

    Objects are not locked, and with create the commit makes them. endpoint is the address of their
    store, without it that of AWS_ENDPOINT_URL, or Amazon S3; store says what it allows, without it
    told by its address. A commit fetches up to fetched_history bytes (none) that it removes, so
    that undo can bring them back after it. Credentials are those of the AWS command line.

    A commit needs a store that honours If-Match, or it could lose what others write at the same
    time: StoreError where that is not known. store="compatible", or BYTESPLICE_STORE=compatible in
    the environment, says that it does; probe_store finds out, unless read_only, by writing to an
    object of its own beside it, which is removed again; unconditional commits in any case, for
    objects that nobody else writes. drop_tags does not carry over the object's tags, for
    credentials that may not read them.
    """

def _run(arguments: list[str]) -> int: ...
def _open_descriptor(fileno: int, /) -> SpliceFile: ...
@overload
def recover(path: PathLike[str], /, *, force: bool = False) -> _Recovery:
    """Finish or take back a commit that was cut short. Opening the file does the same.

    force obeys the copy of a journal, if its checksums fit the file: for restored copies of a file
    and its journal.

    Of an object: abort the uploads that were begun older_than seconds ago (a day), and return a
    list of them. A commit that was cut short leaves one, whose parts are charged; others' uploads
    of the same object are among them.
    """

@overload
def recover(path: str, /, *, force: bool = False) -> _Recovery | list[_Upload]: ...
@overload
def recover(path: _Path, /, *, older_than: float, endpoint: str | None = None) -> list[_Upload]: ...
@overload
def recover(path: _Path, /, *, older_than: float | None = None, endpoint: str) -> list[_Upload]: ...
def forget(path: _Path, /, *, dry_run: bool = False) -> _Forgotten:
    """Take a file as it is, and forget the commit that was cut short.

    For files that are whole, such as a restored backup, and that recover refuses; a file in the
    middle of its commit stays a mixture of its old and its new contents. No byte of the file is
    changed and no journal is removed: the journal gets another name in its directory,
    .NAME.bytesplice-forgotten, and the file loses its mark. Returns what was done: mark_removed,
    and in set_aside the old and the new name of the journal. dry_run changes nothing and returns
    what would be done. An object has nothing to forget: ValueError.
    """

def status(path: _Path, /, *, endpoint: str | None = None) -> _Status:
    """Look at a file or an object without changing it.

    Of an object: its length, its ETag, its attributes, the number of its tags, and the uploads that
    are to change it. Tags and uploads are None where they may not be read. endpoint is that of
    open.
    """

def diff(
    old: _Path,
    new: _Path,
    out: _Path | _Writable,
    *,
    checks: _Checks = "checksum",
    endpoint: str | None = None,
    store: _Store | None = None,
) -> None:
    """Write the script that turns what is at old into what is at new to a path or file object.

    checks says what it holds of the bytes that it removes, to be compared when it is applied:
    nothing, their checksums, or the whole of them, which makes it invertible. Both may be files or
    objects, for which endpoint and store are those of open.
    """

def apply(
    path: _Path,
    script: _Script,
    *,
    progress: _Progress | None = None,
    strategy: _AnyStrategy = "auto",
    durable: bool = True,
    allow_writers: bool = False,
    endpoint: str | None = None,
    store: _Store | None = None,
    probe_store: bool = False,
    unconditional: bool = False,
    drop_tags: bool = False,
) -> int:
    """Make all edits of a script and commit them; return how many there were. All or none.

    script is a path, the bytes of a script, or a binary file object. The other arguments are those
    of SpliceFile.commit and open. UnexpectedError says that the file has not the bytes the script
    removes.
    """

def fill(byte: SupportsIndex | Buffer, count: _Offset, /) -> Content:
    """One byte, an integer or bytes of length 1, count times. Takes no memory."""

def copy(start: _Limit = None, stop: _Limit = None, /) -> Content:
    """The bytes start..stop of the edited file, as they are before the edit.

    They are not read before the commit.
    """

def file_range(path: _Path, start: _Limit = None, stop: _Limit = None, /) -> Content:
    """The bytes start..stop of another file.

    They are not read before the commit, which raises ChangedError if that file changed meanwhile.
    An object is a ValueError: open(address, read_only=True).reader() streams one.
    """

@final
class Content:
    """Bytes that need not be in memory: from fill, copy or file_range."""

@final
class Regex:
    """A regular expression on bytes, in the syntax of the Rust crate regex.

    Linear in time, and a match may be longer than memory. "." is any byte but newline, classes know
    ASCII only, "^" and "$" are the start and the end of the contents unless "(?m)" makes them those
    of lines. There are no look-around assertions and no backreferences. PatternError says what is
    wrong and where.
    """

    def __new__(cls, pattern: str | bytes, /) -> Self: ...
    @property
    def pattern(self) -> str:
        """The expression."""

# New bytes: in memory, elsewhere, or streamed.
_Data = Buffer | Content | _Readable | Iterable[Buffer]
_Pattern = Buffer | tuple[Buffer, ...] | list[Buffer] | Regex | re.Pattern[bytes]

@final
class Match:
    """Where a pattern was found: the bytes start..stop of the contents."""

    __match_args__: Final = ("start", "stop", "needle")
    @property
    def start(self) -> int:
        """Offset of the first byte."""
    @property
    def stop(self) -> int:
        """Offset behind the last byte."""
    @property
    def needle(self) -> int:
        """Which of several needles was found, by its index; else 0."""
    @property
    def span(self) -> tuple[int, int]:
        """start and stop, as the methods of SpliceFile take them: file.remove(*match.span)."""
    def __len__(self) -> int: ...
    def __bool__(self) -> Literal[True]: ...
    def __hash__(self) -> int: ...

@final
class Matches:
    """What SpliceFile.find_iter returns."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> Match: ...

@final
class Group:
    """What SpliceFile.group returns: a context manager."""

    def __enter__(self) -> None: ...
    def __exit__(self, *_exception: object) -> None: ...

@final
class View:
    """The contents that SpliceFile.snapshot kept under a name, to be read."""

    @property
    def name(self) -> str: ...
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, index: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, index: slice, /) -> bytes: ...
    def read(self, offset: _Offset = 0, size: _Limit = None, /) -> bytes:
        """Return size bytes from offset on, or all to the end."""
    def reader(self) -> io.RawIOBase:
        """Return a binary file object that reads these contents."""

@final
class SpliceFile:
    """A file or an object whose bytes can be spliced: from open.

    Nothing reaches the file before commit, which makes all edits in one crash-safe pass. A with
    block commits at its end, and discards the edits if an exception leaves it.

    A range is start and stop, half-open, in bytes; None stands for the start or the end of the
    contents. Ranges of methods are never clipped and never negative: RangeError, an IndexError. An
    edit that fails changes nothing. New bytes are bytes-like objects; fill, copy or file_range; or
    binary file objects and iterables of bytes, which are streamed.
    """

    @property
    def path(self) -> str:
        """The path of the file, without symlinks, or the address of the object.

        A commit finds the new path of a renamed file.
        """
    @property
    def etag(self) -> str | None:
        """The ETag of the object as it was opened or last committed; None of a file.

        None of an object that is not there yet, as well.
        """
    @property
    def is_modified(self) -> bool:
        """Whether there is something to commit."""
    @property
    def read_only(self) -> bool:
        """Whether the file was opened for reading only, or may not be written."""
    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
    def __len__(self) -> int:
        """Return the length of the contents in bytes, with all edits."""
    def __bool__(self) -> Literal[True]: ...
    @overload
    def __getitem__(self, index: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, index: slice, /) -> bytes: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...
    def read(self, offset: _Offset = 0, size: _Limit = None, /) -> bytes:
        """Return size bytes from offset on, or all to the end."""
    def reader(self) -> io.RawIOBase:
        """Return a binary file object that reads the contents, with all edits.

        io.BufferedReader makes it faster for small reads, io.TextIOWrapper turns it into text.
        """
    def replace(self, start: _Limit, stop: _Limit, data: _Data, /) -> None:
        """Replace the bytes start..stop by others, of any length."""
    def splice(self, start: _Limit, stop: _Limit, data: _Data, /) -> None:
        """Do the same as replace, under the name that it has in Rust."""
    def insert(self, offset: _Offset, data: _Data, /) -> None:
        """Insert bytes before the one at offset; at the length of the contents this appends."""
    def append(self, data: _Data, /) -> None:
        """Add bytes at the end."""
    def remove(self, start: _Limit, stop: _Limit, /) -> None:
        """Remove the bytes start..stop."""
    def truncate(self, length: _Offset, /) -> None:
        """Remove all bytes from offset length on. To lengthen, append fill(0, count)."""
    def copy_range(self, start: _Limit, stop: _Limit, offset: _Offset, /) -> None:
        """Insert a copy of the bytes start..stop before the byte at offset.

        Nothing is read before the commit.
        """
    def move_range(self, start: _Limit, stop: _Limit, offset: _Offset, /) -> None:
        """Move the bytes start..stop before the byte that is now at offset.

        OverlapError if that is one of them.
        """
    def expect(self, start: _Limit, stop: _Limit, old: Buffer, /) -> None:
        """Raise UnexpectedError unless the bytes start..stop are old.

        Every commit raises it as well then, until discard.
        """
    def find(
        self,
        pattern: _Pattern,
        start: _Limit = None,
        stop: _Limit = None,
        /,
        *,
        progress: _Progress | None = None,
    ) -> Match | None:
        """Return the first match of pattern that lies in start..stop.

        pattern is bytes; a tuple of bytes, any of which; a Regex; or a compiled re.Pattern of
        bytes: one with look-around, backreferences or the like raises PatternError. progress is
        called with the bytes searched and those to search; what it raises, or Ctrl-C, stops the
        search.
        """
    def rfind(
        self,
        pattern: _Pattern,
        start: _Limit = None,
        stop: _Limit = None,
        /,
        *,
        progress: _Progress | None = None,
    ) -> Match | None:
        """Return the match that starts last. The arguments are those of find."""
    def find_iter(
        self,
        pattern: _Pattern,
        start: _Limit = None,
        stop: _Limit = None,
        /,
        *,
        progress: _Progress | None = None,
    ) -> Matches:
        """Return an iterator of the matches, in order and without overlap.

        An empty match right behind another is none. The iterator raises RuntimeError if the file is
        edited meanwhile: make a list of it first. The arguments are those of find.
        """
    def replace_all(
        self,
        pattern: _Pattern,
        replacement: Buffer,
        start: _Limit = None,
        stop: _Limit = None,
        /,
        *,
        template: bool = False,
        max: _Limit = None,
        progress: _Progress | None = None,
    ) -> int:
        """Replace the matches and return how many there were. All or, after an error, none.

        With template the replacement may hold $1, $name or ${name} for groups of a regular
        expression, $0 for the whole match and $$ for a dollar sign. max is the most matches that
        are replaced. The other arguments are those of find.
        """
    def lines(self, first: _Limit, last: _Limit, /) -> tuple[int, int]:
        """Return start and stop of the bytes of the lines first..last, counted from 0, half-open.

        file.remove(*file.lines(2, 4)) removes two lines.
        """
    def line_count(self) -> int:
        """Return how many lines there are. Reads all bytes."""
    def line_at(self, offset: _Offset, /) -> int:
        """Return the number of the line, from 0 on, that the byte at offset lies in."""
    def undo(self) -> bool:
        """Take back the last edit or group of edits, also one that is committed.

        Returns whether there was one. HistoryError if it is over the history limit.
        """
    def redo(self) -> bool:
        """Make the edit again that undo took back last; return whether there was one."""
    def group(self) -> Group:
        """Return a context manager: the edits in its block are undone and redone together."""
    def snapshot(self, name: str, /) -> None:
        """Keep the contents as they are now under a name, for view and restore. O(1)."""
    def snapshots(self) -> list[str]:
        """Return the names of all snapshots."""
    def remove_snapshot(self, name: str, /) -> bool:
        """Drop a snapshot; return whether there was one of this name."""
    def view(self, name: str, /) -> View:
        """Return the contents of a snapshot, to be read. HistoryError if there is none."""
    def restore(self, name: str, /) -> None:
        """Make the contents those of a snapshot: an edit like others, which can be undone."""
    def apply(self, script: _Script, /) -> int:
        """Make all edits of a script, or none, and return how many there were."""
    def write_script(
        self, out: _Path | _Writable, /, *, undo: bool = False, checks: _Checks = "checksum"
    ) -> None:
        """Write the edits since the last commit as a script; with undo, one that undoes them."""
    def plan(
        self,
        *,
        strategy: _AnyStrategy = "auto",
        durable: bool = True,
        allow_writers: bool = False,
    ) -> _Plan:
        """Return what commit would do, and what every strategy would cost. Nothing is written.

        Of an object: what is sent, fetched and copied by the store, by how many requests, for about
        how many US dollars, and the parts of the upload.
        """
    def commit(
        self,
        *,
        progress: _Progress | None = None,
        strategy: _AnyStrategy = "auto",
        durable: bool = True,
        allow_writers: bool = False,
    ) -> None:
        """Bring the file to the current contents in one pass.

        After a crash the file is wholly old or wholly new, but for strategy "direct" and
        durable=False, which does not wait for the disk. progress is called now and then with the
        bytes done and the bytes to do. An exception that it raises, or Ctrl-C, stops the commit as
        long as the file can keep the old contents; the edits are still there then. Later the commit
        is finished first.

        While other processes have the file open for writing, a commit that shortens it is refused
        with LockedError unless it can end without a cut: what they append at that instant would be
        lost. allow_writers takes that risk.

        An object is swapped whole by its store, unless others wrote it since: ChangedError. It has
        neither strategies nor durable=False: ValueError.
        """
    def discard(self) -> None:
        """Drop all edits since the last commit, and the history and the snapshots with them."""
    def close(self) -> None:
        """Close the file without a commit: edits since the last one are dropped."""
