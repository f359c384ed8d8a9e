"""Tests of several calls at the same time, of calls to oneself, and of people who share a node."""

from __future__ import annotations

from twisted.internet.defer import gatherResults

from p2pship.testing.phone import AT_ONCE, IncomingCall
from p2pship.testing.phonecall import State
from tests.node.calling import ALICE, BOB, CAROL, NodeTestCase, called, refusal, requests

CALLS = 10


class SeveralCallsTests(NodeTestCase):
    """Many calls, and calls that cross."""

    async def test_ten_at_once(self) -> None:
        """Ten calls, half from each side, are all up at the same time, and all are heard."""
        alice, bob = await self.two_phones(AT_ONCE)
        alice.answering = AT_ONCE
        calls = [
            caller.call(callee.aor)
            for _ in range(CALLS // 2)
            for caller, callee in ((alice, bob), (bob, alice))
        ]
        await gatherResults([call.answered for call in calls])
        self.assertEqual((len(alice.calls), len(bob.calls)), (CALLS, CALLS))
        await self.talk(*alice.calls, *bob.calls, packets=3)
        self.assertEqual(len(self.node("alice").standing.live_calls()), CALLS)
        await gatherResults([call.hang_up() for call in calls])
        await self.eventually(
            lambda: (
                not self.node("alice").standing.live_calls() and not self.node("bob").standing.live_calls()
            )
        )

    async def test_both_call_at_once(self) -> None:
        """Each calls the other at the same moment though their nodes have never met: both calls ring."""
        await self._both_call(0.0)

    async def test_both_call_at_once_from_afar(self) -> None:
        """The same where a message takes its time, so that all of both hellos cross."""
        await self._both_call(0.02)

    async def _both_call(self, latency: float) -> None:
        """Look that two calls that cross are both up in the end, and that one link stays."""
        alice, bob = await self.two_phones()
        self.nodes.links.latency = latency
        calls = alice.call(bob.aor), bob.call(alice.aor)
        await gatherResults([call.ringing for call in calls])
        for phone in (alice, bob):
            (rung,) = [call for call in phone.calls if isinstance(call, IncomingCall)]
            await rung.answer()
        await gatherResults([call.answered for call in calls])
        await self.talk(*alice.calls, *bob.calls)
        await self.eventually(lambda: len(self.nodes.links.links) == 2, lambda: str(self.nodes.links.links))


class SharedNodeTests(NodeTestCase):
    """Several phones at one node."""

    names = ("alice",)

    async def test_two_people(self) -> None:
        """Two people of one household call each other, without any other node."""
        alice, carol = await self.phone(ALICE), await self.phone(CAROL, node="alice")
        for caller, callee in ((alice, carol), (carol, alice)):
            call, answered = await self.up(caller, callee)
            await self.talk(call, answered)
            self.assertEqual((await caller.message(callee.aor, "dinner")).status, 200)
            await answered.hang_up()
            await call.ended

    async def test_oneself(self) -> None:
        """Calling one's own name rings one's other phones, and not the one that calls."""
        hall = await self.phone(ALICE)
        kitchen, attic = await self.phone(ALICE), await self.phone(ALICE)
        call = hall.call(f"sip:{ALICE}")
        for phone in (kitchen, attic):
            await called(phone)
        (rung,) = kitchen.calls
        assert isinstance(rung, IncomingCall)
        await rung.answer()
        await call.answered
        self.assertEqual(requests(hall, "INVITE"), [])
        await self.talk(call, rung)
        self.assertEqual((await attic.calls[0].ended).status, 487)
        await rung.hang_up()
        await call.ended

    async def test_only_phone(self) -> None:
        """Where there is no other phone, nobody can be reached."""
        alice = await self.phone(ALICE)
        self.assertEqual((await refusal(alice.call(f"sip:{ALICE}"))).status, 480)
        self.assertEqual((await alice.message(f"sip:{ALICE}", "note")).status, 480)
        self.assertEqual(alice.texts, [])

    async def test_busy_at_home(self) -> None:
        """A phone of the same node is called and refuses, as any other."""
        alice, carol = await self.phone(ALICE), await self.phone(CAROL, node="alice")
        call, rung = await self.ringing(alice, carol)
        rung.reject(486)
        self.assertEqual((await refusal(call)).status, 486)
        self.assertEqual(rung.state, State.ENDED)


class ThreeNodesTests(NodeTestCase):
    """One person in the middle of two."""

    names = ("alice", "bob", "carol")

    async def test_two_calls(self) -> None:
        """Two people call a third; each call is its own."""
        alice, bob, carol = await self.phone(ALICE), await self.phone(BOB), await self.phone(CAROL)
        first, second = await self.up(alice, bob), await self.up(carol, bob)
        await self.talk(*first, *second)
        await first[1].hang_up()
        await first[0].ended
        await self.talk(*second)
        self.assertEqual(second[1].state, State.UP)
