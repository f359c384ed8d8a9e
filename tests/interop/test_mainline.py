"""A call over HIP between real phones on two machines that share no network, and find each other through a DHT alone."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.testing.cable import require_cables
from p2pship.testing.namespace import run_in_namespace
from p2pship.testing.programs import require_program

SCRIPT = Path(__file__).with_name("namespace_mainline.py")


class MainlineCallTests(TestCase):
    """Two machines, each a network namespace, and a router between them on which the nodes of a DHT are."""

    timeout = 120

    async def test_call(self) -> None:
        """The lookup on the local network is on, and hears nobody; the call is up soon, and heard on both sides."""
        require_cables()
        require_program("baresip")
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        printed = await run_in_namespace(reactor, str(SCRIPT), str(folder))
        self.assertIn("as it should be", printed)
