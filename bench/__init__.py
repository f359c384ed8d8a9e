"""Measurements, beside others in the same run where there are others: ``python -m bench``."""

import signal
import sys


def end_as_a_whole() -> None:
    """Take care that who ends a benchmark also ends the programs that it has started, and removes its folders."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
