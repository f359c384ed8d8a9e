"""Runs a node, as ``python -m twisted`` does, whose keys are worn out after a few packets: the first argument says how many."""

from __future__ import annotations

import runpy
import sys
from functools import partial

from p2pship.bearer.hip import agreement, esp

agreement.outbound = partial(esp.outbound, rekey_at=int(sys.argv.pop(1)))  # type: ignore[attr-defined]

runpy.run_module("twisted", run_name="__main__")
