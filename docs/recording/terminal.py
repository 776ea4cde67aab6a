"""A terminal that remembers which line looked how, from when to when."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import time
from dataclasses import dataclass
from pathlib import Path

import pyte

COLUMNS, ROWS = 100, 26
LONGEST_WAIT = 0.6
SECONDS_A_WORD = 0.12


@dataclass(frozen=True)
class Run:
    """Characters side by side that look alike."""

    column: int
    text: str
    color: str
    bold: bool


@dataclass
class Look:
    """How a line looked from `begin` on, in seconds, until `end` or for good."""

    line: int
    runs: tuple[Run, ...]
    begin: float
    end: float | None = None


class Recording:
    """What was shown so far. Lines are numbered from the first that ever was on the screen."""

    def __init__(self) -> None:
        self._screen = pyte.HistoryScreen(COLUMNS, ROWS, history=10_000)
        self._stream = pyte.ByteStream(self._screen)
        self._shown: dict[int, Look] = {}
        self.looks: list[Look] = []
        self.scrolls: list[tuple[float, int]] = [(0.0, 0)]
        """Since when which line is on top."""
        self.now = 0.0

    def wait(self, seconds: float) -> None:
        """Lets the reader look."""
        self.now += seconds

    def type(self, command: str) -> None:
        """Shows a prompt and the command, word by word."""
        self._feed(b"\x1b[1;32m$\x1b[0m ")
        self.wait(0.5)
        for word in command.split(" "):
            self._feed(f"{word} ".encode())
            self.wait(SECONDS_A_WORD)
        self.wait(0.3)
        self._feed(b"\r\n")

    def run(self, command: str, directory: str, programs: Path) -> None:
        """Runs the command on a terminal, and shows what comes at the pace at which it comes."""
        own, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environment = os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
        }
        environment.pop("NO_COLOR", None)
        process = subprocess.Popen(
            ["bash", "-c", command], cwd=directory, env=environment, stdin=its, stdout=its, stderr=its
        )
        os.close(its)
        last = time.monotonic()
        while True:
            try:
                data = os.read(own, 65536)
            except OSError:  # the terminal is closed at the other end
                break
            if not data:
                break
            now = time.monotonic()
            self.wait(min(now - last, LONGEST_WAIT))
            last = now
            self._feed(data)
        os.close(own)
        self.wait(min(time.monotonic() - last, LONGEST_WAIT))
        if process.wait() != 0:
            raise RuntimeError(f"exit code {process.returncode}: {command}")

    def _feed(self, data: bytes) -> None:
        self._stream.feed(data)
        top = len(self._screen.history.top)
        if top != self.scrolls[-1][1]:
            self.scrolls.append((self.now, top))
        for row in range(ROWS):
            self._show(top + row, self._runs(self._screen.buffer[row]))
        for line in range(top):
            self._show(line, self._runs(self._screen.history.top[line]))

    def _show(self, line: int, runs: tuple[Run, ...]) -> None:
        before = self._shown.get(line)
        if runs == (before.runs if before else ()):
            return
        if before is not None:
            before.end = self.now
            if before.begin == self.now:
                self.looks.remove(before)
        self._shown[line] = Look(line, runs, self.now)
        self.looks.append(self._shown[line])

    def _runs(self, row: dict[int, pyte.screens.Char]) -> tuple[Run, ...]:
        runs: list[Run] = []
        for column in range(COLUMNS):
            char = row[column]
            alike = runs and runs[-1].column + len(runs[-1].text) == column
            if alike and (runs[-1].color, runs[-1].bold) == (char.fg, char.bold):
                runs[-1] = Run(runs[-1].column, runs[-1].text + char.data, char.fg, char.bold)
            else:
                runs.append(Run(column, char.data, char.fg, char.bold))
        return tuple(run for run in runs if run.text.strip())
