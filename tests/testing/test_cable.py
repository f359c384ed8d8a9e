"""Tests of p2pship.testing.cable: a real cable between two network namespaces."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.testing.cable import require_cables
from p2pship.testing.namespace import run_in_namespace

SCRIPT = Path(__file__).with_name("namespace_cable.py")


class CableTests(TestCase):
    """What the conditions do to real datagrams."""

    async def test_conditions(self) -> None:
        """Datagrams are late and lost as was asked for, and a change holds at once."""
        require_cables()
        self.assertIn("as it should be", await run_in_namespace(reactor, SCRIPT))
