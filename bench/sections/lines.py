"""The first lines of a log, dropped in place."""

from pathlib import Path

from bench.bench import Bench, ratio
from bench.contender import Contender
from bench.contents import Contents, Edit, Reference
from bench.inputs import Preparation
from bench.logs import Log
from bench.results import Result, Target
from bench.rounds import Task
from bench.tables import cost_table, time_chart

TITLE = "The first 5,000,000 lines of a log dropped, durable"
LINES_IN_A_GIBIBYTE = 5_000_000
OURS = "bytesplice auto"
LIMIT = "limit: read and write the range once + fsync"
MOST_RUNS = 3


def run(bench: Bench, result: Result) -> None:
    """Ours beside writing the rest once, sed and tail."""
    log = Log()
    reference = bench.directory / "log"
    log.write(reference, bench.size)
    lines = LINES_IN_A_GIBIBYTE * bench.size >> 30
    dropped = log.offset(lines)
    task = Task(
        Contents((Reference(0, bench.size),)),
        Contents((Reference(dropped, bench.size - dropped),)),
        reference,
        Preparation(),
    )
    binary = str(bench.tools.binary)
    contenders = [
        Contender(OURS, lambda path: [binary, "remove", str(path), "--lines", f"1..{lines}"], ours=True, recovers=True),
        bench.contenders([Edit(0, dropped, b"")]).ours("direct"),
        bench.contenders([Edit(dropped, 4, b"")]).limit(sync=True),
        Contender("tail + sync + mv", lambda path: _tail(path, lines), most_runs=MOST_RUNS),
        Contender("sed -i", lambda path: ["sed", "-i", f"1,{lines}d", str(path)], most_runs=MOST_RUNS),
    ]
    result.paragraphs.append(
        f"{lines:,} lines, {dropped / 1e6:,.0f} MB, go from the front of {bench.size >> 20} MiB on {bench.place_kind}. "
        "Ours counts the lines, keeps the inode and waits for the disk; *limit* reads and writes the rest where it is, "
        "without looking for lines, and takes nothing off the end; *bytesplice direct* is told the "
        "offset and has one fsync and no journal. sed does not sync."
    )
    rows = bench.measure(result, "drop lines", contenders, bench.place, task)
    result.tables.append(cost_table(f"drop {lines:,} lines", rows, {"× limit, without start-up": (LIMIT, "seconds")}))
    result.charts.append(time_chart("lines", f"drop {lines:,} lines of {bench.size >> 20} MiB", rows))
    result.targets.append(
        Target("dropped lines by writing the rest once + fsync", 1.3, ratio(rows, OURS, LIMIT, "seconds"))
    )
    reference.unlink()


def _tail(path: Path, lines: int) -> list[str]:
    return ["sh", "-c", f"tail -n +{lines + 1} {path} > {path}.new && sync {path}.new && mv {path}.new {path}"]
