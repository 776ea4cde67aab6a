"""What every section is given: sizes, tools, places."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contender import Contender
from bench.contents import Contents, Edit, Reference
from bench.file_systems import MAKE, FileSystems, MountError, kind_of
from bench.inputs import Place, Preparation
from bench.peers import Contenders
from bench.results import Result, Row
from bench.rounds import Task, run_rounds
from bench.tools import Tools

TIMINGS = Path(__file__).with_name("python_timings.py")
FRONT = 10
INSERT = Edit(FRONT, 0, b"abcd")
REMOVE = Edit(FRONT, 4, b"")


@dataclass
class Bench:
    """One invocation."""

    size: int
    runs: int
    quick: bool
    directory: Path
    """Temporary, on the file system that was asked for."""
    reference: Path
    tools: Tools
    file_systems: FileSystems
    kinds: list[str]

    @property
    def place(self) -> Place:
        """A place on the file system of the directory itself."""
        return Place(self.directory / "place")

    @property
    def place_kind(self) -> str:
        """The kind of that file system."""
        return kind_of(self.directory)

    def places(self, result: Result) -> dict[str, Place]:
        """A place on every file system that was asked for; what cannot be had is noted in the result."""
        places = {}
        for kind in self.kinds:
            try:
                places[kind] = Place(self.file_systems.mount(kind) / "place")
            except MountError as error:
                result.paragraphs.append(f"**{kind} was not measured:** {error}.")
                self.log(f"!!! ABSENT: {kind}: {error}")
        if not places and self.place_kind in MAKE:
            result.paragraphs.append(f"Instead, {self.place_kind} of the directory itself was measured.")
            places[self.place_kind] = self.place
        return places

    def whole(self, length: int | None = None) -> Contents:
        """A file of that length."""
        return Contents((Reference(0, length or self.size),))

    def task(self, edits: list[Edit], length: int | None = None, preparation: Preparation | None = None) -> Task:
        """These edits in a file of that length."""
        before = self.whole(length)
        return Task(before, before.after(edits), self.reference, preparation or Preparation())

    def contenders(self, edits: list[Edit]) -> Contenders:
        """A maker of contenders for these edits."""
        return Contenders(self.tools, self.directory, edits)

    def runs_of(self, usual: int) -> int:
        """How often a section runs that has a number of its own: so often, unless it is to be quick."""
        return self.runs if self.quick else usual

    def python_timings(self, job: str, result: Result, path: Path | None = None) -> list[dict[str, Any]]:
        """What `python_timings.py` tells of a job; a failure is noted in the result."""
        self.log(f"{result.name}: {job}")
        command = [str(self.tools.python), "-I", str(TIMINGS), job, *([str(path)] if path else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.directory)
        if done.returncode != 0:
            result.failures.append(f"{job}: {done.stderr.strip()}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def measure(
        self,
        result: Result,
        key: str,
        contenders: list[Contender],
        place: Place,
        task: Task,
        runs: int | None = None,
    ) -> list[Row]:
        """Runs the rounds, and keeps everything in the result under `key`."""
        self.log(f"{result.name}: {key}")
        rows = run_rounds(contenders, runs or self.runs, place, task, self.log)
        self.keep(result, key, rows)
        return rows

    def keep(self, result: Result, key: str, rows: list[Row]) -> None:
        """Records the rows, and their problems as failures."""
        result.rows[key] = rows
        for row in rows:
            if row.problem:
                (result.failures if row.ours else result.peer_failures).append(f"{key}: {row.name}: {row.problem}")
                self.log(f"!!! FAILED: {key}: {row.name}: {row.problem}")

    def supported(self, contenders: list[Contender], place: Place) -> tuple[list[Contender], list[Row]]:
        """Sorts out the strategies that this file system cannot do, by asking for their plan."""
        able, unable = [], []
        place.prepare(self.whole(), self.reference, Preparation())
        for contender in contenders:
            plan = self.plan(contender, place) if contender.ours else {}
            if "error" in plan:
                why = str(plan["error"]).partition(": ")[2].partition(";")[0]
                unable.append(Row(contender.name, ours=True, problem=f"not possible here: {why}"))
            else:
                able.append(contender)
        return able, unable

    def plan(self, contender: Contender, place: Place) -> dict[str, object]:
        """What `--dry-run --json` says: the plan, or an object with the error."""
        command = [*contender.command(place.file), "--dry-run", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).strip().splitlines()
        answer: dict[str, object] = json.loads(lines[0]) if lines else {"error": "nothing was said"}
        plan = answer.get("plan")
        return plan if isinstance(plan, dict) else answer

    def what_auto_does(self, edit: Edit, place: Place) -> str:
        """The choice of `auto`, in a sentence."""
        place.prepare(self.whole(), self.reference, Preparation())
        plan = self.plan(self.contenders([edit]).ours("auto"), place)
        place.clear()
        if "error" in plan:
            return f"`auto` could not choose: {plan['error']}."
        written = int(str(plan["bytes_to_write"])) + int(str(plan["bytes_to_journal"]))
        return f"`auto` chose `{plan['strategy']}`: {plan['fsyncs']} fsyncs, {written / 1e6:,.1f} MB to write."

    def log(self, text: str) -> None:
        """Tells how far the run is."""
        print(text, flush=True)


def find(rows: list[Row], name: str) -> Row:
    """The row of that name; an empty one, whose median is not a number, if there is none."""
    return next((row for row in rows if row.name == name), Row(name, problem="not measured"))


def ratio(rows: list[Row], name: str, base: str, key: str = "process_seconds") -> float:
    """The median of one row by that of another."""
    return find(rows, name).median(key) / find(rows, base).median(key)
