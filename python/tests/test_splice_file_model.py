"""A SpliceFile does what a bytearray does, whatever is done to both."""

import tempfile
from pathlib import Path
from typing import Any

from conftest import examples
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import bytesplice

NUMBER = st.integers(0, 1 << 20)
BYTES = st.binary(max_size=40)


class Model(RuleBasedStateMachine):
    """Both, side by side, and what the file on the disk must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.file = self.begin(b"0123456789" * 30)
        self.bytes = bytearray(b"0123456789" * 30)
        self.saved = bytes(self.bytes)
        # The contents before each edit, and those that can be redone.
        self.before: list[bytes] = []
        self.undone: list[bytes] = []
        self.snapshot: bytes | None = None

    def begin(self, contents: bytes) -> bytesplice.SpliceFile:
        path = Path(self.directory.name, "data")
        path.write_bytes(contents)
        return bytesplice.open(path, memory_limit=200)

    def contents(self) -> bytes:
        return Path(self.directory.name, "data").read_bytes()

    def commit_by(self, strategy: Any) -> None:
        self.file.commit(strategy=strategy, durable=False)

    def teardown(self) -> None:
        self.file.discard()
        self.file.close()
        self.directory.cleanup()

    def place(self, number: int) -> int:
        return number % (len(self.bytes) + 1)

    def span(self, one: int, other: int, most: int = 60) -> tuple[int, int]:
        start, stop = sorted((self.place(one), self.place(other)))
        return start, min(stop, start + most)

    def edited(self, before: bytes, changed: bool = True) -> None:
        # An edit that neither takes nor gives a byte is none.
        if changed:
            self.before.append(before)
            self.undone.clear()

    @rule(one=NUMBER, other=NUMBER, new=BYTES)
    def replace(self, one: int, other: int, new: bytes) -> None:
        before, (start, stop) = bytes(self.bytes), self.span(one, other)
        self.file.replace(start, stop, new)
        self.bytes[start:stop] = new
        self.edited(before, stop > start or bool(new))

    @rule(at=NUMBER, new=st.lists(BYTES, max_size=4))
    def insert_stream(self, at: int, new: list[bytes]) -> None:
        before, at = bytes(self.bytes), self.place(at)
        self.file.insert(at, iter(new))
        self.bytes[at:at] = b"".join(new)
        self.edited(before, any(new))

    @rule(at=NUMBER, byte=st.integers(0, 255), count=st.integers(0, 100))
    def insert_fill(self, at: int, byte: int, count: int) -> None:
        before, at = bytes(self.bytes), self.place(at)
        self.file.insert(at, bytesplice.fill(byte, count))
        self.bytes[at:at] = bytes([byte]) * count
        self.edited(before, count > 0)

    @rule(one=NUMBER, other=NUMBER)
    def remove(self, one: int, other: int) -> None:
        before, (start, stop) = bytes(self.bytes), self.span(one, other)
        self.file.remove(start, stop)
        del self.bytes[start:stop]
        self.edited(before, stop > start)

    @rule(one=NUMBER, other=NUMBER, at=NUMBER)
    def copy_range(self, one: int, other: int, at: int) -> None:
        before, (start, stop), at = bytes(self.bytes), self.span(one, other), self.place(at)
        self.file.copy_range(start, stop, at)
        self.bytes[at:at] = before[start:stop]
        self.edited(before, stop > start)

    @rule(one=NUMBER, other=NUMBER, at=NUMBER)
    def move_range(self, one: int, other: int, at: int) -> None:
        before, (start, stop), at = bytes(self.bytes), self.span(one, other), self.place(at)
        if start < at < stop:
            at = stop
        self.file.move_range(start, stop, at)
        if at <= start:
            order = before[:at], before[start:stop], before[at:start], before[stop:]
        else:
            order = before[:start], before[stop:at], before[start:stop], before[at:]
        self.bytes[:] = b"".join(order)
        self.edited(before, stop > start and at not in (start, stop))

    @rule(old=st.binary(min_size=1, max_size=2) | st.just(b"3"), new=BYTES)
    def replace_all(self, old: bytes, new: bytes) -> None:
        before = bytes(self.bytes)
        if len(before) > 5000:
            return
        assert self.file.replace_all(old, new) == before.count(old)
        self.bytes[:] = before.replace(old, new)
        self.edited(before, old in before)

    @rule(at=NUMBER)
    def truncate(self, at: int) -> None:
        before, at = bytes(self.bytes), self.place(at)
        at = max(at, len(before) - 80)
        self.file.truncate(at)
        del self.bytes[at:]
        self.edited(before, at < len(before))

    @rule()
    def undo(self) -> None:
        assert self.file.undo() == bool(self.before)
        if self.before:
            self.undone.append(bytes(self.bytes))
            self.bytes[:] = self.before.pop()

    @rule()
    def redo(self) -> None:
        assert self.file.redo() == bool(self.undone)
        if self.undone:
            self.before.append(bytes(self.bytes))
            self.bytes[:] = self.undone.pop()

    @rule()
    def take_snapshot(self) -> None:
        self.file.snapshot("one")
        self.snapshot = bytes(self.bytes)

    @precondition(lambda self: self.snapshot is not None)
    @rule()
    def restore(self) -> None:
        assert self.snapshot is not None
        before = bytes(self.bytes)
        assert self.file.view("one")[:] == self.snapshot
        self.file.restore("one")
        self.bytes[:] = self.snapshot
        self.edited(before, bool(before) or bool(self.snapshot))

    @rule(strategy=st.sampled_from(["auto", "journaled", "replace", "direct"]))
    def commit(self, strategy: str) -> None:
        self.commit_by(strategy)
        self.saved = bytes(self.bytes)
        assert not self.file.is_modified

    @rule()
    def discard(self) -> None:
        self.file.discard()
        self.bytes[:] = self.saved
        self.before.clear()
        self.undone.clear()
        self.snapshot = None

    @rule(needle=st.binary(min_size=1, max_size=2), one=NUMBER, other=NUMBER)
    def find(self, needle: bytes, one: int, other: int) -> None:
        start, stop = sorted((self.place(one), self.place(other)))
        for ours, theirs in (
            (self.file.find, self.bytes.find),
            (self.file.rfind, self.bytes.rfind),
        ):
            found = ours(needle, start, stop)
            assert (found.start if found else -1) == theirs(needle, start, stop)

    @invariant()
    def same(self) -> None:
        assert len(self.file) == len(self.bytes)
        assert self.file[:] == self.bytes
        assert self.contents() == self.saved


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)
