"""Statements and methods of Python, timed in one process: `python_timings.py JOB [PATH]`.

Prints JSON, one object a line. The jobs:

`statements`: the same statements on a map of bytesplice and on one of the standard library; the seconds of each.
`transactions`: what a `SpliceFile` over PATH takes, and what reading the same bytes in other ways does.
"""

import json
import mmap
import os
import sys
import tempfile
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import bytesplice

MEBIBYTE = 1 << 20
STATEMENTS = {
    "item": "m[1000]",
    "item of a variable index": "m[i]",
    "store an item": "m[1000] = 65",
    "slice of 16 bytes": "m[1000:1016]",
    "slice of 4 KiB": "m[4096:8192]",
    "slice of 64 KiB": "m[4096:69632]",
    "slice of 1 MiB": "m[:1048576]",
    "slice of 16 MiB": "m[:16777216]",
    "store 16 bytes": "m[1000:1016] = sixteen",
    "store 4 KiB": "m[4096:8192] = page",
    "store 1 MiB": "m[:1048576] = million",
    "slice with a step": "m[0:4096:3]",
    "read 100 bytes": "m.seek(0); m.read(100)",
    "read a line": "m.seek(0); m.readline()",
    "iterate over 4 KiB": "for b in small: pass",
    "find near by": "m.find(b'needle', 0)",
    "find 16 MiB on": "m.find(b'needle', 1000)",
    "rfind 16 MiB back": "m.rfind(b'needle', 0, 16777216)",
    "memoryview": "memoryview(m)",
    "len": "len(m)",
}
TRIES = 7
INSERTS = 100_000
INSERTED = b"8 bytes\n"
NEEDLE = b"THE bytes that are nowhere"


def statements() -> None:
    """The least of several tries each."""
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as page:
        file.write(b"needle" + bytes(2000) + b"\n" + bytes(16 * MEBIBYTE) + b"needle")
        file.flush()
        page.write(bytes(4096))
        page.flush()
        names: dict[str, dict[str, Any]] = {
            name: {
                "m": module.mmap(file.fileno(), 0),  # type: ignore[attr-defined]
                "small": module.mmap(page.fileno(), 0),  # type: ignore[attr-defined]
                "i": 5000,
                "sixteen": b"x" * 16,
                "page": b"x" * 4096,
                "million": b"needle" + bytes(2000) + b"\n" + bytes(MEBIBYTE - 2007),
            }
            for name, module in (("bytesplice", bytesplice), ("mmap", mmap))
        }
        for title, statement in STATEMENTS.items():
            seconds = {name: _best(statement, these) for name, these in names.items()}
            print(json.dumps({"title": title, "statement": statement} | seconds))


def _best(statement: str, names: dict[str, Any]) -> float:
    timer = timeit.Timer(statement, globals=names)
    count, _ = timer.autorange(lambda *_: None)
    count = max(1, count // 4)
    return min(timer.repeat(TRIES, count)) / count


def transactions(path: str) -> None:
    """Inserts, then searches and reads of the contents with them; nothing is committed."""
    size = Path(path).stat().st_size
    random = Random(1)
    offsets = [random.randrange(size + len(INSERTED) * number + 1) for number in range(INSERTS)]
    with Path(path).open("rb") as plain, mmap.mmap(plain.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        _tell("mmap.mmap: find", lambda: _nothing(mapped.find(NEEDLE), -1))
        _tell("open: read of all", lambda: _length(plain.read(), size))
        buffer = bytearray(MEBIBYTE)
        descriptor = plain.fileno()
        starts = range(0, size, MEBIBYTE)
        _tell("os.preadv: 1 MiB at a time", lambda: sum(os.preadv(descriptor, [buffer], at) for at in starts))
    with bytesplice.open(path) as file:
        before = _private_bytes()

        def insert() -> None:
            for offset in offsets:
                file.insert(offset, INSERTED)

        _tell("insert", insert)
        print(json.dumps({"title": "memory", "bytes": _private_bytes() - before}))
        length = size + INSERTS * len(INSERTED)
        _tell("find", lambda: _nothing(file.find(NEEDLE), None))
        _tell("read of all", lambda: _length(file.read(), length))
        _tell("item", lambda: [file[offset] for offset in offsets])
        reader = file.reader()

        def read() -> None:
            while reader.readinto(buffer):
                pass

        _tell("reader: 1 MiB at a time", read)
        file.discard()


def _tell(title: str, action: Callable[[], object]) -> None:
    begin = time.perf_counter()
    action()
    print(json.dumps({"title": title, "seconds": time.perf_counter() - begin}), flush=True)


def _nothing(found: object, nothing: object) -> None:
    if found != nothing:
        raise AssertionError(f"found {found}")


def _length(data: bytes, length: int) -> None:
    if len(data) != length:
        raise AssertionError(f"{len(data)} bytes instead of {length}")


def _private_bytes() -> int:
    fields = Path("/proc/self/statm").read_text().split()
    return (int(fields[1]) - int(fields[2])) * mmap.PAGESIZE


JOBS: dict[str, Callable[..., None]] = {"statements": statements, "transactions": transactions}

if __name__ == "__main__":
    JOBS[sys.argv[1]](*sys.argv[2:])
