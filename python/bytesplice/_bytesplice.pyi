import sys
from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from types import TracebackType
from typing import Final, Literal, NotRequired, Self, SupportsIndex, TypedDict, overload

from typing_extensions import Buffer

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

class _Plan(TypedDict):
    strategy: str
    reason: str
    costs: list[_StrategyCost]
    old_length: int
    new_length: int
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

class ChangedError(OSError): ...
class RecoveryError(OSError): ...

def abort(path: str | PathLike[str], /) -> Literal["clean", "rolled-back", "completed"]: ...

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
        progress: _Progress | None = None,
    ) -> None:
        """
        Write all edits to the file in one crash-safe pass.

        Without unsaved edits the stores to size bytes from offset on are written to the disk, as
        by mmap. progress is called with the bytes done and the bytes to do; what it raises stops
        the commit if the old contents can be kept.
        """

    def plan(self, *, strategy: _Strategy = "auto") -> _Plan:
        """Return what flush would do."""

    def close(self, *, strategy: _Strategy = "auto", progress: _Progress | None = None) -> None:
        """
        Write all edits to the file and close the map.

        With exported views it is a BufferError.
        """
