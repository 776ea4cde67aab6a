"""Four bytes near the front by the map of Python, beside the command line, `mmap.move` and mutagen."""

from bench.bench import INSERT, Bench, ratio
from bench.contender import Contender
from bench.results import Result, Target
from bench.tables import cost_table, time_chart

TITLE = 'Python: four bytes at offset 10 by `m[10:10] = b"abcd"; m.flush()`'
RUNS = 7
PEER_RUNS = 3
BY_COMMAND_LINE = 1.1
MAP = "bytesplice.mmap, {}"
PAIRS = {
    "auto": MAP.format("auto"),
    "direct": MAP.format("direct"),
    "direct --no-sync": MAP.format("direct, not synced"),
}
"""The command line's form, and the same through the map."""


def run(bench: Bench, result: Result) -> None:
    """All in the same rounds."""
    result.paragraphs.append(
        "From opening the file to having it closed, without the start of the interpreter and without imports; for the "
        "command line, whole processes. `auto` is crash-safe, the rest is not. *direct* and `flush` of the recipe "
        "wait for the disk. The recipe grows the file, maps it, moves the tail by `mmap.move`, stores, and flushes."
    )
    for kind, place in bench.places(result).items():
        contenders = _contenders(bench)
        title = f"insert, {kind}"
        rows = bench.measure(result, title, contenders, place, bench.task([INSERT]), bench.runs_of(RUNS))
        bases = {"× " + name: (name, "seconds") for name in ("bytesplice auto", "bytesplice direct", "mutagen")}
        result.tables.append(cost_table(f"{bench.size >> 20} MiB on {kind}; ratios without start-up", rows, bases))
        result.tables[-1].notes.append(bench.what_auto_does(INSERT, place))
        chart = f"insert 4 bytes at offset 10 of {bench.size >> 20} MiB, {kind}, without start-up"
        result.charts.append(time_chart(f"python-insert-{kind}", chart, rows, "seconds"))
        for form, ours in PAIRS.items():
            value = ratio(rows, ours, f"bytesplice {form}", "seconds")
            result.targets.append(Target(f"{kind}: {ours} by the command line", BY_COMMAND_LINE, value))


def _contenders(bench: Bench) -> list[Contender]:
    make = bench.contenders([INSERT])
    return [
        make.python("bytesplice-auto", PAIRS["auto"], sync=True),
        make.ours("auto"),
        make.python("bytesplice-direct", PAIRS["direct"], sync=True),
        make.ours("direct"),
        make.python("bytesplice-direct", PAIRS["direct --no-sync"]),
        make.ours("direct", sync=False),
        make.python("recipe", "mmap.move recipe, with flush", most_runs=PEER_RUNS),
        *make.mutagen(most_runs=PEER_RUNS),
        *make.mutagen(sync=True, most_runs=PEER_RUNS),
    ]
