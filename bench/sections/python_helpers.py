"""Room in the middle of a file that Python has open: our functions and mutagen's of the same names."""

from bench.bench import INSERT, REMOVE, Bench, ratio
from bench.results import Result, Target
from bench.tables import cost_table, time_chart

TITLE = "Python: `insert_bytes` and `delete_bytes`"
OURS = "bytesplice"
SAFE = "bytesplice, safe=True"
MUTAGEN = "mutagen"


def run(bench: Bench, result: Result) -> None:
    """Not synced, as mutagen does it; and ours crash-safe beside mutagen's with a sync."""
    result.paragraphs.append(
        f"Four bytes at offset 10 of a file object from `open`, on {bench.place_kind}. With `safe=True` the change is "
        "crash-safe and durable; the other two are neither, and survive no kill."
    )
    for verb, edit in (("insert_bytes", INSERT), ("delete_bytes", REMOVE)):
        make = bench.contenders([edit])
        contenders = [
            make.python("bytesplice-helpers", OURS),
            make.python("bytesplice-helpers-safe", SAFE),
            *make.mutagen(),
            *make.mutagen(sync=True),
        ]
        rows = bench.measure(result, verb, contenders, bench.place, bench.task([edit]))
        title = f"{verb}, {bench.size >> 20} MiB"
        bases = {"× mutagen, without start-up": (MUTAGEN, "seconds")}
        result.tables.append(cost_table(title, rows, bases))
        result.charts.append(time_chart(f"python-{verb}", f"{title}, without start-up", rows, "seconds"))
        result.targets.append(Target(f"{verb} by mutagen's", 1.0, ratio(rows, OURS, MUTAGEN, "seconds")))
        synced = ratio(rows, SAFE, f"{MUTAGEN} + fsync", "seconds")
        result.targets.append(Target(f"{verb}, safe=True, by mutagen's and fsync", 1.3, synced))
