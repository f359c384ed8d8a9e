"""IPv4 and IPv6, with the settings of the Internet."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.testing.namespace import run_in_namespace

SCRIPT = Path(__file__).with_name("namespace_families.py")


class FamiliesTests(TestCase):
    """A network namespace with public addresses on its loopback interface."""

    timeout = 70

    async def test_both(self) -> None:
        """Who has one family alone finds who has both, by a question and, when the node is away, in the DHT."""
        self.assertIn("as it should be", await run_in_namespace(reactor, SCRIPT))
