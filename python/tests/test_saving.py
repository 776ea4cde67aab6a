"""When stores and edits reach the file, and which never do."""

import contextlib
import gc
import io
import mmap as standard
import multiprocessing
import os
import subprocess
import sys
import threading
import warnings
import weakref
from pathlib import Path
from typing import Any

import pytest
from conftest import CONTENTS, opened
from test_errors import in_child

import bytesplice


def test_stores_reach_the_file_until_the_length_changes(data: Path) -> None:
    with opened(data) as mapped:
        mapped[0] = ord("a")
        mapped[1:3] = b"bc"
        mapped[4:8:2] = b"de"
        mapped.seek(8)
        mapped.write(b"fg")
        mapped.write_byte(ord("h"))
        mapped.move(20, 0, 4)
        model = bytearray(CONTENTS)
        model[:11] = b"abc0d1e1fgh"
        model[20:24] = model[:4]
        now = data.read_bytes()
        assert now == model
        mapped.insert(0, b"new")
        mapped[0:3] = b"NEW"
        mapped[10] = ord("x")
        assert data.read_bytes() == now
        mapped.flush()
        now = b"NEW" + now[:7] + b"x" + now[8:]
        assert data.read_bytes() == now
        mapped[0:3] = b"out"
        assert data.read_bytes() == b"out" + now[3:]


def test_deferred_maps_store_nothing_before_flush(data: Path) -> None:
    with opened(data, deferred=True) as mapped:
        mapped[0:4] = b"abcd"
        assert mapped[:6] == b"abcd11"
        assert data.read_bytes() == CONTENTS
        with pytest.raises(TypeError, match="read-write"):
            io.BytesIO(b"12").readinto(mapped)
        mapped.flush()
        assert data.read_bytes() == b"abcd" + CONTENTS[4:]
        assert memoryview(mapped).readonly


def test_own_stores_are_no_changes_by_others(data: Path) -> None:
    with opened(data) as mapped:
        for number in range(3):
            mapped[number] = ord("x")
            view = memoryview(mapped)
            view[10 + number] = ord("y")
            view.release()
            os.utime(data, ns=(number, number))
            mapped.insert(20, b"new")
            mapped[0] = ord("z")
            mapped.flush()
    head = b"zxx" + CONTENTS[3:10] + b"yyy" + CONTENTS[13:20]
    assert data.read_bytes() == head + b"new" * 3 + CONTENTS[20:]


def test_two_maps_see_the_stores_of_each_other(data: Path) -> None:
    with opened(data) as first, opened(data) as second:
        first[0] = ord("a")
        assert second[0] == ord("a")
        second[1] = ord("b")
        assert first[:2] == b"ab"
        with data.open("r+b") as file, standard.mmap(file.fileno(), 0) as third:
            assert third[:2] == b"ab"
            third[2] = ord("c")
        del first[10:]
        first.flush()
        second_length = len(second)
        assert second_length == 40
        with pytest.raises(bytesplice.ChangedError, match="cut off"):
            second.insert(0, b"x")
    assert data.read_bytes() == b"abc" + CONTENTS[3:10]


def test_stores_of_another_map_are_kept_by_a_commit(data: Path) -> None:
    with opened(data) as first, opened(data) as second:
        first.insert(20, b"new")
        second[0] = ord("a")
        second[39] = ord("z")
        first.flush()
        expected = b"a" + CONTENTS[1:20] + b"new" + CONTENTS[20:39] + b"z"
        assert data.read_bytes() == expected
        first.insert(0, b"!")
        view = memoryview(second)
        view[1] = ord("b")
        os.utime(data, ns=(1, 1))
        first.flush()
        view.release()
        first.insert(0, b"?")
        with data.open("r+b") as other:
            other.write(b"other")
        with pytest.raises(bytesplice.ChangedError):
            first.flush()
        del first[0]
    assert data.read_bytes() == b"other" + (b"!" + expected)[5:]


def test_close_keeps_the_stores_of_another_map(data: Path) -> None:
    with opened(data) as second, opened(data) as first:
        first.insert(20, b"new")
        second[0] = ord("a")
        os.utime(data, ns=(1, 1))
    assert data.read_bytes() == b"a" + CONTENTS[1:20] + b"new" + CONTENTS[20:]


def test_a_store_through_another_map_waits_for_a_commit(tmp_path: Path) -> None:
    path = tmp_path / "data"
    contents = bytes(range(256)) * (8 << 10)
    path.write_bytes(contents)
    places = [0, len(contents) // 2, len(contents) - 1]
    with opened(path) as first, opened(path) as second:

        def store() -> None:
            for place in places:
                second[place] = ord("!")
            second.move(100, 200, 50)
            second[10:20:2] = b"?????"

        thread = threading.Thread(target=store)

        def begin(_done: int, _total: int) -> None:
            # The store may take its time: the commit goes on all the same.
            if thread.ident is None:
                thread.start()
                thread.join(0.1)

        first.insert(1, b"abc")
        first.flush(progress=begin, strategy="journaled")
        thread.join()
    expected = bytearray(contents[:1] + b"abc" + contents[1:])
    for place in places:
        expected[place] = ord("!")
    expected[100:150] = expected[200:250]
    expected[10:20:2] = b"?????"
    assert path.read_bytes() == expected


def test_a_child_forked_during_a_commit_can_store(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(1 << 20))
    children: list[int] = []

    def fork(_done: int, _total: int) -> None:
        if not children:
            with warnings.catch_warnings():
                # Of threads, which from Python 3.12 on are found wherever they are.
                warnings.simplefilter("ignore", DeprecationWarning)
                children.append(os.fork())
            if children == [0]:
                try:
                    second[5] = 1
                    os._exit(7)
                finally:
                    os._exit(1)

    with opened(path) as first, opened(path) as second:
        first.insert(1 << 19, b"abc")
        with contextlib.suppress(bytesplice.ChangedError):
            # A child is another process, whose store it may notice.
            first.flush(progress=fork, strategy="journaled")
        assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 7
        del first[1 << 19 : (1 << 19) + 3]
        first.resize(1 << 20)
    assert path.stat().st_size == 1 << 20


def test_a_callback_cannot_store_through_another_map(data: Path) -> None:
    with opened(data) as first, opened(data) as second:
        first.insert(1, b"abc")

        def store(_done: int, _total: int) -> None:
            assert second[0] == CONTENTS[0]
            second[0] = 1

        with pytest.raises(RuntimeError, match="the file of this map is being committed"):
            first.flush(progress=store)
        assert data.read_bytes() == CONTENTS
        second.insert(1, b"abc")

        def commit(_done: int, _total: int) -> None:
            second.flush()

        with pytest.raises(RuntimeError, match="the file of this map is being committed"):
            first.flush(progress=commit)
        del second[1:4]
        del first[1:4]
    assert data.read_bytes() == CONTENTS


def test_a_file_that_others_lengthened_is_taken_as_it_is(data: Path) -> None:
    with opened(data) as mapped:
        with data.open("ab") as other:
            other.write(b"more")
        mapped.insert(0, b"new")
        assert len(mapped) == 43
    assert data.read_bytes() == b"new" + CONTENTS + b"more"


def test_resize_acts_at_once(data: Path) -> None:
    with opened(data) as mapped:
        mapped.resize(44)
        assert (data.read_bytes(), len(mapped), mapped.size()) == (CONTENTS + bytes(4), 44, 44)
        mapped[40:] = b"abcd"
        mapped.insert(0, b"new")
        mapped.resize(10)
        assert data.read_bytes() == b"new" + CONTENTS[:7]
        mapped.resize(0)
        assert (data.read_bytes(), len(mapped), mapped[:]) == (b"", 0, b"")
        mapped.resize(2)
        mapped[0] = 1
        assert data.read_bytes() == b"\x01\x00"
        with pytest.raises(ValueError, match="^new size out of range$"):
            mapped.resize(-1)


def test_resize_of_a_window_shifts_what_lies_behind(data: Path) -> None:
    with opened(data, 8, offset=4) as mapped:
        mapped.resize(10)
        assert data.read_bytes() == CONTENTS[:12] + bytes(2) + CONTENTS[12:]
        mapped.resize(4)
        assert data.read_bytes() == CONTENTS[:8] + CONTENTS[12:]
        assert mapped[:] == b"1111"


@pytest.mark.parametrize("access", [bytesplice.ACCESS_READ, bytesplice.ACCESS_COPY])
def test_resize_needs_a_map_that_writes(data: Path, access: int) -> None:
    refused = pytest.raises(TypeError, match="can't resize a readonly or copy-on-write")
    with opened(data, access=access) as mapped, refused:
        mapped.resize(10)
    assert data.read_bytes() == CONTENTS


def test_private_stores_survive_a_change_of_the_length(data: Path) -> None:
    with opened(data, access=bytesplice.ACCESS_COPY) as mapped:
        mapped[0:4] = b"abcd"
        memoryview(mapped)[39] = ord("z")
        mapped.insert(4, b"new")
        assert mapped[:] == b"abcdnew" + CONTENTS[4:39] + b"z"
        mapped.flush()
        assert mapped[:4] == b"abcd"
    assert data.read_bytes() == CONTENTS


def test_without_a_descriptor_the_length_is_fixed(data: Path) -> None:
    with opened(data, trackfd=False) as mapped:
        mapped[0:4] = b"abcd"
        calls: list[Any] = [lambda: mapped.resize(4), mapped.clear, lambda: mapped.insert(0, b"x")]
        for call in calls:
            with pytest.raises(ValueError, match="trackfd=False"):
                call()
        with pytest.raises(ValueError, match="trackfd=False"):
            mapped.size()
        with pytest.raises(OSError, match="trackfd=False"):
            mapped.size()
        mapped.flush()
        assert mapped[:6] == b"abcd11"
    assert data.read_bytes() == b"abcd" + CONTENTS[4:]


def test_memory_that_no_file_has() -> None:
    with bytesplice.mmap(-1, 4) as mapped:
        mapped[:] = b"abcd"
        mapped.insert(2, b"new")
        mapped.flush()
        mapped.extend(b"!")
        assert mapped[:] == b"abnewcd!"
        mapped.set_name("test")
    with pytest.raises(ValueError, match="non-anonymous"), opened(Path(__file__)) as mapped:
        mapped.set_name("test")


def test_unlinked_files(data: Path) -> None:
    with data.open("r+b") as file:
        data.unlink()
        with bytesplice.mmap(file.fileno(), 0) as mapped:
            mapped.insert(4, b"new")
        assert file.read() == CONTENTS[:4] + b"new" + CONTENTS[4:]
    assert list(data.parent.iterdir()) == []


def test_descriptors_opened_for_append(data: Path) -> None:
    with data.open("a+b") as file, bytesplice.mmap(file.fileno(), 0) as mapped:
        mapped[0] = ord("x")
        mapped.insert(4, b"new")
        mapped.flush()
        assert data.read_bytes() == b"x000new" + CONTENTS[4:]


def test_inode_links_and_mode_stay(data: Path) -> None:
    data.chmod(0o640)
    os.link(data, data.with_name("link"))
    before = data.stat()
    with opened(data) as mapped:
        mapped.insert(0, b"new")
    after = data.stat()
    assert (before.st_ino, before.st_nlink, before.st_mode) == (
        after.st_ino,
        after.st_nlink,
        after.st_mode,
    )
    assert sorted(entry.name for entry in data.parent.iterdir()) == ["data", "link"]


AT_EXIT = """
import sys
import bytesplice
file = open(sys.argv[1], "r+b")
mapped = bytesplice.mmap(file.fileno(), 0)
mapped.insert(0, b"new ")
cycle = [mapped]
cycle.append(cycle)
"""


def test_the_end_of_the_interpreter_saves(data: Path) -> None:
    command = [sys.executable, "-P", "-W", "always::ResourceWarning", "-c", AT_EXIT, str(data)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "ResourceWarning: unclosed map of" in done.stderr
    assert data.read_bytes() == b"new " + CONTENTS


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_stores_like_its_parent_but_never_commits(data: Path) -> None:
    with opened(data) as mapped:

        def act() -> None:
            mapped[0] = ord("x")
            with pytest.raises(RuntimeError, match="forked"):
                mapped.insert(0, b"new")
            with pytest.raises(RuntimeError, match="forked"):
                mapped.resize(3)

        assert in_child(act) == 0
        assert mapped[0] == ord("x")
        mapped.append(ord("!"))
        child = multiprocessing.get_context("fork").Process(target=gc.collect)
        child.start()
        child.join()
        assert child.exitcode == 0
        assert data.read_bytes() == b"x" + CONTENTS[1:]
    assert data.read_bytes() == b"x" + CONTENTS[1:] + b"!"


def test_a_failed_flush_keeps_file_and_edits(data: Path) -> None:
    with opened(data) as mapped:
        mapped.insert(0, b"new")
        moved = data.with_name("moved")
        data.rename(moved)
        data.write_bytes(b"another")
        with pytest.raises(bytesplice.ChangedError):
            mapped.flush()
        assert (mapped[:7], moved.read_bytes()) == (b"new0000", CONTENTS)
        moved.rename(data)
        mapped.flush()
        assert data.read_bytes() == b"new" + CONTENTS
        del mapped[:3]
    assert data.read_bytes() == CONTENTS


def test_a_dropped_map_is_gone(data: Path) -> None:
    with data.open("r+b") as file:
        mapped = bytesplice.mmap(file.fileno(), 0)
        reference = weakref.ref(mapped)
        mapped[0] = ord("x")
        del mapped
        gc.collect()
        assert reference() is None
    assert data.read_bytes() == b"x" + CONTENTS[1:]


def test_a_new_mode_or_name_is_no_change_by_others(data: Path) -> None:
    new = data.with_name("new name")
    with opened(data) as mapped:
        mapped.insert(4, b"map")
        data.chmod(0o640)
        os.link(data, data.with_name("link"))
        data.rename(new)
        assert mapped.plan()["strategy"] != "direct"
        mapped.flush()
        assert new.read_bytes() == CONTENTS[:4] + b"map" + CONTENTS[4:]
        mapped.insert(0, b"again")
        new.rename(data)
    assert data.read_bytes() == b"again" + CONTENTS[:4] + b"map" + CONTENTS[4:]
    assert not new.exists()
    assert sorted(entry.name for entry in data.parent.iterdir()) == ["data", "link"]


def test_maps_removed_while_open(data: Path) -> None:
    with data.open("rb") as reader:
        with opened(data) as mapped:
            mapped.insert(4, b"new")
            data.unlink()
        assert reader.read() == CONTENTS[:4] + b"new" + CONTENTS[4:]
    assert list(data.parent.iterdir()) == []


def test_maps_of_a_path_that_another_file_took(data: Path) -> None:
    with pytest.raises(bytesplice.ChangedError, match="is now .*data.1"), opened(data) as mapped:
        mapped.insert(4, b"new")
        data.rename(data.with_name("data.1"))
        data.write_bytes(b"theirs")
    assert data.read_bytes() == b"theirs"
    assert data.with_name("data.1").read_bytes() == CONTENTS
