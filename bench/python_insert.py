"""
Inserting 4 bytes near the start of 1 GiB: bytesplice.mmap against the command line, in the same run.

    cargo build --release -p bytesplice-cli
    python/.venv/bin/python bench/python_insert.py DIRECTORY [ROUNDS]
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import bytesplice

COMMAND = Path(__file__).parent.parent / "target/release/bytesplice"
LENGTH = 1 << 30


def by_python(path: Path, strategy: str) -> None:
    """Insert by a map, from opening to closing it."""
    with path.open("r+b") as file, bytesplice.mmap(file.fileno(), 0) as mapped:
        mapped[10:10] = b"AAAA"
        mapped.flush(strategy=strategy)


def by_command(path: Path, strategy: str) -> None:
    """Insert by the command line, its start included."""
    arguments = ["insert", path, "10", "--text", "AAAA", "--strategy", strategy, "--quiet"]
    subprocess.run([COMMAND, *arguments], check=True)


def main() -> None:
    """Print the medians and their ratio for each strategy."""
    path = Path(sys.argv[1]) / "insert.data"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    with path.open("wb") as file:
        for _ in range(LENGTH >> 20):
            file.write(b"0123456789abcdef" * (1 << 16))
    try:
        for strategy in ("direct", "auto"):
            seconds: dict[str, list[float]] = {"python": [], "command": []}
            for _ in range(rounds):
                for name, insert in (("python", by_python), ("command", by_command)):
                    begin = time.perf_counter()
                    insert(path, strategy)
                    seconds[name].append(time.perf_counter() - begin)
            python, command = (statistics.median(taken) for taken in seconds.values())
            print(f"{strategy:8} {python:7.3f} s {command:7.3f} s {python / command:5.2f}")
    finally:
        path.unlink()


if __name__ == "__main__":
    main()
