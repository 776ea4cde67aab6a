"""The edits between two files: found, and made."""

import shlex
from collections.abc import Callable
from pathlib import Path
from random import Random

from bench.bench import Bench, find, ratio
from bench.contender import Contender
from bench.contents import MEBIBYTE, Contents, Edit, Reference
from bench.inputs import Place, Preparation
from bench.logs import Log
from bench.results import Result, Row, Target
from bench.rounds import Task, run_rounds
from bench.tables import cost_table

TITLE = "The edits between two files, 1,000 inserts"
COUNT = 1000
MOST_RUNS = 3
SMALL = 16 * MEBIBYTE
"""bsdiff needs 17 times the file in memory."""
LINE = b"12:00:00 worker 3: request served\n"
OURS = "bytesplice"
Inspect = Callable[[Contender, Place], dict[str, object]]
XDELTA = "xdelta3"
BSDIFF = "bsdiff"


def run(bench: Bench, result: Result) -> None:
    """Random bytes and a log; ours and xdelta3, and both with bsdiff on a small file."""
    log = bench.directory / "log"
    Log().write(log, bench.size)
    _measure(bench, result, "random bytes", bench.reference, bench.size, [OURS, XDELTA])
    _measure(bench, result, "a log", log, bench.size, [OURS, XDELTA])
    _measure(bench, result, "random bytes, small", bench.reference, SMALL, [OURS, XDELTA, BSDIFF])
    log.unlink()


def _measure(bench: Bench, result: Result, what: str, reference: Path, size: int, names: list[str]) -> None:
    before = Contents((Reference(0, size),))
    edits = _edits(size, what.startswith("random"))
    after = before.after(edits)
    new = bench.directory / "new"
    after.write(new, reference, MEBIBYTE)
    outputs = {name: bench.directory / f"edits.{name}" for name in names}
    there = [name for name in names if name == OURS or bench.tools.has(name)]
    title = f"{what}, {size >> 20} MiB"

    def script_bytes(contender: Contender, _place: Place) -> dict[str, object]:
        return {"script_bytes": outputs[contender.name].stat().st_size}

    found = _rows(
        bench,
        result,
        f"diff, {title}",
        Task(before, before, reference, Preparation()),
        [Contender(name, _diff(bench, name, new, outputs[name]), ours=name == OURS, checked=False) for name in there],
        script_bytes,
    )
    table = cost_table(f"find the edits: {title}", found, {"× xdelta3": (XDELTA, "process_seconds")})
    table.columns.append("MB of edits")
    for cells, row in zip(table.rows, found, strict=True):
        cells.append(f"{row.median('script_bytes') / 1e6:,.3f}")
    result.tables.append(table)

    made = _rows(
        bench,
        result,
        f"apply, {title}",
        Task(before, after, reference, Preparation()),
        [Contender(name, _apply(bench, name, outputs[name]), ours=name == OURS) for name in there],
        script_bytes,
    )
    result.tables.append(cost_table(f"make them: {title}", made, {"× xdelta3": (XDELTA, "process_seconds")}))
    ours = find(found, OURS)
    if size != SMALL:
        result.targets += [
            Target(f"seconds to find the edits, {what}", 20, ours.median("process_seconds"), "s"),
            Target(f"private memory of that, {what}", 256, ours.median("peak_private_bytes") / MEBIBYTE, "MiB"),
            Target(f"length of the script, {what}", 1, ours.median("script_bytes") / MEBIBYTE, "MiB"),
            Target(f"making the edits by xdelta3 + sync + mv, {what}", 1.0, ratio(made, OURS, XDELTA)),
        ]
    for path in (new, *outputs.values()):
        path.unlink(missing_ok=True)


def _rows(
    bench: Bench, result: Result, key: str, task: Task, contenders: list[Contender], inspect: Inspect
) -> list[Row]:
    bench.log(f"{result.name}: {key}")
    runs = min(bench.runs, MOST_RUNS)
    rows = run_rounds(contenders, runs, bench.place, task, bench.log, inspect)
    bench.keep(result, key, rows)
    return rows


def _diff(bench: Bench, name: str, new: Path, output: Path) -> Callable[[Path], list[str]]:
    def command(path: Path) -> list[str]:
        if name == OURS:
            line = shlex.join([str(bench.tools.binary), "diff", str(path), str(new)])
            return ["sh", "-c", f"exec {line} > {output}"]
        if name == XDELTA:
            return ["xdelta3", "-e", "-f", "-s", str(path), str(new), str(output)]
        return ["bsdiff", str(path), str(new), str(output)]

    return command


def _apply(bench: Bench, name: str, script: Path) -> Callable[[Path], list[str]]:
    def command(path: Path) -> list[str]:
        if name == OURS:
            return [str(bench.tools.binary), "apply", str(path), str(script)]
        made = f"{path}.new"
        tool = f"xdelta3 -d -f -s {path} {script}" if name == XDELTA else f"bspatch {path}"
        rest = made if name == XDELTA else f"{made} {script}"
        return ["sh", "-c", f"{tool} {rest} && sync {made} && mv {made} {path}"]

    return command


def _edits(size: int, random_bytes: bool) -> list[Edit]:
    random = Random(11)
    return [
        Edit(
            random.randrange(size),
            0,
            random.randbytes(random.randrange(1, 100)) if random_bytes else LINE,
        )
        for _ in range(COUNT)
    ]
