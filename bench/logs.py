"""A log of text: lines of 40 to 160 bytes, most unlike their neighbours, written from one block over and over."""

from pathlib import Path
from random import Random

LINES = 10_000
"""In a block."""
WORDS = (
    "request",
    "served",
    "closed",
    "by",
    "peer",
    "cache",
    "miss",
    "fetching",
    "from",
    "origin",
    "user",
    "logged",
    "in",
    "retrying",
    "after",
    "timeout",
)


class Log:
    """The block, and where its lines end."""

    def __init__(self) -> None:
        random = Random(7)
        lines = []
        for number in range(LINES):
            text = " ".join(random.choices(WORDS, k=random.randrange(3, 22)))
            lines.append(f"12:{number // 60 % 60:02}:{number % 60:02} worker {random.randrange(9)}: {text}\n".encode())
        self._lines = lines
        self._block = b"".join(lines)

    def write(self, path: Path, size: int) -> None:
        """Writes `size` bytes, the last line cut off wherever that is."""
        with path.open("wb") as file:
            whole, rest = divmod(size, len(self._block))
            for _ in range(whole):
                file.write(self._block)
            file.write(self._block[:rest])

    def offset(self, lines: int) -> int:
        """Where the line after so many lines begins."""
        whole, rest = divmod(lines, LINES)
        return whole * len(self._block) + sum(map(len, self._lines[:rest]))
