"""Tests of calls that would go round for ever, or to too many: across nodes, and through phones that are proxies themselves."""

from __future__ import annotations

from p2pship.sip.message import Request, parse
from p2pship.testing.phone import AT_ONCE, RING, IncomingCall
from tests.node.calling import ALICE, BOB, NodeTestCase, refusal, requests
from tests.node.rawphones import RawCase, RawPhone

NOBODY = "<sip:anonymous@anonymous.invalid>;tag=n"
"From of a call that anybody may send on, because it is in nobody's name."


class RoundTests(RawCase):
    """Phones at two nodes that send on what they get, as a proxy does."""

    def invite(self, phone: RawPhone, hops: int = 70) -> bytes:
        """Return Alice's INVITE for Bob."""
        contact = f"Contact: <sip:raw@{phone.address}>"
        made = phone.request("INVITE", f"sip:{BOB}", NOBODY, f"<sip:{BOB}>", contact)
        return made.replace(b"Max-Forwards: 70", b"Max-Forwards: %d" % hops)

    async def came(self, phone: RawPhone) -> Request:
        """Return the request that a phone gets."""
        await self.eventually(lambda: bool(phone.requests))
        message = parse(phone.requests[0])
        assert isinstance(message, Request)
        return message

    def send_on(self, phone: RawPhone, message: Request, uri: str) -> None:
        """Send on what came, as the proxy of RFC 3261 §16 that forgot to look for loops."""
        message.uri = uri
        message.remove("Route", "Record-Route")
        message.set("Max-Forwards", str((message.max_forwards or 0) - 1))
        message.prepend("Via", f"SIP/2.0/UDP {phone.address};branch=z9hG4bKon{phone.address.port}")
        phone.send(message.encode())

    async def test_back_to_itself(self) -> None:
        """Bob's phone sends his call to him once more: his node sees that it has this call already, and says 482."""
        alice, bob = await self.raw("alice", ALICE), await self.raw("bob", BOB)
        alice.send(self.invite(alice))
        self.send_on(bob, await self.came(bob), f"sip:{BOB}")
        await self.eventually(lambda: bool(bob.finals("INVITE")))
        self.assertEqual(bob.finals("INVITE")[0].status, 482)
        self.assertEqual((len(bob.requests), self.counts("bob")["sip.loop"]), (1, 1))
        await self.over(alice, bob)

    async def test_round_two_nodes(self) -> None:
        """Bob's phone sends the call back to Alice, and one of hers to Bob: Alice's node sees it pass again."""
        alice, bob = await self.raw("alice", "sip-client@example.com"), await self.raw("bob", BOB)
        other = await self.raw("alice", ALICE)
        alice.send(self.invite(alice))
        self.send_on(bob, await self.came(bob), f"sip:{ALICE}")
        self.send_on(other, await self.came(other), f"sip:{BOB}")
        await self.eventually(lambda: bool(other.finals("INVITE")))
        self.assertEqual(other.finals("INVITE")[0].status, 482)
        self.assertEqual((len(bob.requests), self.counts("alice")["sip.loop"]), (1, 1))
        other.answer(other.requests[0], 482, "o")
        await self.eventually(lambda: bool(bob.finals("INVITE")))
        await self.over(alice, bob)

    async def over(self, alice: RawPhone, bob: RawPhone) -> None:
        """Let Bob's phone pass on that the call loops, and look that Alice's hears so."""
        bob.answer(bob.requests[0], 482, "b")
        await self.eventually(lambda: bool(alice.finals("INVITE")))
        self.assertEqual(alice.finals("INVITE")[0].status, 482)

    async def test_hops(self) -> None:
        """Each node takes one from Max-Forwards: with one Bob's node says 483, with two his phone rings (§16.3 item 3)."""
        alice, bob = await self.raw("alice", ALICE), await self.raw("bob", BOB)
        alice.send(self.invite(alice, hops=1))
        await self.eventually(lambda: bool(alice.finals("INVITE")))
        self.assertEqual((alice.finals("INVITE")[0].status, bob.requests), (483, []))
        alice.send(self.invite(alice, hops=2))
        self.assertEqual((await self.came(bob)).max_forwards, 0)
        bob.answer(bob.requests[0], 486, "b")
        await self.eventually(lambda: len(alice.finals("INVITE")) > 1)


class BreadthTests(NodeTestCase):
    """How many phones a call may ring at the same time, which its caller says (RFC 5393 §5)."""

    async def test_one_after_the_other(self) -> None:
        """With a breadth of one, Bob's phones at his node are tried one by one."""
        alice, desk = await self.two_phones()
        mobile = await self.phone(BOB, answering=AT_ONCE)
        call = alice.call(f"sip:{BOB}", [("Max-Breadth", "1")])
        await call.ringing
        (rung,) = desk.calls
        assert isinstance(rung, IncomingCall)
        self.assertEqual(mobile.calls, [])
        rung.reject()
        await call.answered
        invites = [requests(phone, "INVITE")[0] for phone in (desk, mobile)]
        self.assertEqual([each.first("Max-Breadth") for each in invites], ["1", "1"])
        await self.talk(call, mobile.calls[0])

    async def test_shared(self) -> None:
        """Without one, both ring at once, and what either may still do is less than half of all."""
        alice, desk = await self.two_phones()
        mobile = await self.phone(BOB, answering=RING)
        call = alice.call(f"sip:{BOB}")
        await self.eventually(lambda: bool(desk.calls and mobile.calls))
        shares = [int(requests(phone, "INVITE")[0].first("Max-Breadth") or 0) for phone in (desk, mobile)]
        self.assertEqual(shares, [15, 15])
        await call.cancel()

    async def test_none(self) -> None:
        """With none left it is 440, and nobody's phone rings."""
        alice, bob = await self.two_phones()
        self.assertEqual((await refusal(alice.call(f"sip:{BOB}", [("Max-Breadth", "0")]))).status, 440)
        self.assertEqual(bob.calls, [])
