"""Tests for :mod:`p2pship.overlay.flows`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import LocalError
from p2pship.overlay.flows import FIRST, LAST, Flows


def nobody(flow: int, packet: bytes) -> None:
    """Take a packet and do nothing."""


class FlowsTests(SynchronousTestCase):
    """Which numbers are given."""

    def test_pairs(self) -> None:
        """A receiver gets an even number and the odd one after it."""
        flows = Flows()
        self.assertEqual([flows.open(nobody), flows.open(nobody)], [2, 4])
        self.assertEqual(set(flows.receivers), {2, 3, 4, 5})

    def test_rest(self) -> None:
        """A number that was given back is not given again at once."""
        flows = Flows()
        flow = flows.open(nobody)
        flows.close(flow)
        flows.close(flow)
        flows.close(3)
        self.assertEqual(flows.open(nobody), 4)
        self.assertEqual(set(flows.receivers), {4, 5})

    def test_all(self) -> None:
        """All numbers can be given; then there are no more until one is given back."""
        flows = Flows()
        given = [flows.open(nobody) for _ in range((LAST - FIRST) // 2 + 1)]
        self.assertEqual((given[0], given[-1], len(set(given))), (FIRST, LAST, len(given)))
        self.assertRaises(LocalError, flows.open, nobody)
        flows.close(100)
        self.assertEqual(flows.open(nobody), 100)
