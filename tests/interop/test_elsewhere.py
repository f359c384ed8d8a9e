"""Calls over HIP between real phones on two machines that share no network: the one finds the other by a lookup of the wide area alone."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from p2pship.testing.cable import require_cables
from p2pship.testing.namespace import run_in_namespace
from p2pship.testing.programs import require_program
from tests.interop.intime import in_time


class ElsewhereTests(TestCase):
    """Two machines, each a network namespace, and a router between them on which is whatever the lookup asks.

    The lookup on the local network is on, and hears nobody; the call is up soon, and heard on both sides.
    """

    timeout = 200

    async def play(self, script: str, *arguments: str) -> None:
        """Run a script, which looks at everything itself."""
        require_cables()
        require_program("baresip")
        self.assertIn("as it should be", await in_time(lambda: self.run_script(script, *arguments)))

    def run_script(self, script: str, *arguments: str) -> Deferred[str]:
        """Run it, with another folder each time."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        return run_in_namespace(reactor, str(Path(__file__).with_name(script)), str(folder), *arguments)

    async def test_rendezvous(self) -> None:
        """A rendezvous server is asked, whose certificate is one of its own."""
        await self.play("namespace_rendezvous.py")

    async def test_mainline(self) -> None:
        """The nodes of a DHT are asked."""
        await self.play("namespace_mainline.py")

    async def test_dns_to_server(self) -> None:
        """Nothing is configured: an SRV record leads to the domain's rendezvous server; the domain says over HTTPS that the name is true."""
        await self.play("namespace_dns.py", "server")

    async def test_dns_to_node(self) -> None:
        """Nor here: SRV, HIP and address records lead to the node of the domain itself."""
        await self.play("namespace_dns.py", "node")
