"""Many calls: SIPp calls SIPp through two nodes, in the long form for half a minute, and afterwards nothing of it is left in either."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from p2pship.testing.nodeprocess import NodeProcess
from p2pship.testing.programs import require_program
from p2pship.testing.sipp import Load, SIPp, Statistics
from tests.interop.intime import at_best
from tests.interop.pair import PairCase
from tests.scale import SCALE, scaled

SCENARIOS = Path(__file__).parent / "sipp"

RATE = 20
"New calls a second."

CALLS = scaled(8, 30) * RATE

TALK = 2.0
"Seconds that each call is up, so that 40 are at a time."

FORGOTTEN = 40.0
"Seconds after the last call in which all is forgotten: transactions over UDP are kept for 32 (RFC 3261 §17.2.2)."

HASTY_NODE = Path(__file__).with_name("hasty_node.py")

SOONER = 10
"These 32 are so many times fewer, but in the whole long form."

HELD = ("relays", "client_transactions", "server_transactions", "dialogs", "pending")
"What a node holds for calls."


class LoadTests(PairCase):
    """Twenty calls a second."""

    timeout = 400

    def setUp(self) -> Any:
        """Look for SIPp, start the nodes, and register Alice at hers and Bob at his."""
        require_program("sipp")
        return Deferred.fromCoroutine(self.register())

    def node(self, name: str, lan_port: int) -> NodeProcess:
        """Describe a node, which need not be waited for so long but in the whole long form."""
        node = super().node(name, lan_port)
        if SCALE < 1:
            node._arguments[1:3] = [str(HASTY_NODE), str(SOONER)]
        return node

    async def register(self) -> None:
        """Start the nodes, and register."""
        await self.start_nodes()
        self.alice, self.bob = (
            SIPp(reactor, self.folder("alice"), "alice@example.com"),
            SIPp(reactor, self.folder("bob"), "bob@example.com"),
        )
        for person, node in ((self.alice, self.alices), (self.bob, self.bobs)):
            run = person.run(SCENARIOS / "register.xml", node.proxy, expires="600")
            self.addCleanup(run.stop)
            self.check_all_succeeded(await run.ended(), 1)

    def check_all_succeeded(self, found: Statistics, calls: int) -> None:
        """Check that so many calls were made, that none failed, and that nothing came that should not."""
        self.assertEqual((found.exit_code, found.calls, found.succeeded), (0, calls, calls), found)
        self.assertEqual((found.failed, found.unexpected, found.failures), (0, 0, {}), found)

    async def calls(self, calls: int) -> None:
        """Let Alice call Bob so many times."""
        load = Load(calls, RATE, TALK, limit=90)
        answering = self.bob.run(SCENARIOS / "uas.xml", None, load)
        self.addCleanup(answering.stop)
        await answering.listening()
        calling = self.alice.run(SCENARIOS / "uac.xml", self.alices.proxy, load, peer="bob@example.com")
        self.addCleanup(calling.stop)
        for found in await gatherResults([calling.ended(), answering.ended()]):
            self.check_all_succeeded(found, calls)
            self.assertEqual(found.unfinished, 0)

    async def test_load(self) -> None:
        """No call fails, nothing unexpected comes, and soon both nodes hold no more than before."""
        nodes = (self.alices, self.bobs)
        await self.calls(1)  # the link between the nodes, which stays, is made with the first call
        before = [(await node.status())["counts"]["descriptors"] for node in nodes]
        await at_best(lambda: self.calls(CALLS))
        for node, descriptors in zip(nodes, before, strict=True):
            nothing = {**dict.fromkeys(HELD, 0), "descriptors": descriptors}

            def is_forgotten(counts: dict[str, int], nothing: dict[str, int] = nothing) -> bool:
                return all(counts[name] <= number for name, number in nothing.items())

            await self.until(node, is_forgotten, FORGOTTEN)
