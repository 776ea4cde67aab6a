"""Who is measured: a name and the command that edits a file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Contender:
    """One way to edit the file, as a command."""

    name: str
    command: Callable[[Path], list[str]]
    ours: bool = False
    keys: bytes | None = None
    """Typed on a terminal, for editors that have no other way in."""
    most_runs: int | None = None
    """For those that are slow: runs are cut to so many."""
    is_python: bool = False
    """Its own time is told without the start of the interpreter."""
    recovers: bool = False
    """A kill is followed by `bytesplice recover`."""
    checked: bool = True
    """Not so for the limit, which changes nothing."""
