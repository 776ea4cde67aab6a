"""
Run the interpreter's own tests of mmap with bytesplice in the place of the standard module.

Not collected by pytest: it runs in an interpreter of its own, in a directory where it may leave files, and prints the
outcome of every test as JSON.
"""

import json
import sys
import types
import unittest

import bytesplice


class mmap(bytesplice.mmap):
    """The class under the name that the tests of repr look for."""

    __module__ = "mmap"


def swapped_module() -> types.ModuleType:
    """A module that looks like the standard one."""
    module = types.ModuleType("mmap")
    vars(module).update(
        {name: getattr(bytesplice, name) for name in dir(bytesplice) if name.isupper()}
    )
    module.mmap = mmap  # type: ignore[attr-defined]
    module.error = bytesplice.error  # type: ignore[attr-defined]
    return module


class Outcomes(unittest.TestResult):
    """What became of every test."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: dict[str, str] = {}

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().startTest(test)
        self.outcomes[test.id()] = "passed"

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        super().addSkip(test, reason)
        self.outcomes[test.id()] = f"skipped: {reason}"

    def _failed(self, test: unittest.TestCase, error: object) -> None:
        lines = self._exc_info_to_string(error, test).strip().splitlines()  # type: ignore[attr-defined]
        self.outcomes[test.id()] = "FAILED: " + " | ".join(lines[-4:])

    def addFailure(self, test: unittest.TestCase, error: object) -> None:  # type: ignore[override] # noqa: N802
        self._failed(test, error)

    def addError(self, test: unittest.TestCase, error: object) -> None:  # type: ignore[override] # noqa: N802
        self._failed(test, error)

    def addSubTest(self, test: unittest.TestCase, subtest: object, error: object) -> None:  # type: ignore[override] # noqa: N802
        if error is not None:
            self._failed(test, error)


if __name__ == "__main__":
    sys.modules["mmap"] = swapped_module()
    from test import test_mmap  # type: ignore[import-not-found,unused-ignore]

    assert test_mmap.mmap.mmap is mmap
    outcomes = Outcomes()
    unittest.defaultTestLoader.loadTestsFromModule(test_mmap).run(outcomes)
    json.dump(outcomes.outcomes, sys.stdout)
