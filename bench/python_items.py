"""
Item and slice reads and equal-length stores through bytesplice.mmap, as ratios to mmap.mmap in the same run.

    python/.venv/bin/python bench/python_items.py
"""

import mmap
import statistics
import tempfile
import timeit
from typing import Any

import bytesplice

STATEMENTS = {
    "item": "m[1000]",
    "item of a variable index": "m[i]",
    "store an item": "m[1000] = 65",
    "slice of 16 bytes": "m[1000:1016]",
    "slice of 4 KiB": "m[4096:8192]",
    "slice of 1 MiB": "m[:1048576]",
    "store 16 bytes": "m[1000:1016] = sixteen",
    "store 4 KiB": "m[4096:8192] = page",
    "store 1 MiB": "m[:1048576] = million",
    "slice with a step": "m[0:4096:3]",
    "read 100 bytes": "m.seek(0); m.read(100)",
    "iterate over 4 KiB": "for b in small: pass",
    "find near by": "m.find(b'needle', 0)",
    "find 16 MiB on": "m.find(b'needle', 1000)",
    "memoryview": "memoryview(m)",
    "len": "len(m)",
}


def best(statement: str, names: dict[str, Any]) -> float:
    """Seconds of one run of a statement: the least of 7 tries."""
    timer = timeit.Timer(statement, globals=names)
    count, _ = timer.autorange(lambda *_: None)
    count = max(1, count // 4)
    return min(timer.repeat(7, count)) / count


def main() -> None:
    """Print a table."""
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as page:
        file.write(b"needle" + bytes(16 << 20) + b"needle")
        file.flush()
        page.write(bytes(4096))
        page.flush()
        names = {
            name: {
                "m": module.mmap(file.fileno(), 0),
                "small": module.mmap(page.fileno(), 0),
                "i": 5000,
                "sixteen": b"x" * 16,
                "page": b"x" * 4096,
                "million": b"needle" + bytes((1 << 20) - 6),
            }
            for name, module in (("bytesplice", bytesplice), ("mmap", mmap))
        }
        ratios = []
        for title, statement in STATEMENTS.items():
            ours, theirs = (best(statement, names[name]) for name in ("bytesplice", "mmap"))
            ratios.append(ours / theirs)
            print(f"{title:26} {ours * 1e9:12.1f} ns {theirs * 1e9:12.1f} ns {ours / theirs:6.2f}")
        print(f"{'median':26} {statistics.median(ratios):37.2f}")


if __name__ == "__main__":
    main()
