"""Two machines on one cable: network namespaces and a veth pair."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.testing.namespace import run_in_namespace

SCRIPT = Path(__file__).with_name("namespace_neighbours.py")


class NeighboursTests(TestCase):
    """The LAN lookup on real interfaces, which come and go."""

    timeout = 120

    async def test_neighbours(self) -> None:
        """They find each other by IPv6 alone, by IPv4 alone, after the link was down, and on any network of the link."""
        printed = await run_in_namespace(reactor, SCRIPT)
        for line in (
            "found by IPv6",
            "found by IPv4",
            "found again",
            "found on the second network of the link",
        ):
            self.assertIn(line, printed)
