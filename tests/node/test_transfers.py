"""Tests of transfers and forwarding between three people with a node each: who talks to whom in the end, and what is heard."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor

from p2pship.journal import CallForwarded
from p2pship.sip.message import Request, Response
from p2pship.testing.nodes import MemoryNodes
from p2pship.testing.phone import AT_ONCE, IGNORE, RING, IncomingCall, OutgoingCall, Phone
from p2pship.testing.phonecall import State
from p2pship.testing.phonetransfer import accepted, obey, place, refer_to, yield_to_replacing
from tests.node.calling import ALICE, BOB, CAROL, NodeTestCase, refusal, requests


class TransferCase(NodeTestCase):
    """Alice, Bob and Carol, each with a node and a phone."""

    names = ("alice", "bob", "carol")

    async def three(self) -> tuple[Phone, Phone, Phone]:
        """Register them."""
        return await self.phone(ALICE), await self.phone(BOB), await self.phone(CAROL, answering=AT_ONCE)

    def no_address(self, phone: Phone) -> None:
        """Look that nothing that a phone heard shows another phone's address or another node's."""
        nodes = {str(self.nodes.proxy(name)) for name in self.names}
        own = {str(phone.address), str(phone.proxy)}
        strange = (nodes | {str(each.address) for each in self.phones}) - own
        for message in phone.received:
            for address in strange:
                self.assertNotIn(address.encode(), message.encode())


class TransferTests(TransferCase):
    """REFER, and what comes of it."""

    async def test_blind(self) -> None:
        """Alice sends Bob on to Carol, by a name at her own node, and hangs up: Bob and Carol hear each other."""
        alice, bob, carol = await self.three()
        call, answered = await self.up(alice, bob)
        placed = obey(answered)
        here = f"sip:carol@{self.nodes.proxy('alice')}"
        headers = [("Refer-To", f"<{here}>"), ("Referred-By", f"<sip:alice@{self.nodes.proxy('alice')}>")]
        self.assertEqual((await call.request("REFER", headers)).status, 202)
        call.hang_up()
        await placed[0].answered
        await self.talk(placed[0], carol.calls[0])
        await alice.until(lambda: _fragments(alice)[-1:] == [b"SIP/2.0 200 OK\r\n"])
        (invite,) = requests(carol, "INVITE")
        self.assertEqual(invite.first("Referred-By"), f"<sip:{ALICE}>")
        self.assertEqual(requests(bob, "REFER")[0].first("Refer-To"), f"<sip:{CAROL}>")
        for phone in (bob, carol):
            self.no_address(phone)

    async def test_blind_fails(self) -> None:
        """When Carol is busy Alice, who has stayed, hears so, and talks on with Bob."""
        alice, bob, carol = await self.three()
        await carol.unregister()
        call, answered = await self.up(alice, bob)
        obey(answered)
        await call.request("REFER", [("Refer-To", f"<sip:{CAROL}>")])
        await alice.until(lambda: len(_fragments(alice)) == 2)
        self.assertIn(b"480", _fragments(alice)[-1])
        await self.talk(call, answered)

    async def test_attended(self) -> None:
        """Alice talks with Bob and with Carol, and then lets them talk: Carol's phone with the call takes Bob's in its place."""
        alice, bob, carol = await self.three()
        other = await self.phone(CAROL, answering=RING)
        call, answered = await self.up(alice, bob)
        placed = obey(answered)
        asked = alice.call(carol.aor)
        await asked.answered
        await self.talk(asked, carol.calls[0])
        other_rang = len(requests(other, "INVITE"))
        yield_to_replacing(carol)
        self.assertEqual((await call.request("REFER", [("Refer-To", refer_to(asked))])).status, 202)
        await placed[0].answered
        await asked.ended
        await self.talk(placed[0], carol.calls[-1])
        self.assertEqual(len(requests(other, "INVITE")), other_rang)
        await call.hang_up()
        await self.talk(placed[0], carol.calls[-1])
        self.no_address(bob)
        self.no_address(carol)

    async def test_attended_by_name(self) -> None:
        """The same where Alice's phone names only the person: the phone that has the call is found by its dialog."""
        alice, bob, carol = await self.three()
        call, answered = await self.up(alice, bob)
        placed = obey(answered)
        asked, _ = await self.up(alice, carol)
        await self.phone(CAROL, answering=RING)
        yield_to_replacing(carol)
        target = refer_to(asked)
        named = f"<sip:{CAROL}{target[target.index('?') :]}"
        await call.request("REFER", [("Refer-To", named)])
        await placed[0].answered
        await self.talk(placed[0], carol.calls[-1])
        self.assertEqual(len(self.phones[-1].calls), 0)

    async def test_outside_of_a_call(self) -> None:
        """A stranger's phone may not have another one call somebody; a REFER outside of a call is refused."""
        alice, bob, _ = await self.three()
        heard = len(requests(bob, "REFER"))
        headers = [("Refer-To", f"<sip:{CAROL}>"), alice.line.contact_header]
        self.assertEqual((await alice.request("REFER", bob.aor, headers)).status, 403)
        self.assertEqual(len(requests(bob, "REFER")), heard)
        self.assertEqual(self.counts("bob")["screen.strangers-refer"], 1)

    async def test_outside_of_a_call_at_home(self) -> None:
        """One's own phones may: Bob's desk phone has his other one call Carol (RFC 5359 §2.17), without subscribing."""
        _, bob, carol = await self.three()
        desk = await self.phone(BOB, answering=RING)
        placed: list[OutgoingCall] = []

        def asked(request: Request) -> Response | None:
            if request.method != "REFER":
                return None
            placed.append(place(bob, request))
            response = accepted(request, "referred", bob)
            response.append("Refer-Sub", "false")
            return response

        bob.on_request = asked
        headers = [("Refer-To", f"<sip:{CAROL}>"), ("Refer-Sub", "false"), desk.line.contact_header]
        self.assertEqual((await desk.request("REFER", f"sip:{BOB}", headers)).status, 202)
        await placed[0].answered
        await self.talk(placed[0], carol.calls[0])

    async def test_forged(self) -> None:
        """Nobody refers in another's name, or to a port of Bob's machine: refused, counted, and Bob's phone hears nothing."""
        alice, bob, _ = await self.three()
        call, answered = await self.up(alice, bob)
        for headers, rule in (
            ([("Refer-To", f"<sip:{CAROL}>"), ("Referred-By", f"<sip:{CAROL}>")], "forged-referrer"),
            ([("Refer-To", f"<sip:{CAROL}>"), ("Referred-By", f"<sip:{BOB}>")], "forged-referrer"),
        ):
            self.assertEqual((await call.request("REFER", headers)).status, 403)
            self.assertGreaterEqual(self.counts("bob")[f"screen.{rule}"], 1)
        self.assertEqual(requests(bob, "REFER"), [])
        await self.talk(call, answered)


class ForwardingTests(TransferCase):
    """Phones that answer 302."""

    async def test_followed(self) -> None:
        """Bob's phone points to Carol at its own node's address: Alice's node calls her, and Bob's node has no part in it."""
        alice, bob, carol = await self.three()
        _redirect(bob, f"<sip:carol@{self.nodes.proxy('bob')}>")
        call = alice.call(bob.aor)
        await call.answered
        await self.talk(call, carol.calls[0])
        (fact,) = self.told("alice", CallForwarded)
        self.assertEqual(fact.target, CAROL)
        self.assertEqual(self.counts("bob")["relays"], 0)
        self.assertEqual(self.node("bob").standing.live_calls(), [])
        self.no_address(alice)

    async def test_circle(self) -> None:
        """Bob points to Carol and Carol to Bob: it ends with 482, and nothing is left."""
        alice, bob, carol = await self.three()
        _redirect(bob, f"<sip:{CAROL}>")
        _redirect(carol, f"<sip:{BOB}>")
        self.assertEqual((await refusal(alice.call(bob.aor))).status, 482)

    async def test_back_to_the_caller(self) -> None:
        """Bob points to Alice: her other phone rings, and not the one that calls."""
        alice, bob, _ = await self.three()
        other = await self.phone(ALICE, answering=AT_ONCE)
        _redirect(bob, f"<sip:{ALICE}>")
        call = alice.call(bob.aor)
        await call.answered
        await self.talk(call, other.calls[0])
        self.assertEqual(len(alice.calls), 1)

    async def test_no_address_leaks(self) -> None:
        """A phone that points to itself on its own network shows nobody where that is: the call fails, with no Contact."""
        alice, bob, _ = await self.three()
        _redirect(bob, "<sip:desk@10.9.8.7:5062>, <tel:+358401234567>")
        refused = await refusal(alice.call(bob.aor))
        self.assertEqual((refused.status, refused.response.values("Contact")), (302, ["<tel:+358401234567>"]))


class AnonymousTests(TransferCase):
    """Calls without a name."""

    async def test_nobody_calls(self) -> None:
        """Bob's phone shows nobody, hears Alice, and either side can change and end the call."""
        alice, bob, _ = await self.three()
        call = _anonymous_call(alice, BOB)
        await call.ringing
        answered = bob.calls[0]
        assert isinstance(answered, IncomingCall)
        await answered.answer()
        await self.talk(call, answered)
        await answered.hold()
        await answered.resume()
        await call.hold()
        await call.resume()
        await self.talk(call, answered)
        await answered.hang_up()
        await call.ended
        for message in bob.received:
            self.assertNotIn(b"alice", message.encode())
        self.assertEqual(call.state, State.ENDED)


class NoAnonymousTests(TransferCase):
    """Nodes that take no calls without a name."""

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make the nodes with that option."""
        return MemoryNodes(reactor, folder, self.names, ("sip.anonymous=false",))

    async def test_refused(self) -> None:
        """433 tells why, Bob's phone hears nothing, and with a name the call passes."""
        alice, bob, _ = await self.three()
        self.assertEqual((await refusal(_anonymous_call(alice, BOB))).status, 433)
        self.assertEqual(bob.calls, [])
        self.assertEqual(self.counts("bob")["screen.anonymous"], 1)
        await self.up(alice, bob)


class RestartTests(TransferCase):
    """A node that forgets its calls."""

    async def test_bye_after_a_crash(self) -> None:
        """Bob's node has crashed and is there again: his phone, which knows nothing of it, hangs up at Alice's all the same."""
        alice, bob, _ = await self.three()
        _, answered = await self.up(alice, bob)
        await self.eventually(lambda: self._kept("bob") == 1)
        old = self.nodes.proxy("bob")
        await self.nodes.crash("bob")
        await self.nodes.start_anew("bob")
        # In real life the node keeps its port; each of these takes any.
        moved = str(self.nodes.proxy("bob"))
        answered.dialog.routes = [route.replace(str(old), moved) for route in answered.dialog.routes]
        response = await answered.request("BYE")
        self.assertIn(
            response.status, (200, 481)
        )  # Alice's phone may have heard from its own node that it is over
        self.assertEqual(len([bye for bye in requests(alice, "BYE") if "Reason" not in bye]), 1)

    def _kept(self, name: str) -> int:
        return len(list(self.node(name).telephony.bindings))


def _fragments(phone: Phone) -> list[bytes]:
    return [notify.body for notify in requests(phone, "NOTIFY")]


def _redirect(phone: Phone, contacts: str) -> None:
    """Let a phone point to somebody else with each call that comes."""

    phone.answering = IGNORE
    phone.on_call = lambda call: call.reject(302, [("Contact", contacts)])


def _anonymous_call(phone: Phone, aor: str) -> OutgoingCall:
    """Place a call from nobody."""
    named, phone.aor = phone.aor, "sip:anonymous@anonymous.invalid"
    try:
        return phone.call(f"sip:{aor}", [("Privacy", "id")])
    finally:
        phone.aor = named
