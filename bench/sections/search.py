"""Finding what is not there, and replacing all of a string by a longer one."""

import statistics
import subprocess
from random import Random

from bench.bench import Bench, find, ratio
from bench.contender import Contender
from bench.contents import Contents, Literal, Piece, Reference
from bench.inputs import Preparation
from bench.results import Result, Row, Table, Target
from bench.rounds import Task
from bench.tables import cost_table, number, seconds, time_chart

TITLE = "Find and replace all"
PIECES = 100_001
NEEDLE = b"a needle in a haystack"
LONGER = b"two needles in one haystack"
COUNTS = (1_024, 336_530)
"""The second: one in 3,190 bytes of a GiB."""
"""Of a GiB; a smaller file has fewer."""
METHODS = {
    "memmem, map": "map",
    "memmem, preads of 1 MiB": "preads",
    "bytesplice find, unedited": "find",
    "bytesplice find": "find",
    "memmem backwards, map": "map-rfind",
    "bytesplice rfind": "rfind",
    "bytesplice find, regular expression": "regex",
}
PRIVATE_LIMIT = 64 << 20
MOST_RUNS = 3
FAST_ENOUGH = 256 << 20
"""Start-up and syncs weigh too much in smaller files for the targets."""


def run(bench: Bench, result: Result) -> None:
    """A table of searches without a match, and one a number of matches."""
    _find(bench, result)
    for count in COUNTS:
        _replace(bench, result, count * bench.size // (1 << 30))


def _find(bench: Bench, result: Result) -> None:
    """All in one process each, so that nothing but the search is measured."""
    if not bench.tools.has("search-peers"):
        result.failures.append("search-peers could not be built")
        return
    bench.place.prepare(bench.whole(), bench.reference, Preparation())
    pieces = PIECES * bench.size >> 30
    times: dict[str, list[float]] = {name: [] for name in METHODS}
    for _ in range(min(bench.runs, MOST_RUNS)):
        for name, method in METHODS.items():
            edited = str(1 if "unedited" in name else pieces)
            command = [str(bench.tools.search_peers), method, str(bench.place.file), edited]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                result.failures.append(f"{name}: {done.stderr.strip()}")
            times[name] += map(float, done.stdout.split())
    bench.place.clear()
    medians = {name: statistics.median(some) if some else float("nan") for name, some in times.items()}
    table = Table(
        f"Find what is not in {bench.size >> 20} MiB in the cache; bytesplice with {pieces:,} pieces",
        ["what", "seconds", "min–max", "GB/s", "speed by preads", "speed by map"],
        [],
        ["The map is there before the clock starts, with all its pages."],
    )
    for name, some in times.items():
        median = medians[name]
        label = f"**{name}**" if "bytesplice" in name else name
        spread = f"{seconds(min(some))}–{seconds(max(some))}" if some else "–"
        bases = [medians[base] / median for base in ("memmem, preads of 1 MiB", "memmem, map")]
        table.rows.append([label, seconds(median), spread, number(bench.size / median / 1e9), *map(number, bases)])
        bench.log(f"  {name}: {seconds(median)} s")
    result.tables.append(table)
    result.rows["find"] = [
        Row(name, "bytesplice" in name, samples=[{"seconds": time} for time in some]) for name, some in times.items()
    ]
    if bench.size < FAST_ENOUGH:
        return
    ours = medians["bytesplice find"]
    for text, base, limit in (
        ("memmem by preads", "memmem, preads of 1 MiB", 0.9),
        ("memmem on a map", "memmem, map", 0.4),
    ):
        target = f"find in {pieces:,} pieces: speed by that of {text}"
        result.targets.append(Target(target, limit, medians[base] / ours, at_least=True))


def _replace(bench: Bench, result: Result, count: int) -> None:
    """The same matches for everybody; sed and the others are synced afterwards, as ours is."""
    before, after = _contents(bench.size, count)
    task = Task(before, after, bench.reference, Preparation())
    old, new = NEEDLE.decode(), LONGER.decode()
    binary = str(bench.tools.binary)
    ours, sed = "bytesplice replace-all", "sed -i + sync"
    contenders = [Contender(ours, lambda path: [binary, "replace-all", str(path), old, new], ours=True, recovers=True)]
    peers = {
        "sed": (sed, f'LC_ALL=C sed -i \'s/{old}/{new}/g\' "$0" && sync "$0"'),
        "perl": ("perl -i -pe + sync", f'perl -i -pe \'s/{old}/{new}/g\' "$0" && sync "$0"'),
        "bbe": (
            "bbe + mv + sync",
            f'bbe -e \'s/{old}/{new}/\' "$0" -o "$0.new" && mv "$0.new" "$0" && sync "$0"',
        ),
    }
    for tool, (name, script) in peers.items():
        if bench.tools.has(tool):
            contenders.append(_shell(name, script))
    key = f"{count:,} matches"
    rows = bench.measure(result, key, contenders, bench.place, task, min(bench.runs, MOST_RUNS))
    title = f"Replace {key} by 5 bytes more each, durable, {bench.size >> 20} MiB on {bench.place_kind}"
    result.tables.append(cost_table(title, rows, {"× sed": (sed, "process_seconds")}))
    result.charts.append(time_chart(f"replace-all-{count}", title, rows))
    if bench.size >= FAST_ENOUGH:
        result.targets.append(Target(f"replace {key}: time by that of sed -i and sync", 0.5, ratio(rows, ours, sed)))
    peak = find(rows, ours).median("peak_private_bytes")
    result.targets.append(Target(f"replace {key}: private memory", PRIVATE_LIMIT >> 20, peak / (1 << 20), "MiB"))


def _shell(name: str, script: str) -> Contender:
    return Contender(name, lambda path: ["sh", "-c", script, str(path)], most_runs=2)


def _contents(size: int, count: int) -> tuple[Contents, Contents]:
    """Needles at random places, one in every part of equal length, and what comes of them."""
    random, part = Random(3), size // count
    before: list[Piece] = []
    after: list[Piece] = []
    end = 0
    for number_of_part in range(count):
        start = number_of_part * part + random.randrange(part - len(NEEDLE))
        kept = Reference(end, start - end)
        before += [kept, Literal(NEEDLE)]
        after += [kept, Literal(LONGER)]
        end = start + len(NEEDLE)
    rest = Reference(end, size - end)
    return Contents((*before, rest)), Contents((*after, rest))
