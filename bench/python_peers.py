"""The ways to edit a file in Python, as a script of its own: `python_peers.py METHOD FILE EDITS [--sync]`.

EDITS is a JSON file: a list of `[offset, removed, inserted as hex]`. Prints the seconds between opening the file and
having it closed, imports excluded.
"""

import json
import mmap
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

MEBIBYTE = 1 << 20
HALF_A_PAGE = mmap.PAGESIZE // 2
Edits = list[tuple[int, int, bytes]]


def limit(path: str, edits: Edits, sync: bool) -> None:
    """Reads and writes the blocks that have to move once, where they are. Changes nothing.

    The buffer lies half a page off the page borders, where copying is quickest.
    """
    descriptor = os.open(path, os.O_RDWR)
    buffer = memoryview(mmap.mmap(-1, MEBIBYTE + HALF_A_PAGE))[HALF_A_PAGE:]
    offset = edits[0][0] // mmap.PAGESIZE * mmap.PAGESIZE
    while count := os.preadv(descriptor, [buffer], offset):
        offset += os.pwrite(descriptor, buffer[:count], offset)
    _close(descriptor, sync)


def disk(path: str, edits: Edits, sync: bool, times: int = 1) -> None:
    """Writes the blocks that have to move past the page cache, from two threads, each MiB so many times."""
    descriptor = os.open(path, os.O_RDWR)
    past_cache = os.open(path, os.O_RDWR | os.O_DIRECT)
    first, end = edits[0][0] // mmap.PAGESIZE * mmap.PAGESIZE, os.fstat(descriptor).st_size

    def write(start: int) -> None:
        buffer = memoryview(mmap.mmap(-1, MEBIBYTE))
        for offset in range(start, end // mmap.PAGESIZE * mmap.PAGESIZE, 2 * MEBIBYTE):
            count = os.preadv(descriptor, [buffer], offset) // mmap.PAGESIZE * mmap.PAGESIZE
            for _ in range(times):
                os.pwrite(past_cache, buffer[:count], offset)

    threads = [threading.Thread(target=write, args=(first + number * MEBIBYTE,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.close(past_cache)
    _close(descriptor, sync)


def disk_twice(path: str, edits: Edits, sync: bool) -> None:
    """The same, as often as a journal makes it."""
    disk(path, edits, sync, times=2)


def drop(path: str, edits: Edits, sync: bool) -> None:
    """Drops what is cached of the blocks that have to move, and does nothing else."""
    descriptor = os.open(path, os.O_RDWR)
    os.posix_fadvise(descriptor, edits[0][0], 0, os.POSIX_FADV_DONTNEED)
    _close(descriptor, sync)


def move_recipe(path: str, edits: Edits, sync: bool) -> None:
    """The recipe: grow or shrink the file, map it, `move` the tail, `flush`, close; all that for each edit."""
    for offset, removed, inserted in edits:
        descriptor = os.open(path, os.O_RDWR)
        old = os.fstat(descriptor).st_size
        new = old + len(inserted) - removed
        if new > old:
            os.ftruncate(descriptor, new)
        with mmap.mmap(descriptor, 0) as data:
            data.move(offset + len(inserted), offset + removed, old - offset - removed)
            data[offset : offset + len(inserted)] = inserted
            data.flush()
        if new < old:
            os.ftruncate(descriptor, new)
        _close(descriptor, sync)


def move_and_resize(path: str, edits: Edits, sync: bool) -> None:
    """`mmap.resize` and `mmap.move` on one map that is kept for all edits."""
    descriptor = os.open(path, os.O_RDWR)
    with mmap.mmap(descriptor, 0) as data:
        for offset, removed, inserted in edits:
            old = len(data)
            new = old + len(inserted) - removed
            if new > old:
                data.resize(new)
            data.move(offset + len(inserted), offset + removed, old - offset - removed)
            data[offset : offset + len(inserted)] = inserted
            if new < old:
                data.resize(new)
    _close(descriptor, sync)


def mutagen(path: str, edits: Edits, sync: bool) -> None:
    """`insert_bytes` and `delete_bytes` of mutagen."""
    from mutagen._util import delete_bytes, insert_bytes  # type: ignore[import-not-found]

    _edit_object(path, edits, sync, insert_bytes, delete_bytes)


def helpers(path: str, edits: Edits, sync: bool, **options: bool) -> None:
    """The functions of the same names of bytesplice."""
    from bytesplice import delete_bytes, insert_bytes

    _edit_object(path, edits, sync, partial(insert_bytes, **options), partial(delete_bytes, **options))


def _edit_object(
    path: str, edits: Edits, sync: bool, insert_bytes: Callable[..., None], delete_bytes: Callable[..., None]
) -> None:
    with open(path, "r+b") as file:
        for offset, removed, inserted in edits:
            if removed:
                delete_bytes(file, removed, offset)
            if inserted:
                insert_bytes(file, len(inserted), offset)
                file.seek(offset)
                file.write(inserted)
        file.flush()
        if sync:
            os.fsync(file.fileno())


def whole(path: str, edits: Edits, sync: bool) -> None:
    """Reads the file into a `bytearray`, edits that, and writes all of it back."""
    descriptor = os.open(path, os.O_RDWR)
    data = bytearray(os.fstat(descriptor).st_size)
    view = memoryview(data)
    done = 0
    while done < len(view):
        done += os.preadv(descriptor, [view[done:]], done)
    view.release()
    for offset, removed, inserted in edits:
        data[offset : offset + removed] = inserted
    view = memoryview(data)
    done = 0
    while done < len(view):
        done += os.pwrite(descriptor, view[done:], done)
    os.ftruncate(descriptor, len(view))
    _close(descriptor, sync)


def copy(path: str, edits: Edits, sync: bool) -> None:
    """Writes a new file, 1 MiB at a time, and renames it over the old one. Takes one edit."""
    offset, removed, inserted = edits[0]
    source = os.open(path, os.O_RDONLY)
    temporary = path + ".new"
    target = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, os.fstat(source).st_mode)
    _copy_range(source, target, 0, offset)
    os.write(target, inserted)
    _copy_range(source, target, offset + removed, os.fstat(source).st_size)
    os.close(source)
    _close(target, sync)
    os.rename(temporary, path)
    if sync:
        _close(os.open(os.path.dirname(path), os.O_RDONLY), sync)


def bytesplice(path: str, edits: Edits, sync: bool, strategy: str = "auto") -> None:
    """Edits a map of bytesplice and commits."""
    import bytesplice

    with open(path, "r+b") as file, bytesplice.mmap(file.fileno(), 0) as data:
        for offset, removed, inserted in edits:
            data[offset : offset + removed] = inserted
        data.flush(strategy=strategy, durable=sync)


def _copy_range(source: int, target: int, offset: int, end: int) -> None:
    buffer = memoryview(bytearray(MEBIBYTE))
    while offset < end:
        count = os.preadv(source, [buffer[: min(MEBIBYTE, end - offset)]], offset)
        offset += os.write(target, buffer[:count])


def _close(descriptor: int, sync: bool) -> None:
    if sync:
        os.fsync(descriptor)
    os.close(descriptor)


METHODS: dict[str, Callable[[str, Edits, bool], None]] = {
    "limit": limit,
    "disk": disk,
    "disk-twice": disk_twice,
    "drop": drop,
    "recipe": move_recipe,
    "resize": move_and_resize,
    "mutagen": mutagen,
    "whole": whole,
    "copy": copy,
    "bytesplice-auto": bytesplice,
    "bytesplice-direct": partial(bytesplice, strategy="direct"),
    "bytesplice-helpers": helpers,
    "bytesplice-helpers-safe": partial(helpers, safe=True),
}


def main() -> None:
    """Edits the file and tells how long that took."""
    method, path, edits_file = sys.argv[1:4]
    with open(edits_file) as file:
        edits = [(offset, removed, bytes.fromhex(inserted)) for offset, removed, inserted in json.load(file)]
    if method == "mutagen":
        import mutagen._util  # noqa: F401
    elif method.startswith("bytesplice"):
        import bytesplice  # noqa: F401
    begin = time.perf_counter()
    METHODS[method](path, edits, "--sync" in sys.argv)
    print(json.dumps({"seconds": time.perf_counter() - begin}))


if __name__ == "__main__":
    main()
