"""Calls over HIP between real phones on two machines, to somebody whose domain says in the DNS where they are to be found."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.testing.cable import require_cables
from p2pship.testing.namespace import run_in_namespace
from p2pship.testing.programs import require_program

SCRIPT = Path(__file__).with_name("namespace_dns.py")


class DNSCallTests(TestCase):
    """Two machines, each a network namespace, and a router between them on which the domain is; the caller's node has no configuration."""

    timeout = 120

    async def test_through_server(self) -> None:
        """An SRV record leads to the domain's rendezvous server; the domain says over HTTPS that the name is true."""
        await self.play("server")

    async def test_through_node(self) -> None:
        """SRV, HIP and address records lead to the node of the domain itself."""
        await self.play("node")

    async def play(self, way: str) -> None:
        """Run the script."""
        require_cables()
        require_program("baresip")
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        printed = await run_in_namespace(reactor, str(SCRIPT), str(folder), way)
        self.assertIn("as it should be", printed)
