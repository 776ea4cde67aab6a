"""Four bytes near the front, nobody waiting for the disk."""

from dataclasses import replace

from bench.bench import INSERT, REMOVE, Bench, ratio
from bench.contender import Contender
from bench.contents import Edit
from bench.inputs import Preparation
from bench.results import Result, Target
from bench.tables import cost_table, time_chart

TITLE = "Four bytes at offset 10, not synced"
VARIANT_RUNS = 3
RECIPE = "mmap.move recipe, with flush"
OURS = "bytesplice direct --no-sync"


def run(bench: Bench, result: Result) -> None:
    """Everybody on a warm file, then the fastest on a file that was written in small writes, and on a cold one.

    The slow ones get fewer runs, and so does removing.
    """
    result.paragraphs.append(
        f"On {bench.place_kind}, {bench.size >> 20} MiB. Nobody syncs but the recipe: its `flush` is `msync`, which "
        "waits for the disk. None of these in-place edits survives a kill, nor does ours "
        "(`--strategy direct --no-sync`); those that rename do. *limit* reads and writes all blocks from the offset "
        "on where they are, 1 MiB at a time."
    )
    warm = Preparation()
    for verb, edit, runs in (("insert", INSERT, bench.runs), ("remove", REMOVE, min(bench.runs, VARIANT_RUNS))):
        contenders = _everybody(bench, edit)
        rows = bench.measure(result, f"{verb}, warm", contenders, bench.place, bench.task([edit]), runs)
        result.tables.append(cost_table(f"{verb}, file {warm}", rows, _bases(contenders)))
        result.targets.append(
            Target(f"{verb}: direct by mutagen, both without start-up", 1.0, ratio(rows, OURS, "mutagen", "seconds"))
        )
        result.targets.append(
            Target(
                f"{verb}: mmap.move recipe by direct, both without start-up",
                8.0,
                ratio(rows, RECIPE, OURS, "seconds"),
                at_least=True,
            )
        )
        result.charts.append(
            time_chart(f"front-{verb}", f"{verb} 4 bytes at offset 10 of {bench.size >> 20} MiB, warm", rows)
        )
    for preparation in (Preparation(write_size=4096), Preparation(cold=True), Preparation(4096, cold=True)):
        contenders = _the_fastest(bench, INSERT)
        task = bench.task([INSERT], preparation=preparation)
        rows = bench.measure(
            result, f"insert, {preparation}", contenders, bench.place, task, min(bench.runs, VARIANT_RUNS)
        )
        result.tables.append(cost_table(f"insert, file {preparation}", rows, _bases(contenders)))


def _everybody(bench: Bench, edit: Edit) -> list[Contender]:
    make = bench.contenders([edit])
    return [
        *_the_fastest(bench, edit),
        make.python("recipe", RECIPE, most_runs=VARIANT_RUNS),
        make.python("resize", "mmap.resize + move", most_runs=VARIANT_RUNS),
        make.python("whole", "whole file in a bytearray", most_runs=VARIANT_RUNS),
        *(replace(editor, most_runs=editor.most_runs or VARIANT_RUNS) for editor in make.editors()),
    ]


def _the_fastest(bench: Bench, edit: Edit) -> list[Contender]:
    make = bench.contenders([edit])
    return [make.limit(), make.ours("direct", sync=False), *make.mutagen(), make.copy()]


def _bases(contenders: list[Contender]) -> dict[str, tuple[str, str]]:
    names = [contender.name for contender in contenders]
    bases = {"× limit, without start-up": (names[0], "seconds")}
    if "mutagen" in names:
        bases |= {"× mutagen": ("mutagen", "process_seconds"), "the same without start-up": ("mutagen", "seconds")}
    return bases
