"""How often the interpreter looks for objects that hold each other in a cycle, which stops the node meanwhile."""

from __future__ import annotations

import gc

YOUNG = 10_000
"New objects after which the newest are looked through: those of some forty calls, in a millisecond."

MIDDLE = 20
"Times that the newest are looked through before those are that were left over."

ALL = 100
"""Times that those were before all objects are: every twenty million new ones. With ten thousand calls in memory that takes
half a second, in which no phone is answered and no packet passes. A call leaves no cycle, so little is ever found."""


def look_rarely() -> None:
    """Look for cycles as rarely as a node can bear, and never again at what is there now: the code itself."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, ALL)
