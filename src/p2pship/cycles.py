"""How often the interpreter looks for objects that hold each other in a cycle, which stops the node meanwhile.

A call leaves no cycle, so the search finds little: what errors, links and peers leave. It is made where it costs little: among the
newest objects, and among all others when there are few of them, which is whenever hardly anybody calls. What strangers' connections
leave is not little if they come by the thousand, and would look like a busy node: so it is also made when very much is new.
"""

from __future__ import annotations

import gc
import sys

YOUNG = 10_000
"New objects after which the newest are looked through: those of some thirty calls, in three milliseconds."

MIDDLE = 1_000
"""Times that the newest are looked through before those are that were left over, however many there are: every ten million
objects that stay. With a few thousand calls in memory that takes a second, in which no phone is answered and no packet passes."""

ALL = 1
"Times that those were before all objects are."

OFTEN = 60.0
"Seconds between looks at whether all can be looked through."

FEW = 100_000
"Blocks of memory beside those at the start up to which that is done: two hundred calls in memory, in 30 ms."

VERY_OFTEN = 5.0
"Seconds between looks at whether very many blocks are new."

MANY = 1_000_000
"""New blocks since the last search for which it is made whatever happens: some 100 MB, the memory of two thousand calls; or what ten thousand
connections leave that strangers made and broke off, and which no other search finds in time."""

AT_LAST = 60
"Looks that find too many, after which all are looked through nevertheless: a node that is busy for an hour may pause once."


class RareSearch:
    """The search as a node can bear it."""

    def __init__(self) -> None:
        """Never look again at what is there now, the code itself; and at what comes now and then."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG, MIDDLE, ALL)
        self._left = sys.getallocatedblocks()
        self._most = self._left + FEW
        self._missed = 0

    def look_if_quiet(self) -> bool:
        """Look through all objects if they are few; to be called every :data:`OFTEN` seconds. False if it has to wait."""
        self._missed += 1
        if sys.getallocatedblocks() > self._most and self._missed < AT_LAST:
            return False
        self._look()
        return True

    def look_if_many(self) -> bool:
        """Look through all objects if very many are new; to be called every :data:`VERY_OFTEN` seconds. False if they are not."""
        blocks = sys.getallocatedblocks()
        self._left = min(self._left, blocks)
        if blocks - self._left < MANY:
            return False
        self._look()
        return True

    def _look(self) -> None:
        self._missed = 0
        gc.collect()
        self._left = sys.getallocatedblocks()
