"""Tests of callers who give up: the phone that was called stops ringing, or never begins to."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.task import deferLater

from p2pship.sip.legs import LINK_PATIENCE, LegToPeer
from p2pship.testing.phone import Ending, OutgoingCall, Phone
from p2pship.testing.phonecall import State
from tests.node.calling import NodeTestCase, requests


class CancelTests(NodeTestCase):
    """CANCEL, at each moment of a call's beginning."""

    async def _trying(self, caller: Phone, callee: Phone) -> OutgoingCall:
        """Return a call of which nothing is known yet but that the node tries."""
        call = caller.call(callee.aor)
        await caller.until(lambda: bool(call.responses))
        return call

    async def _only_this_rings(self, caller: Phone, callee: Phone) -> None:
        """Look that another call rings, and that it is the first of which the phone hears."""
        call, rung = await self.ringing(caller, callee)
        self.assertEqual([each.call_id for each in requests(callee, "INVITE")], [call.invite.call_id])
        self.assertEqual(rung.state, State.RINGING)

    async def test_while_ringing(self) -> None:
        """The phone that rings is told, and the caller hears that its wish was done."""
        alice, bob = await self.two_phones()
        call, rung = await self.ringing(alice, bob)
        ending = await call.cancel()
        self.assertEqual((ending.remote, ending.status), (True, 487))
        self.assertEqual((await rung.ended).status, 487)

    async def test_during_lookup(self) -> None:
        """While the person is searched for, the caller is answered at once, and nobody is called later."""
        alice, bob = await self.two_phones()
        lookup = self.nodes.lookups["alice"]
        lookup.delay = 3.0
        call = await self._trying(alice, bob)
        began = reactor.seconds()
        self.assertEqual((await call.cancel()).status, 487)
        self.assertLess(reactor.seconds() - began, lookup.delay)
        lookup.delay = 0.0
        await self._only_this_rings(alice, bob)

    async def test_during_dial(self) -> None:
        """While the other node does not answer, the caller is, and nobody is called when it is back."""
        alice, bob = await self.two_phones()
        self.nodes.kill("bob")
        call = await self._trying(alice, bob)
        await deferLater(reactor, 0.2)  # the person was found, and is dialled
        self.assertEqual((await call.cancel()).status, 487)
        self.nodes.links.heal()
        await self._only_this_rings(alice, bob)

    async def test_during_hello(self) -> None:
        """While the nodes greet each other the caller is answered too, and nobody is called."""
        alice, bob = await self.two_phones()
        self.nodes.links.latency = 0.2  # the link is up after 0.4 s, the hello has passed after 0.8
        call = await self._trying(alice, bob)
        await self.eventually(lambda: bool(self.nodes.links.links))
        self.assertEqual((await call.cancel()).status, 487)
        self.nodes.links.latency = 0.0
        await self._only_this_rings(alice, bob)

    async def test_crosses_the_answer(self) -> None:
        """A call that was answered before the CANCEL came there is up at both ends, and is hung up by the caller."""
        alice, bob = await self.two_phones()
        call, rung = await self.ringing(alice, bob)
        self.nodes.links.latency = 0.1
        answered = rung.answer()
        self.assertEqual(await call.cancel(), Ending(remote=False))
        self.assertEqual([response.status for response in call.responses][-1], 200)
        await answered
        self.assertEqual(await rung.ended, Ending(remote=True))

    async def test_over_a_silent_link(self) -> None:
        """Where the link to the other node has fallen silent, the caller is answered within 5 s (here: within 0.5)."""
        self.patch(LegToPeer, "patience", LINK_PATIENCE / 10)
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        self.nodes.kill("bob")
        call = await self._trying(alice, bob)
        began = reactor.seconds()
        self.assertEqual((await call.cancel()).status, 487)
        self.assertLess(reactor.seconds() - began, LINK_PATIENCE)
