"""The transactional face: edits, reads, search, history, commits and what they raise."""

import array
import csv
import errno
import gc
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import CONTENTS, interrupted

import bytesplice
from bytesplice import SpliceFile

LONG = bytes(range(256)) * (24 << 12)  # 24 MiB


@pytest.fixture(params=["file", "object"])
def file(request: pytest.FixtureRequest) -> Iterator[SpliceFile]:
    """The forty digits, open, in a file or in an object; what is not committed is dropped."""
    if request.param == "file":
        opened = bytesplice.open(request.getfixturevalue("data"))
    else:
        request.getfixturevalue("objects").put("digits", CONTENTS)
        opened = bytesplice.open("s3://bucket/digits")
    yield opened
    opened.close()


def test_edits_reach_the_file_together(data: Path) -> None:
    inode = data.stat().st_ino
    with bytesplice.open(data) as file:
        file.remove(4, 8)
        file.insert(4, b"AAAA")
        file.replace(10, 20, b"text of any length")
        file.append(bytearray(b"."))
        assert data.read_bytes() == CONTENTS
        assert file.is_modified
        assert file[:] == b"0000AAAA22text of any length55556666777788889999."
    assert data.read_bytes() == b"0000AAAA22text of any length55556666777788889999."
    assert data.stat().st_ino == inode
    assert file.closed


def test_an_exception_discards(data: Path) -> None:
    with pytest.raises(KeyError), bytesplice.open(data) as file:
        file.truncate(0)
        raise KeyError
    assert data.read_bytes() == CONTENTS
    assert file.closed
    bytesplice.open(data).close()


def test_a_block_may_commit_discard_or_close_itself(data: Path) -> None:
    with bytesplice.open(data) as file:
        file.append(b"one")
        file.commit()
        file.append(b"two")
        file.discard()
        file.append(b"three")
        file.close()
    assert data.read_bytes() == CONTENTS + b"one"


@pytest.mark.parametrize(
    ("data_like", "expected"),
    [
        (memoryview(b"abcd")[1:3], b"bc"),
        (bytesplice.fill(0, 3), b"\0\0\0"),
        (bytesplice.fill(b"-", 3), b"---"),
        (bytesplice.copy(4, 9), b"11112"),
        (bytesplice.copy(38), b"99"),
        (lambda: io.BytesIO(b"stream" * 300_000), b"stream" * 300_000),
        ([b"a", bytearray(b"b"), b"", memoryview(b"c")], b"abc"),
        (lambda: (piece for piece in (b"x", b"y")), b"xy"),
        (b"", b""),
        ([], b""),
    ],
)
def test_new_bytes(file: SpliceFile, data_like: Any, expected: bytes) -> None:
    file.replace(2, 4, data_like() if callable(data_like) else data_like)
    assert file[:] == CONTENTS[:2] + expected + CONTENTS[4:]


def test_large_buffers_are_copied_in_parts(file: SpliceFile) -> None:
    numbers = array.array("d", range(400_000))
    for large in (numbers, memoryview(numbers), bytearray(numbers.tobytes()), numbers.tobytes()):
        file.replace(2, None, large)
        assert file[:] == CONTENTS[:2] + numbers.tobytes()
    with pytest.raises(BufferError, match="contiguous"):
        file.append(memoryview(bytes(4 << 20))[::2])


def test_long_reads(data: Path) -> None:
    data.write_bytes(LONG)
    with bytesplice.open(data) as file, data.open("rb") as plain:
        file.insert(1 << 20, b"new")
        file.snapshot("then")
        expected = LONG[: 1 << 20] + b"new" + LONG[1 << 20 :]
        mapped = bytesplice.mmap(plain.fileno(), 0, access=bytesplice.ACCESS_READ)
        for start, stop in ((0, len(LONG)), (5, (1 << 20) + 1), (7, (64 << 10) + 7), (3, 262_147)):
            assert file.read(start, stop - start) == file[start:stop] == expected[start:stop]
            assert file.view("then").read(start, stop - start) == expected[start:stop]
            assert mapped[start:stop] == LONG[start:stop]
        mapped.close()
        file.discard()


def test_bytes_of_other_files(file: SpliceFile, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"0123456789")
    file.insert(0, bytesplice.file_range(other, 8))
    file.append(bytesplice.file_range(str(other), 0, 2))
    with other.open("rb") as stream:
        stream.seek(4)
        file.append(stream)
    assert file[:] == b"89" + CONTENTS + b"01" + b"456789"
    with pytest.raises(bytesplice.RangeError):
        file.append(bytesplice.file_range(other, 8, 11))
    with pytest.raises(FileNotFoundError):
        file.append(bytesplice.file_range(tmp_path / "none"))
    other.write_bytes(b"changed")
    with pytest.raises(bytesplice.ChangedError):
        file.commit()


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        *((wrong, TypeError) for wrong in ("text", 5, None, [1, 2], ["a"], io.StringIO("text"))),
        (memoryview(b"abcd")[::2], BufferError),
    ],
)
def test_what_is_no_bytes(file: SpliceFile, wrong: Any, kind: type[Exception]) -> None:
    edits: list[Callable[[], None]] = [
        lambda: file.append(wrong),
        lambda: file.replace(0, 1, wrong),
    ]
    for edit in edits:
        with pytest.raises(kind):
            edit()
    assert not file.is_modified


def test_an_exception_of_a_stream_passes_through(file: SpliceFile) -> None:
    def failing() -> Iterator[bytes]:
        yield b"some"
        raise StopError("broken")

    with pytest.raises(StopError, match="broken"):
        file.insert(5, failing())
    assert file[:] == CONTENTS
    assert not file.is_modified


def test_a_stream_cannot_use_the_file_it_goes_to(file: SpliceFile) -> None:
    with pytest.raises(bytesplice.BusyError, match="in use"):
        file.append(file.reader())
    assert file[:] == CONTENTS
    file.append(bytesplice.copy())
    assert len(file) == 80


OUTSIDE: list[Callable[[SpliceFile], object]] = [
    lambda f: f.remove(0, 41),
    lambda f: f.remove(41, None),
    lambda f: f.remove(5, 4),
    lambda f: f.remove(-1, None),
    lambda f: f.remove(0, 2**70),
    lambda f: f.replace(39, 41, b""),
    lambda f: f.insert(41, b"a"),
    lambda f: f.insert(-1, b"a"),
    lambda f: f.truncate(41),
    lambda f: f.read(0, 41),
    lambda f: f.read(41),
    lambda f: f.read(-1),
    lambda f: f.read(2**64 - 1, 2),
    lambda f: f.copy_range(0, 41, 0),
    lambda f: f.move_range(0, 2, 41),
    lambda f: f.find(b"a", 0, 41),
    lambda f: f.find_iter(b"a", 3, 2),
    lambda f: f.replace_all(b"a", b"", 41),
    lambda f: f.lines(0, 2),
    lambda f: f.line_at(41),
    lambda f: f.append(bytesplice.copy(0, 41)),
    lambda f: f[40],
    lambda f: f[-41],
]


@pytest.mark.parametrize("number", range(len(OUTSIDE)))
def test_ranges_are_never_clipped(file: SpliceFile, number: int) -> None:
    with pytest.raises(IndexError):
        OUTSIDE[number](file)
    assert not file.is_modified


def test_offsets_are_integers(file: SpliceFile) -> None:
    class Four:
        def __index__(self) -> int:
            return 4

    assert file.read(Four(), Four()) == b"1111"
    for wrong in (1.0, "1", b"1"):
        with pytest.raises(TypeError, match="integer"):
            file.remove(wrong, None)  # type: ignore[arg-type]


def test_slices_are_those_of_bytes(file: SpliceFile) -> None:
    for part in (slice(None), slice(3, 9), slice(-5, None), slice(30, 99), slice(9, 3)):
        assert file[part] == CONTENTS[part]
    assert (file[0], file[-1]) == (CONTENTS[0], CONTENTS[-1])
    assert file.read(3, 4) == CONTENTS[3:7]
    assert file.read() == CONTENTS
    assert file.read(40) == b""
    with pytest.raises(ValueError, match="no step"):
        file[::2]
    with pytest.raises(TypeError, match="integers or slices"):
        file["a"]  # type: ignore[call-overload]


def test_copies_and_moves(file: SpliceFile) -> None:
    file.copy_range(0, 2, 40)
    file.move_range(4, 8, 0)
    assert file[:] == b"11110000" + CONTENTS[8:] + b"00"
    with pytest.raises(bytesplice.OverlapError) as caught:
        file.move_range(4, 8, 6)
    assert isinstance(caught.value, ValueError)


def test_history(data: Path) -> None:
    with bytesplice.open(data) as file:
        with file.group():
            file.remove(0, 4)
            file.append(b"end")
        file.insert(0, b"x")
        file.commit()
        assert file.undo()
        assert file.undo()
        assert file[:] == CONTENTS
        assert not file.undo()
        assert file.redo()
        assert file[:] == CONTENTS[4:] + b"end"
        with pytest.raises(KeyError), file.group():
            file.append(b"1")
            file.append(b"2")
            raise KeyError
        assert file.undo()
        assert file[:] == CONTENTS[4:] + b"end"
    with bytesplice.open(data, history_limit=0) as file:
        file.append(b"more")
        with pytest.raises(bytesplice.HistoryError):
            file.undo()


def test_snapshots(data: Path) -> None:
    with bytesplice.open(data) as file:
        file.snapshot("before")
        file.truncate(4)
        file.commit()
        view = file.view("before")
        assert (len(view), view[:], view[-1]) == (40, CONTENTS, CONTENTS[-1])
        assert view.read(4, 4) == b"1111"
        assert view.reader().read() == CONTENTS
        assert (view.name, file.snapshots()) == ("before", ["before"])
        file.restore("before")
        assert file[:] == CONTENTS
        assert file.remove_snapshot("before")
        assert not file.remove_snapshot("before")
        for use in (lambda: file.view("before"), lambda: view[:], lambda: len(view)):
            with pytest.raises(LookupError, match="no snapshot"):
                use()
    with pytest.raises(bytesplice.ClosedError):
        view.read()


def test_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\nthree\nfour")
    with bytesplice.open(path) as file:
        assert file.line_count() == 4
        assert file.lines(1, 3) == (4, 14)
        assert file.lines(None, None) == (0, 18)
        assert file.line_at(4) == 1
        file.remove(*file.lines(None, 2))
    assert path.read_bytes() == b"three\nfour"


def test_expectations(data: Path) -> None:
    file = bytesplice.open(data)
    file.expect(0, 4, b"0000")
    with pytest.raises(bytesplice.UnexpectedError, match="differ first at offset 3") as caught:
        file.expect(0, 4, b"0001")
    assert isinstance(caught.value, ValueError)
    file.append(b"x")
    with pytest.raises(bytesplice.UnexpectedError):
        file.commit()
    file.discard()
    file.append(b"y")
    file.commit()
    file.close()
    assert data.read_bytes() == CONTENTS + b"y"


def test_search(file: SpliceFile) -> None:
    match = file.find(b"1222")
    assert match is not None
    assert (match.span, match.start, match.stop, len(match)) == ((7, 11), 7, 11, 4)
    assert file.find(b"1222", 8) is None
    assert file.find(b"1222", 0, 10) is None
    last = file.rfind((b"77", b"33"))
    assert last == file.find(b"77", 30)
    match file.find((b"9", b"2")):
        case bytesplice.Match(start, stop, needle):
            assert (start, stop, needle) == (8, 9, 1)
        case other:
            pytest.fail(f"{other}")
    assert [m.span for m in file.find_iter(bytesplice.Regex("[4-6]+|9"))] == [
        (16, 28),
        *((at, at + 1) for at in range(36, 40)),
    ]
    with pytest.raises(TypeError, match="a pattern is"):
        file.find("text")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="compiled from bytes"):
        file.find(re.compile("text"))  # type: ignore[arg-type]


def test_all_matches_whatever_is_looked_for_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "many"
    contents = b"ab" * 100_000 + b"c"
    path.write_bytes(contents)
    with bytesplice.open(path) as file:
        for pattern in (rb"b", rb"x*", rb"a?", rb"\b", rb"(?m)$"):
            found = [m.span for m in file.find_iter(bytesplice.Regex(pattern))]
            spans = [m.span() for m in re.finditer(pattern, contents)]
            # An empty match right behind another is none here.
            wanted = [
                span
                for before, span in zip([(-1, -1), *spans], spans, strict=False)
                if span[0] < span[1] or before[1] != span[0]
            ]
            assert found == wanted, pattern


def test_an_edit_ends_an_iteration(file: SpliceFile) -> None:
    matches = file.find_iter(b"1")
    next(matches)
    file.append(b"1")
    with pytest.raises(RuntimeError, match="edited during"):
        next(matches)
    assert list(matches) == []


def test_replace_all(data: Path) -> None:
    with bytesplice.open(data) as file:
        assert file.replace_all(b"22", b"-") == 2
        assert file.replace_all((b"3", b"4"), b"", max=6) == 6
        regex = re.compile(rb"(?P<first>5+)(6+)")
        assert file.replace_all(regex, b"$2${first}$$", template=True) == 1
        assert file.replace_all(b"9", b"!", 0, 5) == 0
        with pytest.raises(bytesplice.PatternError, match="names a group"):
            file.replace_all(regex, b"$3", template=True)
    assert data.read_bytes() == b"00001111--4466665555$777788889999"


def test_search_can_be_stopped(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(LONG)
    calls: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        calls.append((done, total))
        raise StopError

    with bytesplice.open(path) as file:
        searches: list[Callable[[], object]] = [
            lambda: file.find(b"none", progress=stop),
            lambda: file.rfind(b"none", progress=stop),
            lambda: next(file.find_iter(b"none", progress=stop)),
            lambda: file.replace_all(b"\0", b"none", progress=stop),
        ]
        for search in searches:
            with pytest.raises(StopError):
                search()
        assert len(calls) == 4
        assert not file.is_modified
        with pytest.raises(TypeError, match="callable"):
            file.find(b"", progress=5)  # type: ignore[arg-type]


def test_readers(file: SpliceFile, tmp_path: Path) -> None:
    file.insert(4, b"\n")
    contents = CONTENTS[:4] + b"\n" + CONTENTS[4:]
    assert file.reader().readall() == contents
    assert io.BufferedReader(file.reader()).readlines() == [b"0000\n", contents[5:]]
    out = io.BytesIO()
    shutil.copyfileobj(file.reader(), out, 7)
    assert out.getvalue() == contents
    raw = file.reader()
    assert isinstance(raw, io.RawIOBase)
    assert (raw.readable(), raw.seekable(), raw.writable()) == (True, True, False)
    assert (raw.seek(-3, 2), raw.read(2), raw.tell(), raw.read(5)) == (38, b"99", 40, b"9")
    assert (raw.seek(100), raw.read(), raw.read(3)) == (100, b"", b"")
    buffer = bytearray(4)
    assert (raw.seek(0), raw.readinto(memoryview(buffer)[:2])) == (0, 2)
    assert buffer == b"00\0\0"
    seeks: list[Callable[[], int]] = [lambda: raw.seek(-1), lambda: raw.seek(0, 5)]
    for wrong in seeks:
        with pytest.raises(ValueError, match="whence|negative"):
            wrong()
    raw.close()
    with pytest.raises(ValueError, match="closed"):
        raw.read()


def test_readers_go_where_files_go(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("table.csv", "a,b\n1,2\n")
    with bytesplice.open(archive) as file:
        file.insert(0, b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file.reader()) as edited:
            text = io.StringIO(edited.read("table.csv").decode())
        assert list(csv.reader(text)) == [["a", "b"], ["1", "2"]]
        file.discard()


STRATEGIES = ["auto", "journaled", "snapshot", "extents", "replace", "direct"]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("durable", [True, False])
def test_strategies(data: Path, strategy: Any, durable: bool) -> None:
    with bytesplice.open(data) as file:
        file.insert(4, b"new")
        try:
            plan = file.plan(strategy=strategy, durable=durable)
            assert (plan["old_length"], plan["new_length"]) == (40, 43)
            file.commit(strategy=strategy, durable=durable)
        except bytesplice.StrategyError as error:
            assert strategy in ("snapshot", "extents")
            assert error.errno == errno.EOPNOTSUPP
            file.discard()
            return
        assert not file.is_modified
    assert data.read_bytes() == CONTENTS[:4] + b"new" + CONTENTS[4:]


def test_what_does_not_exist(data: Path) -> None:
    with pytest.raises(ValueError, match="no lock"):
        bytesplice.open(data, lock="maybe")  # type: ignore[arg-type]
    with bytesplice.open(data) as file:
        for call in (file.commit, file.plan):
            with pytest.raises(ValueError, match='there is no strategy "fast"'):
                call(strategy="fast")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="no checks"):
            file.write_script(io.BytesIO(), checks="some")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            SpliceFile()


class StopError(Exception):
    """Raised by callbacks."""


def test_progress(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(LONG)
    calls: list[tuple[int, int]] = []
    with bytesplice.open(path) as file:
        file.insert(1, b"new")
        file.commit(strategy="journaled", progress=lambda *call: calls.append(call))
        file.commit(progress=lambda *_: pytest.fail("there is nothing to commit"))
    assert calls == sorted(calls)
    assert calls[-1][0] == calls[-1][1] >= len(LONG)


@pytest.mark.parametrize("kind", [StopError, KeyboardInterrupt])
def test_an_exception_before_the_commit_point_keeps_the_old(
    tmp_path: Path, kind: type[BaseException]
) -> None:
    path = tmp_path / "data"
    path.write_bytes(LONG)

    def stop(_done: int, _total: int) -> None:
        raise kind

    with bytesplice.open(path) as file:
        file.insert(1, b"new")
        with pytest.raises(kind):
            file.commit(strategy="journaled", progress=stop)
        assert path.read_bytes() == LONG
        assert file.is_modified
        file.commit()
    assert path.read_bytes() == LONG[:1] + b"new" + LONG[1:]
    assert list(tmp_path.iterdir()) == [path]


def test_a_callback_cannot_use_the_file(data: Path) -> None:
    with bytesplice.open(data) as file:
        file.append(b"x")
        with pytest.raises(bytesplice.BusyError):
            file.commit(progress=lambda *_: file.append(b"y"))
        file.commit()
    assert data.read_bytes() == CONTENTS + b"x"


def test_control_c_leaves_old_or_new(tmp_path: Path) -> None:
    path = tmp_path / "data"
    script = """if True:
        import bytesplice, signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with bytesplice.open(sys.argv[1]) as file:
            file.insert(1, b"new")
            print("begin", flush=True)
            file.commit(strategy="journaled")
        """
    for delay in (0.0, 0.01, 0.03, 0.08):
        path.write_bytes(LONG * 4)
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=tmp_path,
        )
        assert child.stdout is not None
        with child.stdout:
            assert child.stdout.readline() == b"begin\n"
            time.sleep(delay)
            child.send_signal(signal.SIGINT)
            child.wait()
        assert bytesplice.status(path)["journal"]["state"] == "none"
        assert path.read_bytes() in (LONG * 4, LONG[:1] + b"new" + LONG[1:] + LONG * 3)


@pytest.mark.parametrize(
    "call",
    [
        "file.find(b'none')",
        "file.rfind(b'none')",
        "list(file.find_iter(b'none'))",
        "file.replace_all(b'none', b'')",
        "file.replace_all(re.compile(rb'[a-z]+'), b'')",
        "file.line_count()",
        "file.lines(5, 6)",
        "file.line_at(1 << 42)",
        "file.close(), bytesplice.diff(path, path, 'script')",
    ],
)
def test_control_c_stops_a_search(tmp_path: Path, call: str) -> None:
    path = tmp_path / "data"
    with path.open("wb") as file:
        file.truncate(1 << 43)
    script = f"""if True:
        import bytesplice, re, signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)
        path = sys.argv[1]
        with bytesplice.open(path) as file:
            print("begin", flush=True)
            try:
                {call}
            except KeyboardInterrupt:
                print("stopped", bytesplice.status(path)["length"], not file.closed and len(file))
        """
    stopped = interrupted(script, path)
    assert stopped.removesuffix(b" False\n").split() == [b"stopped"] + [b"%d" % (1 << 43)] * (
        1 if "close" in call else 2
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["data"]


def test_locks(data: Path) -> None:
    with bytesplice.open(data):
        with pytest.raises(BlockingIOError) as caught:
            bytesplice.open(data)
        assert isinstance(caught.value, bytesplice.LockedError)
        assert caught.value.errno == errno.EAGAIN
        assert bytesplice.status(data)["locked"]
        with bytesplice.open(data, lock="none") as other:
            other.append(b"x")
            with pytest.raises(bytesplice.LockedError):
                other.commit()
            other.discard()
    with bytesplice.open(data, read_only=True), bytesplice.open(data, read_only=True) as file:
        assert file.read_only
        file.append(b"x")
        assert len(file) == 41
        with pytest.raises(PermissionError):
            file.commit()
        file.discard()


def test_waiting_for_a_lock_lets_others_run(data: Path) -> None:
    first = bytesplice.open(data)
    lengths: list[int] = []

    def wait() -> None:
        with bytesplice.open(data, lock="wait") as second:
            lengths.append(len(second))

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.05)
    first.append(b"x")
    first.commit()
    first.close()
    thread.join()
    assert lengths == [41]


def test_control_c_stops_waiting(data: Path) -> None:
    script = """if True:
        import bytesplice, signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print("begin", flush=True)
        try:
            bytesplice.open(sys.argv[1], lock="wait")
        except KeyboardInterrupt:
            print("stopped")
        """
    with bytesplice.open(data):
        assert interrupted(script, data) == b"stopped\n"


def test_opening(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        bytesplice.open(tmp_path / "none")
    assert isinstance(caught.value, bytesplice.MissingError)
    assert caught.value.file_state == "unchanged"
    with pytest.raises(bytesplice.FileError, match="directory"):
        bytesplice.open(tmp_path)
    options: dict[str, Any] = {"memory_limit": 10, "temporary_directory": tmp_path}
    with bytesplice.open(tmp_path / "new", create=True, **options) as file:
        assert len(file) == 0
        assert file
        file.append(b"0" * 100)
        assert file.path == str(tmp_path.resolve() / "new")
        assert "length=100" in repr(file)
    assert "closed" in repr(file)
    assert (tmp_path / "new").read_bytes() == b"0" * 100


def test_a_closed_file(file: SpliceFile) -> None:
    file.close()
    file.close()
    uses: list[Callable[[], object]] = [
        lambda: len(file),
        lambda: file[0],
        lambda: file.append(b""),
        lambda: file.find(b""),
        lambda: file.commit(),
        lambda: file.is_modified,
        lambda: file.__enter__(),
        lambda: file.reader().read(),
    ]
    for use in uses:
        with pytest.raises(bytesplice.ClosedError, match="closed") as caught:
            use()
        assert isinstance(caught.value, ValueError)


def test_a_dropped_file_says_what_is_lost(data: Path) -> None:
    file = bytesplice.open(data)
    file.append(b"x")
    with pytest.warns(ResourceWarning, match="edits are discarded"):
        del file
        gc.collect()
    bytesplice.open(data).close()
    assert data.read_bytes() == CONTENTS


def test_changed_by_others(data: Path) -> None:
    with bytesplice.open(data) as file:
        file.append(b"x")
        with data.open("ab") as other:
            other.write(b"others")
        with pytest.raises(bytesplice.ChangedError) as caught:
            file.commit()
        assert isinstance(caught.value, OSError)
        assert caught.value.errno == errno.ESTALE
        file.discard()
    assert data.read_bytes() == CONTENTS + b"others"


def test_a_child_never_commits(data: Path) -> None:
    with bytesplice.open(data) as file:
        file.append(b"x")
        child = os.fork()
        if child == 0:
            try:
                file.commit()
            except RuntimeError:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert data.read_bytes() == CONTENTS
    assert data.read_bytes() == CONTENTS + b"x"


def test_threads(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"")
    with bytesplice.open(path) as file:

        def work(name: bytes) -> None:
            for _ in range(300):
                file.append(name)
                assert file.find(name) is not None
                file[-1]

        threads = [threading.Thread(target=work, args=(b"%d" % n * 3,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(file) == 4 * 300 * 3
    pieces = re.findall(rb"(.)\1\1", path.read_bytes())
    assert sorted(pieces) == sorted([b"0", b"1", b"2", b"3"] * 300)


def test_others_run_during_a_search(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(512 << 20))
    ended = threading.Event()
    turns = 0

    def search() -> None:
        with bytesplice.open(path) as file:
            assert file.find(b"none") is None
        ended.set()

    thread = threading.Thread(target=search)
    thread.start()
    while not ended.is_set():
        turns += 1
        time.sleep(0.001)
    thread.join()
    # Without the lock of the interpreter this loop would have got no turn, or one.
    assert turns > 5


def test_scripts(data: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.write_bytes(CONTENTS[:4] + b"new" + CONTENTS[8:])
    script = tmp_path / "script"
    bytesplice.diff(data, new, script, checks="whole")
    out = io.BytesIO()
    bytesplice.diff(str(data), new, out, checks="whole")
    assert out.getvalue() == script.read_bytes()
    undo = io.BytesIO()
    with bytesplice.open(data) as file:
        assert file.apply(out.getvalue()) == 1
        file.write_script(again := io.BytesIO(), checks="whole")
        assert again.getvalue() == out.getvalue()
        file.write_script(undo, undo=True)
        file.discard()
    assert bytesplice.apply(data, script) == 1
    assert data.read_bytes() == new.read_bytes()
    with pytest.raises(bytesplice.ScriptError, match="is for a file of 40 bytes"):
        bytesplice.apply(data, script)
    undo.seek(0)
    assert bytesplice.apply(data, undo, strategy="direct", durable=False) == 1
    assert data.read_bytes() == CONTENTS
    data.write_bytes(b"x" * 40)
    with pytest.raises(bytesplice.UnexpectedError):
        bytesplice.apply(data, script)
    with pytest.raises(bytesplice.ScriptError) as caught:
        bytesplice.apply(data, b"nonsense")
    assert isinstance(caught.value, ValueError)
    assert data.read_bytes() == b"x" * 40
    with pytest.raises(AttributeError, match="write"):
        bytesplice.diff(data, new, object())  # type: ignore[arg-type]


def test_a_restored_backup_is_usable_again_once_its_commit_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"from a backup")
    journal = tmp_path.resolve() / ".data.bytesplice"
    journal.write_bytes(b"damaged")
    with pytest.raises(bytesplice.RecoveryError, match=r"in Python: forget\(path\)"):
        bytesplice.recover(path)
    now = journal.with_name(".data.bytesplice-forgotten")
    expected = {
        "path": str(path.resolve()),
        "mark_removed": False,
        "set_aside": [{"journal": str(journal), "now": str(now)}],
    }
    assert bytesplice.forget(path, dry_run=True) == expected
    assert journal.read_bytes() == b"damaged"
    assert bytesplice.forget(path) == expected
    assert not journal.exists()
    assert now.read_bytes() == b"damaged"
    with bytesplice.open(path) as file:
        file.insert(0, b"whole: ")
        file.commit()
    assert path.read_bytes() == b"whole: from a backup"
    assert bytesplice.forget(path)["set_aside"] == []
    with pytest.raises(ValueError, match="nothing is to be forgotten"):
        bytesplice.forget("s3://bucket/key")
    with pytest.raises(FileNotFoundError):
        bytesplice.forget(tmp_path / "missing")


def test_recovery(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(LONG)
    script = """if True:
        import bytesplice, os, sys
        with bytesplice.open(sys.argv[1]) as file:
            file.insert(1, b"new")
            file.commit(strategy="journaled",
                        progress=lambda *_: os.kill(os.getpid(), 9))
        """
    command = [sys.executable, "-c", script, str(path)]
    assert subprocess.run(command, check=False, cwd=tmp_path).returncode == -signal.SIGKILL
    before = bytesplice.status(path)
    assert before["needs_recovery"]
    assert before["journal"]["path"] == str(path.resolve().with_name(".data.bytesplice"))
    outcome = bytesplice.recover(path)
    assert outcome in ("rolled-back", "completed")
    new = LONG[:1] + b"new" + LONG[1:]
    assert path.read_bytes() == (LONG if outcome == "rolled-back" else new)
    assert bytesplice.recover(path, force=True) == "clean"
    after = bytesplice.status(path)
    assert after["journal"] == {"state": "none"}
    assert (after["path"], after["length"]) == (str(path.resolve()), path.stat().st_size)


def test_kinds_of_errors() -> None:
    for name in dir(bytesplice):
        kind = getattr(bytesplice, name)
        if isinstance(kind, type) and issubclass(kind, bytesplice.Error):
            assert kind.__module__ == "bytesplice"
            assert kind.__doc__
            builtin = (OSError, ValueError, IndexError, LookupError, RuntimeError)
            assert kind is bytesplice.Error or issubclass(kind, builtin)


def test_the_command_line(data: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "bytesplice", *arguments]
        return subprocess.run(command, capture_output=True, check=False, cwd=tmp_path)

    assert run("insert", "data", "4", "--text", "new").returncode == 0
    assert data.read_bytes() == CONTENTS[:4] + b"new" + CONTENTS[4:]
    done = run("read", "data", "..")
    assert (done.returncode, done.stdout) == (0, data.read_bytes())
    done = run("remove", "data", "0..99")
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.startswith(b"bytesplice: data: bytes 0..99 are outside")
    done = run("frobnicate")
    assert done.returncode == 2
    assert b"frobnicate" in done.stderr
    done = run("--version")
    assert done.stdout.startswith(b"bytesplice ")


def test_renamed_files_are_followed(data: Path) -> None:
    new = data.with_name("new name")
    with bytesplice.open(data) as file:
        file.insert(4, b"new")
        data.chmod(0o640)
        data.rename(new)
        file.plan()
        file.commit()
        assert file.path == str(new)
        assert str(new) in repr(file)
        file.insert(0, b"0")
    assert list(new.parent.iterdir()) == [new]
    assert new.read_bytes() == b"0" + CONTENTS[:4] + b"new" + CONTENTS[4:]
