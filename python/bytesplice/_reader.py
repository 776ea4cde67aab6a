"""A file object over the contents of a SpliceFile or a View."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from bytesplice._bytesplice import SpliceFile, View


class Reader(io.RawIOBase):
    """
    Reads contents as they are at each moment, from a position of its own.

    An edit does not move the position. Closing this does not close the SpliceFile.
    """

    def __init__(self, contents: "SpliceFile | View") -> None:
        """Begin at the start."""
        super().__init__()
        self._contents = contents
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Set the position, which may lie past the end, and return it."""
        self._check_open()
        match whence:
            case io.SEEK_SET:
                start = 0
            case io.SEEK_CUR:
                start = self._position
            case io.SEEK_END:
                start = len(self._contents)
            case _:
                raise ValueError(f"invalid whence ({whence}, should be 0, 1 or 2)")
        if start + offset < 0:
            raise ValueError(f"negative seek position {start + offset}")
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        self._check_open()
        return self._position

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill a buffer from the position on; return how many bytes there were."""
        with memoryview(buffer) as view, view.cast("B") as wanted:
            found = self._take(len(wanted))
            wanted[: len(found)] = found
        return len(found)

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to size bytes from the position on, all without a size."""
        return self._take(None if size is None or size < 0 else size)

    def readall(self) -> bytes:
        """Return all bytes from the position on."""
        return self._take(None)

    def _take(self, size: int | None) -> bytes:
        self._check_open()
        rest = max(0, len(self._contents) - self._position)
        count = rest if size is None else min(size, rest)
        if count == 0:
            return b""
        found = self._contents.read(self._position, count)
        self._position += count
        return found

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
