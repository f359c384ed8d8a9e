"""A call between two machines on one cable, in network namespaces: nothing but multicast tells the nodes of each other."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.testing.namespace import run_in_namespace
from p2pship.testing.programs import require_program

SCRIPT = Path(__file__).with_name("namespace_call.py")


class TwoMachinesTests(TestCase):
    """Real interfaces, real multicast, and nothing shared between the machines."""

    timeout = 90

    async def check_call(self, version: int) -> None:
        """Let one machine's phone call the other's; the script looks at what both have heard."""
        require_program("baresip")
        folder = Path(self.mktemp()).absolute()
        printed = await run_in_namespace(reactor, SCRIPT, str(folder), str(version), "call")
        self.assertIn("as it should be", printed)

    async def test_ipv4(self) -> None:
        """They find each other by IPv4 multicast, and hear each other over IPv4."""
        await self.check_call(4)

    async def test_ipv6(self) -> None:
        """On a cable without IPv4 they find each other by IPv6 multicast, and hear each other over IPv6."""
        await self.check_call(6)
