"""How a map is committed: strategies, progress, Ctrl-C, plans, and commits that were cut short."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import CONTENTS, interrupted, opened

import bytesplice

LONG = bytes(range(256)) * (24 << 12)  # 24 MiB
STRATEGIES = ["auto", "journaled", "snapshot", "extents", "direct"]


@pytest.fixture
def long(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_bytes(LONG)
    return path


def journal(path: Path) -> Path:
    return path.with_name(".data.bytesplice")


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("how", ["flush", "close"])
def test_strategies(data: Path, strategy: str, how: str) -> None:
    inode = data.stat().st_ino
    with opened(data) as mapped:
        mapped.insert(4, b"new")
        try:
            getattr(mapped, how)(strategy=strategy)
        except OSError as error:
            assert strategy in ("snapshot", "extents")
            assert error.errno == errno.EOPNOTSUPP
            assert data.read_bytes() == CONTENTS
        else:
            assert data.read_bytes() == CONTENTS[:4] + b"new" + CONTENTS[4:]
    assert data.stat().st_ino == inode


@pytest.mark.parametrize("how", ["flush", "close"])
def test_without_waiting_for_the_disk(data: Path, how: str) -> None:
    with opened(data) as mapped:
        mapped.insert(4, b"new")
        getattr(mapped, how)(durable=False)
        assert data.read_bytes() == CONTENTS[:4] + b"new" + CONTENTS[4:]


@pytest.mark.parametrize(
    ("strategy", "text"),
    [("replace", "another inode"), ("fast", 'there is no strategy "fast"'), ("", "no strategy")],
)
def test_strategies_that_are_refused(data: Path, strategy: Any, text: str) -> None:
    with opened(data) as mapped:
        mapped.insert(4, b"new")
        for call in (mapped.flush, mapped.plan, mapped.close):
            with pytest.raises(ValueError, match=text):
                call(strategy=strategy)
        with pytest.raises(TypeError, match="progress must be callable"):
            mapped.flush(progress=5)  # type: ignore[arg-type]
        assert data.read_bytes() == CONTENTS
        assert len(mapped) == 43


def test_progress_goes_on_to_the_end(long: Path) -> None:
    calls: list[tuple[int, int]] = []
    with opened(long) as mapped:
        mapped.insert(1, b"new")
        mapped.flush(strategy="journaled", progress=lambda *call: calls.append(call))
        mapped.flush(progress=lambda *_: pytest.fail("there is nothing to commit"))
    assert calls == sorted(calls)
    assert len({total for _, total in calls}) == 1
    assert calls[-1][0] == calls[-1][1] >= len(LONG)


class StopError(Exception):
    """Raised by callbacks."""


def test_an_exception_before_the_commit_point_keeps_file_and_edits(long: Path) -> None:
    for kind in (StopError, KeyboardInterrupt):
        calls: list[Any] = []

        def stop(*call: int, calls: list[Any] = calls, kind: type[BaseException] = kind) -> None:
            calls.append(call)
            raise kind

        with opened(long) as mapped:
            mapped.insert(1, b"new")
            with pytest.raises(kind):
                mapped.flush(progress=stop, strategy="journaled")
            assert len(calls) == 1
            assert long.read_bytes() == LONG
            assert not journal(long).exists()
            assert mapped[:5] == LONG[:1] + b"new" + LONG[1:2]
            mapped.flush()
            assert long.read_bytes() == LONG[:1] + b"new" + LONG[1:]
            del mapped[1:4]


def test_an_exception_after_the_commit_point_comes_when_all_is_done(long: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == total:
            raise StopError

    with opened(long) as mapped:
        mapped.insert(1, b"new")
        with pytest.raises(StopError):
            mapped.flush(progress=stop, strategy="journaled")
        assert long.read_bytes() == LONG[:1] + b"new" + LONG[1:]
        assert not journal(long).exists()
        mapped.insert(1, b"more")
    assert long.read_bytes() == LONG[:1] + b"morenew" + LONG[1:]


def test_an_exception_in_close_loses_the_edits(long: Path) -> None:
    def stop(_done: int, _total: int) -> None:
        raise StopError

    with opened(long) as mapped:
        mapped.insert(1, b"new")
        with pytest.raises(StopError):
            mapped.close(progress=stop)
        assert mapped.closed
    assert long.read_bytes() == LONG


def test_a_callback_cannot_use_the_map(data: Path) -> None:
    calls: list[Callable[[Any], object]] = [len, repr, lambda m: m[:], lambda m: m.flush()]
    calls += [lambda m: m.close(), lambda m: m.insert(0, b"x"), lambda m: m.closed]
    for call in calls:
        with opened(data) as mapped:
            mapped.insert(4, b"new")
            with pytest.raises(RuntimeError, match="being committed or searched"):
                mapped.flush(progress=lambda *_: call(mapped))  # noqa: B023
            assert data.read_bytes() == CONTENTS
            del mapped[4:7]


def test_other_threads_go_on_while_a_commit_runs(long: Path) -> None:
    seen = threading.Event()
    with opened(long) as mapped:
        mapped.insert(1, b"new")

        def wait(_done: int, _total: int) -> None:
            threading.Thread(target=seen.set).start()
            assert seen.wait(60)

        mapped.flush(progress=wait)


def test_ctrl_c_before_the_commit_point(long: Path) -> None:
    main = threading.main_thread().ident
    assert main is not None

    def press() -> None:
        while not journal(long).exists() and not over.is_set():
            pass
        signal.pthread_kill(main, signal.SIGINT)

    for _ in range(20):
        over = threading.Event()
        thread = threading.Thread(target=press)
        with opened(long) as mapped:
            # What is journaled at first takes its time.
            mapped.insert(1, LONG * 2)
            pressed = False
            try:
                thread.start()
                mapped.flush(strategy="journaled")
                over.set()
                thread.join()
            except KeyboardInterrupt:
                pressed = True
            over.set()
            thread.join()
            assert pressed
            assert not journal(long).exists()
            if long.read_bytes() == LONG:
                assert len(mapped) == 3 * len(LONG)
                del mapped[1 : 1 + 2 * len(LONG)]
                return
            assert long.read_bytes() == LONG[:1] + LONG * 2 + LONG[1:]
            del mapped[1 : 1 + 2 * len(LONG)]
    pytest.fail("in 20 tries no signal came before the commit point")


@pytest.mark.parametrize(
    "call",
    [
        "mapped.find(b'none', 0)",
        "mapped.rfind(b'none', 0)",
        "b'1' in mapped",
        "mapped.readline()",
        "mapped.remove(1)",
    ],
)
def test_ctrl_c_stops_a_search(tmp_path: Path, call: str) -> None:
    path = tmp_path / "data"
    with path.open("wb") as file:
        file.truncate(1 << 41)
    script = f"""if True:
        import bytesplice, signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with open(sys.argv[1], "r+b") as file, bytesplice.mmap(file.fileno(), 0) as mapped:
            print("begin", flush=True)
            try:
                {call}
            except KeyboardInterrupt:
                print("stopped", len(mapped), mapped.tell(), mapped[5])
        """
    assert interrupted(script, path) == b"stopped %d 0 0\n" % (1 << 41)


DIES = """
import os, sys
import bytesplice
with open(sys.argv[1], "r+b") as file, bytesplice.mmap(file.fileno(), 0) as mapped:
    mapped.insert(1, b"new")
    def die(done, total):
        if (done == total) == (sys.argv[2] == "late"):
            os._exit(7)
    mapped.flush(strategy="journaled", progress=die)
"""


def test_abort(long: Path) -> None:
    assert bytesplice.abort(long) == "clean"

    def die(when: str) -> None:
        died = subprocess.run([sys.executable, "-P", "-c", DIES, str(long), when], check=False)
        assert died.returncode == 7
        assert journal(long).exists()

    die("early")
    assert bytesplice.abort(str(long)) == "rolled-back"
    assert long.read_bytes() == LONG
    assert not journal(long).exists()

    die("late")
    with pytest.raises(bytesplice.RecoveryError, match="cannot be taken back"):
        bytesplice.abort(os.fspath(long))
    with opened(long) as mapped:
        assert mapped[:4] == LONG[:1] + b"new"
    assert long.read_bytes() == LONG[:1] + b"new" + LONG[1:]
    with pytest.raises(FileNotFoundError):
        bytesplice.abort(long.with_name("missing"))


def test_plans(long: Path) -> None:
    with opened(long) as mapped:
        plan = mapped.plan()
        assert (plan["strategy"], plan["costs"]) == ("nothing", [])
        mapped.insert(1, b"new")
        plan = mapped.plan()
        assert plan["reason"] == "it is the cheapest one that is crash-safe and keeps the inode"
        assert (plan["old_length"], plan["new_length"]) == (len(LONG), len(LONG) + 3)
        assert (plan["bytes_staying"], plan["bytes_new"]) == (1, 3)
        costs = {cost["strategy"]: cost for cost in plan["costs"]}
        assert list(costs) == ["journaled", "snapshot", "extents", "replace", "direct"]
        assert "unavailable" not in costs["journaled"]
        for cost in costs.values():
            assert "unavailable" in cost or cost["bytes_to_write"] <= len(LONG) + 3
        assert mapped.plan(strategy="direct")["fsyncs"] == 1
        assert mapped.plan(strategy="direct", durable=False)["fsyncs"] == 0
        plan = mapped.plan(strategy="direct")
        assert (plan["strategy"], plan["reason"]) == ("direct", "it was asked for")
        assert long.read_bytes() == LONG
        del mapped[1:4]
    with long.open("r+b") as file:
        copy = bytesplice.mmap(file.fileno(), 0, access=bytesplice.ACCESS_COPY)
        copy.insert(1, b"new")
        with pytest.raises(ValueError, match="never written"):
            copy.plan()


def test_a_file_that_others_append_to_is_not_cut(data: Path) -> None:
    script = 'exec 3>>"$0"; echo open; read line'
    daemon = subprocess.Popen(
        ["sh", "-c", script, data], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert daemon.stdin is not None
    assert daemon.stdout is not None
    # It has opened the file once it says so.
    assert daemon.stdout.readline() == b"open\n"
    with bytesplice.open(data) as file:
        file.remove(0, 3)
        with pytest.raises(bytesplice.LockedError, match=rf"{daemon.pid}.*allow_writers=True"):
            file.commit(strategy="journaled")
        assert data.read_bytes() == CONTENTS
        file.commit(strategy="journaled", allow_writers=True)
    daemon.communicate()
    assert data.read_bytes() == CONTENTS[3:]
