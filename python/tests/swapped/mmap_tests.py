"""
Run the interpreter's own tests of mmap with bytesplice in the place of the standard module.

Not collected by pytest: it runs in an interpreter of its own, in a directory where it may leave
files, and prints the outcome of every test as JSON.
"""

import json
import sys
import types
import unittest

from outcomes import Outcomes

import bytesplice


class mmap(bytesplice.mmap):
    """The class under the name that the tests of repr look for."""

    __module__ = "mmap"


def swapped_module() -> types.ModuleType:
    """A module that looks like the standard one."""
    module = types.ModuleType("mmap")
    names = [name for name in dir(bytesplice) if name.isupper()]
    vars(module).update({name: getattr(bytesplice, name) for name in names})
    vars(module).update(mmap=mmap, error=bytesplice.error)
    return module


if __name__ == "__main__":
    sys.modules["mmap"] = swapped_module()
    from test import test_mmap  # type: ignore[import-not-found]

    assert test_mmap.mmap.mmap is mmap
    outcomes = Outcomes()
    unittest.defaultTestLoader.loadTestsFromModule(test_mmap).run(outcomes)
    json.dump(outcomes.outcomes, sys.stdout)
