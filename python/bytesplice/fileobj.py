"""
Room in the middle of open files, for writers of tags and containers.

The functions have the names and the contract of those of mutagen._util, and can be put in their
place. A real file is changed through its descriptor, whole blocks at a time, or with safe=True in
one crash-safe pass; any other file object, such as BytesIO, by seek, read and write.

>>> import io
>>> file = io.BytesIO(b"headbody")
>>> insert_bytes(file, 2, 4)
>>> _ = file.seek(4), file.write(b"--")
>>> file.getvalue()
b'head--body'
"""

import errno
import fcntl
import io
import mmap
import os
import stat
import tempfile
from typing import IO, Any

from bytesplice._bytesplice import _open_descriptor, copy, fill

__all__ = ["delete_bytes", "insert_bytes", "move_bytes", "resize_bytes"]

_BLOCK = 1 << 20
# Where a buffer begins: bytes that move by a few are read into it three times as fast as at a
# page border.
_HALF_A_PAGE = mmap.PAGESIZE // 2


def insert_bytes(
    fobj: IO[bytes], size: int, offset: int, BUFFER_SIZE: int = _BLOCK, *, safe: bool = False
) -> None:
    """
    Insert size bytes before the byte at offset. What they hold is left open.

    The position of fobj stays. ValueError for negative numbers and for an offset past the end.
    """
    if size < 0 or offset < 0:
        raise ValueError("size and offset must not be negative")
    with _Target(fobj, BUFFER_SIZE) as target:
        rest = target.size() - offset
        if rest < 0:
            raise ValueError("offset is past the end of the file")
        if size == 0:
            return
        if safe:
            target.splice(offset, offset, fill(0, size))
            return
        target.lengthen(size)
        target.move(offset + size, offset, rest)


def delete_bytes(
    fobj: IO[bytes], size: int, offset: int, BUFFER_SIZE: int = _BLOCK, *, safe: bool = False
) -> None:
    """
    Delete size bytes from offset on. The position of fobj stays.

    ValueError for negative numbers and for bytes past the end.
    """
    if size < 0 or offset < 0:
        raise ValueError("size and offset must not be negative")
    with _Target(fobj, BUFFER_SIZE) as target:
        length = target.size()
        rest = length - offset - size
        if rest < 0:
            raise ValueError("the bytes to delete are past the end of the file")
        if size == 0:
            return
        if safe:
            target.splice(offset, offset + size, b"")
            return
        target.move(offset, offset + size, rest)
        target.truncate(length - size)


def resize_bytes(
    fobj: IO[bytes], old_size: int, new_size: int, offset: int, *, safe: bool = False
) -> None:
    """
    Make the area of old_size bytes at offset new_size bytes long, at its end.

    ValueError as for insert_bytes and delete_bytes.
    """
    if new_size < old_size:
        delete_bytes(fobj, old_size - new_size, offset + new_size, safe=safe)
    elif new_size > old_size:
        insert_bytes(fobj, new_size - old_size, offset + old_size, safe=safe)


def move_bytes(
    fobj: IO[bytes],
    dest: int,
    src: int,
    count: int,
    BUFFER_SIZE: int = _BLOCK,
    *,
    safe: bool = False,
) -> None:
    """
    Copy count bytes from src over those at dest. The two may overlap; the length stays.

    ValueError for negative numbers and for bytes past the end.
    """
    if dest < 0 or src < 0 or count < 0:
        raise ValueError("dest, src and count must not be negative")
    with _Target(fobj, BUFFER_SIZE) as target:
        if max(dest, src) + count > target.size():
            raise ValueError("area outside of file")
        if count == 0 or dest == src:
            return
        if safe:
            target.splice(dest, dest + count, copy(src, src + count))
        else:
            target.move(dest, src, count)


class _Target:
    """A file object, its buffers flushed, and its descriptor if that is all there is to it."""

    def __init__(self, fobj: IO[bytes], block: int) -> None:
        self._fobj = fobj
        self._block = max(1, block)
        self._fileno = _fileno(fobj)

    def __enter__(self) -> "_Target":
        self._position = self._fobj.tell()
        self._fobj.flush()
        return self

    def __exit__(self, *_exception: object) -> None:
        # From the end the position is always asked for anew, and what was read ahead forgotten.
        self._fobj.seek(0, io.SEEK_END)
        self._fobj.seek(self._position)

    def size(self) -> int:
        if self._fileno is not None:
            return os.fstat(self._fileno).st_size
        return self._fobj.seek(0, io.SEEK_END)

    def splice(self, start: int, stop: int, new: Any) -> None:
        """Replace bytes in one crash-safe pass."""
        if self._fileno is None:
            raise io.UnsupportedOperation("only a file with a descriptor can be changed safely")
        with _open_descriptor(self._fileno) as file:
            file.replace(start, stop, new)

    def lengthen(self, size: int) -> None:
        end = self.size()
        if self._fileno is not None:
            # Takes the room now: a full disk must not be found out half-way.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._fileno, end, size)
            else:
                os.ftruncate(self._fileno, end + size)
            return
        try:
            for done in range(0, size, self._block):
                self._write(bytes(min(self._block, size - done)))
            self._fobj.flush()
        except OSError:
            self._fobj.truncate(end)
            raise

    def truncate(self, size: int) -> None:
        if self._fileno is not None:
            os.ftruncate(self._fileno, size)
        else:
            self._fobj.truncate(size)

    def move(self, dest: int, src: int, count: int) -> None:
        most = min(self._block, count)
        with memoryview(mmap.mmap(-1, most + _HALF_A_PAGE))[_HALF_A_PAGE:] as view:
            done = 0
            while done < count:
                size = min(most, count - done)
                # The bytes that are overwritten first must have been read by then.
                at = done if dest < src else count - done - size
                with view[:size] as part:
                    self._read_at(src + at, part)
                    self._write_at(dest + at, part)
                done += size
        self._fobj.flush()

    def _read_at(self, offset: int, part: memoryview) -> None:
        if self._fileno is None:
            self._fobj.seek(offset)
        done = 0
        while done < len(part):
            if self._fileno is not None:
                count = os.preadv(self._fileno, [part[done:]], offset + done)
            else:
                found = self._fobj.read(len(part) - done)
                count = len(found)
                part[done : done + count] = found
            if count == 0:
                raise OSError(errno.EIO, "the file was truncated while its bytes were moved")
            done += count

    def _write_at(self, offset: int, part: memoryview) -> None:
        if self._fileno is None:
            self._fobj.seek(offset)
            self._write(part)
            return
        done = 0
        while done < len(part):
            done += os.pwrite(self._fileno, part[done:], offset + done)

    def _write(self, data: Any) -> None:
        done = 0
        with memoryview(data) as view:
            while done < len(view):
                written = self._fobj.write(view[done:])
                # Some objects do not say that they wrote all.
                done += len(view) - done if written is None else written


def _fileno(fobj: IO[bytes]) -> int | None:
    """
    Return the descriptor of a regular file that fobj shows as it is.

    Others have one as well, such as GzipFile, whose bytes are not those of the descriptor.
    """
    inner: Any = fobj
    if isinstance(inner, tempfile._TemporaryFileWrapper):
        inner = inner.file
    raw = inner.raw if type(inner) is io.BufferedRandom else inner
    if type(raw) is not io.FileIO:
        return None
    number = raw.fileno()
    flags = fcntl.fcntl(number, fcntl.F_GETFL)
    if flags & os.O_ACCMODE != os.O_RDWR or flags & os.O_APPEND:
        return None
    return number if stat.S_ISREG(os.fstat(number).st_mode) else None
