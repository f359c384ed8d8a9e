"""Offers and answers other than of a plain call, between two SIPp users through two nodes: SIPp judges every message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from p2pship.testing.programs import require_program
from p2pship.testing.sipp import Load, SIPp
from tests.interop.pair import PairCase

SCENARIOS = Path(__file__).parent / "sipp"

CALLS = 3


class EarlyTests(PairCase):
    """Alice calls Bob."""

    def setUp(self) -> Any:
        """Look for SIPp, start the nodes, and register Alice at hers and Bob at his."""
        require_program("sipp")
        return Deferred.fromCoroutine(self.register())

    async def register(self) -> None:
        """Start the nodes, and register."""
        await self.start_nodes()
        self.alice, self.bob = (
            SIPp(reactor, self.folder(name), f"{name}@example.com") for name in ("alice", "bob")
        )
        for person, node in ((self.alice, self.alices), (self.bob, self.bobs)):
            run = person.run(SCENARIOS / "register.xml", node.proxy, expires="600")
            self.addCleanup(run.stop)
            self.assertEqual((await run.ended()).succeeded, 1)

    async def calls(self, kind: str) -> None:
        """Let Alice call Bob a few times by one pair of scenarios; nothing unexpected comes, and nothing is left."""
        load = Load(CALLS, limit=20)
        answering = self.bob.run(SCENARIOS / f"uas_{kind}.xml", None, load)
        self.addCleanup(answering.stop)
        await answering.listening()
        calling = self.alice.run(
            SCENARIOS / f"uac_{kind}.xml", self.alices.proxy, load, peer="bob@example.com"
        )
        self.addCleanup(calling.stop)
        for found in await gatherResults([calling.ended(), answering.ended()]):
            self.assertEqual(
                (found.exit_code, found.succeeded, found.unexpected), (0, CALLS, 0), found.errors
            )
        await self.check_nothing_left()

    async def test_early_media(self) -> None:
        """PRACK, UPDATE before the answer, and a hold after it."""
        await self.calls("early")

    async def test_offerless(self) -> None:
        """A call without an offer in its INVITE."""
        await self.calls("offerless")
