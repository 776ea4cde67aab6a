"""What is left of the file after SIGKILL in the middle."""

import os
import subprocess
from collections import Counter
from random import Random

from bench.bench import INSERT, Bench
from bench.contender import Contender
from bench.contents import MEBIBYTE
from bench.file_systems import MountError
from bench.inputs import Place
from bench.process import Limits
from bench.results import Result, Row, Table, Target
from bench.rounds import Task, run_once

TITLE = "What a kill leaves of the file"
KILLS = 10
QUICK_KILLS = 3
TRIES = 3
"""A run may end before its kill; then it is tried again, up to this many times as often as there are kills."""
SIZE = 256 * MEBIBYTE
QUICK_SIZE = 64 * MEBIBYTE


def run(bench: Bench, result: Result) -> None:
    """Every contender is killed at random moments of its own work; ours are then opened again by `recover`."""
    size, kills = (QUICK_SIZE, QUICK_KILLS) if bench.quick else (SIZE, KILLS)
    result.paragraphs.append(
        f"Inserting 4 bytes at offset 10 of {size >> 20} MiB, on {bench.place_kind} (`snapshot`: on XFS). "
        f"Each is killed {kills} times, at "
        "moments spread evenly at random over its own run time without start-up. *old* and *new*: the whole file is. "
        "*mixture*: it is neither. *beside it*: how often other files were left (ours: after `bytesplice recover`)."
    )
    table = Table("After SIGKILL", ["what", "kills", "old", "new", "mixture", "gone", "beside it"], [])
    crash_safe = Counter[str]()
    task = bench.task([INSERT], size)
    for contender, place in _contenders(bench, result):
        bench.log(f"{result.name}: {contender.name}")
        outcomes = _kill(bench, result, contender, place, task, kills)
        if outcomes is None:
            continue
        total = sum(outcomes[key] for key in ("old", "new", "mixture", "gone"))
        name = f"**{contender.name}**" if contender.ours else contender.name
        table.rows.append([name, *(str(n) for n in (total, *(outcomes[k] for k in table.columns[2:])))])
        if contender.recovers:
            crash_safe += outcomes
        bench.log(f"  {dict(outcomes)}")
    result.tables.append(table)
    bad = crash_safe["mixture"] + crash_safe["gone"]
    result.targets.append(Target("crash-safe strategies: neither old nor new", 0, bad, "files"))
    if bad:
        result.failures.append(f"{bad} files were neither old nor new after recovery")


def _contenders(bench: Bench, result: Result) -> list[tuple[Contender, Place]]:
    make = bench.contenders([INSERT])
    ours = [make.ours(name) for name in ("auto", "journaled", "extents", "replace", "direct")]
    able, unable = bench.supported(ours, bench.place)
    result.paragraphs += [f"`{row.name}`: {row.problem}." for row in unable]
    peers = [
        make.copy(),
        *make.mutagen(),
        make.python("recipe", "mmap.move recipe, with flush"),
        make.python("resize", "mmap.resize + move"),
        make.python("whole", "whole file in a bytearray"),
        *make.editors(),
    ]
    chosen = [(contender, bench.place) for contender in able]
    try:
        place = Place(bench.file_systems.mount("xfs") / "place")
        able, _ = bench.supported([make.ours("snapshot")], place)
        chosen += [(contender, place) for contender in able]
    except MountError as error:
        result.paragraphs.append(f"`snapshot` was not killed: {error}.")
    return chosen + [(contender, bench.place) for contender in peers]


def _kill(
    bench: Bench, result: Result, contender: Contender, place: Place, task: Task, kills: int
) -> Counter[str] | None:
    """Counts the outcomes; `None` if even an undisturbed run fails."""
    undisturbed = sorted((run_once(contender, place, task) for _ in range(3)), key=lambda run: run.seconds)
    whole = undisturbed[1]
    if whole.exit_code != 0 or task.after.difference(place.file, task.reference):
        failures = result.failures if contender.ours else result.peer_failures
        failures.append(f"{contender.name}: fails when it is not killed: {whole.errors}")
        return None
    random = Random(contender.name)
    start_up = whole.process_seconds - whole.seconds
    outcomes: Counter[str] = Counter()
    row = Row(contender.name, contender.ours, contender.is_python)
    for number in range(kills * TRIES):
        if outcomes["kills"] == kills:
            break
        # Evenly: the n-th kill falls at random into the n-th part of the run.
        part = (outcomes["kills"] + random.random()) / kills
        moment = start_up + part * whole.seconds
        killed = run_once(contender, place, task, Limits(seconds=moment))
        if killed.ended_because is None:
            continue
        outcomes["kills"] += 1
        if contender.recovers:
            _recover(bench, result, contender, place)
        outcome = _state(place, task)
        outcomes[outcome] += 1
        outcomes["beside it"] += bool(place.left_beside())
        row.samples.append({"moment": moment, "number": number, "outcome": outcome, "beside": place.left_beside()})
    result.rows[contender.name] = [row]
    place.clear()
    return outcomes


def _recover(bench: Bench, result: Result, contender: Contender, place: Place) -> None:
    done = subprocess.run(
        [str(bench.tools.binary), "recover", str(place.file)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        result.failures.append(f"{contender.name}: recover: {done.stderr.strip()}")


def _state(place: Place, task: Task) -> str:
    if not os.path.lexists(place.file):
        return "gone"
    for outcome, contents in (("old", task.before), ("new", task.after)):
        if contents.difference(place.file, task.reference) is None:
            return outcome
    return "mixture"
