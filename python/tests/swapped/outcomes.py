"""What became of every test of a run, by name."""

import traceback
import unittest
from typing import Any


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

    def _failed(self, test: unittest.TestCase, error: Any) -> None:
        lines = "".join(traceback.format_exception(*error)).strip().splitlines()
        self.outcomes[test.id()] = "FAILED: " + " | ".join(lines[-4:])

    def addFailure(self, test: unittest.TestCase, error: Any) -> None:  # noqa: N802
        self._failed(test, error)

    def addError(self, test: unittest.TestCase, error: Any) -> None:  # noqa: N802
        self._failed(test, error)

    def addSubTest(  # noqa: N802
        self, test: unittest.TestCase, subtest: unittest.TestCase, error: Any
    ) -> None:
        if error is not None:
            self._failed(test, error)
