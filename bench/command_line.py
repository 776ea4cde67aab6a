"""`bench/run`: arguments, set-up, clean-up."""

import argparse
import fnmatch
import os
import shlex
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from bench import environment, report, sections
from bench.bench import Bench
from bench.contents import MEBIBYTE, write_reference
from bench.file_systems import MAKE, FileSystems
from bench.results import Result, load
from bench.tools import ROOT, install

RESULTS = Path(__file__).resolve().parent / "results"
QUICK_RESULTS = RESULTS / "quick"
REFERENCE_AT_LEAST = 256 * MEBIBYTE
GIBIBYTE = 1 << 30


def main() -> int:
    """Runs what the arguments ask for. Fails if bytesplice did; peers that fail are only reported."""
    arguments = _parser().parse_args()
    names = _names(arguments.sections, list(sections.ALL), "section")
    kinds = _names(arguments.file_systems, list(MAKE), "file system")
    results = arguments.json or (QUICK_RESULTS if arguments.quick else RESULTS)
    if not arguments.report_only:
        # A signal must unwind, so that everything is unmounted.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _leave)
        _measure(arguments, names, kinds, results)
    failures = []
    for document, its_sections in _documents(arguments, names).items():
        found = [load(results / f"{name}.json") for name in its_sections if (results / f"{name}.json").exists()]
        if not found:
            continue
        document.parent.mkdir(parents=True, exist_ok=True)
        report.write(found, document)
        if arguments.report_only:
            for result in found:
                report.show(result)
        print(f"\nwritten: {document}")
        failures += [f"{result.name}: {failure}" for result in found for failure in result.failures]
    for failure in failures:
        print(f"!!! FAILED: {failure}")
    return 1 if failures else 0


def _documents(arguments: argparse.Namespace, names: list[str]) -> dict[Path, list[str]]:
    """What to write, and of which sections. Documents that have nothing new are left as they are."""
    if arguments.report:
        return {arguments.report: list(sections.ALL)}
    directory = QUICK_RESULTS if arguments.quick else ROOT / "docs"
    reports = {f"{report}.md": list(its_sections) for report, its_sections in sections.REPORTS.items()}
    return {directory / report: its for report, its in reports.items() if not set(its).isdisjoint(names)}


def _measure(arguments: argparse.Namespace, names: list[str], kinds: list[str], results: Path) -> None:
    """Each section is saved as soon as it is done."""
    size = (arguments.size or (64 if arguments.quick else 1024)) * MEBIBYTE
    runs = arguments.runs or (2 if arguments.quick else 5)
    command = shlex.join(["bench/run", *sys.argv[1:]])
    tools = install()
    place = arguments.directory or Path("/var/tmp")
    with tempfile.TemporaryDirectory(prefix="bytesplice-bench-", dir=place) as temporary:
        directory = Path(temporary)
        image_bytes = 4 * max(size, GIBIBYTE // 8) + GIBIBYTE // (2 if arguments.quick else 1)
        _check_space(directory, (image_bytes * len(kinds) if os.geteuid() == 0 else 0) + 5 * size)
        described = environment.describe(tools, directory, size, runs)
        reference = directory / "reference"
        write_reference(reference, max(size, REFERENCE_AT_LEAST))
        with FileSystems(directory, image_bytes) as file_systems:
            bench = Bench(size, runs, arguments.quick, directory, reference, tools, file_systems, kinds)
            for name in names:
                result = Result(name, sections.ALL[name].TITLE, environment=described, command=command)
                sections.ALL[name].run(bench, result)
                result.save(results)
                report.show(result)


def _check_space(directory: Path, needed: int) -> None:
    numbers = os.statvfs(directory)
    free = numbers.f_bavail * numbers.f_frsize
    if free < needed:
        sys.exit(f"bench/run: {directory.parent} has {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB are needed")


def _leave(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def _names(text: str | None, known: list[str], what: str) -> list[str]:
    names = []
    for pattern in text.split(",") if text else ["*"]:
        matching = fnmatch.filter(known, pattern)
        if not matching:
            sys.exit(f"bench/run: there is no {what} {pattern!r}, only {', '.join(known)}")
        names += matching
    return names


def _parser() -> argparse.ArgumentParser:
    lines = [f"  {name:19} {module.TITLE}" for name, module in sections.ALL.items()]
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description="Measures bytesplice and its peers side by side and writes docs/performance.md, "
        "docs/performance-edits.md, docs/performance-python.md and others, each if one of its sections was "
        "measured. Builds and installs what it needs; as root it mounts file systems of its own.",
        epilog="\n".join(["sections:", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--quick", action="store_true", help="64 MiB, 2 runs; results and report in bench/results/quick"
    )
    parser.add_argument("--size", type=int, metavar="MIB", help="length of the file in MiB (1024)")
    parser.add_argument("--runs", type=int, metavar="N", help="runs of each contender (5)")
    parser.add_argument(
        "--sections",
        metavar="A,B",
        help="only these, such as 'python-*'; the reports keep what was measured of the others",
    )
    parser.add_argument("--file-systems", metavar="A,B", help="only these of ext4,xfs,btrfs")
    parser.add_argument(
        "--directory", type=Path, help="where files and images lie, in a directory of its own (/var/tmp)"
    )
    parser.add_argument("--json", type=Path, metavar="DIR", help="where results are saved (bench/results)")
    parser.add_argument("--report", type=Path, metavar="PATH", help="the only document (docs/…)")
    parser.add_argument(
        "--report-only", action="store_true", help="measure nothing, write the report from saved results"
    )
    return parser
