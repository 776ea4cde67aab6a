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

import sys

from bytesplice import _bytesplice
from bytesplice._bytesplice import (
    ACCESS_COPY,
    ACCESS_DEFAULT,
    ACCESS_READ,
    ACCESS_WRITE,
    ALLOCATIONGRANULARITY,
    MADV_DONTNEED,
    MADV_FREE,
    MADV_NORMAL,
    MADV_RANDOM,
    MADV_SEQUENTIAL,
    MADV_WILLNEED,
    MAP_ANON,
    MAP_ANONYMOUS,
    MAP_PRIVATE,
    MAP_SHARED,
    PAGESIZE,
    PROT_EXEC,
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
    forget,
    mmap,
    open,
    recover,
    status,
)
from bytesplice._errors import (
    AccessError,
    AddressError,
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
    StoreError,
    StrategyError,
    UnexpectedError,
    UnreachableError,
)
from bytesplice.fileobj import delete_bytes, insert_bytes, move_bytes, resize_bytes

if sys.platform == "linux":
    from bytesplice._bytesplice import (
        MADV_DODUMP,
        MADV_DOFORK,
        MADV_DONTDUMP,
        MADV_DONTFORK,
        MADV_HUGEPAGE,
        MADV_HWPOISON,
        MADV_MERGEABLE,
        MADV_NOHUGEPAGE,
        MADV_REMOVE,
        MADV_UNMERGEABLE,
        MAP_DENYWRITE,
        MAP_EXECUTABLE,
        MAP_POPULATE,
        MAP_STACK,
    )

error = OSError

# Whatever else this version of Python has on this system.
globals().update({name: getattr(_bytesplice, name) for name in dir(_bytesplice) if name.isupper()})

__all__ = [
    "ACCESS_COPY",
    "ACCESS_DEFAULT",
    "ACCESS_READ",
    "ACCESS_WRITE",
    "ALLOCATIONGRANULARITY",
    "MADV_DONTNEED",
    "MADV_FREE",
    "MADV_NORMAL",
    "MADV_RANDOM",
    "MADV_SEQUENTIAL",
    "MADV_WILLNEED",
    "MAP_ANON",
    "MAP_ANONYMOUS",
    "MAP_PRIVATE",
    "MAP_SHARED",
    "PAGESIZE",
    "PROT_EXEC",
    "PROT_READ",
    "PROT_WRITE",
    "AccessError",
    "AddressError",
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
    "StoreError",
    "StrategyError",
    "UnexpectedError",
    "UnreachableError",
    "View",
    "abort",
    "apply",
    "copy",
    "delete_bytes",
    "diff",
    "error",
    "file_range",
    "fill",
    "forget",
    "insert_bytes",
    "mmap",
    "move_bytes",
    "open",
    "recover",
    "resize_bytes",
    "status",
]

if sys.platform == "linux":
    __all__ += [
        "MADV_DODUMP",
        "MADV_DOFORK",
        "MADV_DONTDUMP",
        "MADV_DONTFORK",
        "MADV_HUGEPAGE",
        "MADV_HWPOISON",
        "MADV_MERGEABLE",
        "MADV_NOHUGEPAGE",
        "MADV_REMOVE",
        "MADV_UNMERGEABLE",
        "MAP_DENYWRITE",
        "MAP_EXECUTABLE",
        "MAP_POPULATE",
        "MAP_STACK",
    ]
