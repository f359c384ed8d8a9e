"""A node whose machine's clock is wrong: nobody is believed, and the doctor says why."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater

from p2pship.identity.validity import RECORD_LIFETIME, SKEW
from p2pship.testing.nodes import MemoryNodes
from tests.node.calling import ALICE, BOB, CAROL, LOOK, NodeTestCase, refusal
from tests.node.lateclock import LateReactor


class WrongClockTests(NodeTestCase):
    """Bob and Carol are published; then the clock is set wrong."""

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make nodes whose clock can be set."""
        self.late = LateReactor(reactor)
        return MemoryNodes(self.late, folder, self.names)

    async def said_after(self, seconds: float) -> str:
        """Return what the doctor says when both were looked for with a clock that is so far off."""
        await self.phone(ALICE)
        for aor in BOB, CAROL:
            await self.phone(aor, node="bob")
        self.late.put_forward(seconds)
        for aor in BOB, CAROL:
            self.assertEqual((await self.node("alice").standing.find({"aor": aor}))["devices"], [])
        (said,) = [one for one in self.node("alice").standing.checkup() if one["subject"] == "clock"]
        self.assertFalse(said["well"])
        return said["words"]

    async def test_behind(self) -> None:
        """40 minutes behind, everybody's papers are from the future."""
        words = await self.said_after(-SKEW - 1500)
        self.assertIn("it is behind by about 40 minutes: the records of 2 people are from the future", words)

    async def test_call(self) -> None:
        """Who calls hears that what was found is not believed, and why; not that nobody has the name."""
        alice, bob = await self.two_phones()
        self.late.put_forward(-SKEW - 1500)
        refused = await refusal(alice.call(bob.aor))
        self.assertEqual(refused.status, 480)
        self.assertIn("in the future", refused.response.first("Warning") or "")

    async def test_ahead(self) -> None:
        """Two hours ahead, everybody's are over."""
        words = await self.said_after(RECORD_LIFETIME + 2 * 3600)
        self.assertIn("it is ahead by at least 2 hours: the records of 2 people are all over", words)

    async def test_set_right(self) -> None:
        """What was published two hours ahead is believed again as soon as the clock is set back: it is published anew."""
        self.late.put_forward(7200)
        await self.phone(ALICE)
        await self.phone(BOB, node="bob")
        self.late.put_forward(-7200)
        self.assertFalse(await self.is_found())
        self.node("bob").clock_set_back()
        while not await self.is_found():
            await deferLater(reactor, LOOK)

    async def is_found(self) -> bool:
        """Return whether Alice finds Bob."""
        return bool((await self.node("alice").standing.find({"aor": BOB}))["devices"])
