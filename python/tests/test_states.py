"""Random calls on a map, against a bytearray and the file: a state machine of hypothesis."""

import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import examples
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

import bytesplice

offsets = st.integers(-50, 50)
limits = st.one_of(st.none(), offsets)
plain = st.builds(slice, limits, limits)
small = st.binary(max_size=12)
byte = st.integers(0, 255)


class Reenters:
    """A number that edits the map while it is asked for."""

    def __init__(self, mapped: bytesplice.mmap, model: bytearray, value: int) -> None:
        self.mapped, self.model, self.value = mapped, model, value

    def __index__(self) -> int:
        self.mapped.extend(b"re")
        self.model.extend(b"re")
        return self.value


class Maps(RuleBasedStateMachine):
    """A map of a window with bytes before and behind it, some of whose edits are not saved."""

    views = Bundle("views")

    @initialize(before=small, contents=st.binary(max_size=40), after=small, deferred=st.booleans())
    def map(self, before: bytes, contents: bytes, after: bytes, deferred: bool) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.path = self.directory / "data"
        # A window to the end of the file is asked for by the length 0.
        self.before, self.after = before, after if contents else b""
        self.path.write_bytes(self.before + contents + self.after)
        self.file = self.path.open("r+b")
        self.model, self.on_disk, self.waits = bytearray(contents), bytes(contents), deferred
        self.deferred, self.exported = deferred, 0
        if not contents and before:
            self.before = b""
            self.path.write_bytes(b"")
        self.open()

    def open(self) -> None:
        self.mapped = bytesplice.mmap(
            self.file.fileno(), len(self.model), offset=len(self.before), deferred=self.deferred
        )

    def teardown(self) -> None:
        if hasattr(self, "file"):
            self.release_all()
            self.mapped.close()
            assert self.path.read_bytes() == self.before + self.model + self.after
            assert [entry.name for entry in self.directory.iterdir()] == ["data"]
            self.file.close()
            shutil.rmtree(self.directory)

    def release_all(self) -> None:
        for view in getattr(self, "live", []):
            view.release()
        self.live: list[memoryview] = []

    def change(self, ours: Any, theirs: Any) -> None:
        """Make the same change on both; with views none that changes the length is made."""
        length, saved = len(self.model), bytes(self.model)
        copy = bytearray(self.model)
        theirs(copy)
        live = [view for view in getattr(self, "live", []) if not_released(view)]
        if live and len(copy) != length:
            with pytest.raises(BufferError, match="extant buffers exported"):
                ours(self.mapped)
            assert self.mapped[:] == saved
            return
        ours(self.mapped)
        theirs(self.model)
        self.waits = self.waits or len(self.model) != length
        self.on_disk = self.on_disk if self.waits else bytes(self.model)

    @rule(where=plain, new=small)
    def assign(self, where: slice, new: bytes) -> None:
        def action(target: Any) -> None:
            target[where] = new

        self.change(action, action)

    @rule(where=plain, step=st.sampled_from([2, 3, -1, -2]), fill=byte)
    def assign_extended(self, where: slice, step: int, fill: int) -> None:
        index = slice(where.start, where.stop, step)
        new = bytes([fill]) * len(self.model[index])

        def action(target: Any) -> None:
            if new:
                target[index] = new

        self.change(action, action)

    @rule(where=plain, step=st.sampled_from([1, 2, 3, -1, -2]))
    def delete(self, where: slice, step: int) -> None:
        def action(target: Any) -> None:
            del target[where.start : where.stop : step]

        self.change(action, action)

    @rule(index=offsets, value=byte)
    def insert(self, index: int, value: int) -> None:
        self.change(lambda m: m.insert(index, value), lambda m: m.insert(index, value))

    @rule(value=byte, new=small)
    def append_and_extend(self, value: int, new: bytes) -> None:
        self.change(lambda m: m.append(value), lambda m: m.append(value))
        self.change(lambda m: m.extend(new), lambda m: m.extend(new))
        self.change(lambda m: m.extend(list(new)), lambda m: m.extend(list(new)))

    @rule(index=offsets)
    def pop(self, index: int) -> None:
        if -len(self.model) <= index < len(self.model):
            self.change(lambda m: m.pop(index), lambda m: m.pop(index))
        else:
            with pytest.raises(IndexError):
                self.mapped.pop(index)

    @rule(value=byte)
    def remove(self, value: int) -> None:
        if value in self.model:
            self.change(lambda m: m.remove(value), lambda m: m.remove(value))
        else:
            with pytest.raises(ValueError, match="not found"):
                self.mapped.remove(value)

    @rule(at=st.integers(0, 10))
    def assign_itself(self, at: int) -> None:
        if len(self.model) > 500:
            return

        def action(target: Any) -> None:
            target[at:] = target

        self.change(action, action)

    @rule(length=st.integers(0, 60))
    def resize(self, length: int) -> None:
        if [view for view in getattr(self, "live", []) if not_released(view)]:
            with pytest.raises(BufferError):
                self.mapped.resize(length)
            return
        self.mapped.resize(length)
        self.model = self.model[:length] + bytes(max(0, length - len(self.model)))
        self.on_disk, self.waits = bytes(self.model), self.deferred

    @rule(value=byte)
    def reenter(self, value: int) -> None:
        if not self.model or [view for view in getattr(self, "live", []) if not_released(view)]:
            return
        self.mapped[0] = Reenters(self.mapped, self.model, value)
        self.model[0] = value
        self.waits = True

    @rule(new=small)
    def edit_in_threads(self, new: bytes) -> None:
        if not new or [view for view in getattr(self, "live", []) if not_released(view)]:
            return
        threads = [threading.Thread(target=self.mapped.extend, args=(new,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.model.extend(new * 3)
        self.waits = True

    @rule(target=views)
    def view(self) -> memoryview:
        view = memoryview(self.mapped)
        assert bytes(view) == self.model
        if not hasattr(self, "live"):
            self.live = []
        self.live.append(view)
        return view

    @rule(view=views, fill=byte)
    def store_through_a_view(self, view: memoryview, fill: int) -> None:
        if not_released(view) and not view.readonly and view.nbytes:
            view[0] = fill
            self.model[0] = fill
            self.on_disk = bytes(self.model)

    @rule(view=consumes(views))
    def release(self, view: memoryview) -> None:
        view.release()

    @rule()
    def flush(self) -> None:
        self.mapped.flush()
        self.on_disk, self.waits = bytes(self.model), self.deferred

    @rule()
    def reopen(self) -> None:
        self.release_all()
        self.mapped.close()
        self.on_disk, self.waits = bytes(self.model), self.deferred
        if not self.model:
            # A window of no bytes is one to the end of the file.
            self.before, self.after = b"", b""
            self.path.write_bytes(b"")
        self.open()

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "mapped"):
            assert len(self.mapped) == len(self.model)
            assert self.mapped[:] == self.model
            assert self.path.read_bytes() == self.before + self.on_disk + self.after
            assert self.mapped.find(b"re", 0) == self.model.find(b"re")


def not_released(view: memoryview) -> bool:
    """Whether a view is still one."""
    try:
        return view.nbytes >= 0
    except ValueError:
        return False


TestMaps = Maps.TestCase
TestMaps.settings = settings(max_examples=examples(150), stateful_step_count=30, deadline=None)
