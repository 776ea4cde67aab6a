"""The command line: python -m bytesplice."""

import signal
import sys

from bytesplice._bytesplice import _run


def main() -> int:
    """Run the command line with the arguments of the process, and return its exit code."""
    # Python would only note a signal down, and act when this is over.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _run(["bytesplice", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
