"""`SpliceFile` from Python: many inserts, and searching and reading the contents with them."""

from bench.bench import Bench, find, ratio
from bench.inputs import Preparation
from bench.results import Result, Row, Table, Target
from bench.tables import MEGABYTE, megabytes, number, seconds

TITLE = "Python: 100,000 inserts through `SpliceFile`, and reading with them"
RUNS = 3
INSERTS = 100_000
"""As in `python_timings.py`."""
MEMORY = "memory"
OTHERS = ("mmap.mmap", "open", "os.preadv")


def run(bench: Bench, result: Result) -> None:
    """All in one process, beside reading the same file without bytesplice."""
    result.paragraphs.append(
        f"Eight bytes each, at random offsets of {bench.size >> 20} MiB in the cache, history on, nothing committed. "
        "The searches are for bytes that are not there. *memory* is what the process has more of it after the inserts."
    )
    bench.place.prepare(bench.whole(), bench.reference, Preparation())
    rows: dict[str, Row] = {}
    for _ in range(bench.runs_of(RUNS)):
        for told in bench.python_timings("transactions", result, bench.place.file):
            title = told.pop("title")
            rows.setdefault(title, Row(title, ours=not title.startswith(OTHERS))).samples.append(told)
    bench.place.clear()
    found = list(rows.values())
    result.rows["transactions"] = found
    table = Table("Seconds, and how much in one", ["what", "seconds", "min–max", "in a second", "runs"], [])
    for row in found:
        if row.name != MEMORY:
            table.rows.append(_cells(bench, row))
    table.notes.append(f"Memory for {INSERTS:,} inserts: {megabytes(find(found, MEMORY).median('bytes'))} MB.")
    result.tables.append(table)
    each = INSERTS / find(found, "insert").median("seconds")
    result.targets += [
        Target("inserts a second", 1_000_000, each, "inserts", at_least=True),
        Target("memory for the inserts", 64, find(found, MEMORY).median("bytes") / MEGABYTE, "MB"),
        Target("find by mmap.mmap's", 1.0, ratio(found, "find", "mmap.mmap: find", "seconds")),
        Target("read of all by that of a file", 1.1, ratio(found, "read of all", "open: read of all", "seconds")),
        Target(
            "reader by os.preadv, 1 MiB at a time",
            1.5,
            ratio(found, "reader: 1 MiB at a time", "os.preadv: 1 MiB at a time", "seconds"),
        ),
    ]


def _cells(bench: Bench, row: Row) -> list[str]:
    times, median = row.values("seconds"), row.median("seconds")
    done = f"{number(INSERTS / median)}" if row.name in ("insert", "item") else f"{bench.size / median / 1e9:.3g} GB"
    name = f"**{row.name}**" if row.ours else row.name
    return [name, seconds(median), f"{seconds(min(times))}–{seconds(max(times))}", done, str(len(times))]
