"""The interpreter's search for cycles does not stop a busy node."""

from __future__ import annotations

import gc

from twisted.trial.unittest import SynchronousTestCase

from p2pship import cycles


class CyclesTests(SynchronousTestCase):
    """What a node's process asks of the interpreter."""

    def setUp(self) -> None:
        """Leave the interpreter as it was."""
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.unfreeze)

    def test_look_rarely(self) -> None:
        """What is there at the start is looked through no more, and the rest rarely."""
        cycles.look_rarely()
        self.assertGreater(gc.get_freeze_count(), 0)
        self.assertEqual(gc.get_threshold(), (cycles.YOUNG, cycles.MIDDLE, cycles.ALL))
