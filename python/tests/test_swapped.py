"""CPython's own tests of mmap, and of bytearray on resizing, with our class in their place."""

import json
import os
import subprocess
import sysconfig
from pathlib import Path

import pytest
from interpreters import interpreters, version

import bytesplice

HERE = Path(__file__).parent / "swapped"

# Tests of mmap that say nothing about a spliceable map, and why.
NOT_APPLICABLE = {
    "test_empty_file": "an empty file can be mapped here",
    "test_resize_up_anonymous_mapping": "memory can be made longer here",
    "test_resize_down_anonymous_mapping": "memory can be made longer here",
    "test_setitem_slice_resize_reentrancy": "a slice takes bytes of any length",
}
# What the tests themselves skip.
SKIPPED = {
    "requires Windows": "Windows",
    "trackfd only fails on Windows": "Windows",
    "test needs debug build": "Windows",
    "needs MAP_NORESERVE": "the interpreter has no MAP_NORESERVE",
    "mmap flags unavailable": "the interpreter has no such flags",
}
MOST_NOT_APPLICABLE = 15

# The tests of bytearray that change its length or store into it, and those of them that ask for
# what a map is not.
RESIZING = [
    "test_append",
    "test_clear",
    "test_extend",
    "test_extended_set_del_slice",
    "test_insert",
    "test_pop",
    "test_remove",
    "test_resize_forbidden",
    "test_setslice",
    "test_setslice_extend",
    "test_setslice_trap",
    "test_delitem",
    "test_setitem",
    "test_repeat_after_setslice",
    "test_mutating_index",
    "test_regexps",
    "test_fifo_overrun",
    "test_del_expand",
    "test_iconcat",
    "test_irepeat",
    "test_obsolete_write_lock",
]
NOT_OF_A_MAP = {
    "test_insert": "insert takes bytes too",
    "test_fifo_overrun": "uses +=",
    "test_del_expand": "asks for the size of the object in memory",
    "test_iconcat": "uses +=",
    "test_irepeat": "uses *=",
    "test_resize_forbidden": "an extended slice takes as many bytes as it names, as in mmap",
    "test_repeat_after_setslice": "uses *",
}
NOT_OF_A_MAP_SINCE_3_15 = {"test_clear": "asks for the memory of the object and a copy"}


def run(interpreter: Path, script: str, directory: Path, *arguments: str) -> dict[str, str] | None:
    """The outcomes of a script; None if the interpreter comes without its tests."""
    installed = Path(bytesplice.__file__).parent.parent
    (directory / "site").mkdir()
    (directory / "site/bytesplice").symlink_to(installed / "bytesplice")
    environment = os.environ | {"PYTHONPATH": str(directory / "site"), "PYTHONWARNINGS": "ignore"}
    has_tests = [str(interpreter), "-c", "import test.test_mmap"]
    if subprocess.run(has_tests, check=False, capture_output=True, cwd=directory).returncode:
        return None
    done = subprocess.run(
        [interpreter, HERE / script, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=directory,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    outcomes: dict[str, str] = json.loads(done.stdout)
    return {name.rpartition(".")[2]: outcome for name, outcome in outcomes.items()}


def table(title: str, outcomes: dict[str, str], reasons: dict[str, str]) -> tuple[str, int]:
    """All tests with what became of them, and how many are not applicable."""
    lines, count = [title], 0
    for name, outcome in sorted(outcomes.items()):
        shown = outcome
        reason = SKIPPED.get(outcome.removeprefix("skipped: "))
        if name in reasons and outcome != "passed":
            reason = reasons[name]
        if reason is not None:
            shown, count = f"not applicable: {reason}", count + 1
        lines.append(f"  {name:60} {shown}")
    passed = sum(outcome == "passed" for outcome in outcomes.values())
    lines.append(f"  {passed} passed, {count} not applicable, of {len(outcomes)}")
    return "\n".join(lines), count


@pytest.mark.parametrize("interpreter", interpreters(), ids=str)
def test_the_tests_of_mmap(
    interpreter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = run(interpreter, "mmap_tests.py", tmp_path)
    if outcomes is None:
        pytest.skip(f"{interpreter} comes without its tests")
    shown, count = table(f"test_mmap of {interpreter}", outcomes, NOT_APPLICABLE)
    with capsys.disabled():
        print(f"\n{shown}")
    assert "FAILED" not in shown
    assert "skipped" not in shown
    assert count <= MOST_NOT_APPLICABLE
    assert len(outcomes) > 40


@pytest.mark.parametrize("interpreter", interpreters(), ids=str)
def test_the_tests_of_bytearray(
    interpreter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = run(interpreter, "bytearray_tests.py", tmp_path, *RESIZING)
    if outcomes is None:
        pytest.skip(f"{interpreter} comes without its tests")
    known = version(interpreter)
    reasons = NOT_OF_A_MAP | (NOT_OF_A_MAP_SINCE_3_15 if known and known >= (3, 15) else {})
    shown, count = table(f"test_bytes of {interpreter}", outcomes, reasons)
    with capsys.disabled():
        print(f"\n{shown}")
    assert "FAILED" not in shown
    assert count <= len(reasons)
    assert len(outcomes) == len(RESIZING)


def test_the_wheel_is_for_every_version_from_3_11_on() -> None:
    suffix = Path(str(bytesplice._bytesplice.__file__)).suffixes
    assert ".abi3" in suffix, (suffix, sysconfig.get_config_var("EXT_SUFFIX"))
