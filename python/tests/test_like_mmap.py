"""Side by side with the standard mmap: equal calls on equal files give equal answers and files."""

import mmap as standard
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from conftest import outcome
from hypothesis import given
from hypothesis import strategies as st

import bytesplice

# Offsets around the ends of a map of up to 60 bytes, and the largest numbers.
offsets = st.one_of(st.integers(-70, 70), st.sampled_from([2**63 - 1, -(2**63), 2**64, -(2**70)]))
limits = st.one_of(st.none(), offsets)
steps = st.one_of(st.none(), st.integers(-9, 9), st.sampled_from([2**63 - 1, -(2**63), 2**64]))
slices = st.builds(slice, limits, limits, steps)
letters = st.sampled_from([b"", b"a", b"b", b"\n", b"ab", b"ba", b"aab", b"abab" * 4])
contents = st.lists(letters, min_size=1, max_size=30).map(b"".join).filter(bool)
bytes_like = st.one_of(
    letters,
    letters.map(bytearray),
    letters.map(lambda letter: memoryview(letter)),
    st.sampled_from(["ab", 5, None, 1.5, [97]]),
)
byte_values = st.one_of(st.integers(-2, 257), st.sampled_from([2**63 - 1, "a", b"a", None, 1.5]))

CALLS = st.one_of(
    st.tuples(st.just("len")),
    st.tuples(st.just("get"), st.one_of(offsets, slices, st.sampled_from(["a", None, 1.5]))),
    st.tuples(st.just("set"), st.one_of(offsets, st.just("a")), byte_values),
    st.tuples(st.just("fill"), slices, st.integers(0, 255)),
    st.tuples(st.sampled_from(["find", "rfind"]), bytes_like),
    st.tuples(st.sampled_from(["find", "rfind"]), letters, offsets),
    st.tuples(st.sampled_from(["find", "rfind"]), letters, offsets, offsets),
    st.tuples(st.just("move"), offsets, offsets, offsets),
    st.tuples(st.just("move"), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20)),
    st.tuples(st.just("seek"), offsets),
    st.tuples(st.just("seek"), offsets, st.integers(-1, 3)),
    st.tuples(st.just("tell")),
    st.tuples(st.just("read")),
    st.tuples(st.just("read"), limits),
    st.tuples(st.just("read_byte")),
    st.tuples(st.just("readline")),
    st.tuples(st.just("write"), bytes_like),
    st.tuples(st.just("write_byte"), byte_values),
    st.tuples(st.just("size")),
    st.tuples(st.just("flush")),
    st.tuples(st.just("flush"), st.just(0), offsets.filter(lambda size: size != -1)),
    st.tuples(st.just("closed")),
)


def call(mapped: Any, name: str, *arguments: Any) -> object:
    match name:
        case "len":
            return len(mapped)
        case "get":
            return mapped[arguments[0]]
        case "set":
            mapped[arguments[0]] = arguments[1]
        case "fill":
            index, byte = arguments
            mapped[index] = bytes([byte]) * len(mapped[index])
        case "closed":
            return mapped.closed
        case "seek":
            # Returns the position from Python 3.13 on, and always in bytesplice.
            mapped.seek(*arguments)
        case _:
            return getattr(mapped, name)(*arguments)
    return None


def compare(ours: Any, theirs: Any, name: str, *arguments: Any) -> None:
    kind, value = outcome(partial(call, ours, name, *arguments))
    expected_kind, expected = outcome(partial(call, theirs, name, *arguments))
    if name == "set" and {kind, expected_kind} <= {IndexError, ValueError, TypeError}:
        # Of an index and a value that are both wrong, versions differ in which they name.
        return
    assert kind == expected_kind, (name, arguments, value, expected)
    # The interpreter words errors about the types of arguments, each version differently.
    if kind not in (TypeError, OverflowError):
        assert value == expected, (name, arguments)


def pair(directory: Path, bytes_: bytes, **options: Any) -> tuple[Any, Any, Any, Any]:
    """Two equal files, and a map of each by either module."""
    opened = []
    for name in ("ours", "theirs"):
        path = directory / name
        path.write_bytes(bytes_)
        opened.append(path.open("r+b", buffering=0))
    ours, theirs = opened
    return (
        ours,
        theirs,
        bytesplice.mmap(ours.fileno(), 0, **options),
        standard.mmap(theirs.fileno(), 0, **options),
    )


@given(contents=contents, calls=st.lists(CALLS, max_size=25))
def test_equal_length_calls(tmp_path: Path, contents: bytes, calls: list[Any]) -> None:
    our_file, their_file, ours, theirs = pair(tmp_path, contents)
    with our_file, their_file:
        with ours, theirs:
            for name, *arguments in calls:
                compare(ours, theirs, name, *arguments)
                assert ours.tell() == theirs.tell()
                assert ours[:] == theirs[:]
        assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


@pytest.mark.parametrize("access", [bytesplice.ACCESS_READ, bytesplice.ACCESS_COPY])
@given(contents=contents, calls=st.lists(CALLS, max_size=10))
def test_maps_that_never_write(
    tmp_path: Path, access: int, contents: bytes, calls: list[Any]
) -> None:
    our_file, their_file, ours, theirs = pair(tmp_path, contents, access=access)
    with our_file, their_file:
        with ours, theirs:
            for name, *arguments in calls:
                compare(ours, theirs, name, *arguments)
                assert ours[:] == theirs[:]
        assert (tmp_path / "ours").read_bytes() == contents


@given(contents=contents, calls=st.lists(CALLS, max_size=5))
def test_closed_maps(tmp_path: Path, contents: bytes, calls: list[Any]) -> None:
    our_file, their_file, ours, theirs = pair(tmp_path, contents)
    with our_file, their_file:
        ours.close()
        theirs.close()
        for name, *arguments in calls:
            kind, value = outcome(partial(call, ours, name, *arguments))
            expected = outcome(partial(call, theirs, name, *arguments))
            # Which of two errors comes first is left open.
            assert (kind, value) == expected or {kind, expected[0]} <= {
                ValueError,
                TypeError,
                OverflowError,
                IndexError,
            }, (name, arguments)
        ours.close()


PAGE = standard.ALLOCATIONGRANULARITY
CONSTRUCTIONS = [
    *[{"length": length} for length in (0, 1, 7, 3 * PAGE + 7, 3 * PAGE + 8, -1, 2**62)],
    *[{"length": 0, "offset": offset} for offset in (0, PAGE, 3 * PAGE, 4 * PAGE, -1, 2**62)],
    *[{"length": length, "offset": PAGE} for length in (1, PAGE, 2 * PAGE + 7, 2 * PAGE + 8)],
    *[{"length": 5, "access": access} for access in (0, 1, 2, 3, 4, 9, -1)],
    *[{"length": 5, "prot": prot} for prot in (1, 2, 3)],
    *[{"length": 5, "flags": flags} for flags in (0, 1, 2)],
    {"length": 5, "flags": 2, "prot": 1},
    {"length": 5, "flags": 2, "prot": 3},
    {"length": 5, "flags": 2, "access": 1},
    {"length": 5, "prot": 1, "access": 2},
    {"length": "5"},
    {"length": 5.0},
    {"length": 2**63},
    {"length": 5, "unknown": 1},
    {},
]


@pytest.mark.parametrize("options", CONSTRUCTIONS, ids=str)
@pytest.mark.parametrize("mode", ["rb", "r+b", "wb"])
def test_construction(page_file: Path, mode: str, options: dict[str, Any]) -> None:
    def construct(module: Any) -> object:
        contents = page_file.read_bytes()
        with page_file.open(mode) as file:
            if mode == "wb":
                file.write(contents)
                file.flush()
            try:
                with module.mmap(file.fileno(), **options) as mapped:
                    about = repr(mapped).partition(" ")[2]
                    return len(mapped), mapped[:10], mapped[-10:], mapped.size(), about
            finally:
                assert page_file.read_bytes() == contents

    kind, value = outcome(lambda: construct(bytesplice))
    expected_kind, expected = outcome(lambda: construct(standard))
    assert kind == expected_kind, (value, expected)
    if kind is ValueError or kind is None:
        assert value == expected


@pytest.mark.parametrize("number", [-2, 1_000_000])
def test_a_number_that_is_no_descriptor(number: int) -> None:
    for module in (bytesplice, standard):
        with pytest.raises(OSError, match="Bad file descriptor"):
            module.mmap(number, 1)


def test_constants_are_the_standard_ones() -> None:
    for name in bytesplice.__all__:
        if name.isupper():
            assert getattr(bytesplice, name) == getattr(standard, name)
    assert bytesplice.error is OSError


def test_repr_of_a_closed_map(data: Path) -> None:
    with data.open("r+b") as file:
        mapped = bytesplice.mmap(file.fileno(), 0)
        mapped.close()
    assert repr(mapped) == "<bytesplice.mmap closed=True>"


def test_private_memory_is_resized(tmp_path: Path) -> None:
    with bytesplice.mmap(-1, 4, flags=bytesplice.MAP_PRIVATE) as mapped:
        mapped[:] = b"abcd"
        mapped.resize(6)
        assert mapped[:] == b"abcd\0\0"
        mapped.resize(2)
        assert mapped[:] == b"ab"
    path = tmp_path / "data"
    path.write_bytes(b"abcd")
    with path.open("r+b") as file:
        options: list[Any] = [{"flags": bytesplice.MAP_PRIVATE}, {"access": bytesplice.ACCESS_COPY}]
        for option in options:
            mapped = bytesplice.mmap(file.fileno(), 0, **option)
            with mapped, pytest.raises(TypeError):
                mapped.resize(2)
    assert path.read_bytes() == b"abcd"
