"""Real phones that are not on the node's machine: they prove themselves with digest, each as it can."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.testing.namespace import run_in_namespace
from p2pship.testing.programs import require_program

SCRIPT = Path(__file__).with_name("namespace_network_phones.py")


class NetworkPhonesTests(TestCase):
    """A node with ``[sip.network]``, baresip and SIPp in a network of their own."""

    timeout = 90

    async def test_phones(self) -> None:
        """baresip and SIPp register, call and write over UDP and TCP; with a wrong password nobody does."""
        require_program("baresip")
        require_program("sipp")
        printed = await run_in_namespace(reactor, SCRIPT, str(Path(self.mktemp()).absolute()))
        self.assertIn("as it should be", printed)
