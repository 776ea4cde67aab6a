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
    ChangedError,
    RecoveryError,
    abort,
    mmap,
)

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
    "ChangedError",
    "RecoveryError",
    "abort",
    "error",
    "mmap",
]
