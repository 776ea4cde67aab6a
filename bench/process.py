"""One process, measured: time, processor time, private memory, bytes written, extra disk.

- The bytes written are `write_bytes` of /proc/PID/io, read when the process has ended and before anyone has waited
  for it (`waitid` with `WNOWAIT`): a zombie still has its account, complete, and that of its own children.
- The private memory is the peak of RssAnon (resident minus shared of /proc/PID/statm), sampled every 5 ms and added
  up over the process and its children.
- The extra disk is sampled every 20 ms by a function of the caller's.
"""

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
SAMPLE_SECONDS = 0.005
SAMPLES_PER_DISK_SAMPLE = 4
QUIET_SECONDS = 0.05


@dataclass(frozen=True)
class Limits:
    """When to kill a process."""

    seconds: float = 600.0


@dataclass(frozen=True)
class Measurement:
    """What one run of a process cost."""

    exit_code: int
    output: str
    errors: str
    ended_because: str | None
    process_seconds: float
    seconds: float
    """Without start-up: as the process told (`{"seconds": ...}`), or from the keys on, or else the whole."""
    cpu_seconds: float
    peak_private_bytes: int
    write_bytes: int
    written_by_calls: int
    extra_disk_bytes: int


def start(command: list[str], directory: Path, **options: object) -> "subprocess.Popen[bytes]":
    """Starts a command in a session of its own, so that it can be killed with its children."""
    environment = dict(os.environ, LC_ALL="C", TERM="vt100", PYTHONDONTWRITEBYTECODE="1")
    defaults: dict[str, object] = {"stdin": subprocess.DEVNULL, "cwd": directory, "env": environment}
    return subprocess.Popen(command, start_new_session=True, **{**defaults, **options})  # type: ignore[call-overload,no-any-return]


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Sends SIGKILL to the process and its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def measure(
    command: list[str],
    directory: Path,
    disk_used: Callable[[], int],
    keys: bytes | None = None,
    limits: Limits | None = None,
) -> Measurement:
    """Runs a command to its end and measures it; `keys` are typed on a terminal of its own."""
    limits = limits or Limits()
    disk_before = disk_used()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors, _Terminal(keys) as terminal:
        streams: dict[str, object] = {"stdout": output, "stderr": errors}
        if terminal.child_end is not None:
            streams = dict.fromkeys(("stdin", "stdout", "stderr"), terminal.child_end)
        begin = time.perf_counter()
        process = start(command, directory, **streams)
        try:
            watch = _Watch(process.pid, disk_used, disk_before)
            ended_because = _attend(process, watch, terminal, limits, begin)
            end = time.perf_counter()
            counters = _counters(process.pid)
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            kill(process)
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        text = output.read().decode(errors="replace")
        return Measurement(
            exit_code=process.returncode,
            output=text,
            errors=errors.read().decode(errors="replace").strip(),
            ended_because=ended_because,
            process_seconds=end - begin,
            seconds=_told_seconds(text) or end - (terminal.typed_at or begin),
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            peak_private_bytes=watch.peak_private,
            write_bytes=counters["write_bytes"],
            written_by_calls=counters["wchar"],
            extra_disk_bytes=max(watch.peak_disk, disk_used()) - disk_before,
        )


class _Terminal:
    """A terminal of 80 by 24 on which keys are typed once the program has drawn something; or none."""

    def __init__(self, keys: bytes | None) -> None:
        self._keys = keys
        self._own_end: int | None = None
        self._quiet_since: float | None = None
        self.child_end: int | None = None
        self.typed_at: float | None = None

    def __enter__(self) -> "_Terminal":
        if self._keys is not None:
            self._own_end, self.child_end = pty.openpty()
            fcntl.ioctl(self.child_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self._own_end, self.child_end):
            if end is not None:
                os.close(end)

    def register(self, poll: select.poll) -> None:
        if self._own_end is not None:
            poll.register(self._own_end, select.POLLIN)

    def attend(self, drawn: bool) -> None:
        """Takes what the program drew; types once it has drawn and been quiet for a while.

        Earlier a program may not have set the terminal up yet, and loses the keys.
        """
        if self._own_end is None:
            return
        if drawn:
            os.read(self._own_end, 65536)
            self._quiet_since = time.perf_counter()
        elif self._keys and self._quiet_since and time.perf_counter() - self._quiet_since > QUIET_SECONDS:
            self.typed_at = time.perf_counter()
            os.write(self._own_end, self._keys)
            self._keys = b""


class _Watch:
    """The samples."""

    def __init__(self, pid: int, disk_used: Callable[[], int], disk_before: int) -> None:
        self._pid = pid
        self._disk_used = disk_used
        self._count = 0
        self.peak_private = 0
        self.peak_disk = disk_before

    def sample(self) -> None:
        """Takes a sample of the memory, and now and then one of the disk."""
        private = 0
        for pid in (self._pid, *_children(self._pid)):
            private += _private_bytes(pid)
        self.peak_private = max(self.peak_private, private)
        self._count += 1
        if self._count % SAMPLES_PER_DISK_SAMPLE == 0:
            self.peak_disk = max(self.peak_disk, self._disk_used())


def _attend(
    process: "subprocess.Popen[bytes]", watch: _Watch, terminal: _Terminal, limits: Limits, begin: float
) -> str | None:
    """Samples until the process has ended, and leaves it a zombie. Returns why it was killed, if it was."""
    ended_because = None
    handle = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        terminal.register(poll)
        while True:
            left = begin + limits.seconds - time.perf_counter()
            ready = dict(poll.poll(max(0.0, min(SAMPLE_SECONDS, left)) * 1000))
            if handle in ready:
                break
            terminal.attend(drawn=bool(ready))
            if ended_because is None and left <= 0:
                ended_because = f"took more than {limits.seconds:.3g} s"
                kill(process)
            watch.sample()
    finally:
        os.close(handle)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    return ended_because


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _private_bytes(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * PAGE


def _counters(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return {name: int(value) for name, value in (line.split(": ") for line in lines)}


def _told_seconds(output: str) -> float | None:
    for line in output.splitlines():
        if line.startswith('{"seconds"'):
            return float(json.loads(line)["seconds"])
    return None
