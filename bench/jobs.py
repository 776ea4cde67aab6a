"""A recipe of docs/recipes.md on a large file, beside what people use today."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.bench import Bench, find, ratio
from bench.contender import Contender
from bench.contents import Contents
from bench.inputs import Preparation
from bench.results import Result, Table
from bench.rounds import Task
from bench.tables import cost_table, number, seconds
from bench.tools import ROOT

OURS = "bytesplice"
UNSAFE = "bytesplice --strategy direct --no-sync"
TODAY = "today"
MOST_RUNS = 3
HOW_THEY_COMPARE = (
    "*bytesplice* is the recipe as it stands: crash-safe, on disk when it ends, in the same inode. *today* waits for "
    "no disk, and a kill or a power cut may leave neither the old nor the new file. *without safety* is the recipe "
    "with `--strategy direct --no-sync`, which promises as little. Whole pipelines are timed, with the scripts in them."
)


@dataclass(frozen=True)
class Job:
    """Commands are lines of bash, in which $0 is the file and $1 the directory of what was made beforehand."""

    name: str
    reference: Path
    before: Contents
    after: Contents
    ours: str
    """With `apply` or another command that edits; options are put behind it."""
    today: str
    today_checked: bool = True
    """Not so for programs that write a new file in their own way, and leave the old one."""


def saved(name: str) -> str:
    """A file that docs/recipes.md says to save."""
    page = (ROOT / "docs" / "recipes.md").read_text()
    found = re.search(rf"Save as `{re.escape(name)}`.*?^```\w+\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    if not found:
        raise LookupError(f"docs/recipes.md has no {name}")
    return found[1]


def shell(bench: Bench, line: str, path: Path) -> list[str]:
    """The command that runs a line of a job."""
    search_path = f"PATH={bench.tools.binary.parent}:{bench.tools.python.parent}:{os.environ['PATH']}"
    return ["env", search_path, "bash", "-o", "pipefail", "-ec", line, str(path), str(bench.directory)]


class Jobs:
    """Measures one job after the other, and makes a table of all."""

    def __init__(self, bench: Bench, result: Result) -> None:
        self._bench = bench
        self._result = result
        self._summary = Table(
            f"On a file of {bench.size >> 20} MiB",
            ["job", "today", "bytesplice s", "today s", "ratio", "without safety s", "ratio"],
            [],
        )
        result.paragraphs.append(f"On {bench.place_kind}, warm. {HOW_THEY_COMPARE}")
        result.tables.append(self._summary)

    def measure(self, job: Job) -> None:
        """Ours, the same without safety, and today's."""
        bench = self._bench
        contenders = [
            Contender(OURS, self._command(job.ours.replace(" OPTIONS", "")), ours=True),
            Contender(UNSAFE, self._command(job.ours.replace("OPTIONS", "--strategy direct --no-sync")), ours=True),
            Contender(TODAY, self._command(job.today), checked=job.today_checked),
        ]
        task = Task(job.before, job.after, job.reference, Preparation())
        rows = bench.measure(self._result, job.name, contenders, bench.place, task, min(bench.runs, MOST_RUNS))
        self._summary.rows.append(
            [
                job.name,
                f"`{_plain(job.today)}`",
                seconds(find(rows, OURS).median("process_seconds")),
                seconds(find(rows, TODAY).median("process_seconds")),
                number(ratio(rows, OURS, TODAY)),
                seconds(find(rows, UNSAFE).median("process_seconds")),
                number(ratio(rows, UNSAFE, TODAY)),
            ]
        )
        self._result.tables.append(cost_table(job.name, rows, {"× today": (TODAY, "process_seconds")}))

    def _command(self, line: str) -> Callable[[Path], list[str]]:
        return lambda path: shell(self._bench, line, path)


def _plain(line: str) -> str:
    """As people write it."""
    return line.replace("$0", "file").replace("$1/", "")
