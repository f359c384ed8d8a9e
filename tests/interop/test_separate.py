"""Real phones: two names of one node, each with a device of its own, are called and call over HIP."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import gatherResults

from tests.interop.pair import PairCase

HOME, WORK = "bob@example.com", "smith@example.com"


class SeparateTests(PairCase):
    """Alice's node, and Bob's with both names."""

    async def hit_of(self, aor: str) -> str:
        """Return the HIT that one of Bob's names is used on."""
        shown: dict[str, Any] = await self.bobs.ask("identity show", aor=aor)
        return str(shown["hit"])

    async def test_calls(self) -> None:
        """Alice talks to each: what she hears is what they said, and her node has met two devices that are not the node's own."""
        for aor in (HOME, WORK):
            await self.bobs.ask("identity create", aor=aor, separate_device=True)
        alice, home, work = (
            self.phone(name, node)
            for name, node in (("alice", self.alices), ("bob", self.bobs), ("smith", self.bobs))
        )
        await gatherResults([phone.start() for phone in (alice, home, work)])
        for caller, callee in ((alice, home), (work, alice)):
            await self.call(caller, callee)
            await self.talk(1.5)
            await caller.hangup()
            await callee.when("CALL_CLOSED")
            await self.check_heard(caller, callee, 1)
            await self.check_heard(callee, caller, 1)
        met = {one["peer"] for one in await self.alices.ask("hip associations")}
        self.assertEqual(met, {await self.hit_of(HOME), await self.hit_of(WORK)})
        own = {one["hit"] for one in (await self.bobs.ask("hip show"))["identities"] if one["device"]}
        self.assertFalse(met & own)
        await self.check_nothing_left()
