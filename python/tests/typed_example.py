"""A program as users write it."""

import io
import re
import shutil
from pathlib import Path

import bytesplice


def edit(path: Path) -> int:
    with bytesplice.open(path, create=True, lock="wait") as file:
        file.append(b"one\ntwo\n")
        file.insert(0, bytesplice.fill(0, 3))
        file.insert(0, [b"a", bytearray(b"b")])
        file.insert(0, io.BytesIO(b"stream"))
        file.replace(None, 2, bytesplice.copy(2, None))
        match = file.find(re.compile(rb"t.o"))
        if match:
            file.remove(*match.span)
        spans: list[tuple[int, int]] = [m.span for m in file.find_iter((b"a", b"b"))]
        with file.group():
            file.move_range(0, 1, 3)
        file.snapshot("x")
        with path.with_suffix(".copy").open("wb") as out:
            shutil.copyfileobj(io.BufferedReader(file.reader()), out)
        plan = file.plan(strategy="journaled")
        print(plan["bytes_moved"], spans, file[1:3], file[0])
        file.commit(progress=lambda done, total: print(done / total))
        return len(file)


def edit_object(address: str) -> None:
    with bytesplice.open(address, store="aws", endpoint=None, create=True) as file:
        file.append(b"one more\n")
        print(file.plan().get("bytes_up"), file.etag)
    for upload in bytesplice.recover(address, older_than=3600.0):
        print(upload["id"], upload["initiated"].isoformat())
    print(bytesplice.status(address).get("uploads"))


def main() -> None:
    try:
        edit(Path("x"))
        edit_object("s3://bucket/log")
    except bytesplice.UnreachableError as error:
        print(error.errno)
    except bytesplice.ChangedError as error:
        print(error.errno, error.file_state)
    except bytesplice.Error:
        raise
    if bytesplice.status("x")["journal"]["state"] != "none":
        bytesplice.recover("x")
    with Path("x").open("r+b") as file:
        bytesplice.insert_bytes(file, 10, 0, safe=True)
