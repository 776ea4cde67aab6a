"""
The CPythons that the tests run on.

As a program, run all tests on every version but the one that runs this:
`python tests/interpreters.py`. What they need is installed for each once, beside the
interpreters that `newer_interpreters` fetches.
"""

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

OLDEST = (3, 11)
PROJECT = Path(__file__).resolve().parent.parent
CACHE = PROJECT / ".interpreters"
REQUIREMENTS = PROJECT / "test-requirements.txt"
# What there is no wheel of for every version: tests that need them are skipped there.
NEEDED, WANTED = ["pytest", "hypothesis", "mutagen"], ["numpy", "safetensors"]

# One runs all interpreters itself, and one the command line.
ELSEWHERE = ["test_swapped.py", "test_command_line_recipes.py"]


def version(interpreter: Path) -> tuple[int, int] | None:
    """
    What the name of the program says.

    Free-threaded ones, python3.14t, are none of these: they need a wheel of their own.
    """
    major, _, minor = interpreter.name.removeprefix("python").partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else None


def interpreters() -> list[Path]:
    """All CPythons from 3.11 up that are on this machine, or were fetched, the oldest first."""
    places = [Path("/usr"), Path("/usr/local"), *Path.home().glob(".pyenv/versions/*")]
    places += [done.parent / "usr" for done in CACHE.glob("*/complete")]
    found = [Path(sys.executable).resolve()]
    found += [path.resolve() for place in places for path in place.glob("bin/python3.*")]
    known = {path: number for path in found if (number := version(path)) and number >= OLDEST}
    return sorted(known, key=lambda path: (known[path], path))


def site(number: tuple[int, int]) -> Path:
    """The folder that has the package and what its tests need, of this version."""
    name = ".".join(map(str, number))
    folder, stamp = CACHE / f"site-{name}", CACHE / f"site-{name}/requirements"
    wanted = REQUIREMENTS.read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        # The pip of this interpreter, as that one may have none.
        install = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        install += ["--target", str(folder), "--only-binary=:all:", "--python-version", name]
        install += ["-c", str(REQUIREMENTS)]
        subprocess.run([*install, *NEEDED], check=True)
        extra = subprocess.run([*install, *WANTED], check=False, capture_output=True)
        if extra.returncode:
            print(f"SKIPPED on CPython {name}: what needs {', '.join(WANTED)}", flush=True)
        stamp.write_text(wanted)
    # The one that this interpreter would import.
    import bytesplice

    package = folder / "bytesplice"
    package.unlink(missing_ok=True)
    package.symlink_to(Path(bytesplice.__file__).parent)
    return folder


def run(interpreter: Path, folder: Path) -> bool:
    """Run the tests, and say how it went."""
    begin = time.monotonic()
    # Not from this folder's own package, which has no extension module.
    command = [str(interpreter), "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += [f"--ignore=tests/{name}" for name in ELSEWHERE]
    done = subprocess.run(
        [*command, *sys.argv[1:]],
        check=False,
        cwd=PROJECT,
        env=os.environ | {"PYTHONPATH": str(folder), "BYTESPLICE_EXAMPLES": "0.3"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    outcome = done.stdout if done.returncode else done.stdout.strip().rpartition("\n")[2]
    print(f"{interpreter}: {outcome} (with start {time.monotonic() - begin:.0f} s)", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    chosen = {number: path for path in interpreters() if (number := version(path))}
    chosen.pop(sys.version_info[:2], None)
    sites = {path: site(number) for number, path in chosen.items()}
    with ThreadPoolExecutor(2) as pool:
        passed = list(pool.map(run, sites.keys(), sites.values()))
    sys.exit(0 if all(passed) else "the tests fail on some interpreters")
