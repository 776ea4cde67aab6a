"""A million inserts beside the ropes crop and ropey, ten million overwrites, snapshots and undo: no commits."""

import json
from pathlib import Path

from bench.bench import Bench
from bench.process import Limits, measure
from bench.results import Result, Row, Table, Target
from bench.tables import MEGABYTE, megabytes, number

TITLE = "Millions of edits in memory"
INSERTS = 1_000_000
OVERWRITES = 10_000_000
MOST_RUNS = 3
BLOCK = 4096
LINE = b"%09d is the number of this line, and it is 64 bytes long, so!!\n"
NANOSECOND = 1e-9
MICROSECOND = 1e-6
LIMIT = Limits(1200)


def run(bench: Bench, result: Result) -> None:
    """All by one program, `bench/edits`, which times the edits alone."""
    if not bench.tools.has("bench-edits"):
        result.failures.append("bench/edits could not be built")
        return
    text = bench.directory / "text"
    _write_text(text, bench.size)
    inserts, overwrites = (INSERTS // 100, OVERWRITES // 100) if bench.quick else (INSERTS, OVERWRITES)
    runs = min(bench.runs, MOST_RUNS)
    rows = [Row("bytesplice, history on", ours=True), Row("crop"), Row("ropey")]
    jobs = dict(zip(("inserts-bytesplice", "inserts-crop", "inserts-ropey"), rows, strict=True))
    for _ in range(runs):
        for job, row in jobs.items():
            _sample(bench, row, job, text, inserts)
    growth = Row("bytesplice, by pieces", ours=True)
    overwriting = Row("bytesplice, overwrites", ours=True)
    for _ in range(runs):
        _sample(bench, growth, "growth", text, 20 * inserts // 2)
        _sample(bench, overwriting, "overwrites", text, overwrites)
    bench.keep(result, "inserts", rows)
    bench.keep(result, "others", [growth, overwriting])
    result.tables += [_inserts(rows, inserts), _growth(growth), _overwrites(overwriting, overwrites)]
    ours, crop, _ = rows
    result.targets += [
        Target("Insert of 8 bytes, history on", 1.5, ours.median("seconds_each") / MICROSECOND, "µs"),
        Target("Insert by crop's", 1.0, ours.median("seconds_each") / crop.median("seconds_each")),
        Target("Undo history", 256, ours.median("history") / MEGABYTE, "MB"),
        Target("Snapshot at 2 million pieces", 1.0, ours.median("snapshot") / MICROSECOND, "µs"),
        Target("Undo of one step", 10, ours.median("undo") / MICROSECOND, "µs"),
        Target("Overwrites", 20, overwriting.median("seconds"), "s"),
        Target("Pieces by blocks after the overwrites", 1.0, overwriting.median("pieces") / (bench.size // BLOCK)),
    ]
    text.unlink()


def _write_text(path: Path, size: int) -> None:
    lines = b"".join(LINE % index for index in range(1 << 14))
    with path.open("wb") as file:
        for start in range(0, size, len(lines)):
            file.write(lines[: size - start])


def _sample(bench: Bench, row: Row, job: str, text: Path, count: int) -> None:
    """Adds what the program said, and its peak of private memory."""
    bench.log(f"edits: {job}")
    command = [str(bench.tools.edits), job, str(text), str(count)]
    measured = measure(command, bench.directory, lambda: 0, limits=LIMIT)
    if measured.exit_code != 0:
        row.problem = measured.errors.strip() or measured.ended_because or f"exit code {measured.exit_code}"
        return
    lines = [json.loads(line) for line in measured.output.splitlines()]
    sample = lines[-1] | {"peak_private_bytes": measured.peak_private_bytes}
    if len(lines) > 1:
        sample = {str(line["pieces"]): line["seconds_each"] for line in lines}
    row.samples.append(sample)


def _inserts(rows: list[Row], count: int) -> Table:
    columns = ["what", "µs each", "pieces or chunks", "history MB", "private MB", "µs a snapshot", "µs an undo", "runs"]
    table = Table(f"{count:,} inserts of 8 bytes of ASCII at random offsets of the same text", columns, [])
    for row in rows:
        undo = number(row.median("undo") / MICROSECOND) if row.ours else "–"
        table.rows.append(
            [
                f"**{row.name}**" if row.ours else row.name,
                number(row.median("seconds_each") / MICROSECOND),
                number(row.median("pieces")),
                megabytes(row.median("history")) if row.ours else "–",
                megabytes(row.median("peak_private_bytes")),
                number(row.median("snapshot") / MICROSECOND),
                undo,
                str(len(row.samples)),
            ]
        )
    table.notes.append("The ropes hold the text in memory, and their snapshot is a clone. Loading is not timed.")
    table.notes.append("ropey's offsets are characters, which in ASCII are bytes.")
    return table


def _growth(row: Row) -> Table:
    pieces = list(row.samples[0]) if row.samples else []
    cells = [[number(float(count)), number(row.median(count) / NANOSECOND)] for count in pieces]
    return Table("An insert, by the pieces there are", ["pieces", "ns an insert"], cells)


def _overwrites(row: Row, count: int) -> Table:
    cells = [number(row.median("seconds")), number(row.median("pieces")), megabytes(row.median("peak_private_bytes"))]
    table = Table(f"{count:,} overwrites of one byte at random offsets", ["seconds", "pieces", "private MB"], [cells])
    table.notes.append("With 256 MiB for added bytes; what is over that is in a temporary file.")
    return table
