"""Stores that nobody knows, or that do not let tags be read: what is refused, and the ways on."""

import errno
import http.server
import random
import threading
from pathlib import Path
from typing import Any, cast

import pytest
from conftest import CONTENTS
from object_store import BUCKET, Proxy, Server

import bytesplice

MIB = 1 << 20
ADDRESS = f"s3://{BUCKET}/data"
LONG = random.Random(6).randbytes(20 * MIB + 17)
SCRIPT = b'{"bytesplice":1}\n{"insert":0,"text":"x"}\n'


@pytest.fixture
def unknown(store: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A store of which nobody has told whether it honours If-Match."""
    monkeypatch.setenv("BYTESPLICE_STORE", "")
    return store


def test_a_store_that_nobody_knows(unknown: Server) -> None:
    file = bytesplice.open(ADDRESS)
    assert file[:] == CONTENTS
    file.append(b"x")
    with pytest.raises(bytesplice.StoreError, match="is not known") as caught:
        file.commit()
    assert caught.value.errno == errno.EOPNOTSUPP
    assert caught.value.file_state == "unchanged"
    for way in ("probe_store=True", 'store="compatible"', "BYTESPLICE_STORE", "unconditional=True"):
        assert way in str(caught.value)
    assert file.is_modified
    file.discard()
    file.close()
    assert unknown.get("data") == CONTENTS
    with pytest.raises(bytesplice.StoreError, match="is not known"):
        bytesplice.apply(ADDRESS, SCRIPT)
    assert unknown.get("data") == CONTENTS


def test_ways_to_commit_to_a_store_that_nobody_knows(unknown: Server) -> None:
    new = CONTENTS
    ways: list[dict[str, Any]] = [
        {"store": "compatible"},
        {"unconditional": True},
        {"probe_store": True},
        {"probe_store": True, "unconditional": True},
    ]
    for way in ways:
        with bytesplice.open(ADDRESS, **way) as file:
            file.append(b"x")
            file.commit()
            file.append(b"y")
        new += b"xy"
        assert unknown.get("data") == new
        assert bytesplice.apply(ADDRESS, SCRIPT, **way) == 1
        new = b"x" + new
        assert unknown.get("data") == new
    left = unknown.request("GET", "", {"list-type": "2", "prefix": ".bytesplice"})[1]
    assert b"<Key>" not in left


def test_who_only_reads_does_not_probe(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYTESPLICE_STORE", "")
    with bytesplice.open(ADDRESS, read_only=True, probe_store=True) as file:
        assert len(file) == 40
    assert proxy.requests == 1
    with bytesplice.open(ADDRESS, probe_store=True):
        pass
    assert proxy.requests > 3


def test_a_kind_of_store_that_is_none(store: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="use aws, compatible or equal-parts"):
        bytesplice.open(ADDRESS, store=cast(Any, "minio"))
    monkeypatch.setenv("BYTESPLICE_STORE", "minio")
    with pytest.raises(bytesplice.AddressError, match="use aws, compatible or equal-parts"):
        bytesplice.open(ADDRESS)
    assert store.get("data") == CONTENTS


@pytest.mark.parametrize("name", ["probe_store", "unconditional", "drop_tags"])
def test_files_are_in_no_store(data: Path, name: str) -> None:
    options: dict[str, Any] = {name: True}
    with pytest.raises(ValueError, match=f"{name} is for objects"):
        bytesplice.open(data, **options)
    with pytest.raises(ValueError, match=f"{name} is for objects"):
        bytesplice.apply(data, b"", **options)
    assert data.read_bytes() == CONTENTS


def tags(store: Server) -> bytes:
    return store.request("GET", "data", {"tagging": ""})[1]


def test_tags(store: Server) -> None:
    store.put("data", LONG, x_amz_tagging="key=a%20value")
    status: Any = bytesplice.status(ADDRESS)
    assert status["tags"] == 1
    for place in (0, 9 * MIB):
        with bytesplice.open(ADDRESS) as file:
            file.insert(place, b"x")
        assert b"<Key>key</Key><Value>a value</Value>" in tags(store)
    with bytesplice.open(ADDRESS, drop_tags=True) as file:
        file.insert(9 * MIB, b"x")
    assert b"<Key>" not in tags(store)
    assert len(store.get("data")) == len(LONG) + 3


def test_tags_that_may_not_be_read(store: Server) -> None:
    class Strict(http.server.BaseHTTPRequestHandler):
        """A store that tells nobody of tags."""

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("ETag", '"etag"')
            self.send_header("Content-Length", "40")
            self.end_headers()

        def do_GET(self) -> None:
            told = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
            self.send_response(403)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            puts.append(self.headers.get("x-amz-tagging"))
            self.send_response(200)
            self.send_header("ETag", '"new"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    puts: list[str | None] = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Strict) as strict:
        thread = threading.Thread(target=strict.serve_forever)
        thread.start()
        endpoint = f"http://127.0.0.1:{strict.server_port}"
        try:
            file = bytesplice.open(ADDRESS, endpoint=endpoint)
            file.replace(0, 40, b"new")
            with pytest.raises(bytesplice.AccessError, match="s3:GetObjectTagging") as caught:
                file.commit()
            assert "drop_tags=True" in str(caught.value)
            assert caught.value.file_state == "unchanged"
            assert puts == []
            file.discard()
            file.close()
            status: Any = bytesplice.status(ADDRESS, endpoint=endpoint)
            assert status["tags"] is None
            with bytesplice.open(ADDRESS, endpoint=endpoint, drop_tags=True) as file:
                file.replace(0, 40, b"new")
            assert puts == [None]
        finally:
            strict.shutdown()
            thread.join()
    assert store.get("data") == CONTENTS
