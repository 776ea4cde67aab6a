"""Items by the C functions for sequences, as C code asks for them: like those of mmap."""

import ctypes
import mmap as standard
from functools import partial
from typing import Any

import pytest
from conftest import CONTENTS, opened, outcome

import bytesplice

API = ctypes.pythonapi


def function(name: str, result: Any, *arguments: Any) -> Any:
    found = getattr(API, name)
    found.restype, found.argtypes = result, arguments
    return found


get = function("PySequence_GetItem", ctypes.py_object, ctypes.py_object, ctypes.c_ssize_t)
put = function(
    "PySequence_SetItem", ctypes.c_int, ctypes.py_object, ctypes.c_ssize_t, ctypes.py_object
)
remove = function("PySequence_DelItem", ctypes.c_int, ctypes.py_object, ctypes.c_ssize_t)
is_sequence = function("PySequence_Check", ctypes.c_int, ctypes.py_object)
as_list = function("PySequence_List", ctypes.py_object, ctypes.py_object)
run = function(
    "PySequence_GetSlice", ctypes.py_object, ctypes.py_object, ctypes.c_ssize_t, ctypes.c_ssize_t
)


@pytest.mark.parametrize("index", [*range(-9, 10), -(2**63), 2**63 - 1])
def test_items(index: int) -> None:
    with bytesplice.mmap(-1, 4) as ours, standard.mmap(-1, 4) as theirs:
        ours[:] = theirs[:] = b"abcd"
        assert is_sequence(ours) == is_sequence(theirs) == 1
        kind, value = outcome(partial(get, ours, index))
        expected_kind, expected = outcome(partial(get, theirs, index))
        assert kind == expected_kind
        if kind is None:
            # The standard map gives bytes here, and integers by brackets.
            assert value == ours[index] == ord(expected)  # type: ignore[arg-type]
        assert outcome(partial(put, ours, index, ord("x"))) == outcome(
            partial(put, ours if kind else theirs, index, ord("x") if kind else b"x")
        )
        assert ours[:] == theirs[:]
        assert run(ours, 1, 3) == run(theirs, 1, 3)
        assert as_list(ours) == as_list(theirs)


def test_items_of_any_number(data: Any) -> None:
    with opened(data) as mapped:
        remove(mapped, 0)
        remove(mapped, -1)
        with pytest.raises(IndexError):
            remove(mapped, 38)
        with pytest.raises(IndexError):
            remove(mapped, -39)
        assert mapped[:] == CONTENTS[1:-1]
    with opened(data, access=bytesplice.ACCESS_READ) as mapped:
        with pytest.raises(TypeError):
            put(mapped, 0, 1)
        with pytest.raises(TypeError):
            remove(mapped, 0)
