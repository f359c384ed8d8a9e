"""The ground of tests in which SIPp calls SIPp, some calls a second, while something bad goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from p2pship.testing.nodeprocess import NodeProcess
from p2pship.testing.programs import require_program
from p2pship.testing.sipp import Load, SIPp, Statistics
from tests.interop.pair import PairCase

SCENARIOS = Path(__file__).parent / "sipp"

RATE = 10
"New calls a second."


class CallsCase(PairCase):
    """Two nodes, and people who call each other ten times a second."""

    def setUp(self) -> Any:
        """Look for SIPp, and start the nodes."""
        require_program("sipp")
        return Deferred.fromCoroutine(self.start_nodes())

    async def register(self, name: str, node: NodeProcess) -> SIPp:
        """Register somebody at a node."""
        person = SIPp(reactor, self.folder(name), f"{name}@example.com")
        run = person.run(SCENARIOS / "register.xml", node.proxy, expires="600")
        self.addCleanup(run.stop)
        self.assertEqual((await run.ended()).succeeded, 1)
        return person

    async def calls(self, caller: SIPp, callee: SIPp, node: NodeProcess, seconds: float) -> Statistics:
        """Let one call the other, and return what the caller counted; the callee must have seen nothing wrong."""
        load = Load(max(1, round(RATE * seconds)), RATE, 0.5, limit=seconds + 30)
        answering = callee.run(SCENARIOS / "uas.xml", None, load)
        self.addCleanup(answering.stop)
        await answering.listening()
        calling = caller.run(SCENARIOS / "uac.xml", node.proxy, load, peer="bob@example.com")
        self.addCleanup(calling.stop)
        found, other = await gatherResults([calling.ended(), answering.ended()])
        self.assertEqual((other.succeeded, other.failures), (load.calls, {}), other)
        self.assertEqual((found.succeeded, found.failed, found.failures), (load.calls, 0, {}), found)
        return found
