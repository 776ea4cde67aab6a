"""Many threads on one map and on one SpliceFile: each sees whole edits, and none is lost."""

import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CONTENTS, opened

import bytesplice

TURNS = 150
# Four threads store here, each into eight bytes of its own.
HEAD = bytes(32)


def run(*actions: Callable[[], None]) -> None:
    """Run all at once, with as many changes of turn as can be had, and raise what one raises."""
    raised: list[BaseException] = []
    begin = threading.Barrier(len(actions))

    def guarded(action: Callable[[], None]) -> None:
        try:
            begin.wait()
            action()
        except BaseException as error:
            raised.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=guarded, args=(action,)) for action in actions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive(), "two threads wait for each other"
    finally:
        sys.setswitchinterval(interval)
    if raised:
        raise raised[0]


def test_readers_storers_splicers_savers_and_views_of_a_map(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(HEAD)
    made: Counter[int] = Counter()
    refused = threading.Event()
    with opened(path) as mapped:

        def store(nth: int) -> Callable[[], None]:
            def action() -> None:
                own = slice(8 * nth, 8 * nth + 8)
                for turn in range(TURNS):
                    mapped[own] = bytes([turn % 200]) * 8
                    assert mapped[own] == bytes([turn % 200]) * 8
                mapped[own] = bytes([nth]) * 8

            return action

        def splice(byte: int) -> Callable[[], None]:
            def action() -> None:
                for turn in range(TURNS):
                    try:
                        if turn % 3 == 2:
                            place = mapped.rfind(bytes([byte]) * 8, 32)
                            # Others insert before it meanwhile, in blocks of eight alike.
                            assert (place >= 32) == (made[byte] > 0)
                        mapped.insert(len(HEAD), bytes([byte]) * 8)
                    except BufferError:
                        refused.set()
                    else:
                        made[byte] += 8

            return action

        def read() -> None:
            for _ in range(TURNS):
                contents = mapped[32:]
                assert len(contents) % 8 == 0
                blocks = {contents[at : at + 8] for at in range(0, len(contents), 8)}
                assert all(len(set(block)) == 1 for block in blocks)
                assert len(mapped) >= 32
                assert mapped.find(b"\xff" * 9) == -1

        def save() -> None:
            for _ in range(TURNS // 5):
                mapped.flush(strategy="direct")
                assert path.stat().st_size % 8 == 0

        def view() -> None:
            for _ in range(TURNS):
                with memoryview(mapped) as shown:
                    assert shown.nbytes == len(mapped)
                    assert shown.nbytes % 8 == 0

        run(*map(store, range(4)), *map(splice, (250, 251, 252)), read, read, save, view)
        mapped.flush()
        contents = mapped[:]
        assert contents[:32] == bytes(n for nth in range(4) for n in [nth] * 8)
        assert Counter(contents[32:]) == +made
    assert path.read_bytes() == contents


def test_two_maps_and_their_commits(tmp_path: Path) -> None:
    """Stores through one map, whatever moves under it by commits of the other."""
    path = tmp_path / "data"
    size = 256 << 10
    path.write_bytes(bytes(size))
    with opened(path) as first, opened(path) as second:

        def commit() -> None:
            for _ in range(10):
                first.insert(len(first) // 2, b"\1" * 4096)
                first.flush(strategy="journaled")

        def store() -> None:
            # No commit moves what lies before its insertion.
            for turn in range(20_000):
                at = turn % (size // 2)
                second[at] = 2 + turn % 200
                assert second[at] == 2 + turn % 200

        run(commit, store)
        contents = path.read_bytes()
    assert contents.count(b"\1") == 10 * 4096
    expected = bytearray(size // 2)
    for turn in range(20_000):
        expected[turn % (size // 2)] = 2 + turn % 200
    assert contents[: size // 2] == expected


def test_a_spliced_file(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"\n")
    made: Counter[int] = Counter()
    with bytesplice.open(path) as file:

        def edit(byte: int) -> Callable[[], None]:
            def action() -> None:
                for turn in range(TURNS):
                    if turn % 2:
                        file.insert(0, bytes([byte]) * 8)
                    else:
                        file.append(iter([bytes([byte]) * 4, bytes([byte]) * 4]))
                    made[byte] += 8

            return action

        def read() -> None:
            for _ in range(TURNS):
                contents = file[:]
                before, _, behind = contents.partition(b"\n")
                assert len(before) % 8 == len(behind) % 8 == 0
                newline = file.find(b"\n")
                assert newline is not None
                assert newline.start % 8 == 0
                assert file.line_count() in (1, 2)

        def iterate() -> None:
            for _ in range(TURNS):
                try:
                    for match in file.find_iter(b"\n"):
                        assert match.stop - match.start == 1
                except RuntimeError as error:
                    assert "edited during the iteration" in str(error)

        def keep() -> None:
            for turn in range(TURNS):
                file.snapshot("kept")
                assert file.view("kept")[:].count(b"\n") == 1
                if turn % 10 == 0:
                    file.commit(durable=False)

        run(*map(edit, (250, 251, 252)), read, iterate, keep)
        contents = file[:]
    assert path.read_bytes() == contents
    assert Counter(contents) == made | Counter(b"\n")


def test_a_map_that_is_closed_while_others_use_it(data: Path) -> None:
    for _ in range(30):
        with opened(data) as mapped:

            def use(mapped: bytesplice.mmap = mapped) -> None:
                for _ in range(100):
                    try:
                        assert mapped[:] == CONTENTS
                        mapped[0] = CONTENTS[0]
                        with memoryview(mapped) as view:
                            assert view[1] == CONTENTS[1]
                    except ValueError as error:
                        assert str(error) == "mmap closed or invalid"
                        return

            def close(mapped: bytesplice.mmap = mapped) -> None:
                while not mapped.closed:
                    try:
                        mapped.close()
                    except BufferError:
                        continue

            run(use, use, use, close)
    assert data.read_bytes() == CONTENTS


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ of Python is new in 3.12")
def test_a_buffer_that_edits_the_map(data: Path) -> None:
    with opened(data) as mapped:

        class Edits:
            def __buffer__(self, flags: int) -> memoryview:
                mapped.extend(b"end")
                del mapped[0]
                return memoryview(b"new")

        mapped[0:2] = Edits()
        assert mapped[:] == b"new" + CONTENTS[3:] + b"end"
        mapped.insert(0, Edits())
        assert mapped[:] == b"newew" + CONTENTS[3:] + b"endend"
        mapped.write(Edits())
        assert mapped[:] == b"neww" + CONTENTS[3:] + b"endendend"
        assert mapped.find(Edits()) == -1
        assert len(mapped) == 52
    assert data.read_bytes() == b"eww" + CONTENTS[3:] + b"end" * 4

    with opened(data) as mapped:

        class Closes:
            def __buffer__(self, flags: int) -> memoryview:
                mapped.close()
                return memoryview(b"new")

        with pytest.raises(ValueError, match="^mmap closed or invalid$"):
            mapped[0:3] = Closes()
    with bytesplice.open(data) as file:

        class Inserts:
            def __buffer__(self, flags: int) -> memoryview:
                file.insert(0, b"first")
                return memoryview(b"new")

        file.insert(0, Inserts())
        assert file[:11] == b"newfirsteww"
        file.discard()
