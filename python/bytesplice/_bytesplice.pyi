from collections.abc import Callable
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

class ChangedError(OSError): ...
class RecoveryError(OSError): ...

def abort(path: str | PathLike[str], /) -> Literal["clean", "rolled-back", "completed"]: ...

class mmap:
    def __new__(
        cls,
        fileno: int,
        length: int,
        flags: int = ...,
        prot: int = ...,
        access: int = ...,
        offset: int = ...,
    ) -> Self: ...
    @property
    def closed(self) -> bool: ...
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
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...
    # An index out of range inserts at the start or the end, as list.insert does.
    def insert(self, index: int, value: Buffer | SupportsIndex, /) -> None: ...
    def find(self, sub: Buffer, start: int | None = None, end: int | None = None, /) -> int: ...
    def rfind(self, sub: Buffer, start: int | None = None, end: int | None = None, /) -> int: ...
    def move(self, dest: int, src: int, count: int, /) -> None: ...
    def seek(self, dist: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...
    def read(self, n: int | None = None, /) -> bytes: ...
    def read_byte(self) -> int: ...
    def readline(self) -> bytes: ...
    def write(self, bytes: Buffer, /) -> int: ...
    def write_byte(self, byte: int, /) -> None: ...
    def size(self) -> int: ...
    def flush(
        self,
        offset: int = 0,
        size: int | None = None,
        /,
        *,
        strategy: _Strategy = "auto",
        progress: _Progress | None = None,
    ) -> None: ...
    def plan(self, *, strategy: _Strategy = "auto") -> _Plan: ...
    def close(self, *, strategy: _Strategy = "auto", progress: _Progress | None = None) -> None: ...
