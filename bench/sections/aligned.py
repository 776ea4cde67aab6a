"""A mebibyte at a block boundary, which a file system can do without moving bytes."""

from random import Random

from bench.bench import Bench, ratio
from bench.contents import MEBIBYTE, Edit
from bench.inputs import Place, Preparation
from bench.results import Result, Row, Target
from bench.tables import cost_table, time_chart

TITLE = "One MiB at offset 1 MiB, crash-safe and durable"
DIRECT = "bytesplice direct"
AUTO = "bytesplice auto"
WARM_TARGETS = {"ext4": 0.1, "xfs": 0.1, "btrfs": 0.05}
COLD_SECONDS = 0.02
MOST_RUNS = 3
INSERT = Edit(MEBIBYTE, 0, Random(1).randbytes(MEBIBYTE))
REMOVE = Edit(MEBIBYTE, MEBIBYTE, b"")


def run(bench: Bench, result: Result) -> None:
    """Insert warm and cold, remove warm."""
    result.paragraphs.append(
        "`auto` against the shift in place (`direct`, one fsync, not crash-safe), which goes at the speed of the disk; "
        "mutagen's is the plain loop with one fsync. Extents that change their place take nothing along of the page "
        "cache: *limit* is what the kernel alone takes to drop it (without start-up). For the target without the "
        "fsyncs the same commands run with `--no-sync` on a cold file."
    )
    for kind, place in bench.places(result).items():
        warm = _measure(bench, result, kind, place, INSERT, cold=False)
        result.targets.append(
            Target(f"{kind}: insert by direct + fsync, warm", WARM_TARGETS[kind], ratio(warm, AUTO, DIRECT))
        )
        removed = _measure(bench, result, kind, place, REMOVE, cold=False)
        result.targets.append(
            Target(f"{kind}: remove by direct + fsync, warm", WARM_TARGETS[kind], ratio(removed, AUTO, DIRECT))
        )
        cold = _measure(bench, result, kind, place, INSERT, cold=True)
        if kind == "btrfs":
            result.targets.append(
                Target(f"{kind}: insert by direct + fsync, cold", WARM_TARGETS[kind], ratio(cold, AUTO, DIRECT))
            )
        else:
            seconds = next(row for row in cold if row.name == f"{AUTO} --no-sync").median("process_seconds")
            result.targets.append(Target(f"{kind}: insert, cold, without the fsyncs", COLD_SECONDS, seconds, "s"))


def _measure(bench: Bench, result: Result, kind: str, place: Place, edit: Edit, cold: bool) -> list[Row]:
    make = bench.contenders([edit])
    ours = [make.ours("auto"), make.ours("extents"), make.ours("direct")]
    if cold:
        ours.insert(1, make.ours("auto", sync=False))
    able, unable = bench.supported(ours, place)
    able += make.mutagen(sync=True)
    if not cold:
        able.append(make.drop())
    verb = "insert" if edit.inserted else "remove"
    preparation = Preparation(cold=cold)
    task = bench.task([edit], preparation=preparation)
    key = f"{verb}, {kind}, {'cold' if cold else 'warm'}"
    rows = bench.measure(result, key, able, place, task, min(bench.runs, MOST_RUNS))
    result.tables.append(
        cost_table(
            f"{verb} on {kind}, file {preparation}",
            rows + unable,
            {"× direct": (DIRECT, "process_seconds"), "× plain shift": ("mutagen + fsync", "process_seconds")},
        )
    )
    result.tables[-1].notes.append(bench.what_auto_does(edit, place))
    if verb == "insert" and not cold:
        result.charts.append(
            time_chart(
                f"aligned-{kind}",
                f"insert 1 MiB at offset 1 MiB of {bench.size >> 20} MiB, durable, {kind}",
                rows,
            )
        )
    return rows
