"""Tests of calls whose other node, or the way to it, is lost.

The times for which a loss is borne are made shorter for these tests, all by the same factor: a call is ended after 30 s
of real time, and the reactor is a real one.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from p2pship.bearer import silence
from p2pship.journal import CallEnded, Published
from p2pship.overlay import redial, vigil
from p2pship.sip import legs, proxy
from p2pship.sip.legs import LINK_PATIENCE, LegToPeer
from p2pship.sip.message import response_to
from p2pship.testing import bearer
from p2pship.testing.phone import Ending, IncomingCall, OutgoingCall, Phone
from p2pship.testing.phonecall import State
from tests.node.calling import NodeTestCase, refusal, requests

FACTOR = 10
"By how much the times are shorter."


class ImpatientTestCase(NodeTestCase):
    """Nodes for which all these times are shorter."""

    def setUp(self) -> Deferred[Any]:  # type: ignore[override]  # trial waits for it
        """Make the times shorter."""
        for module, name in (
            (silence, "STALL_TIME"),
            (vigil, "GIVE_UP_AFTER"),
            (vigil, "_TICK"),
            (bearer, "DIAL_TIME"),
            (redial, "LONGEST_PAUSE"),
            (proxy, "LOST_AFTER"),
        ):
            self.patch(module, name, getattr(module, name) / FACTOR)
        self.patch(redial, "PAUSES", tuple(pause / FACTOR for pause in redial.PAUSES))
        return super().setUp()

    def _has_link(self, node: str) -> bool:
        """Tell whether a node thinks that it has a link."""
        return any(peer["path"] for peer in self.node(node).status()["peers"])


class LossTests(ImpatientTestCase):
    """A call that is up."""

    async def _up(self) -> tuple[Phone, Phone, OutgoingCall, IncomingCall]:
        alice, bob = await self.two_phones()
        call, answered = await self.up(alice, bob)
        await self.talk(call, answered)
        return alice, bob, call, answered

    def _told_why(self, ending: Ending, node: str, *words: str) -> None:
        """Look that a phone was hung up, told why (RFC 3326), and that the journal says the same."""
        self.assertTrue(ending.remote)
        self.assertIn("SIP;cause=480", ending.reason)
        (fact,) = self.told(node, CallEnded)
        for word in words:
            self.assertIn(word, ending.reason)
            self.assertIn(word, fact.reason)

    async def test_stopped(self) -> None:
        """When a node stops, its phone and the other's are hung up at once."""
        _, _, call, answered = await self._up()
        await self.nodes.restart("bob")
        self._told_why(await call.ended, "alice", "the other node is stopping")
        self._told_why(await answered.ended, "bob", "the node is stopping")

    async def test_crashed_and_back(self) -> None:
        """A node that was killed and is back has forgotten the call: the other phone is hung up as soon as that is known."""
        _, _, call, answered = await self._up()
        await self.nodes.crash("bob")
        self.assertIs(call.state, State.UP)
        await self.nodes.start_anew("bob")
        self._told_why(await call.ended, "alice", "restarted")
        answered.hang_up()

    async def test_called_again(self) -> None:
        """The first call to a node that was killed and is back rings, is answered, and can be given up."""
        alice, bob, call, answered = await self._up()
        await call.hang_up()
        await answered.ended
        await self.nodes.crash("bob")
        await self.nodes.start_anew("bob")
        await self.eventually(lambda: len(self.told("bob", Published)) == 2)
        again, answered = await self.up(alice, bob)
        await self.talk(again, answered)
        await again.hang_up()
        await answered.ended

    async def test_called_before_that_is_known(self) -> None:
        """So does one that is made before anybody here knows of it: what the node has not taken goes to its next life."""
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        published = dict(self.nodes.directory.items)
        self.nodes.kill("bob")
        call = alice.call(bob.aor)
        await self.nodes.stop_one("bob")
        self.nodes.directory.items.update(published)
        self.nodes.links.heal()
        await self.nodes.start_anew("bob")
        await call.answered
        self.assertEqual(requests(bob, "INVITE")[-1].call_id, call.invite.call_id)
        await self.talk(call, bob.calls[-1])

    async def test_taken_before(self) -> None:
        """A message that the node had taken when it was killed is not sent to its next life: a phone has it already."""
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        bob.on_request = lambda request: response_to(request, 100)
        answer = alice.message(bob.aor, "once")
        (peer,) = self.node("alice").overlay._peers
        await self.eventually(lambda: bool(requests(bob, "MESSAGE")) and not peer._payloads.unanswered)
        await self.nodes.crash("bob")
        await self.nodes.start_anew("bob")
        await self.eventually(lambda: len(self.told("bob", Published)) == 2)
        again = await self.up(alice, bob)
        self.assertEqual((await answer).status, 480)
        await self.talk(*again)
        self.assertEqual(len({one.first("Via") for one in requests(bob, "MESSAGE")}), 1)
        await again[0].hang_up()

    async def test_vanished(self) -> None:
        """When the other side has been out of reach for 30 s, each phone is hung up by its own node."""
        self.patch(proxy, "LOST_AFTER", 1.0)
        _, _, call, answered = await self._up()
        self.nodes.kill("bob")
        began = reactor.seconds()
        self._told_why(await call.ended, "alice", "cannot be reached")
        self._told_why(await answered.ended, "bob", "cannot be reached")
        self.assertGreater(reactor.seconds() - began, 1.0)

    async def test_short_silence(self) -> None:
        """A link that is silent for two seconds carries the call on."""
        _, _, call, answered = await self._up()
        links = tuple(self.nodes.links.links)
        self.nodes.kill("bob")
        await deferLater(reactor, 2 / FACTOR)
        self.nodes.links.heal()
        await self.talk(call, answered)
        self.assertEqual(tuple(self.nodes.links.links), links)

    async def test_long_silence(self) -> None:
        """A link that is silent for longer is given up, and another one carries the call on."""
        _, _, call, answered = await self._up()
        self.nodes.kill("bob")
        await self.eventually(lambda: not self._has_link("alice") and not self._has_link("bob"))
        self.nodes.links.heal()
        await self.talk(call, answered)
        self.assertEqual((await call.send_info("1")).status, 200)
        self.assertEqual((await answered.send_info("2")).status, 200)

    async def test_broken_link(self) -> None:
        """A link that breaks is dialled anew at once, and the phones notice nothing but a gap."""
        alice, bob, call, answered = await self._up()
        self.nodes.break_links("bob")
        await self.talk(call, answered)
        self.assertEqual(requests(alice, "BYE") + requests(bob, "BYE"), [])

    async def test_hung_up_meanwhile(self) -> None:
        """Who hangs up while the link is silent has hung up; the other phone hears it when the link is back."""
        _, _, call, answered = await self._up()
        self.nodes.kill("bob")
        await call.hang_up()
        await deferLater(reactor, 4 / FACTOR)
        self.assertIs(answered.state, State.UP)
        self.nodes.links.heal()
        self.assertEqual(await answered.ended, Ending(remote=True))

    async def test_hung_up_after_a_break(self) -> None:
        """The same when the link is given up, and the BYE has to wait for another."""
        _, _, call, answered = await self._up()
        self.nodes.kill("bob")
        await self.eventually(lambda: not self._has_link("alice") and not self._has_link("bob"))
        await answered.hang_up()
        self.nodes.links.heal()
        self.assertEqual(await call.ended, Ending(remote=True))

    async def test_caller_stops_while_ringing(self) -> None:
        """The caller's node stops while it rings: the caller hears 503, and the other phone stops ringing."""
        alice, bob = await self.two_phones()
        call, rung = await self.ringing(alice, bob)
        await self.nodes.stop_one("alice")
        error = await refusal(call)
        self.assertEqual((error.status, error.response.first("Retry-After")), (503, "5"))
        ending = await rung.ended
        self.assertEqual(ending.status, 487)
        self.assertIn("the node is stopping", ending.reason)

    async def test_callee_stops_while_ringing(self) -> None:
        """The node of who was called stops while it rings: the phone stops ringing, and the caller hears 480."""
        alice, bob = await self.two_phones()
        call, rung = await self.ringing(alice, bob)
        await self.nodes.stop_one("bob")
        self.assertEqual((await refusal(call)).status, 480)
        self.assertEqual((await rung.ended).status, 487)

    async def test_caller_vanishes_while_ringing(self) -> None:
        """The caller vanishes while it rings: the phone stops when that has lasted for long, and hears why."""
        self.patch(proxy, "LOST_AFTER", 1.0)
        alice, bob = await self.two_phones()
        _, rung = await self.ringing(alice, bob)
        self.nodes.kill("alice")
        ending = await rung.ended
        self.assertEqual(ending.status, 487)
        self.assertIn("cannot be reached", ending.reason)

    async def test_phone_is_gone(self) -> None:
        """A phone that is switched off in a call is not noticed by anybody but the one who talks, and who can hang up."""
        self.patch(legs, "LINK_PATIENCE", 0.3)
        _, bob, call, answered = await self._up()
        await bob.stop()
        await call.hang_up()
        await answered.ended
        await self.eventually(lambda: not self.counts("bob")["dialogs"])


class MovedTests(ImpatientTestCase):
    """A node that has moved to another address, while a link to where it was is silent and not yet given up."""

    def setUp(self) -> Deferred[Any]:  # type: ignore[override]  # trial waits for it
        """Make what a caller waits for shorter, too."""
        self.patch(LegToPeer, "patience", LINK_PATIENCE / FACTOR)
        return super().setUp()

    async def _move(self) -> tuple[Phone, Phone]:
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        published = dict(self.nodes.directory.items)
        self._old_path = self._path()
        for link in self.nodes.links.links:
            link.cut()
        self.nodes.bearers["bob"].move()
        await self.eventually(lambda: self.nodes.directory.items != published)
        return alice, bob

    def _path(self) -> str:
        (peer,) = self.node("alice").status()["peers"]
        return peer["path"]

    async def _link_is_given_up(self) -> None:
        await self.eventually(lambda: self._path() != self._old_path)

    async def test_second_call(self) -> None:
        """The first call finds out that nobody is there any more, and the second one finds where they are."""
        alice, bob = await self._move()
        self.assertEqual((await refusal(alice.call(bob.aor))).status, 480)
        await self._link_is_given_up()
        call, rung = await self.ringing(alice, bob)
        invites = requests(bob, "INVITE")[1:]
        self.assertEqual([invite.call_id for invite in invites], [call.invite.call_id])
        await rung.answer()
        await self.talk(call, rung)

    async def test_messages(self) -> None:
        """A message that was answered with a failure is not delivered later, when the link is made anew."""
        alice, bob = await self._move()
        self.assertEqual((await alice.message(bob.aor, "lost")).status, 480)
        await self._link_is_given_up()
        self.assertEqual((await alice.message(bob.aor, "again")).status, 200)
        self.assertEqual([text.text for text in bob.texts], ["again"])
