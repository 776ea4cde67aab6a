"""Views of a map: without a copy, and what they forbid."""

import hashlib
import io
import re
import struct
import threading
import zlib
from pathlib import Path
from typing import Any

import pytest
from conftest import CONTENTS, opened

import bytesplice


def test_a_view_is_the_file(data: Path) -> None:
    with opened(data) as mapped:
        with memoryview(mapped) as view:
            assert (view.nbytes, view.readonly, view.format, view.obj) == (40, False, "B", mapped)
            view[0:4] = b"abcd"
            assert data.read_bytes() == b"abcd" + CONTENTS[4:]
            mapped[4] = ord("e")
            assert view[4] == ord("e")
        assert bytes(mapped) == bytearray(mapped) == data.read_bytes()


def test_a_view_of_numpy(data: Path) -> None:
    numpy = pytest.importorskip("numpy")
    with opened(data) as mapped:
        array = numpy.frombuffer(mapped, dtype="u1")
        array[:4] = 65
        assert data.read_bytes() == b"AAAA" + CONTENTS[4:]
        with pytest.raises(BufferError):
            mapped.append(1)
        del array
        mapped.append(65)


CHANGES: list[Any] = [
    lambda m: m.insert(0, b"x"),
    lambda m: m.append(1),
    lambda m: m.extend(b"x"),
    lambda m: m.pop(),
    lambda m: m.remove(ord("0")),
    lambda m: m.clear(),
    lambda m: m.resize(50),
    lambda m: m.resize(40),
    lambda m: m.__delitem__(0),
    lambda m: m.__delitem__(slice(0, 9, 2)),
    lambda m: m.__setitem__(slice(0, 1), b"12"),
    lambda m: m.__setitem__(slice(8, None), m),
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("unsaved", [False, True])
def test_the_length_cannot_change_under_a_view(data: Path, change: Any, unsaved: bool) -> None:
    with opened(data) as mapped:
        if unsaved:
            mapped.insert(0, b"n")
            del mapped[40]
        before = mapped[:]
        view = memoryview(mapped)
        with pytest.raises(BufferError, match="extant buffers exported"):
            change(mapped)
        with pytest.raises(BufferError, match="cannot close exported pointers exist"):
            mapped.close()
        assert mapped[:] == before == bytes(view)
        assert data.read_bytes() == CONTENTS
        mapped[1] = ord("x")
        mapped[0:0] = b""
        view.release()
        change(mapped)


def test_unsaved_edits_give_a_copy(data: Path) -> None:
    with opened(data) as mapped:
        mapped.insert(0, b"new")
        with memoryview(mapped) as view:
            assert view.readonly
            assert bytes(view) == b"new" + CONTENTS
        with pytest.raises(TypeError, match="read-write"):
            io.BytesIO(b"12").readinto(mapped)
        mapped.flush()
        assert io.BytesIO(b"12").readinto(mapped) == 2
        assert not memoryview(mapped).readonly
    assert data.read_bytes() == b"12w" + CONTENTS


def test_too_much_for_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with path.open("w+b") as file:
        file.truncate((64 << 20) + 1)
        with bytesplice.mmap(file.fileno(), 0) as mapped:
            memoryview(mapped).release()
            mapped.append(1)
            with pytest.raises(BufferError, match="call flush first"):
                memoryview(mapped)
            mapped.pop()
            mapped.pop()
            assert memoryview(mapped).nbytes == 64 << 20


def test_read_only_views(data: Path) -> None:
    with opened(data, access=bytesplice.ACCESS_READ) as mapped:
        assert memoryview(mapped).readonly
        with pytest.raises((BufferError, TypeError)):
            io.BytesIO(b"12").readinto(mapped)
        mapped.close()


@pytest.mark.parametrize("unsaved", [False, True])
def test_what_takes_buffers(data: Path, unsaved: bool) -> None:
    with opened(data) as mapped:
        if unsaved:
            mapped.insert(4, b"new")
        contents = mapped[:]
        assert [match.span() for match in re.finditer(b"[37]+", mapped)] == [
            match.span() for match in re.finditer(b"[37]+", contents)
        ]
        assert hashlib.sha256(mapped).digest() == hashlib.sha256(contents).digest()
        assert zlib.crc32(mapped) == zlib.crc32(contents)
        assert struct.unpack_from("<IH", mapped, 3) == struct.unpack_from("<IH", contents, 3)
        assert b"".join([mapped, b"!"]) == contents + b"!"
        assert int.from_bytes(mapped, "big") == int.from_bytes(contents, "big")
        with io.BytesIO() as out:
            out.write(mapped)
            assert out.getvalue() == contents
        mapped.append(1)


def test_iteration(data: Path) -> None:
    with opened(data) as mapped:
        assert list(mapped) == [CONTENTS[at : at + 1] for at in range(40)]
        assert list(reversed(mapped)) == list(mapped)[::-1]
        assert b"3" in mapped
        assert bytearray(b"3") in mapped
        assert b"x" not in mapped
        assert b"33" not in mapped
        assert ord("3") not in mapped
        iterator = iter(mapped)
        next(iterator)
        del mapped[1:]
        assert list(iterator) == []
        mapped.extend(b"more")
        assert list(iterator) == []
        iterator = iter(mapped)
        mapped.close()
        with pytest.raises(ValueError, match="^mmap closed or invalid$"):
            next(iterator)
        with pytest.raises(ValueError, match="^mmap closed or invalid$"):
            b"x" in mapped  # noqa: B015


class Evil:
    """Runs code while the map asks it for a number or for bytes."""

    def __init__(self, action: Any) -> None:
        self.action = action

    def __index__(self) -> int:
        self.action()
        return 10


def test_code_that_runs_in_between(data: Path) -> None:
    uses: list[Any] = [
        lambda m, e: m[e],
        lambda m, e: m[e:20],
        lambda m, e: m[20:e:-2],
        lambda m, e: m.read(e),
        lambda m, e: m.find(b"1", 1, e),
        lambda m, e: m.move(1, 2, e),
        lambda m, e: m.write_byte(e),
        lambda m, e: m.__setitem__(0, e),
        lambda m, e: m.__setitem__(e, 1),
        lambda m, e: m.__setitem__(slice(e, 20), b"1" * 10),
        lambda m, e: m.__setitem__(slice(e, 20, 2), b"1" * 5),
        lambda m, e: m.__delitem__(e),
        lambda m, e: m.__delitem__(slice(e, 12)),
        lambda m, e: m.insert(e, b"x"),
        lambda m, e: m.insert(0, e),
        lambda m, e: m.append(e),
        lambda m, e: m.extend([1, e]),
        lambda m, e: m.pop(e),
        lambda m, e: m.remove(e),
        lambda m, e: m.resize(e),
        lambda m, e: m.seek(e),
        lambda m, e: m.madvise(0, e),
        lambda m, e: m.flush(e),
    ]
    for use in uses:
        with opened(data) as mapped, pytest.raises(ValueError, match="^mmap closed or invalid$"):
            use(mapped, Evil(mapped.close))
        assert data.read_bytes() == CONTENTS
    for use in uses:
        with opened(data, access=bytesplice.ACCESS_COPY) as mapped:
            try:
                use(mapped, Evil(mapped.clear))
            except (IndexError, ValueError, TypeError, OSError):
                assert len(mapped) == 0
            assert len(mapped) <= 10
            assert mapped[:] == bytes(mapped)


def test_views_and_threads(data: Path) -> None:
    with opened(data) as mapped:
        refused = 0

        def edit() -> None:
            nonlocal refused
            for _ in range(300):
                try:
                    mapped.insert(20, b"ab")
                    del mapped[20:22]
                    mapped.flush()
                except BufferError:
                    refused += 1

        def look() -> None:
            for _ in range(3000):
                with memoryview(mapped) as view:
                    assert view[0] == ord("0")
                    assert view.nbytes == len(mapped)

        threads = [threading.Thread(target=action) for action in (edit, look, look)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(mapped) % 2 == 0
        assert mapped[:20] == CONTENTS[:20]
        assert bytes(mapped)[-20:] == CONTENTS[20:]
