"""The sections, in the order of the reports."""

from typing import Protocol

from bench.bench import Bench
from bench.results import Result
from bench.sections import (
    aligned,
    durable,
    edits,
    formats,
    front,
    kills,
    lines,
    objects,
    python_edits,
    python_helpers,
    python_insert,
    python_items,
    python_transactions,
    recipes,
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


REPORTS: dict[str, dict[str, Section]] = {
    "performance": {
        "front": front,
        "durable": durable,
        "aligned": aligned,
        "scattered": scattered,
        "sparse": sparse,
        "written": written,
        "kills": kills,
    },
    "performance-edits": {
        "lines": lines,
        "scripts": scripts,
        "edits": edits,
        "search": search,
    },
    "performance-python": {
        "python-insert": python_insert,
        "python-helpers": python_helpers,
        "python-edits": python_edits,
        "python-items": python_items,
        "python-transactions": python_transactions,
    },
    "performance-objects": {
        "objects": objects,
    },
    "performance-recipes": {
        "recipes": recipes,
        "formats": formats,
    },
}
"""The documents, by the names of their files, and what is in each."""

ALL = {name: section for report in REPORTS.values() for name, section in report.items()}
