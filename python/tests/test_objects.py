"""Objects of a real store: as files where they are alike, and what is theirs alone."""

import errno
import gc
import http.server
import io
import os
import pickle
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast

import pytest
from conftest import CONTENTS, SHARE, examples, interrupted
from hypothesis import settings
from object_store import BUCKET, Proxy, Server, running
from test_splice_file_model import Model
from test_threads import run

import bytesplice

MIB = 1 << 20
ADDRESS = f"s3://{BUCKET}/data"
LONG = random.Random(5).randbytes(20 * MIB + 17)


def test_edits_reach_the_object_together(store: Server) -> None:
    with bytesplice.open(ADDRESS) as file:
        assert isinstance(file, bytesplice.SpliceFile)
        assert file.path == ADDRESS
        assert repr(file) == f'<bytesplice.SpliceFile "{ADDRESS}" length=40>'
        assert not file.read_only
        file.remove(4, 8)
        file.insert(4, b"AAAA")
        file.replace(10, 20, b"text of any length")
        file.append(bytearray(b"."))
        assert store.get("data") == CONTENTS
        assert file.etag == store.head("data")["etag"]
        assert file.is_modified
        assert file[:] == b"0000AAAA22text of any length55556666777788889999."
    assert store.get("data") == b"0000AAAA22text of any length55556666777788889999."
    headers = store.head("data")
    assert headers["x-amz-meta-owner"] == "somebody"
    assert headers["content-type"] == "text/x-digits"
    assert file.closed
    assert repr(file) == f'<bytesplice.SpliceFile "{ADDRESS}" closed>'


def test_an_exception_discards(store: Server) -> None:
    with pytest.raises(KeyError), bytesplice.open(ADDRESS) as file:
        file.truncate(0)
        raise KeyError
    assert store.get("data") == CONTENTS


def test_a_dropped_object_says_what_is_lost(store: Server) -> None:
    file = bytesplice.open(ADDRESS)
    file.append(b"x")
    with pytest.warns(ResourceWarning, match="s3://bucket/data was never closed"):
        del file
        gc.collect()
    assert store.get("data") == CONTENTS


class ObjectModel(Model):
    """An object does what a bytearray does, undo across commits included."""

    def begin(self, contents: bytes) -> bytesplice.SpliceFile:
        running().put("model", contents)
        return bytesplice.open(f"s3://{BUCKET}/model", memory_limit=200, fetched_history=1 << 20)

    def contents(self) -> bytes:
        return running().get("model")

    def commit_by(self, _strategy: Any) -> None:
        self.file.commit()


TestModel = ObjectModel.TestCase
TestModel.settings = settings(max_examples=examples(15), stateful_step_count=40, deadline=None)
pytest.mark.usefixtures("objects")(TestModel)


@pytest.mark.parametrize(("kind", "seed"), [(None, 1), ("compatible", 2), ("equal-parts", 3)])
def test_random_edits_of_a_long_object(
    store: Server, kind: Literal["compatible", "equal-parts"] | None, seed: int
) -> None:
    chance = random.Random(seed)
    store.put("data", LONG)
    expected = bytearray(LONG)
    rounds = max(2, round(6 * SHARE))
    file = bytesplice.open(ADDRESS, store=kind, memory_limit=MIB)
    for turn in range(rounds):
        for _ in range(chance.randrange(1, 12)):
            start = chance.randrange(len(expected) + 1)
            stop = min(len(expected), start + chance.choice([0, 1, 70, 300_000, 3 * MIB]))
            match chance.randrange(5):
                case 0:
                    new = chance.randbytes(chance.choice([1, 50, 70_000, 2 * MIB]))
                    file.replace(start, stop, new)
                    expected[start:stop] = new
                case 1:
                    file.remove(start, stop)
                    del expected[start:stop]
                case 2:
                    file.insert(start, iter([b"stream", b"ed"]))
                    expected[start:start] = b"streamed"
                case 3:
                    at = chance.randrange(len(expected) + 1)
                    file.copy_range(start, stop, at)
                    expected[at:at] = expected[start:stop]
                case _:
                    byte, count = chance.randrange(256), chance.choice([3, 6 * MIB])
                    file.insert(start, bytesplice.fill(byte, count))
                    expected[start:start] = bytes([byte]) * count
        for _ in range(5):
            start = chance.randrange(len(expected))
            assert file[start : start + 70_000] == expected[start : start + 70_000]
        plan = file.plan()
        assert plan["new_length"] == len(expected) == len(file)
        assert sum(stop - start for start, stop in (it["range"] for it in plan["parts"])) == (
            len(expected)
        )
        file.commit()
        assert store.get("data") == expected
        if turn % 2:
            file.close()
            file = bytesplice.open(ADDRESS, store=kind)
            assert file.read() == expected
    file.close()


def test_a_plan_says_what_it_costs(proxy: Proxy, store: Server) -> None:
    store.put("data", LONG)
    with bytesplice.open(ADDRESS, store="aws") as file:
        file.insert(9 * MIB, b"x")
        before = proxy.requests
        plan = file.plan()
        assert proxy.requests == before
        assert (plan["old_length"], plan["new_length"]) == (len(LONG), len(LONG) + 1)
        assert plan["bytes_up"] == 5 * MIB
        assert plan["bytes_down"] == 5 * MIB - 1
        assert plan["bytes_copied"] == len(LONG) - plan["bytes_down"]
        assert not plan["single_put"]
        requests = plan["requests"]
        assert (requests["creates"], requests["uploads"], requests["copies"]) == (1, 1, 2)
        assert (requests["tags"], requests["lists"], requests["heads"]) == (1, 0, 0)
        assert requests["total"] == requests["gets"] + 6
        assert 0 < plan["price"] < 0.01
        kept, sent, rest = plan["parts"]
        assert kept == {"range": (0, kept["range"][1]), "copied_from": 0}
        assert sent["bytes_fetched"] == 5 * MIB - 1
        assert rest["copied_from"] == rest["range"][0] - 1
        assert "strategy" not in plan
        file.discard()
        file.truncate(10)
        plan = file.plan()
        assert plan["single_put"]
        assert plan["requests"]["puts"] == 1
        file.discard()
    with bytesplice.open(ADDRESS) as file:
        file.insert(9 * MIB, b"x")
        # What other stores make of requests is checked.
        requests = file.plan()["requests"]
        assert (requests["tags"], requests["lists"], requests["heads"]) == (1, 1, 1)
        file.discard()
    with bytesplice.open(ADDRESS, store="equal-parts") as file:
        file.insert(9 * MIB, b"x")
        parts = [stop - start for start, stop in (it["range"] for it in file.plan()["parts"])]
        assert len(set(parts[:-1])) == 1
        assert parts[-1] <= parts[0]
        file.discard()


def test_objects_that_are_not_there(store: Server) -> None:
    store.remove("data")
    for options in ({}, {"create": True, "read_only": True}):
        with pytest.raises(bytesplice.MissingError, match="no such object") as caught:
            bytesplice.open(ADDRESS, **options)  # type: ignore[arg-type]
        assert caught.value.errno == errno.ENOENT
        assert isinstance(caught.value, FileNotFoundError)
    with bytesplice.open(ADDRESS, create=True) as one, bytesplice.open(ADDRESS, create=True) as two:
        assert len(one) == 0
        with pytest.raises(FileNotFoundError):
            bytesplice.status(ADDRESS)
        one.append(b"made")
        one.commit()
        assert store.get("data") == b"made"
        assert (one.etag, two.etag) == (store.head("data")["etag"], None)
        with pytest.raises(bytesplice.ChangedError):
            two.commit()
        two.close()
    with bytesplice.open(ADDRESS, create=True) as file:
        assert file[:] == b"made"
    with bytesplice.open(f"s3://{BUCKET}/empty", create=True):
        pass
    assert store.get("empty") == b""


def test_another_writer(store: Server) -> None:
    store.put("data", LONG)
    with bytesplice.open(ADDRESS) as one, bytesplice.open(ADDRESS) as two:
        one.insert(0, b"one")
        two.insert(0, b"two")
        one.commit()
        with pytest.raises(bytesplice.ChangedError, match="changed by others") as caught:
            two.commit()
        assert caught.value.errno == errno.ESTALE
        assert caught.value.file_state == "unchanged"
        assert two.is_modified
        # Nothing of another version is ever read.
        with pytest.raises(bytesplice.ChangedError):
            two.read(10 * MIB, 10)
        two.discard()
        one.append(b"once more")
    assert store.get("data") == b"one" + LONG + b"once more"


def test_an_object_that_vanishes(store: Server) -> None:
    store.put("data", LONG)
    with bytesplice.open(ADDRESS) as file:
        file.insert(0, b"x")
        store.remove("data")
        with pytest.raises((bytesplice.ChangedError, bytesplice.MissingError)) as caught:
            file.commit()
        assert caught.value.file_state == "unchanged"
        with pytest.raises(bytesplice.ChangedError):
            file.line_count()
        file.discard()


def test_reading_only(store: Server) -> None:
    with bytesplice.open(ADDRESS, read_only=True) as file:
        assert file.read_only
        file.commit()
        file.append(b"x")
        assert file[-2:] == b"9x"
        with pytest.raises(bytesplice.AccessError, match="permission denied"):
            file.commit()
        file.discard()
    assert store.get("data") == CONTENTS


@pytest.mark.parametrize("lock", ["try", "none"])
def test_nothing_locks_an_object(store: Server, lock: Literal["try", "none"]) -> None:
    with bytesplice.open(ADDRESS, lock=lock) as file, bytesplice.open(ADDRESS) as other:
        assert file[:] == other[:]
    with pytest.raises(ValueError, match="nothing locks an object"):
        bytesplice.open(ADDRESS, lock="wait")


def refused(data: Path) -> list[tuple[Callable[[], object], str]]:
    """What has no meaning for objects, or for files, and what is said of it."""
    dump = io.BytesIO()
    return [
        (lambda: bytesplice.open(ADDRESS, lock="wait"), "nothing locks an object"),
        (lambda: bytesplice.open(ADDRESS, store=cast(Any, "other")), "use aws, compatible or"),
        (lambda: bytesplice.open(data, endpoint="http://x"), "endpoint is for objects"),
        (lambda: bytesplice.open(data, store="aws"), "store is for objects"),
        (lambda: bytesplice.open(data, fetched_history=1), "fetched_history is for objects"),
        (lambda: bytesplice.status(data, endpoint="http://x"), "endpoint is for objects"),
        (lambda: bytesplice.recover(data, older_than=1), "older_than is for objects"),
        (lambda: bytesplice.recover(data, endpoint="http://x"), "endpoint is for objects"),
        (lambda: bytesplice.recover(ADDRESS, older_than=-1), "older_than is a number of seconds"),
        (lambda: bytesplice.recover(ADDRESS, older_than=float("nan")), "a number of seconds"),
        (lambda: bytesplice.recover(ADDRESS, force=True), "no journal"),
        (lambda: bytesplice.abort(ADDRESS), "recover aborts the uploads"),
        (lambda: bytesplice.file_range(ADDRESS), "reader"),
        (lambda: bytesplice.apply(data, ADDRESS), "reader"),
        (lambda: bytesplice.apply(data, b"", store="aws"), "store is for objects"),
        (lambda: bytesplice.apply(ADDRESS, b"", strategy="direct"), "no strategies"),
        (lambda: bytesplice.apply(ADDRESS, b"", durable=False), "no durable"),
        (lambda: bytesplice.diff(data, data, ADDRESS), "BytesIO"),
        (lambda: bytesplice.diff(data, data, dump, store="aws"), "store is for objects"),
        (lambda: bytesplice.open("s3://bucket"), "the key is missing"),
        (lambda: bytesplice.open("s3:///key"), "s3://BUCKET/KEY"),
        (lambda: bytesplice.open("s3://bucket/a/../b"), "between slashes"),
        (lambda: bytesplice.status("s3://bucket/\udcff"), "UTF-8"),
        (lambda: bytesplice.open(ADDRESS, endpoint="ftp://x"), "cannot be the address"),
        (lambda: bytesplice.open(ADDRESS, endpoint="nothing"), "cannot be the address"),
    ]


@pytest.mark.parametrize("number", range(len(refused(Path()))))
def test_what_objects_or_files_do_not_have(proxy: Proxy, data: Path, number: int) -> None:
    call, text = refused(data)[number]
    with pytest.raises(ValueError, match=text):
        call()
    assert proxy.requests == 0
    assert data.read_bytes() == CONTENTS
    assert [entry.name for entry in data.parent.iterdir()] == ["data"]


def test_commits_have_neither_strategies_nor_durability(store: Server) -> None:
    with bytesplice.open(ADDRESS) as file:
        file.append(b"x")
        for strategy in ("journaled", "snapshot", "extents", "replace", "direct"):
            for call in (file.commit, file.plan):
                with pytest.raises(ValueError, match="objects have no strategies"):
                    call(strategy=cast(Any, strategy))
        for call in (file.commit, file.plan):
            with pytest.raises(ValueError, match="objects have no durable=False"):
                call(durable=False)
        assert store.get("data") == CONTENTS
        file.commit(strategy="auto", durable=True)
    assert store.get("data") == CONTENTS + b"x"


def test_progress(store: Server) -> None:
    store.put("data", LONG)
    with bytesplice.open(ADDRESS) as file:
        file.insert(9 * MIB, b"x")
        calls: list[tuple[int, int]] = []
        threads = set()

        def progress(done: int, total: int) -> None:
            calls.append((done, total))
            threads.add(threading.get_ident())

        file.commit(progress=progress)
        assert calls == sorted(calls)
        assert calls[-1] == (len(file), len(file))
        assert threads == {threading.get_ident()}
        file.truncate(3)
        calls.clear()
        file.commit(progress=progress)
        assert calls[-1] == (3, 3)
        file.truncate(0)
        calls.clear()
        # There is no share of nothing.
        file.commit(progress=progress)
        file.commit(progress=progress)
        assert calls == []
        with pytest.raises(TypeError, match="callable"):
            file.commit(progress=1)  # type: ignore[arg-type]
    assert store.get("data") == b""


def test_an_exception_stops_a_commit(store: Server) -> None:
    store.put("data", LONG)

    def stop(_done: int, _total: int) -> None:
        raise KeyError("stop")

    with bytesplice.open(ADDRESS) as file:
        file.insert(9 * MIB, b"x")
        with pytest.raises(KeyError, match="stop"):
            file.commit(progress=stop)
        assert store.get("data") == LONG
        assert store.uploads("data") == []
        assert file.is_modified
        with pytest.raises(bytesplice.BusyError):
            file.commit(progress=lambda *_: file.append(b"y"))
        file.commit()
    assert store.get("data") == LONG[: 9 * MIB] + b"x" + LONG[9 * MIB :]


def test_control_c_stops_a_commit(proxy: Proxy, store: Server, tmp_path: Path) -> None:
    store.put("data", LONG)
    proxy.delay = 0.3
    script = f"""if True:
        import bytesplice, signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with bytesplice.open("{ADDRESS}") as file:
            file.insert(1, b"new")
            print("begin", flush=True)
            try:
                file.commit()
            except KeyboardInterrupt:
                print("stopped", file.is_modified, bytesplice.status("{ADDRESS}")["uploads"])
            file.commit()
        """
    printed = interrupted(script, tmp_path / "none")
    assert printed == b"stopped True []\n"
    assert store.get("data") == LONG[:1] + b"new" + LONG[1:]


@pytest.mark.parametrize(
    "call",
    [
        "bytesplice.open(path)",
        "bytesplice.status(path)",
        "bytesplice.recover(path)",
        "bytesplice.apply(path, b'')",
        "bytesplice.diff(path, path, io.BytesIO())",
        "file[0]",
        "file[1:]",
        "file.read()",
        "file.find(b'none')",
        "file.line_count()",
        "file.expect(0, 1, b'0')",
        "file.view('now')[1:]",
        "file.write_script(io.BytesIO(), undo=True)",
        "file.apply(script)",
        "read_on(file)",
    ],
)
def test_control_c_does_not_wait_for_a_store(
    proxy: Proxy, store: Server, tmp_path: Path, call: str
) -> None:
    proxy.passes.clear()
    if "read_on" in call:
        # Several requests at a time.
        store.put("data", LONG * 2)
        proxy.held = re.compile(rb"GET /bucket/data(?s:.*)range: *bytes=1[0-9]{7}-", re.IGNORECASE)
    elif "file" in call:
        proxy.held = re.compile(rb"GET /bucket/data")
    script = f"""if True:
        import bytesplice, io, signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        path = "{ADDRESS}"
        script = b'{{"bytesplice":1}}\\n{{"remove":[0,1],"old":{{"text":"0"}}}}'
        if "file" in "{call}":
            file = bytesplice.open(path)
            file.snapshot("now")
            file.remove(5, 6)
        def read_on(file):
            for start in range(0, len(file), 1 << 18):
                file.read(start, min(1 << 18, len(file) - start))
        print("begin", flush=True)
        try:
            {call}
        except KeyboardInterrupt:
            print("stopped", flush=True)
        if "file" in "{call}":
            file.close()
        """
    begin = time.monotonic()
    assert interrupted(script, tmp_path / "none") == b"stopped\n"
    assert time.monotonic() - begin < 60


@pytest.mark.parametrize(
    "call", ["file[:]", "file.read()", "file.find(b'none')", "file.line_count()", "diff()"]
)
def test_control_c_stops_what_reads(proxy: Proxy, store: Server, tmp_path: Path, call: str) -> None:
    store.put("data", LONG * 2)
    proxy.delay = 0.2
    script = f"""if True:
        import bytesplice, io, signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        def diff():
            bytesplice.diff("{ADDRESS}", "{ADDRESS}", io.BytesIO())
        with bytesplice.open("{ADDRESS}") as file:
            print("begin", flush=True)
            try:
                {call}
            except KeyboardInterrupt:
                print("stopped", len(file), file[0] is not None)
        """
    assert interrupted(script, tmp_path / "none") == b"stopped %d True\n" % (2 * len(LONG))


REQUESTS: dict[str, Callable[[bytesplice.SpliceFile], object]] = {
    "open": lambda _: bytesplice.open(ADDRESS).close(),
    "status": lambda _: bytesplice.status(ADDRESS),
    "recover": lambda _: bytesplice.recover(ADDRESS),
    "item": lambda file: file[5],
    "slice": lambda file: file[5:10],
    "short read": lambda file: file.read(5, 5),
    "long read": lambda file: file.read(),
    "read of a view": lambda file: file.view("now")[5:10],
    "item of a view": lambda file: file.view("now")[5],
    "reader": lambda file: file.reader().read(5),
    "expectation": lambda file: file.expect(0, 4, b"0000"),
    "search": lambda file: file.find(b"9999"),
    "iteration": lambda file: list(file.find_iter(b"9999")),
    "replacement": lambda file: file.replace_all(b"9999", b""),
    "lines": lambda file: file.line_count(),
    "script": lambda file: file.write_script(io.BytesIO(), checks="whole"),
    "undo script": lambda file: file.write_script(io.BytesIO(), undo=True),
    "commit": lambda file: file.commit(),
    "comparison": lambda _: bytesplice.diff(ADDRESS, ADDRESS, io.BytesIO()),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_others_run_during_a_request(proxy: Proxy, name: str) -> None:
    with bytesplice.open(ADDRESS) as file:
        file.snapshot("now")
        file.remove(20, 30)
        file.append(b"9999")
        raised: list[BaseException] = []

        def call() -> None:
            try:
                REQUESTS[name](file)
            except BaseException as error:
                raised.append(error)

        proxy.passes.clear()
        before = proxy.requests
        caller = threading.Thread(target=call)
        caller.start()
        # This thread and those of the proxy could do nothing if the caller held the interpreter.
        deadline = time.monotonic() + 30
        while proxy.requests == before and caller.is_alive() and time.monotonic() < deadline:
            time.sleep(0.001)
        assert proxy.requests > before
        assert caller.is_alive()
        proxy.passes.set()
        caller.join(60)
        assert not caller.is_alive()
        assert raised == []
        file.discard()


def test_many_small_overwrites_let_others_run(proxy: Proxy, store: Server) -> None:
    """After the first thousand of them, one may fetch the bytes around it."""
    store.put("data", LONG)
    expected = bytearray(LONG)
    ticks = 0
    done = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.wait(0.001):
            ticks += 1

    clock = threading.Thread(target=tick)
    with bytesplice.open(ADDRESS) as file:
        clock.start()
        for turn in range(1020):
            at = turn * 7_654_321 % len(LONG)
            file.replace(at, at + 1, b"x")
            expected[at] = ord("x")
        done.set()
        clock.join()
        assert ticks > 0
        assert proxy.requests > 10
        assert file[:] == expected
        file.discard()


def test_threads(store: Server) -> None:
    store.put("data", b"\n")
    with bytesplice.open(ADDRESS) as file:

        def edit(byte: int) -> Callable[[], None]:
            def action() -> None:
                for _ in range(60):
                    file.insert(0, bytes([byte]) * 8)
                    file.append(iter([bytes([byte]) * 4, bytes([byte]) * 4]))

            return action

        def read() -> None:
            for _ in range(60):
                before, _, behind = file[:].partition(b"\n")
                assert len(before) % 8 == len(behind) % 8 == 0
                assert file.line_count() in (1, 2)

        def keep() -> None:
            for _ in range(20):
                file.commit()
                file.snapshot("kept")
                assert file.view("kept")[:].count(b"\n") == 1

        run(*map(edit, (250, 251, 252)), read, read, keep)
        contents = file[:]
    assert store.get("data") == contents
    assert sorted(contents) == sorted(b"\n" + bytes([250, 251, 252]) * 60 * 16)


def test_a_child_has_no_connections(store: Server) -> None:
    script = f"""if True:
        import bytesplice, os
        with bytesplice.open("{ADDRESS}") as file:
            file.append(b"x")
            child = os.fork()
            if child == 0:
                told = 0
                edit = lambda: file.insert(0, b"y")
                for use in (lambda: file[0], file.commit, file.line_count, edit):
                    try:
                        use()
                    except RuntimeError as error:
                        told += "open it again here" in str(error)
                with bytesplice.open("{ADDRESS}") as mine:
                    told += mine[:4] == b"0000"
                file.close()
                os._exit(told)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
        """
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    subprocess.run([sys.executable, "-P", "-c", script], check=True, env=environment)
    assert store.get("data") == CONTENTS + b"x"


def test_objects_are_not_pickled(store: Server) -> None:
    with bytesplice.open(ADDRESS) as file, pytest.raises(TypeError, match="pickle"):
        pickle.dumps(file)
    assert store.get("data") == CONTENTS


def test_handlers_of_signals_cannot_use_the_object(proxy: Proxy) -> None:
    told: list[BaseException] = []

    def handler(_number: int, _frame: object) -> None:
        try:
            file.read()
        except bytesplice.BusyError as error:
            told.append(error)
        proxy.passes.set()

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with bytesplice.open(ADDRESS) as file:
            proxy.passes.clear()
            timer = threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGUSR1])
            timer.start()
            assert file[0] == ord("0")
            timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(told) == 1


def test_history(store: Server) -> None:
    store.put("data", LONG)
    with bytesplice.open(ADDRESS, fetched_history=MIB) as file:
        file.remove(10, 100)
        file.commit()
        assert file.undo()
        assert file[:200] == LONG[:200]
        file.commit()
        assert store.get("data") == LONG
        # More than may be fetched.
        file.remove(0, 2 * MIB)
        file.commit()
        with pytest.raises(bytesplice.HistoryError):
            file.undo()
    with bytesplice.open(ADDRESS) as file:
        file.insert(0, b"new")
        file.copy_range(MIB, 2 * MIB, 10)
        file.move_range(5 * MIB, 9 * MIB, 3)
        file.commit()
        # Nothing has to be fetched for these.
        assert [file.undo(), file.undo(), file.undo(), file.undo()] == [True, True, True, False]
        assert file[:] == LONG[2 * MIB :]
        file.remove(0, 1)
        file.commit()
        with pytest.raises(bytesplice.HistoryError):
            file.undo()
    assert store.get("data") == LONG[2 * MIB + 1 :]


def test_scripts(store: Server, data: Path, tmp_path: Path) -> None:
    store.put("other", CONTENTS[:10] + b"new" * 10 + CONTENTS[13:])
    other = f"s3://{BUCKET}/other"
    for old, new in [(ADDRESS, other), (str(data), other), (ADDRESS, str(tmp_path / "new"))]:
        (tmp_path / "new").write_bytes(store.get("other"))
        store.put("data", CONTENTS)
        script = io.BytesIO()
        bytesplice.diff(old, new, script, checks="whole")
        assert bytesplice.apply(ADDRESS, script.getvalue()) > 0
        assert store.get("data") == store.get("other")
    store.put("data", CONTENTS[::-1])
    with pytest.raises(bytesplice.UnexpectedError):
        bytesplice.apply(ADDRESS, script.getvalue())
    assert store.get("data") == CONTENTS[::-1]
    store.put("data", store.get("other"))
    with bytesplice.open(ADDRESS) as file:
        file.replace_all(b"new", b"old")
        file.write_script(tmp_path / "script")
        file.write_script(tmp_path / "undo", undo=True)
    assert store.get("data") == store.get("other").replace(b"new", b"old")
    assert bytesplice.apply(ADDRESS, tmp_path / "undo") > 0
    assert store.get("data") == store.get("other")
    # A script that lies in the store, and an object as new bytes.
    store.put("script", (tmp_path / "script").read_bytes())
    with bytesplice.open(f"s3://{BUCKET}/script", read_only=True) as source:
        assert bytesplice.apply(ADDRESS, source.reader()) > 0
    with (
        bytesplice.open(other, read_only=True) as source,
        bytesplice.open(ADDRESS) as file,
        bytesplice.open(data) as local,
    ):
        file.insert(0, source.reader())
        local.append(source.reader())
    assert store.get("data").startswith(store.get("other") + CONTENTS[:10])
    assert data.read_bytes() == CONTENTS + store.get("other")


def test_bytes_of_files(store: Server, data: Path) -> None:
    with bytesplice.open(ADDRESS) as file:
        file.append(bytesplice.file_range(data, 4, 8))
    assert store.get("data") == CONTENTS + b"1111"
    with bytesplice.open(ADDRESS) as file:
        file.append(bytesplice.file_range(data, 4, 8))
        data.write_bytes(b"others")
        with pytest.raises(bytesplice.ChangedError):
            file.commit()
        file.discard()
    assert store.get("data") == CONTENTS + b"1111"


def test_leftover_uploads(store: Server) -> None:
    assert bytesplice.recover(ADDRESS) == []
    uploads = sorted([store.begin_upload("data"), store.begin_upload("data")])
    status: Any = bytesplice.status(ADDRESS)
    assert status["path"] == ADDRESS
    assert status["length"] == 40
    assert status["etag"] == store.head("data")["etag"]
    assert status["attributes"]["x-amz-meta-owner"] == "somebody"
    assert status["tags"] == 0
    assert status["endpoint"] == store.endpoint
    assert sorted(one["id"] for one in status["uploads"]) == uploads
    begun = status["uploads"][0]["initiated"]
    assert abs(datetime.now(UTC) - begun) < timedelta(minutes=5)
    # A day is the usual age.
    assert bytesplice.recover(ADDRESS, endpoint=store.endpoint) == []
    assert sorted(store.uploads("data")) == uploads
    aborted = bytesplice.recover(ADDRESS, older_than=0)
    assert sorted(one["id"] for one in aborted) == uploads
    assert store.uploads("data") == []
    assert store.get("data") == CONTENTS


def test_a_lost_answer(proxy: Proxy, store: Server) -> None:
    store.put("data", LONG)
    file = bytesplice.open(ADDRESS)
    file.insert(9 * MIB, b"x")
    proxy.last = re.compile(rb"POST /bucket/data\?[^ ]*uploadId=")
    with pytest.raises(bytesplice.RecoveryError, match="is not known") as caught:
        file.commit()
    assert caught.value.file_state == "old-or-new"
    assert isinstance(caught.value.__cause__, bytesplice.UnreachableError)
    with pytest.raises(bytesplice.FileError):
        file.append(b"y")
    file.close()
    deadline = time.monotonic() + 30
    new = LONG[: 9 * MIB] + b"x" + LONG[9 * MIB :]
    while store.get("data") != new:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_an_upload_that_is_left(proxy: Proxy, store: Server) -> None:
    store.put("data", LONG)
    file = bytesplice.open(ADDRESS)
    file.insert(9 * MIB, b"x")
    proxy.last = re.compile(rb"POST /bucket/data\?[^ ]*uploads")
    # The answer that has the upload's identifier arrives.
    proxy.answers_last = True
    with pytest.raises(bytesplice.RecoveryError, match="was not aborted") as caught:
        file.commit()
    assert caught.value.file_state == "unchanged"
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert file.is_modified
    file.discard()
    file.close()
    assert store.get("data") == LONG
    left = store.uploads("data")
    assert len(left) == 1
    assert left[0] in str(caught.value)
    aborted = bytesplice.recover(ADDRESS, older_than=0, endpoint=store.endpoint)
    assert [one["id"] for one in aborted] == left


def test_an_upload_that_others_abort(proxy: Proxy, store: Server) -> None:
    store.put("data", LONG)
    with bytesplice.open(ADDRESS) as file:
        file.insert(9 * MIB, b"x")

        def abort(done: int, _total: int) -> None:
            if done:
                bytesplice.recover(ADDRESS, older_than=0, endpoint=store.endpoint)

        # The parts are copied one after the other.
        proxy.delay = 0.05
        with pytest.raises(bytesplice.ChangedError, match="is gone"):
            file.commit(progress=abort)
        assert store.get("data") == LONG
        proxy.delay = 0
        file.commit()
    assert store.get("data") == LONG[: 9 * MIB] + b"x" + LONG[9 * MIB :]


def test_without_credentials(store: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(bytesplice.AccessError, match="credentials") as caught:
        bytesplice.open(ADDRESS)
    assert caught.value.errno == errno.EACCES
    assert isinstance(caught.value, PermissionError)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    calls: list[Callable[[], object]] = [
        lambda: bytesplice.open(ADDRESS),
        lambda: bytesplice.status(ADDRESS),
        lambda: bytesplice.recover(ADDRESS),
        lambda: bytesplice.apply(ADDRESS, b""),
        lambda: bytesplice.diff(ADDRESS, ADDRESS, io.BytesIO()),
    ]
    for call in calls:
        with pytest.raises(bytesplice.AccessError, match="no credentials"):
            call()
    assert store.get("data") == CONTENTS


def test_where_no_store_is(store: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    with pytest.raises(bytesplice.UnreachableError, match="6 times") as caught:
        bytesplice.open(ADDRESS, endpoint=f"http://127.0.0.1:{port}")
    assert isinstance(caught.value, ConnectionError | bytesplice.StoreError)
    assert caught.value.errno == errno.EHOSTUNREACH
    with pytest.raises(bytesplice.MissingError):
        bytesplice.open("s3://no-such-bucket/data")
    # pathlib takes a slash away.
    with pytest.raises(FileNotFoundError):
        bytesplice.open(Path(ADDRESS))
    assert store.get("data") == CONTENTS


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (200, bytesplice.StoreError, "makes no sense"),
        (400, bytesplice.StoreError, "refused"),
        (403, bytesplice.AccessError, "refused"),
        (404, bytesplice.MissingError, "no such object"),
    ],
)
def test_strange_answers(
    store: Server, status: int, kind: type[bytesplice.FileError], text: str
) -> None:
    class Answers(http.server.BaseHTTPRequestHandler):
        """The same answer to whatever is asked."""

        def do_HEAD(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as strange:
        thread = threading.Thread(target=strange.serve_forever)
        thread.start()
        try:
            with pytest.raises(kind, match=text) as caught:
                bytesplice.open(ADDRESS, endpoint=f"http://127.0.0.1:{strange.server_port}")
        finally:
            strange.shutdown()
            thread.join()
    assert type(caught.value) is kind
    assert store.get("data") == CONTENTS


def test_an_object_that_would_be_too_long(store: Server) -> None:
    with bytesplice.open(ADDRESS) as file:
        file.append(bytesplice.fill(0, 6 << 40))
        for call in (file.plan, file.commit):
            with pytest.raises(bytesplice.NoSpaceError, match="largest object") as caught:
                call()
            assert caught.value.errno == errno.EFBIG
        file.undo()
        assert file[:] == CONTENTS
    assert store.get("data") == CONTENTS


def test_a_file_whose_name_is_like_an_address(
    store: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s3:/bucket").mkdir(parents=True)
    Path("s3:/bucket/data").write_bytes(b"a file")
    with bytesplice.open(f"./{ADDRESS}") as file, bytesplice.open(ADDRESS) as other:
        assert file[:] == b"a file"
        assert other[:] == CONTENTS
        file.append(b"!")
    assert Path("s3:/bucket/data").read_bytes() == b"a file!"
    assert store.get("data") == CONTENTS
