"""What a section found, as data that can be saved, and merged with other sections later."""

import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Row:
    """One contender with all its runs."""

    name: str
    ours: bool = False
    is_python: bool = False
    samples: list[dict[str, Any]] = field(default_factory=list)
    """The fields of `process.Measurement`, without the output."""
    problem: str | None = None
    """Why there are no samples, or why they are worth nothing."""

    def values(self, key: str) -> list[float]:
        """One field of all runs."""
        return [sample[key] for sample in self.samples]

    def median(self, key: str) -> float:
        """The median of a field; not a number without runs or after a problem."""
        values = self.values(key)
        return statistics.median(values) if values and not self.problem else float("nan")


@dataclass
class Table:
    """Cells that are text already."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)


@dataclass
class Bar:
    """A bar with its spread."""

    label: str
    value: float
    low: float
    high: float
    ours: bool


@dataclass
class Chart:
    """Bars that share a scale."""

    name: str
    title: str
    unit: str
    bars: list[Bar]


@dataclass
class Target:
    """A number that was set beforehand, and what it came to."""

    text: str
    limit: float
    value: float
    unit: str = "times"
    at_least: bool = False

    @property
    def reached(self) -> bool | None:
        """`None` if it could not be measured."""
        if self.value != self.value:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass
class Result:
    """All of a section."""

    name: str
    title: str
    paragraphs: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """What must not happen: wrong contents or a failed command of ours."""
    peer_failures: list[str] = field(default_factory=list)
    """The same of others."""
    rows: dict[str, list[Row]] = field(default_factory=dict)
    """Every run of every contender, for the record."""
    environment: dict[str, str] = field(default_factory=dict)
    command: str = ""

    def save(self, directory: Path) -> None:
        """Writes `directory/NAME.json`."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{self.name}.json").write_text(json.dumps(asdict(self), indent=1) + "\n")


def load(path: Path) -> Result:
    """Reads what `Result.save` wrote."""
    data = json.loads(path.read_text())
    data["tables"] = [Table(**table) for table in data["tables"]]
    data["targets"] = [Target(**target) for target in data["targets"]]
    data["charts"] = [Chart(**chart | {"bars": [Bar(**bar) for bar in chart["bars"]]}) for chart in data["charts"]]
    data["rows"] = {key: [Row(**row) for row in rows] for key, rows in data["rows"].items()}
    return Result(**data)
