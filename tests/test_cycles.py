"""The interpreter's search for cycles does not stop a busy node."""

from __future__ import annotations

import gc
import weakref

from twisted.trial.unittest import SynchronousTestCase

from p2pship import cycles


class Ring:
    """Something that holds itself."""

    def __init__(self) -> None:
        self.own = self


class RareSearchTests(SynchronousTestCase):
    """What a node's process asks of the interpreter."""

    def setUp(self) -> None:
        """Leave the interpreter as it was."""
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.unfreeze)
        self.search = cycles.RareSearch()

    def test_rarely(self) -> None:
        """What is there at the start is looked through no more, and the rest rarely."""
        self.assertGreater(gc.get_freeze_count(), 0)
        self.assertEqual(gc.get_threshold(), (cycles.YOUNG, cycles.MIDDLE, cycles.ALL))

    def test_quiet(self) -> None:
        """A cycle that was left over goes when the node is quiet, and not while it is busy."""
        gc.disable()  # or this cycle might go before
        self.addCleanup(gc.enable)
        left = weakref.ref(Ring())
        many = [bytearray(1) for _ in range(2 * cycles.FEW)]
        self.assertFalse(self.search.look_if_quiet())
        self.assertIsNotNone(left())
        del many
        self.assertTrue(self.search.look_if_quiet())
        self.assertIsNone(left())

    def test_always_busy(self) -> None:
        """A node that is never quiet looks all the same, once in a long while."""
        many = [bytearray(1) for _ in range(2 * cycles.FEW)]
        looked = [self.search.look_if_quiet() for _ in range(2 * cycles.AT_LAST)]
        self.assertEqual(
            [at for at, did in enumerate(looked, 1) if did], [cycles.AT_LAST, 2 * cycles.AT_LAST]
        )
        del many

    def test_many(self) -> None:
        """Cycles that strangers leave by the thousand go soon, though the node looks busy by them; and calls as many cause one look."""
        self.patch(cycles, "MANY", cycles.FEW)
        gc.disable()
        self.addCleanup(gc.enable)
        self.assertFalse(self.search.look_if_many())
        left = [weakref.ref(Ring()) for _ in range(2 * cycles.FEW // 3)]
        self.assertFalse(self.search.look_if_quiet())
        self.assertTrue(self.search.look_if_many())
        self.assertEqual(sum(ring() is not None for ring in left), 0)
        del left
        many = [bytearray(1) for _ in range(2 * cycles.FEW)]
        self.assertEqual([self.search.look_if_many() for _ in range(3)], [True, False, False])
        del many
