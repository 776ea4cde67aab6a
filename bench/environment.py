"""The machine and the versions, in words."""

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path

from bench.tools import ROOT, Tools


def describe(tools: Tools, directory: Path, size: int, runs: int) -> dict[str, str]:
    """Everything that a reader needs to judge the numbers."""
    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    mount = _output(["findmnt", "-n", "-o", "SOURCE,FSTYPE,OPTIONS", "-T", str(directory)])
    peers = ", ".join(f"{name} {version}" for name, version in sorted(tools.versions.items()))
    environment = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _output(["git", "-C", str(ROOT), "describe", "--always", "--dirty"]),
        "processor": f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores",
        "memory": f"{int(memory[1]) / (1 << 20):.0f} GiB" if memory else "unknown",
        "kernel": platform.release(),
        "directory": " ".join(mount.split()),
        "other file systems": "mounted from images in that directory, by loop devices with direct I/O",
        "file": f"{size >> 20} MiB, seeded random bytes",
        "runs": f"{runs} unless a table says otherwise",
        "load before": " ".join(Path("/proc/loadavg").read_text().split()[:3]),
        "rustc": _output(["rustc", "--version"]),
        "versions": peers,
    }
    if tools.absent:
        environment["ABSENT"] = ", ".join(f"{name} ({why})" for name, why in tools.absent.items())
    return environment


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return "unknown"
