"""Files to map, and what both kinds of map answer."""

import contextlib
import mmap as standard
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import object_store
import pytest
from hypothesis import HealthCheck, settings

import bytesplice

# The share of examples: fewer where the same tests run on one interpreter after the other.
SHARE = float(os.environ.get("BYTESPLICE_EXAMPLES", "1"))


def examples(count: int) -> int:
    """How many examples of a property are tried."""
    return max(1, round(count * SHARE))


settings.register_profile(
    "bytesplice",
    max_examples=examples(100),
    # The temporary directory is shared by all examples; each of them writes its own file first.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
settings.load_profile("bytesplice")

# A shell that starts the tests in the background has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

CONTENTS = b"0000111122223333444455556666777788889999"


@contextlib.contextmanager
def opened(path: Path, length: int = 0, **options: Any) -> Iterator[bytesplice.mmap]:
    """A map of a file, to write."""
    with path.open("r+b") as file, bytesplice.mmap(file.fileno(), length, **options) as mapped:
        yield mapped


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A file of forty digits."""
    path = tmp_path / "data"
    path.write_bytes(CONTENTS)
    return path


@pytest.fixture
def page_file(tmp_path: Path) -> Path:
    """A file of three pages and a bit, each page of its own letter."""
    path = tmp_path / "pages"
    size = standard.ALLOCATIONGRANULARITY
    path.write_bytes(b"a" * size + b"b" * size + b"c" * size + b"the end")
    return path


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> object_store.Server:
    """A real store for objects, to which the environment leads."""
    if not object_store.PROGRAM.exists():
        (pytest.fail if object_store.is_wanted() else pytest.skip)(object_store.WHY_NOT)
    server = object_store.running()
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def store(objects: object_store.Server) -> Iterator[object_store.Server]:
    """The store, with an object of forty digits, whose uploads all end."""
    objects.put("data", CONTENTS, x_amz_meta_owner="somebody", content_type="text/x-digits")
    yield objects
    left = objects.uploads("data")
    for upload in left:
        objects.request("DELETE", "data", {"uploadId": upload})
    assert left == []


@pytest.fixture
def proxy(
    store: object_store.Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[object_store.Proxy]:
    """A proxy that the environment leads to."""
    proxy = object_store.Proxy(store)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
    yield proxy
    proxy.close()


def outcome(action: Callable[[], object]) -> tuple[type | None, object]:
    """What an action returns, or the type and text of what it raises."""
    try:
        return None, action()
    except Exception as error:
        return type(error), str(error)


def interrupted(script: str, path: Path) -> bytes:
    """What a script prints after "begin" when Ctrl-C comes then; the path is its argument."""
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", script, str(path)], stdout=subprocess.PIPE, cwd=path.parent
    )
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"begin\n"
        time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        printed = child.stdout.read()
        assert child.wait() == 0
    return printed
