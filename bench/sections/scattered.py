"""Ten thousand inserts all over the file, in one commit."""

from random import Random

from bench.bench import INSERT, Bench, find, ratio
from bench.contents import Edit
from bench.results import Result, Row, Target
from bench.tables import cost_table, number

TITLE = "10,000 scattered inserts, one commit, durable"
COUNT = 10_000
MUTAGEN_COUNT = 20
MOST_RUNS = 3
MANY = f"bytesplice, {COUNT:,} inserts, one commit"
ONE = "bytesplice, 1 insert at offset 10"


def run(bench: Bench, result: Result) -> None:
    """Ours by the Python package, with all edits and with one; mutagen with a few."""
    if not bench.tools.has("bytesplice for Python"):
        result.failures.append("the Python package could not be built")
        return
    edits = _edits(bench.size, COUNT)
    runs = min(bench.runs, MOST_RUNS)
    rows: list[Row] = []
    for name, some in ((MANY, edits), (ONE, [INSERT])):
        contender = bench.contenders(some).python("bytesplice-auto", name, sync=True)
        rows += bench.measure(result, name, [contender], bench.place, bench.task(some), runs)
    few = edits[:MUTAGEN_COUNT]
    mutagen = f"mutagen, {MUTAGEN_COUNT} inserts, not synced"
    if bench.tools.has("mutagen"):
        contender = bench.contenders(few).python("mutagen", mutagen)
        rows += bench.measure(result, mutagen, [contender], bench.place, bench.task(few), 1)
    table = cost_table(
        f"4 bytes each, random offsets and order, {bench.place_kind}", rows, {"× one insert": (ONE, "process_seconds")}
    )
    result.tables.append(table)
    result.targets.append(
        Target(f"{COUNT:,} inserts by one insert at the front", 1.5, ratio(rows, MANY, ONE, "seconds"))
    )
    if bench.tools.has("mutagen"):
        whole = find(rows, mutagen).median("seconds") * COUNT / MUTAGEN_COUNT
        ours = find(rows, MANY).median("seconds")
        table.notes.append(
            f"Extrapolated from {MUTAGEN_COUNT}, mutagen would take {number(whole)} s: "
            f"{number(whole / ours)} times as long."
        )


def _edits(size: int, count: int) -> list[Edit]:
    """Inserts of four letters at random, each in the offsets that the one before left."""
    random = Random(2)
    return [Edit(random.randrange(size + 4 * index), 0, f"{index:04}".encode()[-4:]) for index in range(count)]
