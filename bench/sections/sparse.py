"""A file of 100 GB that is almost all holes, with little memory."""

import shlex
from dataclasses import replace
from pathlib import Path

from bench.bench import Bench, find
from bench.contender import Contender
from bench.contents import MEBIBYTE, Contents, Edit, Piece, Reference, Zeros
from bench.inputs import Place, Preparation
from bench.results import Result, Row, Target
from bench.rounds import Task, run_rounds
from bench.tables import cost_table

TITLE = "A sparse file of 100 GB, 64 MiB of memory"
LENGTH = 100_000_000_000
ISLAND = MEBIBYTE
DISTANCE = 10_000_000_000
LAST_DATA = 64 * MEBIBYTE
LIMIT_KIB = 65536
MOST_RUNS = 3
SLACK = 32 * MEBIBYTE
"""What the disk may hold more afterwards: rounding, and what the file system allocates ahead."""


def run(bench: Bench, result: Result) -> None:
    """An edit near the end, and one that moves all of the last data."""
    before = _sparse()
    result.paragraphs.append(
        f"A MiB of data every {DISTANCE / 1e9:.0f} GB and {LAST_DATA >> 20} MiB of it at the end, on "
        f"{bench.place_kind}; the command runs under `ulimit -d {LIMIT_KIB}`. The blocks of the file are compared "
        "before and after."
    )
    edits = {
        "1,000 bytes before the end": Edit(LENGTH - 1000, 0, b"abcd"),
        "10 bytes into the last data": Edit(LENGTH - LAST_DATA + 10, 0, b"abcd"),
    }
    for where, edit in edits.items():
        make = bench.contenders([edit])
        contenders = [_limited(contender) for contender in (make.ours("auto"), *make.mutagen(sync=True))]
        task = Task(before, before.after([edit]), bench.reference, Preparation())
        bench.log(f"{result.name}: {where}")
        rows = run_rounds(contenders, min(bench.runs, MOST_RUNS), bench.place, task, bench.log, _blocks)
        bench.keep(result, where, rows)
        table = cost_table(f"insert 4 bytes {where}", rows, {})
        table.columns.append("MB on disk")
        for cells, row in zip(table.rows, rows, strict=True):
            cells.append(f"{row.median('blocks_bytes') / 1e6:,.1f}")
        result.tables.append(table)
        result.targets.append(_target(where, rows))


def _sparse() -> Contents:
    pieces: list[Piece] = []
    for offset in range(0, LENGTH, DISTANCE):
        pieces += [Reference(offset // DISTANCE * ISLAND, ISLAND), Zeros(DISTANCE - ISLAND)]
    pieces[-1] = Zeros(DISTANCE - ISLAND - LAST_DATA)
    return Contents((*pieces, Reference(0, LAST_DATA)))


def _limited(contender: Contender) -> Contender:
    def command(path: Path) -> list[str]:
        return ["sh", "-c", f"ulimit -d {LIMIT_KIB}; exec {shlex.join(contender.command(path))}"]

    return replace(contender, command=command)


def _blocks(_contender: Contender, place: Place) -> dict[str, object]:
    return {"blocks_bytes": place.file.stat().st_blocks * 512}


def _target(where: str, rows: list[Row]) -> Target:
    data = LENGTH // DISTANCE * ISLAND + LAST_DATA
    more = find(rows, "bytesplice auto").median("blocks_bytes") - data
    return Target(f"MB on disk beyond the data, {where}", SLACK / 1e6, more / 1e6, "MB")
