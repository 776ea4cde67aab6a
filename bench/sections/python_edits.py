"""A thousand small edits, as a program in Python makes them one after the other."""

from random import Random

from bench.bench import Bench, find
from bench.contender import Contender
from bench.contents import MEBIBYTE, Edit
from bench.results import Bar, Chart, Result, Row, Target
from bench.tables import cost_table, seconds

TITLE = "Python: 1,000 random edits in 64 MiB"
COUNT = 1000
FEW = 50
SIZE = 64 * MEBIBYTE
OURS = "bytesplice, one commit, durable"
RESIZE = "mmap.resize + move, one map"


def run(bench: Bench, result: Result) -> None:
    """Those that are quick make all edits; those that move the tail each time and open the file anew make a few."""
    result.paragraphs.append(
        "Insertions, removals and replacements by bytes of another length, in turn. Ours is committed "
        "crash-safe and waits for the disk; of the others "
        f"only the recipe does (its `flush` after every edit). The recipe and mutagen made {FEW} edits; the time for "
        f"{COUNT:,} is theirs times {COUNT // FEW}."
    )
    edits = _edits(COUNT)
    make, few = bench.contenders(edits), edits[:FEW]
    everything = [make.python("resize", RESIZE), make.python("whole", "whole file in a bytearray")]
    if bench.tools.has("bytesplice for Python"):
        everything.insert(0, make.python("bytesplice-auto", OURS, sync=True))
    rows = bench.measure(result, f"{COUNT} edits", everything, bench.place, bench.task(edits, SIZE))
    make = bench.contenders(few)
    some: list[Contender] = [make.python("recipe", f"mmap.move recipe, {FEW} edits")]
    if bench.tools.has("mutagen"):
        some.append(make.python("mutagen", f"mutagen, {FEW} edits"))
    few_rows = bench.measure(result, f"{FEW} edits", some, bench.place, bench.task(few, SIZE), min(bench.runs, 3))
    table = cost_table(f"64 MiB on {bench.place_kind}", rows + few_rows, {"× bytesplice": (OURS, "process_seconds")})
    table.notes.append("The ratios are of whole processes and, in the last two lines, of fewer edits.")
    result.tables.append(table)
    candidates = [_bar(row, 1.0) for row in rows] + [_bar(row, COUNT / FEW) for row in few_rows]
    bars = sorted((bar for bar in candidates if bar), key=lambda bar: bar.value)
    result.charts.append(Chart("random-edits", f"{COUNT:,} random edits in 64 MiB, without start-up", "s", bars))
    table.notes.append(
        "Without start-up, for all edits: " + "; ".join(f"{bar.label} {seconds(bar.value)} s" for bar in bars) + "."
    )
    ratio = find(rows, RESIZE).median("seconds") / find(rows, OURS).median("seconds")
    result.targets.append(Target("mmap.resize + move by bytesplice", 20, ratio, at_least=True))


def _edits(count: int) -> list[Edit]:
    random = Random(3)
    kinds = ((0, b"abcd"), (4, b""), (4, b"other bytes"), (11, b"less"))
    return [Edit(random.randrange(SIZE - 4096), *kinds[index % len(kinds)]) for index in range(count)]


def _bar(row: Row, factor: float) -> Bar | None:
    """The time for all edits."""
    if row.problem or not row.samples:
        return None
    own = row.values("seconds")
    name = row.name if factor == 1 else row.name.partition(",")[0] + ", extrapolated"
    return Bar(name, row.median("seconds") * factor, min(own) * factor, max(own) * factor, row.ours)
