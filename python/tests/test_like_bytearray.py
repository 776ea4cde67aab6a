"""Any-length edits against a bytearray, with flushes and new maps in between."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st

import bytesplice

offsets = st.integers(-40, 40)
limits = st.one_of(st.none(), offsets)
plain = st.builds(slice, limits, limits)
slices = st.builds(slice, limits, limits, st.one_of(st.none(), st.integers(-9, 9).filter(bool)))
small = st.binary(max_size=12)

EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("replace"), plain, small),
        st.tuples(st.just("fill"), slices, small.filter(bool)),
        st.tuples(st.just("store"), offsets, st.integers(0, 255)),
        st.tuples(st.just("remove"), st.one_of(offsets, slices)),
        st.tuples(st.just("insert"), offsets, st.one_of(st.integers(0, 255), small)),
        st.tuples(st.just("move"), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30)),
        st.tuples(st.just("flush")),
        st.tuples(st.just("reopen")),
    ),
    max_size=30,
)


def edit(mapped: Any, model: bytearray, name: str, arguments: list[Any]) -> None:
    """Makes one edit on both; they must raise alike."""
    match name:
        case "replace":
            index, new = arguments
            mapped[index] = new
            model[index] = new
        case "fill":
            index, pattern = arguments
            count = len(model[index])
            new = (pattern * (count // len(pattern) + 1))[:count]
            mapped[index] = new
            # A bytearray takes an empty value for a removal, whatever the step.
            if count:
                model[index] = new
        case "store":
            index, byte = arguments
            with alike(-len(model) <= index < len(model)):
                mapped[index] = byte
                model[index] = byte
        case "remove":
            inside = not isinstance(arguments[0], int) or (-len(model) <= arguments[0] < len(model))
            with alike(inside):
                del mapped[arguments[0]]
                del model[arguments[0]]
        case "insert":
            index, new = arguments
            mapped.insert(index, new)
            at = slice(index, index) if index >= 0 or -index <= len(model) else slice(0, 0)
            model[at] = bytes([new]) if isinstance(new, int) else new
        case "move":
            to, start, count = arguments
            inside = max(to, start) + count <= len(model)
            with contextlib.nullcontext() if inside else pytest.raises(ValueError, match="count"):
                mapped.move(to, start, count)
                model[to : to + count] = model[start : start + count]


def alike(inside: bool) -> contextlib.AbstractContextManager[object]:
    if inside:
        return contextlib.nullcontext()
    return pytest.raises(IndexError, match="^mmap index out of range$")


@pytest.mark.parametrize("deferred", [False, True])
@given(contents=st.binary(max_size=40), edits=EDITS)
@settings(max_examples=examples(300))
def test_a_whole_file(tmp_path: Path, deferred: bool, contents: bytes, edits: list[Any]) -> None:
    path = tmp_path / "data"
    path.write_bytes(contents)
    model, on_disk = bytearray(contents), contents
    # Stores reach the file at once until the length changes.
    waits = deferred
    with path.open("r+b") as file, contextlib.ExitStack() as stack:
        mapped = stack.enter_context(bytesplice.mmap(file.fileno(), 0, deferred=deferred))
        for name, *arguments in edits:
            if name in ("flush", "reopen"):
                on_disk, waits = bytes(model), deferred
            if name == "flush":
                mapped.flush()
            elif name == "reopen":
                stack.close()
                mapped = stack.enter_context(bytesplice.mmap(file.fileno(), 0, deferred=deferred))
            else:
                length = len(model)
                edit(mapped, model, name, arguments)
                waits = waits or len(model) != length
                on_disk = on_disk if waits else bytes(model)
            assert len(mapped) == mapped.size() == len(model)
            assert mapped[:] == model
            assert path.read_bytes() == on_disk
    assert path.read_bytes() == model
    assert [entry.name for entry in tmp_path.iterdir()] == ["data"]


@given(before=small, contents=st.binary(min_size=1, max_size=30), after=small, edits=EDITS)
def test_a_window(
    tmp_path: Path, before: bytes, contents: bytes, after: bytes, edits: list[Any]
) -> None:
    path = tmp_path / "data"
    path.write_bytes(before + contents + after)
    model = bytearray(contents)
    with path.open("r+b") as file:
        with bytesplice.mmap(file.fileno(), len(contents), offset=len(before)) as mapped:
            for name, *arguments in edits:
                if name == "flush":
                    mapped.flush()
                    assert path.read_bytes() == before + model + after
                elif name != "reopen":
                    edit(mapped, model, name, arguments)
                assert mapped[:] == model
                assert mapped.size() == len(before) + len(model) + len(after)
        assert path.read_bytes() == before + model + after


@given(contents=st.binary(max_size=30), edits=EDITS)
def test_a_copy_never_reaches_the_file(tmp_path: Path, contents: bytes, edits: list[Any]) -> None:
    path = tmp_path / "data"
    path.write_bytes(contents)
    model = bytearray(contents)
    with path.open("rb") as file:
        access = bytesplice.ACCESS_COPY
        with bytesplice.mmap(file.fileno(), 0, access=access) as mapped:
            for name, *arguments in edits:
                if name == "flush":
                    mapped.flush()
                elif name != "reopen":
                    edit(mapped, model, name, arguments)
                assert mapped[:] == model
                assert mapped.size() == len(contents)
    assert path.read_bytes() == contents


@pytest.mark.parametrize("stride", [2, 3, 1000, 65535, 65536, 65537, 200_000, -2, -70_000])
def test_extended_slices_longer_than_a_block(tmp_path: Path, stride: int) -> None:
    path = tmp_path / "data"
    model = bytearray(bytes(range(251)) * 4000)
    path.write_bytes(model)
    with path.open("r+b") as file, bytesplice.mmap(file.fileno(), 0) as mapped:
        assert mapped[5::stride] == model[5::stride]
        assert mapped[::stride] == model[::stride]
        new = bytes(byte ^ 0x55 for byte in model[::stride])
        mapped[::stride] = new
        model[::stride] = new
        assert mapped[:] == model
        del mapped[500_000::stride]
        del model[500_000::stride]
        assert mapped[:] == model
    assert path.read_bytes() == model


@pytest.mark.parametrize("length", [1, 2, 1000, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_search_across_blocks(tmp_path: Path, length: int) -> None:
    path = tmp_path / "data"
    needle = b"x" * (length - 1) + b"y"
    with path.open("w+b") as file:
        file.write(b"x" * ((1 << 20) - 5) + needle + bytes(5 << 20) + needle + b"xx")
        file.flush()
        model = path.read_bytes()
        with bytesplice.mmap(file.fileno(), 0) as mapped:
            assert mapped.find(needle) == model.find(needle)
            assert mapped.rfind(needle) == model.rfind(needle)
            assert mapped.find(needle, 2 << 20) == model.find(needle, 2 << 20)
            assert mapped.rfind(needle, 0, -3) == model.rfind(needle, 0, -3)
            assert mapped.find(needle + b"z") == -1
            assert mapped.rfind(needle + b"z") == -1


def test_insertion_out_of_range_is_at_the_start_or_the_end(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"0123")
    with path.open("r+b") as file, bytesplice.mmap(file.fileno(), 0) as mapped:
        for index, value in ((99, b"end"), (-99, b"start"), (-1, ord("x")), (2**63 - 1, b"!")):
            mapped.insert(index, value)
    assert path.read_bytes() == b"start0123enxd!"
