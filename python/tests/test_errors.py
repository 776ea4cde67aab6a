"""What cannot be done: the exception, its number and text, and that nothing was changed."""

import errno
import gc
import mmap as standard
import os
import resource
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import CONTENTS, opened

import bytesplice


def store(key: Any, value: Any) -> Callable[[Any], None]:
    def action(mapped: Any) -> None:
        mapped[key] = value

    return action


def remove(key: Any) -> Callable[[Any], None]:
    def action(mapped: Any) -> None:
        del mapped[key]

    return action


WRONG_SIZE = "mmap slice assignment is wrong size"
OUTSIDE = "mmap index out of range"
BAD_CALLS = [
    ("item past the end", lambda m: m[40], IndexError, OUTSIDE),
    ("item before the start", lambda m: m[-41], IndexError, OUTSIDE),
    ("item of any size", lambda m: m[2**70], IndexError, "cannot fit 'int'"),
    ("store past the end", store(40, 1), IndexError, OUTSIDE),
    ("removal past the end", remove(40), IndexError, OUTSIDE),
    ("removal before the start", remove(-41), IndexError, OUTSIDE),
    ("name as an index", lambda m: m["a"], TypeError, "mmap indices must be integers"),
    ("fraction in a slice", lambda m: m[1.5:], TypeError, "slice indices must be integers"),
    ("step of 0", lambda m: m[::0], ValueError, "slice step cannot be zero"),
    ("removal with a step of 0", remove(slice(None, None, 0)), ValueError, "cannot be zero"),
    ("value over 255", store(0, 256), ValueError, r"mmap item value must be in range\(0, 256\)"),
    ("value under 0", store(0, -1), ValueError, r"mmap item value must be in range\(0, 256\)"),
    ("bytes as an item", store(0, b"a"), TypeError, "mmap item value must be an int"),
    ("text as a slice", store(slice(0, 1), "a"), TypeError, "a bytes-like object is required"),
    ("integer as a slice", store(slice(0, 1), 5), TypeError, "a bytes-like object is required"),
    ("view with gaps", store(slice(0, 1), memoryview(b"abcd")[::2]), BufferError, "contiguous"),
    ("longer extended slice", store(slice(0, 9, 2), b"123456"), IndexError, WRONG_SIZE),
    ("shorter extended slice", store(slice(0, 9, 2), b"1234"), IndexError, WRONG_SIZE),
    ("empty extended slice", store(slice(0, 9, 2), b""), IndexError, WRONG_SIZE),
    ("longer backward slice", store(slice(9, 0, -1), b"1"), IndexError, WRONG_SIZE),
    ("inserted value over 255", lambda m: m.insert(0, 256), ValueError, r"range\(0, 256\)"),
    ("inserted text", lambda m: m.insert(0, "a"), TypeError, "a bytes-like object is required"),
    ("insertion at no index", lambda m: m.insert("a", b"a"), TypeError, "integer"),
    ("write past the end", lambda m: m.write(b"1" * 41), ValueError, "^data out of range$"),
    ("search for text", lambda m: m.find("a"), TypeError, "a bytes-like object is required"),
    ("search for a byte", lambda m: m.rfind(5), TypeError, "a bytes-like object is required"),
    ("seek past the end", lambda m: m.seek(41), ValueError, "^seek out of range$"),
    ("seek before the start", lambda m: m.seek(-1), ValueError, "^seek out of range$"),
    ("seek from nowhere", lambda m: m.seek(0, 5), ValueError, "^unknown seek type$"),
    ("move past the end", lambda m: m.move(1, 0, 40), ValueError, "^source, destination, or"),
    ("move to before the start", lambda m: m.move(-1, 0, 4), ValueError, "^source, destination"),
    ("move of less than nothing", lambda m: m.move(0, 0, -1), ValueError, "^source, destination"),
    ("flush past the end", lambda m: m.flush(0, 41), ValueError, "^flush values out of range$"),
    ("large byte", lambda m: m.write_byte(256), OverflowError, "greater than maximum"),
    ("negative byte", lambda m: m.write_byte(-1), OverflowError, "less than minimum"),
]


@pytest.mark.parametrize(
    ("action", "kind", "text"), [call[1:] for call in BAD_CALLS], ids=[c[0] for c in BAD_CALLS]
)
def test_bad_calls_change_nothing(data: Path, action: Any, kind: type, text: str) -> None:
    with opened(data) as mapped:
        mapped[0:0] = b""
        with pytest.raises(kind, match=text):
            action(mapped)
        assert mapped[:] == CONTENTS
        assert mapped.tell() == 0
    assert data.read_bytes() == CONTENTS


def test_writes_at_the_end_keep_the_position(data: Path) -> None:
    with opened(data) as mapped:
        mapped.seek(38)
        with pytest.raises(ValueError, match="^data out of range$"):
            mapped.write(b"123")
        assert mapped.tell() == 38
        assert mapped.write(b"12") == 2
        with pytest.raises(ValueError, match="^write byte out of range$"):
            mapped.write_byte(1)
        with pytest.raises(ValueError, match="^read byte out of range$"):
            mapped.read_byte()
        assert mapped.tell() == 40
        assert mapped.read() == mapped.readline() == b""


def test_a_position_behind_the_end(data: Path) -> None:
    with opened(data) as mapped:
        mapped.seek(40)
        del mapped[10:]
        assert mapped.tell() == 40
        assert mapped.read(5) == mapped.readline() == b""
        assert mapped.find(b"") == 10
        for action in (lambda: mapped.write(b""), lambda: mapped.write_byte(1)):
            with pytest.raises(ValueError, match="out of range$"):
                action()
        with pytest.raises(ValueError, match="^seek out of range$"):
            mapped.seek(0, os.SEEK_CUR)
        assert mapped.seek(-31, os.SEEK_CUR) == 9
        assert mapped.read() == b"2"


def iter_one(mapped: Any) -> bytes:
    return next(iter(mapped))  # type: ignore[no-any-return]


STORES: list[Callable[[Any], object]] = [
    store(0, 1),
    store(slice(0, 4), b"1234"),
    store(slice(0, 4), b""),
    store(slice(0, 4, 2), b"12"),
    remove(0),
    remove(slice(0, 4)),
    lambda m: m.insert(0, b"a"),
    lambda m: m.write(b"1"),
    lambda m: m.write_byte(1),
    lambda m: m.move(0, 4, 4),
    lambda m: m.append(1),
    lambda m: m.extend(b"x"),
    lambda m: m.pop(),
    lambda m: m.remove(ord("0")),
    lambda m: m.clear(),
]
CALLS = [*STORES, len, lambda m: m[0], lambda m: m[:], lambda m: m.find(b"1"), lambda m: m.read()]
CALLS += [lambda m: m.read_byte(), lambda m: m.readline(), lambda m: m.tell(), lambda m: m.size()]
CALLS += [iter_one, reversed, lambda m: b"1" in m, lambda m: m.resize(1), memoryview]
CALLS += [lambda m: m.madvise(0), lambda m: m.set_name("a")]
CALLS += [
    lambda m: m.seek(0),
    lambda m: m.flush(),
    lambda m: m.__enter__(),
    lambda m: m.rfind(b"1"),
]


@pytest.mark.parametrize("action", CALLS)
def test_closed_maps(data: Path, action: Callable[[Any], object]) -> None:
    with opened(data) as mapped:
        assert not mapped.closed
    assert mapped.closed
    with pytest.raises(ValueError, match="^mmap closed or invalid$"):
        action(mapped)
    mapped.close()


@pytest.mark.parametrize("action", STORES)
@pytest.mark.parametrize("options", [{"access": bytesplice.ACCESS_READ}, {"prot": 1}], ids=str)
def test_maps_to_read(data: Path, action: Any, options: dict[str, Any]) -> None:
    with data.open("rb") as file, bytesplice.mmap(file.fileno(), 0, **options) as mapped:
        with pytest.raises(TypeError, match=r"^mmap can't modify a readonly memory map\.$"):
            action(mapped)
        mapped.flush()
        assert mapped[:] == CONTENTS


@pytest.mark.parametrize(("length", "offset"), [(41, 0), (1, 40), (2**62, 0), (9, 32), (1, 2**62)])
def test_lengths_beyond_the_file(data: Path, length: int, offset: int) -> None:
    with pytest.raises(ValueError, match="^mmap length is greater than file size$"):
        opened(data, length, offset=offset).__enter__()


@pytest.mark.parametrize("offset", [40, 41, 2**62])
def test_offsets_beyond_the_file(data: Path, offset: int) -> None:
    with pytest.raises(ValueError, match="^mmap offset is greater than file size$"):
        opened(data, 0, offset=offset).__enter__()


def test_what_is_not_a_regular_file(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    directory = os.open(tmp_path, os.O_RDONLY)
    device = os.open("/dev/null", os.O_RDWR)
    for descriptor in (reading, directory, device):
        with pytest.raises(OSError, match="regular") as caught:
            bytesplice.mmap(descriptor, 1, prot=bytesplice.PROT_READ)
        assert caught.value.errno == errno.ENODEV
    for descriptor in (reading, writing, directory, device):
        os.close(descriptor)


@pytest.mark.parametrize(
    ("mode", "access"), [("rb", 0), ("rb", 2), ("wb", 0), ("wb", 1), ("wb", 3)]
)
def test_descriptors_without_permission(tmp_path: Path, mode: str, access: int) -> None:
    path = tmp_path / "data"
    path.write_bytes(CONTENTS)
    with path.open(mode) as file:
        for module in (bytesplice, standard):
            file.write(CONTENTS) if mode == "wb" else None
            file.flush()
            with pytest.raises(PermissionError) as caught:
                module.mmap(file.fileno(), 1, access=access)
            assert caught.value.errno == errno.EACCES


def test_a_file_changed_by_others_is_refused(data: Path) -> None:
    with pytest.raises(bytesplice.ChangedError) as caught, opened(data) as mapped:
        mapped[4:8] = b""
        with data.open("r+b") as other:
            other.truncate(39)
    assert isinstance(caught.value, OSError)
    assert caught.value.errno == errno.ESTALE
    assert str(data) in str(caught.value)
    assert mapped.closed
    assert data.read_bytes() == CONTENTS[:39]


def test_the_second_of_two_maps_is_refused(data: Path) -> None:
    with opened(data) as first, pytest.raises(bytesplice.ChangedError), opened(data) as second:
        first[0:0] = b"first "
        second[0:0] = b"second "
        first.flush()
        second.flush()
    assert data.read_bytes() == b"first " + CONTENTS


def test_over_the_file_size_limit(data: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(OSError, match=str(data)) as caught, opened(data) as mapped:
        mapped[:] = bytes(1 << 20)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
        try:
            mapped.close()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert data.read_bytes() == CONTENTS


def test_a_full_disk_is_freed_without_a_journal(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs root, to mount a small file system")
    try:
        data = tmp_path / "data"
        contents = bytes(range(256)) * 2048
        data.write_bytes(contents)
        with (
            (tmp_path / "ballast").open("wb", buffering=0) as ballast,
            pytest.raises(OSError, match="No space left"),
        ):
            while True:
                ballast.write(bytes(4096))
        with (
            pytest.raises(bytesplice.NoSpaceError, match="strategy='direct'") as caught,
            opened(data) as mapped,
        ):
            del mapped[: 256 << 10]
        assert caught.value.errno == errno.ENOSPC
        assert caught.value.file_state == "unchanged"
        assert data.read_bytes() == contents
        with opened(data) as mapped:
            del mapped[: 256 << 10]
            mapped.close(strategy="direct")
        assert data.read_bytes() == contents[256 << 10 :]
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_an_unwanted_journal(data: Path) -> None:
    journal = data.with_name(".data.bytesplice")
    journal.write_bytes(b"bytes that no journal begins with" * 100)
    journal.chmod(0o600)
    before = journal.read_bytes()
    try:
        with opened(data) as mapped:
            assert mapped[:] == CONTENTS
    except bytesplice.RecoveryError as error:
        assert str(journal) in str(error)
        assert journal.read_bytes() == before
    assert data.read_bytes() == CONTENTS


def test_the_callers_descriptor_is_left_alone(data: Path) -> None:
    with data.open("r+b", buffering=0) as file:
        file.seek(7)
        with bytesplice.mmap(file.fileno(), 0) as mapped:
            mapped[4:8] = b""
            mapped.read(3)
            mapped.flush()
            assert file.tell() == 7
        assert file.read(3) == data.read_bytes()[7:10]


def test_a_map_outlives_the_descriptor(data: Path) -> None:
    with data.open("r+b") as file:
        mapped = bytesplice.mmap(file.fileno(), 0)
    mapped[4:8] = b""
    mapped.close()
    assert data.read_bytes() == CONTENTS[:4] + CONTENTS[8:]


def test_an_exception_in_a_with_block_keeps_the_edits(data: Path) -> None:
    with pytest.raises(KeyError), opened(data) as mapped:
        mapped[4:8] = b""
        raise KeyError
    assert data.read_bytes() == CONTENTS[:4] + CONTENTS[8:]


def test_empty_files(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    with opened(path) as mapped:
        assert len(mapped) == 0
        assert mapped[:] == b""
        assert mapped.read() == b""
        assert mapped.find(b"") == 0
        mapped[0:0] = b"no longer"
    assert path.read_bytes() == b"no longer"
    with opened(path) as mapped:
        del mapped[:]
    assert path.read_bytes() == b""
    with pytest.raises(ValueError, match="length is greater"):
        opened(path, 1).__enter__()


def test_dropping_edits_commits_them_and_warns(data: Path) -> None:
    file = data.open("r+b")
    mapped = bytesplice.mmap(file.fileno(), 0)
    del mapped[4:]
    file.close()
    with pytest.warns(ResourceWarning, match="unclosed map of .*data with edits"):
        del mapped
        gc.collect()
    assert data.read_bytes() == CONTENTS[:4]


def test_dropping_without_edits_is_silent(data: Path) -> None:
    with data.open("r+b") as file:
        mapped = bytesplice.mmap(file.fileno(), 0)
        mapped[0:4] = b"abcd"
        mapped.flush()
        del mapped
        copy = bytesplice.mmap(file.fileno(), 0, access=bytesplice.ACCESS_COPY)
        copy[0:4] = b""
        del copy
        gc.collect()
    assert data.read_bytes() == b"abcd" + CONTENTS[4:]


def in_child(action: Callable[[], None]) -> int:
    """Runs the action in a fork; 0 if it raised nothing."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_never_commits_the_edits_of_its_parent(data: Path) -> None:
    with opened(data) as mapped:
        mapped[4:8] = b""

        def act() -> None:
            assert mapped[:8] == b"00002222"
            actions: list[Any] = [*STORES, lambda m: m.flush()]
            for action in actions:
                with pytest.raises(RuntimeError, match="forked"):
                    action(mapped)
            mapped.close()
            assert mapped.closed
            assert data.read_bytes() == CONTENTS

        assert in_child(act) == 0
        assert data.read_bytes() == CONTENTS
    assert data.read_bytes() == CONTENTS[:4] + CONTENTS[8:]


def test_threads_edit_one_map(data: Path) -> None:
    with opened(data) as mapped:
        del mapped[:]

        def append() -> None:
            for _ in range(200):
                mapped.insert(0, b"ab")
                if len(mapped) % 50 == 0:
                    mapped.flush()

        threads = [threading.Thread(target=append) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert mapped[:] == b"ab" * 800
    assert data.read_bytes() == b"ab" * 800


def test_an_index_that_closes_the_map(data: Path) -> None:
    with opened(data) as mapped:

        class Closes:
            def __index__(self) -> int:
                mapped.close()
                return 0

        with pytest.raises(ValueError, match="^mmap closed or invalid$"):
            mapped[Closes()]
    with opened(data) as mapped, pytest.raises(ValueError, match="^mmap closed or invalid$"):
        mapped[0] = Closes()


def test_all_kinds_of_bytes(data: Path) -> None:
    from array import array

    with opened(data) as mapped:
        mapped[0:2] = bytearray(b"ab")
        mapped[2:3] = memoryview(b"cdef")[1:3]
        mapped[4:4] = array("H", [0x4141, 0x4242])
        mapped.insert(0, True)
    assert data.read_bytes() == b"\x01abdeAABB" + CONTENTS[3:]


def test_subclasses_and_weak_references(data: Path) -> None:
    import weakref

    class Mine(bytesplice.mmap):
        label = "mine"

    with data.open("r+b") as file, Mine(file.fileno(), 0) as mapped:
        assert weakref.ref(mapped)() is mapped
        assert repr(mapped).endswith(
            "closed=False, access=ACCESS_DEFAULT, length=40, pos=0, offset=0>"
        )
        assert hash(mapped)
        assert mapped == mapped
