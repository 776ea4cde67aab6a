"""Four bytes near the front, crash-safe and durable, on three file systems."""

from bench.bench import INSERT, REMOVE, Bench, ratio
from bench.inputs import Place
from bench.results import Result, Row, Table, Target
from bench.tables import cost_table, time_chart

TITLE = "Four bytes at offset 10, crash-safe and durable"
DIRECT = "bytesplice direct"
PLAIN = "mutagen + fsync"
COPY = "copy + fsync + rename"
AUTO_BY_DIRECT = {"ext4": 1.3, "xfs": 1.2, "btrfs": 1.0}
REMOVE_RUNS = 3


def run(bench: Bench, result: Result) -> None:
    """All strategies insert; the ones that matter most also remove."""
    result.paragraphs.append(
        "Everybody waits for the disk. `direct` and *limit* are not crash-safe, and are what crash safety is compared "
        "with: `direct` is the same shift in place with one fsync at the end, written behind while it copies, so that "
        "it goes at the speed of the disk; mutagen's is the plain loop with one fsync. *disk* writes the blocks past "
        "the page cache from two threads: once as moving takes it, twice as a journal of all that moves takes it. "
        "`auto` is what happens without an option."
    )
    for kind, place in bench.places(result).items():
        _insert(bench, result, kind, place)
        runs = min(bench.runs, REMOVE_RUNS)
        make = bench.contenders([REMOVE])
        contenders = [make.ours("auto"), make.ours("direct"), make.copy(sync=True), *make.mutagen(sync=True)]
        rows = bench.measure(result, f"remove, {kind}", contenders, place, bench.task([REMOVE]), runs)
        result.tables.append(_table(f"remove on {kind}", rows))


def _insert(bench: Bench, result: Result, kind: str, place: Place) -> None:
    make = bench.contenders([INSERT])
    ours = [make.ours(name) for name in ("auto", "journaled", "snapshot", "extents", "replace", "direct")]
    able, unable = bench.supported(ours, place)
    contenders = [
        *able,
        make.limit(sync=True),
        *make.disk(),
        make.copy(sync=True),
        *make.mutagen(sync=True),
    ]
    rows = bench.measure(result, f"insert, {kind}", contenders, place, bench.task([INSERT]))
    result.tables.append(_table(f"insert on {kind}", rows + unable))
    result.tables[-1].notes.append(bench.what_auto_does(INSERT, place))
    result.charts.append(
        time_chart(f"durable-{kind}", f"insert 4 bytes at offset 10 of {bench.size >> 20} MiB, durable, {kind}", rows)
    )
    auto, journaled = "bytesplice auto", "bytesplice journaled"
    result.targets.append(Target(f"{kind}: auto by direct + fsync", AUTO_BY_DIRECT[kind], ratio(rows, auto, DIRECT)))
    if kind == "ext4":
        result.targets.append(Target(f"{kind}: journaled by direct + fsync", 1.8, ratio(rows, journaled, DIRECT)))
    result.targets.append(Target(f"{kind}: auto by copy + fsync + rename", 1.0, ratio(rows, auto, COPY)))
    result.targets.append(Target(f"{kind}: journaled by copy + fsync + rename", 2.2, ratio(rows, journaled, COPY)))


def _table(title: str, rows: list[Row]) -> Table:
    bases = {"× direct": DIRECT, "× plain shift": PLAIN, "× copy": COPY}
    return cost_table(title, rows, {title: (name, "process_seconds") for title, name in bases.items()})
