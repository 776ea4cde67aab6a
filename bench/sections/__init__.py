"""The sections, in the order of the report."""

from typing import Protocol

from bench.bench import Bench
from bench.results import Result
from bench.sections import (
    aligned,
    durable,
    edits,
    front,
    kills,
    lines,
    random_edits,
    scattered,
    scripts,
    search,
    sparse,
    written,
)


class Section(Protocol):
    """A module with a title, and a function that fills in a result."""

    TITLE: str

    def run(self, bench: Bench, result: Result) -> None:
        """Measures."""


ALL: dict[str, Section] = {
    "front": front,
    "durable": durable,
    "aligned": aligned,
    "scattered": scattered,
    "random": random_edits,
    "lines": lines,
    "scripts": scripts,
    "sparse": sparse,
    "written": written,
    "edits": edits,
    "search": search,
    "kills": kills,
}
