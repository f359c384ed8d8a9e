"""A call over HIP between real phones on two machines that share no network, and find each other through a rendezvous server alone."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.testing.cable import require_cables
from p2pship.testing.namespace import run_in_namespace
from p2pship.testing.programs import require_program

SCRIPT = Path(__file__).with_name("namespace_rendezvous.py")


class RendezvousCallTests(TestCase):
    """Two machines, each a network namespace, and a router between them on which the server is."""

    timeout = 120

    async def test_call(self) -> None:
        """The server's certificate is one of its own; the lookup on the local network is on, and hears nobody; the call is up soon, and heard on both sides."""
        require_cables()
        require_program("baresip")
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        printed = await run_in_namespace(reactor, str(SCRIPT), str(folder))
        self.assertIn("as it should be", printed)
