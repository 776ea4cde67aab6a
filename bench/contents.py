"""What a file must hold: a list of pieces over a reference file, written and compared as streams.

This is the oracle. It shares no code with bytesplice: an edit cuts a Python list.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

MEBIBYTE = 1 << 20
STEP = MEBIBYTE


class Edit(NamedTuple):
    """At `offset`, `removed` bytes give way to `inserted`."""

    offset: int
    removed: int
    inserted: bytes


@dataclass(frozen=True, slots=True)
class Reference:
    """Bytes `offset .. offset + length` of the reference file."""

    offset: int
    length: int

    def part(self, begin: int, end: int) -> "Reference":
        """The half-open range `begin..end` of this piece."""
        return Reference(self.offset + begin, end - begin)


@dataclass(frozen=True, slots=True)
class Literal:
    """These bytes."""

    data: bytes

    @property
    def length(self) -> int:
        """How many bytes there are."""
        return len(self.data)

    def part(self, begin: int, end: int) -> "Literal":
        """The half-open range `begin..end` of this piece."""
        return Literal(self.data[begin:end])


@dataclass(frozen=True, slots=True)
class Zeros:
    """A hole, or as many zeros."""

    length: int

    def part(self, begin: int, end: int) -> "Zeros":
        """The half-open range `begin..end` of this piece."""
        return Zeros(end - begin)


Piece = Reference | Literal | Zeros


@dataclass(frozen=True)
class Contents:
    """The whole of a file, as pieces in order."""

    pieces: tuple[Piece, ...]

    @property
    def length(self) -> int:
        """How many bytes the file has."""
        return sum(piece.length for piece in self.pieces)

    def after(self, edits: Iterable[Edit]) -> "Contents":
        """The contents after these edits, each in the offsets that the one before left."""
        pieces = list(self.pieces)
        for edit in edits:
            first = _cut(pieces, edit.offset)
            last = _cut(pieces, edit.offset + edit.removed, first, edit.offset)
            pieces[first:last] = [Literal(edit.inserted)] if edit.inserted else []
        return Contents(tuple(pieces))

    def data(self, reference: int) -> Iterator[tuple[int, bytes]]:
        """Offset and bytes of all that is no hole, at most `STEP` at a time."""
        offset = 0
        for piece in self.pieces:
            if isinstance(piece, Literal):
                yield offset, piece.data
            elif isinstance(piece, Reference):
                for begin in range(0, piece.length, STEP):
                    size = min(STEP, piece.length - begin)
                    yield offset + begin, os.pread(reference, size, piece.offset + begin)
            offset += piece.length

    def write(self, path: Path, reference: Path, write_size: int) -> None:
        """Makes `path` a new file with these contents, in writes of `write_size`, and syncs it."""
        source = os.open(reference, os.O_RDONLY)
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            for offset, data in self.data(source):
                if write_size >= len(data):
                    os.pwrite(target, data, offset)
                    continue
                view = memoryview(data)
                for begin in range(0, len(data), write_size):
                    os.pwrite(target, view[begin : begin + write_size], offset + begin)
            os.ftruncate(target, self.length)
            os.fsync(target)
        finally:
            os.close(source)
            os.close(target)

    def difference(self, path: Path, reference: Path) -> str | None:
        """The first difference between the file and these contents, in words; `None` if there is none."""
        if not path.exists():
            return "the file is gone"
        source = os.open(reference, os.O_RDONLY)
        actual = os.open(path, os.O_RDONLY)
        try:
            length = os.fstat(actual).st_size
            if length != self.length:
                return f"length {length} instead of {self.length}"
            for offset, data in self.data(source):
                found = os.pread(actual, len(data), offset)
                if found != data:
                    step = next(i for i, (a, b) in enumerate(zip(found, data, strict=True)) if a != b)
                    return f"byte {offset + step} differs"
            return self._not_zero(actual)
        finally:
            os.close(source)
            os.close(actual)

    def _not_zero(self, actual: int) -> str | None:
        """A byte that should be zero and is not. Holes of the file are zero without reading them."""
        offset = 0
        for piece in self.pieces:
            end = offset + piece.length
            while isinstance(piece, Zeros) and offset < end:
                try:
                    offset = min(os.lseek(actual, offset, os.SEEK_DATA), end)
                except OSError:  # ENXIO: no data up to the end of the file
                    break
                size = min(STEP, end - offset)
                if os.pread(actual, size, offset).count(0) != size:
                    return f"a byte in {offset}..{offset + size} is not zero"
                offset += size
            offset = end
        return None


def _cut(pieces: list[Piece], offset: int, index: int = 0, begin: int = 0) -> int:
    """Makes `offset` a border between pieces and returns the index of the piece that begins there.

    The search starts at the piece of that index, which begins at `begin`.
    """
    while index < len(pieces):
        piece = pieces[index]
        if begin == offset:
            return index
        if offset < begin + piece.length:
            at = offset - begin
            pieces[index : index + 1] = [piece.part(0, at), piece.part(at, piece.length)]
            return index + 1
        begin += piece.length
        index += 1
    if begin != offset:
        raise ValueError(f"offset {offset} is outside the contents, which end at {begin}")
    return len(pieces)


def write_reference(path: Path, length: int) -> None:
    """Makes the reference file: seeded random bytes behind 64 letters.

    The letters are the beginning of the first line, for the peers that edit lines.
    """
    random = Random(20260917)
    with path.open("xb") as file:
        file.write(b"the first line begins with letters, so that editors of lines can")
        position = file.tell()
        while position < length:
            position += file.write(random.randbytes(min(MEBIBYTE, length - position)))
