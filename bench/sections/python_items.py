"""Items, slices, stores and searches of the map of Python, as it stands in for `mmap`."""

import statistics

from bench.bench import Bench
from bench.results import Result, Row, Table, Target
from bench.tables import number

TITLE = "Python: the map in the place of `mmap.mmap`"
RUNS = 3
MOST = 2.0
NANOSECOND = 1e-9


def run(bench: Bench, result: Result) -> None:
    """All in one process, both maps in turn."""
    result.paragraphs.append(
        "Maps of the same file of 16 MiB, one of each module, without unsaved edits. The least of seven tries of each "
        "statement, and of that the medians of the runs. Ratios are formed within a run."
    )
    rows: dict[str, Row] = {}
    code: dict[str, str] = {}
    for _ in range(bench.runs_of(RUNS)):
        for told in bench.python_timings("statements", result):
            title = told["title"]
            code[title] = told["statement"]
            sample = {name: told[name] for name in ("bytesplice", "mmap")}
            sample["ratio"] = told["bytesplice"] / told["mmap"]
            rows.setdefault(title, Row(title, ours=True)).samples.append(sample)
    result.rows["statements"] = list(rows.values())
    table = Table("Each statement", ["what", "statement", "bytesplice ns", "mmap ns", "ratio", "runs"], [])
    for title, row in rows.items():
        times = [number(row.median(name) / NANOSECOND) for name in ("bytesplice", "mmap")]
        table.rows.append([title, f"`{code[title]}`", *times, number(row.median("ratio")), str(len(row.samples))])
        result.targets.append(Target(f"{title}, by mmap.mmap", MOST, row.median("ratio")))
    if rows:
        middle = statistics.median(row.median("ratio") for row in rows.values())
        table.notes.append(f"The median of the ratios is {number(middle)}.")
    result.tables.append(table)
