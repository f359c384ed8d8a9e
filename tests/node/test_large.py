"""Tests of requests that are too large for a datagram, between phones that know UDP alone."""

from __future__ import annotations

from tests.node.calling import NodeTestCase, requests

LONG = [("X-Long", "x" * 3_000)]


class LargeTests(NodeTestCase):
    """Alice's phone is talkative."""

    async def test_call(self) -> None:
        """A phone that takes no TCP connection is called with a large INVITE at once, and the call is like any other."""
        alice, bob = await self.two_phones()
        begun = alice.call(bob.aor, LONG)
        await begun.ringing
        (invite,) = requests(bob, "INVITE")
        self.assertEqual((invite.via.transport, invite.first("X-Long")), ("UDP", LONG[0][1]))
        await begun.hang_up()
        call, answered = await self.up(alice, bob)
        await self.talk(call, answered)
        await call.hang_up()
        await answered.ended

    async def test_text(self) -> None:
        """Of large texts and small ones none is lost, and none comes twice."""
        alice, bob = await self.two_phones()
        texts = ["x" * length for length in (10, 5_000, 20, 7_000)]
        for text in texts:
            self.assertEqual((await alice.message(bob.aor, text)).status, 200)
        self.assertEqual([each.text for each in bob.texts], texts)
