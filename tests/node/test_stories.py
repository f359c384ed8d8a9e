"""Tests of the journal of calls: each kind of call has a story at both nodes, and it tells the truth."""

from __future__ import annotations

import json

from p2pship.cli.story import story_text
from p2pship.errors import LocalError
from p2pship.sip import fork
from p2pship.sip.callbook import NoSuchCall
from p2pship.sip.legs import LINK_PATIENCE, PHONE_PATIENCE, LegToPeer, LegToPhone
from p2pship.sip.message import Request, Response, response_to
from p2pship.standing import commands
from p2pship.status import CallStory
from p2pship.testing.lookup import MemoryLookupDown
from p2pship.testing.phone import AT_ONCE, IGNORE, Call, OutgoingCall, Phone
from tests.node.calling import ALICE, BOB, CAROL, NodeTestCase, refusal


class StoryTestCase(NodeTestCase):
    """Nodes whose journals of calls are read."""

    def stories(self, node: str) -> list[CallStory]:
        """Return every story that a node keeps, the latest first."""
        book = self.node(node).telephony.book
        return [book.story(line["id"]) for line in book.recent(100)]

    def story(self, node: str = "alice") -> CallStory:
        """Return the only story of a node."""
        (story,) = self.stories(node)
        return story

    async def settled(self, node: str, state: str) -> CallStory:
        """Wait until a node's latest story has come to a state, and return it."""
        await self.eventually(
            lambda: bool(self.stories(node)) and self.stories(node)[0]["state"] == state,
            lambda: f"{[story['state'] for story in self.stories(node)]}, not {state}",
        )
        return self.stories(node)[0]

    def says(self, story: CallStory, *words: str) -> None:
        """Look that a story has these words when it is printed."""
        text = story_text(story)
        for each in words:
            self.assertIn(each, text)

    def in_order(self, story: CallStory) -> None:
        """Look that nothing in a story happened before it could."""
        times = [0.0, story["rang"], story["answered"], story["ended"]]
        known = [time for time in times if time is not None]
        self.assertEqual(known, sorted(known))


def accept_refer(request: Request) -> Response | None:
    """Agree to be transferred; what else comes is answered as always."""
    return response_to(request, 202) if request.method == "REFER" else None


class AnsweredTests(StoryTestCase):
    """Calls that were answered."""

    async def test_both_sides(self) -> None:
        """Both nodes tell of the same call: who was found and reached how, who rang, who hung up."""
        alice, bob = await self.two_phones()
        call, answered = await self.up(alice, bob)
        self.assertEqual([self.story(node)["state"] for node in ("alice", "bob")], ["up", "up"])
        (live,) = self.node("alice").standing.live_calls()
        self.assertEqual(live["id"], self.story()["id"])
        await call.hang_up()
        await answered.ended
        out, into = await self.settled("alice", "ended"), await self.settled("bob", "ended")
        self.assertEqual((out["direction"], into["direction"]), ("outgoing", "incoming"))
        for story in (out, into):
            self.assertEqual((story["caller"], story["callee"], story["status"]), (ALICE, BOB, 200))
            self.assertEqual(story["call_id"], call.dialog.call_id)
            self.assertEqual((story["name_grade"], story["acquaintance"]), ("unproven", "stranger"))
            self.assertEqual(story["encrypted"], True)
            self.in_order(story)
        (asked,), (tried,) = out["asked"], out["tried"]
        self.assertEqual((asked["lookup"], tried["lookup"], tried["reached"]), ("memory", "memory", True))
        self.assertTrue(tried["locators"])
        self.assertEqual((out["ended_by"], into["ended_by"]), ("our phone", "the other side"))
        self.assertEqual([each["status"] for each in into["branches"][0]["heard"]][-1:], [200])
        self.says(out, "was found by memory", "its hello took", "sent to peer bob@example.com", "encrypted")
        self.says(into, "sent to phone udp", "answered 200", "by the other side: the other side hung up")

    async def test_over_a_link(self) -> None:
        """A person whose device is connected was not dialled."""
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        await self.have_talked(alice, bob)
        self.assertEqual([each["lookup"] for each in self.stories("alice")[0]["tried"]], ["link"])

    async def test_on_one_node(self) -> None:
        """A call between two phones of a node has a story for each."""
        alice = await self.phone(ALICE)
        carol = await self.phone("carol@example.com", node="alice")
        await self.have_talked(alice, carol)
        into, out = sorted(self.stories("alice"), key=lambda story: story["direction"])
        self.assertEqual((into["direction"], out["direction"]), ("incoming", "outgoing"))
        self.assertEqual(into["call_id"], out["call_id"])
        self.assertEqual((into["state"], out["state"]), ("ended", "ended"))
        self.assertEqual([each["lookup"] for each in out["tried"]], ["local"])

    async def test_peer_is_gone(self) -> None:
        """A call that this node ends, since the other one was restarted, was ended by it."""
        alice, bob = await self.two_phones()
        await self.up(alice, bob)
        await self.nodes.restart("bob")
        story = await self.settled("alice", "ended")
        self.assertEqual(story["ended_by"], "this node")
        self.assertEqual((await self.settled("bob", "ended"))["reason"], "the node is stopping")

    async def test_commands(self) -> None:
        """The control socket tells the latest calls and one story; also after a restart; what is asked wrongly is refused."""
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        await self.nodes.restart("alice")
        answers = commands(lambda: self.node("alice").standing)
        (line,) = answers["calls recent"]({"number": 5})
        story = answers["calls why"]({"id": line["id"][:5]})
        self.assertEqual((line["state"], story["id"], story["state"]), ("ended", line["id"], "ended"))
        json.dumps(story)
        self.assertRaises(NoSuchCall, answers["calls why"], {"id": "nosuch"})
        self.assertRaises(NoSuchCall, answers["calls why"], {})
        for number in (0, -1, "7", None, True, 1.5):
            self.assertRaises(LocalError, answers["calls recent"], {"number": number})

    async def test_transfer(self) -> None:
        """A transfer within a call is noted at both nodes, with who asked for it."""
        alice, bob = await self.two_phones()
        call, answered = await self.up(alice, bob)
        answered.on_request = accept_refer
        await call.request("REFER", [("Refer-To", "<sip:carol@example.com>"), alice.line.contact_header])
        over = [("Event", "refer"), ("Subscription-State", "terminated;reason=noresource")]
        await answered.request("NOTIFY", [*over, ("Content-Type", "message/sipfrag")], b"SIP/2.0 200 OK")
        words = "transferred it to <sip:carol@example.com>"
        self.assertEqual(self.story("alice")["notes"], [f"our phone {words}"])
        self.assertEqual(self.story("bob")["notes"], [f"the other side {words}"])


class FailedTests(StoryTestCase):
    """Calls that were not answered: the caller's node tells why."""

    async def _failed(self, call: Call, status: int, *words: str) -> CallStory:
        """Look that a call fails, and what its story says."""
        self.assertEqual((await refusal(call)).status, status)
        story = await self.settled("alice", "failed")
        self.assertEqual((story["status"], story["caller"], story["answered"]), (status, ALICE, None))
        self.in_order(story)
        self.says(story, f"The caller heard {status}", *words)
        return story

    async def test_nobody(self) -> None:
        """Nobody knows the name: who was asked, and for how long."""
        alice = await self.phone(ALICE)
        story = await self._failed(
            alice.call("sip:nobody@example.com"),
            404,
            "lookup memory was asked",
            "No device of nobody@example.com, who was never met,",
        )
        self.assertEqual((story["tried"], story["branches"], story["met"]), ([], [], False))
        self.assertEqual([each["answer"] for each in story["asked"]], ["completed"])

    async def test_lookup_fails(self) -> None:
        """The lookup's own reason is told."""
        alice = await self.phone(ALICE)
        self.nodes.lookups["alice"].failure = MemoryLookupDown()
        await self._failed(alice.call(f"sip:{BOB}"), 500, "lookup memory failed", "told to fail")

    async def test_silent(self) -> None:
        """A device that was found and is silent: at which locator, how long, and why."""
        alice, bob = await self.two_phones()
        await self.nodes.crash("bob")
        story = await self._failed(alice.call(bob.aor), 480, "nobody listens there", " at memory:")
        (tried,) = story["tried"]
        self.assertEqual((tried["reached"], story["branches"]), (False, []))

    async def test_their_policy(self) -> None:
        """A node whose policy lets nobody in says nothing but no."""
        alice, bob = await self.two_phones()
        vetting = self.node("bob").overlay._dialling._vetting
        self.patch(vetting, "_admit", lambda papers, called, verdict: False)
        await self._failed(alice.call(bob.aor), 480, "would not talk to us")

    async def test_silent_link(self) -> None:
        """A node that says nothing over its link to a call is named as the one that was given up."""
        self.patch(LegToPeer, "patience", LINK_PATIENCE / 10)
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        self.nodes.kill("bob")
        story = await self._failed(alice.call(bob.aor), 480, "It was given up: it does not answer at all")
        self.assertEqual([each["heard"] for each in story["branches"]], [[]])

    async def test_phone_off(self) -> None:
        """The callee's node knows which phone was silent; the caller's what that node said."""
        self.patch(LegToPhone, "patience", PHONE_PATIENCE / 10)
        alice, bob = await self.two_phones()
        await bob.stop()
        story = await self._failed(alice.call(bob.aor), 480, "it answered 480")
        self.assertEqual(len(story["branches"]), 1)
        into = await self.settled("bob", "failed")
        self.says(into, "sent to phone udp", "It was given up: it does not answer at all")

    async def test_busy(self) -> None:
        """A phone that declines has said so itself."""
        alice, bob = await self.two_phones()
        call, rung = await self.ringing(alice, bob)
        rung.reject(486)
        out, into = await self._failed(call, 486, "answered 180, it rings", "486"), self.story("bob")
        self.assertEqual((into["state"], into["status"]), ("failed", 486))
        for story in (out, into):
            self.assertEqual([each["status"] for each in story["branches"][0]["heard"]][-2:], [180, 486])

    async def test_no_phone(self) -> None:
        """Nobody is registered there."""
        alice, bob = await self.two_phones()
        await bob.unregister()
        await self._failed(alice.call(bob.aor), 480)
        self.says(self.story("bob"), "no phone is registered under this name")

    async def test_not_registered(self) -> None:
        """A phone that has not registered may not call: the node says so, in a story too."""
        alice, _ = await self.two_phones()
        await alice.unregister()
        story = await self._failed(alice.call(f"sip:{BOB}"), 403, "register first")
        self.assertEqual(story["branches"], [])

    async def test_no_name(self) -> None:
        """An address that names nobody is a call that failed too."""
        alice = await self.phone(ALICE)
        await self._failed(alice.call("sip:127.0.0.1"), 404)

    async def test_timed_out(self) -> None:
        """A phone that rings for too long is given up; whose phone rang has missed a call."""
        alice, bob = await self.two_phones()
        self.patch(fork, "TIMER_C", 0.5)
        call, _ = await self.ringing(alice, bob)
        await self._failed(call, 408, "answered 180")
        self.assertEqual((await self.settled("bob", "missed"))["answered"], None)


class GivenUpTests(StoryTestCase):
    """Calls that the caller gave up."""

    async def test_while_ringing(self) -> None:
        """The caller cancelled; for the one called it is a missed call."""
        alice, bob = await self.two_phones()
        call, _ = await self.ringing(alice, bob)
        await call.cancel()
        out, into = await self.settled("alice", "cancelled"), await self.settled("bob", "missed")
        self.assertEqual((out["ended_by"], into["ended_by"]), ("our phone", "the other side"))
        self.assertEqual((out["status"], into["status"]), (487, 487))
        self.says(into, "Nobody answered.", "answered 180, it rings")

    async def test_during_lookup(self) -> None:
        """Who had been asked until then is told, and that it had not answered."""
        alice, bob = await self.two_phones()
        self.nodes.lookups["alice"].delay = 3.0
        call = await self._trying(alice, bob)
        await call.cancel()
        story = await self.settled("alice", "cancelled")
        self.assertEqual([each["answer"] for each in story["asked"]], ["not answered yet"])
        self.says(story, "The lookup memory had not ended")

    async def test_during_dial(self) -> None:
        """Which device was being dialled is told."""
        alice, bob = await self.two_phones()
        self.nodes.kill("bob")
        call = await self._trying(alice, bob)
        overlay = self.node("alice").overlay
        await self.eventually(lambda: bool(overlay._dialling._under_way))
        await call.cancel()
        story = await self.settled("alice", "cancelled")
        self.assertEqual([each["reached"] for each in story["tried"]], [False])
        self.says(story, "still being dialled")

    async def _trying(self, caller: Phone, callee: Phone) -> OutgoingCall:
        call = caller.call(callee.aor)
        await caller.until(lambda: bool(call.responses))
        return call


class ForwardedTests(StoryTestCase):
    """Calls that a phone sends on to somebody else."""

    names = ("alice", "bob", "carol")

    def _point_to(self, bob: Phone, contact: str) -> None:
        """Let a phone answer each call with 302 and this Contact."""
        bob.answering = IGNORE
        bob.on_call = lambda call: call.reject(302, [("Contact", contact)])

    async def test_followed(self) -> None:
        """The caller's node tells of both searches; the node that pointed on says where to."""
        alice, bob = await self.two_phones()
        carol = await self.phone(CAROL, answering=AT_ONCE)
        self._point_to(bob, f"<sip:{CAROL}>")
        call = alice.call(bob.aor)
        await call.answered
        story = self.story("alice")
        self.assertEqual({each["aor"] for each in story["asked"]}, {BOB, CAROL})
        self.assertEqual([each["aor"] for each in story["tried"]], [BOB, CAROL])
        self.says(
            story, f"The call was forwarded to {CAROL}", f"The lookup memory, for {CAROL},", "answered 302"
        )
        self.assertEqual(self.story("bob")["state"], "redirected")
        self.assertEqual(self.story("carol")["state"], "up")
        self.assertEqual(len(carol.calls), 1)

    async def test_not_followed(self) -> None:
        """Where nobody can be asked the caller is told, and so is who reads the story."""
        alice, bob = await self.two_phones()
        self._point_to(bob, "<tel:+358401234567>")
        self.assertEqual((await refusal(alice.call(bob.aor))).status, 302)
        story = await self.settled("alice", "redirected")
        self.says(story, "tel:+358401234567", "The caller was sent elsewhere.", "The caller heard 302")
