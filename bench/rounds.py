"""Interleaved runs: every contender once a round, each on a file written anew, each result compared with the oracle."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.contender import Contender
from bench.contents import Contents
from bench.inputs import Place, Preparation
from bench.process import Limits, Measurement, measure
from bench.results import Row


@dataclass(frozen=True)
class Task:
    """The file before, and what it must be after."""

    before: Contents
    after: Contents
    reference: Path
    preparation: Preparation


def run_rounds(
    contenders: list[Contender],
    runs: int,
    place: Place,
    task: Task,
    log: Callable[[str], None],
    inspect: Callable[[Contender, Place], dict[str, object]] = lambda _contender, _place: {},
) -> list[Row]:
    """Measures all of them `runs` times. `inspect` looks at the file after a run and adds to its sample.

    Who goes first changes from round to round, so that nobody always has the same predecessor.
    """
    rows = {contender.name: Row(contender.name, contender.ours, contender.is_python) for contender in contenders}
    for number in range(runs):
        begin = number % len(contenders)
        for contender in contenders[begin:] + contenders[:begin]:
            row = rows[contender.name]
            if row.problem or number >= (contender.most_runs or runs):
                continue
            measurement = run_once(contender, place, task)
            row.problem = _problem(contender, measurement, place, task)
            sample = asdict(measurement) | inspect(contender, place)
            del sample["output"], sample["errors"]
            row.samples.append(sample)
            log(f"  {contender.name}: {row.problem or f'{measurement.process_seconds:.3f} s'}")
    place.clear()
    return list(rows.values())


def run_once(contender: Contender, place: Place, task: Task, limits: Limits | None = None) -> Measurement:
    """Writes the file and lets the contender edit it."""
    place.prepare(task.before, task.reference, task.preparation)
    return measure(contender.command(place.file), place.directory, place.disk_used, contender.keys, limits)


def _problem(contender: Contender, measurement: Measurement, place: Place, task: Task) -> str | None:
    if measurement.ended_because:
        return measurement.ended_because
    if measurement.exit_code != 0:
        lines = measurement.errors.splitlines() or measurement.output.splitlines() or ["without a word"]
        return f"exit code {measurement.exit_code}: {lines[-1]}"
    difference = (task.after if contender.checked else task.before).difference(place.file, task.reference)
    if difference is not None:
        return f"wrong contents: {difference}"
    if contender.ours and place.left_beside():
        return f"left behind: {', '.join(place.left_beside())}"
    return None
