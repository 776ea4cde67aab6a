"""
Memory-mapped files whose slices can take bytes of any length.

>>> import tempfile
>>> import bytesplice as mmap
>>> with tempfile.TemporaryFile() as file:
...     _ = file.write(b"0000111122223333")
...     file.flush()
...     with mmap.mmap(file.fileno(), 0) as data:
...         data[4:8] = b""
...         data[4:4] = b"AAAA"
...     _ = file.seek(0)
...     file.read()
b'0000AAAA22223333'
"""

from bytesplice._bytesplice import (
    ACCESS_COPY,
    ACCESS_DEFAULT,
    ACCESS_READ,
    ACCESS_WRITE,
    ALLOCATIONGRANULARITY,
    MAP_PRIVATE,
    MAP_SHARED,
    PAGESIZE,
    PROT_READ,
    PROT_WRITE,
    Content,
    Match,
    Regex,
    SpliceFile,
    View,
    abort,
    apply,
    copy,
    diff,
    file_range,
    fill,
    mmap,
    open,
    recover,
    status,
)
from bytesplice._errors import (
    AccessError,
    BusyError,
    ChangedError,
    ClosedError,
    Error,
    FileError,
    HistoryError,
    LockedError,
    MissingError,
    NoSpaceError,
    OverlapError,
    PatternError,
    RangeError,
    RecoveryError,
    ScriptError,
    StrategyError,
    UnexpectedError,
)
from bytesplice.fileobj import delete_bytes, insert_bytes, move_bytes, resize_bytes

error = OSError

__all__ = [
    "ACCESS_COPY",
    "ACCESS_DEFAULT",
    "ACCESS_READ",
    "ACCESS_WRITE",
    "ALLOCATIONGRANULARITY",
    "MAP_PRIVATE",
    "MAP_SHARED",
    "PAGESIZE",
    "PROT_READ",
    "PROT_WRITE",
    "AccessError",
    "BusyError",
    "ChangedError",
    "ClosedError",
    "Content",
    "Error",
    "FileError",
    "HistoryError",
    "LockedError",
    "Match",
    "MissingError",
    "NoSpaceError",
    "OverlapError",
    "PatternError",
    "RangeError",
    "RecoveryError",
    "Regex",
    "ScriptError",
    "SpliceFile",
    "StrategyError",
    "UnexpectedError",
    "View",
    "abort",
    "apply",
    "copy",
    "delete_bytes",
    "diff",
    "error",
    "file_range",
    "fill",
    "insert_bytes",
    "mmap",
    "move_bytes",
    "open",
    "recover",
    "resize_bytes",
    "status",
]
