"""
Run the interpreter's own tests of bytearray on resizing with bytesplice.mmap in its place.

What a map is not made for is added to it here: it is made of bytes and compared by its contents,
a slice takes a list of integers by way of bytes, and iterating gives integers. All changes are
those of the class itself.
"""

import json
import sys
import unittest
from typing import Any

from outcomes import Outcomes

import bytesplice


class Swapped(bytesplice.mmap):
    """A map of memory that is made like a bytearray."""

    def __new__(cls, *arguments: Any) -> "Swapped":
        """Map memory with the contents that bytearray would have."""
        contents = bytearray(*arguments)
        mapped = super().__new__(cls, -1, len(contents))
        mapped[:] = contents
        return mapped

    def __setitem__(self, index: Any, value: Any) -> None:
        """Store, with a list of integers as bytes."""
        super().__setitem__(index, bytes(value) if isinstance(value, list | range) else value)

    def __iter__(self) -> Any:
        """Iterate over integers."""
        return iter(self[:])

    def __eq__(self, other: object) -> bool:
        """Compare the contents."""
        return self[:] == (other[:] if isinstance(other, bytesplice.mmap) else other)

    __hash__ = None  # type: ignore[assignment]


# The name is part of a message that a test looks for.
Swapped.__name__ = Swapped.__qualname__ = "bytearray"


if __name__ == "__main__":
    from test import test_bytes  # type: ignore[import-not-found]

    vars(test_bytes)["bytearray"] = Swapped
    outcomes = Outcomes()
    tests = [test_bytes.ByteArrayTest(name) for name in sys.argv[1:]]
    unittest.TestSuite(tests).run(outcomes)
    json.dump(outcomes.outcomes, sys.stdout)
