"""Whole nodes: what comes of a caller who is blocked, on both sides."""

from __future__ import annotations

from p2pship.commands.table import commands
from p2pship.trust.facts import AttemptRefused
from tests.node.calling import ALICE, NodeTestCase, refusal, requests


class BlockedTests(NodeTestCase):
    """Bob has talked with Alice, and has had enough of it."""

    async def test_blocked(self) -> None:
        """Attack: who is blocked goes on calling and writing. Nothing rings, they hear nothing of why, the owner sees each time."""
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        before = len(bob.received)
        commands(lambda: self.node("bob").desk)["contact block"]({"pattern": ALICE})
        await self.eventually(lambda: self.node("bob").overlay.peers() == ())
        for attempt in range(1, 4):
            status = (
                (await alice.message(bob.aor, "why?")).status
                if attempt == 3
                else (await refusal(alice.call(bob.aor))).status
            )
            self.assertEqual(status, 480)
            refused = {(fact.aor, fact.rule) for fact in self.told("bob", AttemptRefused)}
            self.assertEqual(refused, {(ALICE, "block list")})
            self.assertGreaterEqual(len(self.told("bob", AttemptRefused)), attempt)
        self.assertEqual(bob.received[before:], [])
        self.assertEqual((len(requests(bob, "INVITE")), bob.texts), (1, []))
        heard = b"".join(message.encode() for message in alice.received)
        for word in (b"block", b"refuse", b"not let"):
            self.assertNotIn(word, heard.lower())
        self.assertNotIn("block", self.reasons("alice"))
