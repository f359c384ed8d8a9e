"""Runs a node, as ``python -m twisted`` does, that forgets SIP transactions sooner: the first argument says how many times."""

from __future__ import annotations

import runpy
import sys

from p2pship.sip import transaction

sooner = float(sys.argv.pop(1))
for timer, seconds in transaction.LENGTHS.items():
    if seconds == transaction.TIMEOUT:
        transaction.LENGTHS[timer] = seconds / sooner  # type: ignore[index]

runpy.run_module("twisted", run_name="__main__")
