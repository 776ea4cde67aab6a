"""A process that is killed in the middle of its commits leaves the old or the new contents."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import opened

import bytesplice

ROUNDS = 15
BLOCK = bytes(range(256)) * 16
OLD = b"".join(b"%07d\n" % n + BLOCK for n in range(1000))  # 4 MiB, no two parts alike
NEW = OLD[:5] + b"inserted" + OLD[5:1_000_000] + OLD[1_500_000:] + b"appended"

# Goes from the old contents to the new ones and back, until it is killed.
SCRIPTS = {
    "mmap": """if True:
        import bytesplice, sys
        file = open(sys.argv[1], "r+b")
        mapped = bytesplice.mmap(file.fileno(), 0)
        removed = mapped[1_000_000:1_500_000]
        print("begin", flush=True)
        while True:
            del mapped[1_000_000:1_500_000]
            mapped.insert(5, b"inserted")
            mapped.extend(b"appended")
            mapped.flush(strategy=sys.argv[2])
            mapped[5:13] = b""
            mapped[-8:] = b""
            mapped[1_000_000:1_000_000] = removed
            mapped.flush(strategy=sys.argv[2])
        """,
    "SpliceFile": """if True:
        import bytesplice, sys
        file = bytesplice.open(sys.argv[1])
        removed = file.read(1_000_000, 500_000)
        print("begin", flush=True)
        while True:
            file.remove(1_000_000, 1_500_000)
            file.insert(5, b"inserted")
            file.append(b"appended")
            file.commit(strategy=sys.argv[2])
            file.truncate(len(file) - 8)
            file.remove(5, 13)
            file.insert(1_000_000, removed)
            file.commit(strategy=sys.argv[2])
        """,
}


def kill_one(path: Path, script: str, strategy: str, delay: float) -> None:
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", script, str(path), strategy], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"begin\n"
        time.sleep(delay)
        child.kill()
        child.wait()


@pytest.mark.parametrize("face", SCRIPTS)
def test_a_killed_commit_leaves_old_or_new(tmp_path: Path, face: str) -> None:
    path = tmp_path / "data"
    path.write_bytes(OLD)
    inode = path.stat().st_ino
    seed = random.randrange(1 << 32)
    chance, broken, seen = random.Random(seed), 0, set()
    for number in range(ROUNDS):
        strategy = chance.choice(["auto", "journaled"])
        kill_one(path, SCRIPTS[face], strategy, chance.uniform(0, 0.15))
        broken += bytesplice.status(path)["needs_recovery"]
        if number % 2:
            bytesplice.recover(path)
        else:
            with opened(path):
                pass
        contents = path.read_bytes()
        assert contents in (OLD, NEW), f"seed {seed}, round {number}"
        seen.add(contents == OLD)
        assert [entry.name for entry in tmp_path.iterdir()] == ["data"]
        assert path.stat().st_ino == inode
        if contents == NEW:
            path.write_bytes(OLD)
    # That they came in the middle: most do.
    assert broken > 0, f"seed {seed}"
    assert seen == {True, False} or broken > 3, f"seed {seed}"
