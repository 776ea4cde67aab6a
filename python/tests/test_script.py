"""The script that edits with move and truncate, by one changed line, and its helpers as splices."""

import subprocess
import sys
from pathlib import Path

import pytest

CONTENTS = b"0000111122223333444455556666777788889999"
WANTED = b"0000AAAA22223333444455556666777788889999"

SCRIPT = """
f = open("data", "r+b"); VDATA = mmap.mmap(f.fileno(), 0)
def deleteFromMmap(start, end):
    global VDATA; size = len(VDATA)
    VDATA.move(start, end, size - end); VDATA.flush(); VDATA.close()
    f.truncate(size - (end - start)); VDATA = mmap.mmap(f.fileno(), 0)
def insertIntoMmap(offset, data):
    global VDATA; size = len(VDATA); VDATA.flush(); VDATA.close()
    f.seek(size); f.write(b"A" * len(data)); f.flush(); VDATA = mmap.mmap(f.fileno(), 0)
    VDATA.move(offset + len(data), offset, size - offset)
    VDATA.seek(offset); VDATA.write(data); VDATA.flush()
deleteFromMmap(4, 8); insertIntoMmap(4, b"AAAA")
"""

SPLICES = """
f = open("data", "r+b"); VDATA = mmap.mmap(f.fileno(), 0)
VDATA[4:8] = b""
assert len(VDATA) == 36, len(VDATA)
assert VDATA[:] == b"000022223333444455556666777788889999", VDATA[:]
VDATA.flush()
assert open("data", "rb").read() == VDATA[:]
VDATA[4:4] = b"AAAA"
VDATA.flush()
"""


def run(tmp_path: Path, script: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    (tmp_path / "data").write_bytes(CONTENTS)
    return subprocess.run(
        [sys.executable, *options, "-c", script], cwd=tmp_path, capture_output=True, check=False
    )


@pytest.mark.parametrize("line", ["import mmap", "import bytesplice as mmap"])
def test_the_script_works_with_one_changed_line(tmp_path: Path, line: str) -> None:
    done = run(tmp_path, line + SCRIPT)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (tmp_path / "data").read_bytes() == WANTED
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_its_helpers_are_two_splices(tmp_path: Path) -> None:
    done = run(tmp_path, "import bytesplice as mmap" + SPLICES)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (tmp_path / "data").read_bytes() == WANTED
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_the_splices_are_an_index_error_with_the_standard_map(tmp_path: Path) -> None:
    done = run(tmp_path, "import mmap" + SPLICES)
    assert done.stderr.strip().endswith(b"IndexError: mmap slice assignment is wrong size")


def test_edits_that_a_script_never_flushes_are_committed_at_its_end(tmp_path: Path) -> None:
    script = (
        "import bytesplice\nf = open('data', 'r+b'); m = bytesplice.mmap(f.fileno(), 0)\ndel m[4:]"
    )
    done = run(tmp_path, script, "-W", "always::ResourceWarning")
    assert done.returncode == 0
    assert b"data with edits: they are committed now" in done.stderr
    assert (tmp_path / "data").read_bytes() == CONTENTS[:4]


def test_a_script_that_fails_to_commit_at_its_end_says_so(tmp_path: Path) -> None:
    script = (
        "import bytesplice\nf = open('data', 'r+b'); m = bytesplice.mmap(f.fileno(), 0)\n"
        "del m[4:]\nf.truncate(30)"
    )
    done = run(tmp_path, script)
    assert b"ChangedError" in done.stderr
    assert (tmp_path / "data").read_bytes() == CONTENTS[:30]


def test_the_example_of_the_package(tmp_path: Path) -> None:
    script = "import bytesplice, doctest, sys; sys.exit(doctest.testmod(bytesplice).failed)"
    done = run(tmp_path, script)
    assert (done.returncode, done.stdout) == (0, b"")
