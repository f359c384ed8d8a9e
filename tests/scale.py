"""How long the tests go on that can go on for longer: a few moments, or as long as it takes to find what is rare.

``P2PSHIP_SLOW`` in the environment is a scale: 1 for the whole length of ``make slow``, 0.1 for a tenth of it; without it the
tests are as short as they can be and still notice what is broken. ``P2PSHIP_SEED`` is a number from which everything random
in the long tests is drawn, so that what failed once can be had again; ``make slow`` says which it took.
"""

from __future__ import annotations

import os

SCALE = float(os.environ.get("P2PSHIP_SLOW") or 0)
"0 in the short form"

ALONE = SCALE >= 1
"whether times may be looked at strictly: a part of the whole length is what machines run that do other things as well"

SEED = int(os.environ.get("P2PSHIP_SEED") or 1)
"what a long test seeds its generators with"


def scaled(short: int, long: int) -> int:
    """Return how often, or how many: ``short`` in the short form, else the share of ``long``, and no less than that."""
    return max(short, round(long * SCALE))
