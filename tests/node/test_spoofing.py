"""Tests of who says to be somebody else, by whatever means: each is refused and counted, and disturbs nobody.

What is published or greeted in another's name is in ``test_forged_papers`` and ``test_replayed_hellos``.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from contextlib import closing

from p2pship.address import HostPort
from p2pship.media import latch
from p2pship.sip.message import Request, response_to
from p2pship.testing.phone import IGNORE, RING, Phone
from p2pship.testing.rtp import RTPStream
from tests.node.calling import ALICE, BOB, CAROL, NodeTestCase, requests
from tests.node.stranger import MALLORY, StrangerCase

FORGED = b"forged by Mallory"
"What packets carry that nobody may hear."


class AssertedTests(StrangerCase):
    """Headers that say who somebody is, beside From."""

    async def _called(self, **headers: str) -> Request:
        """Call Bob in Mallory's own name with these headers, and return what his phone was sent."""
        await self.set_up()
        self.bob.answering = RING
        await self.send(BOB, self.request("INVITE", Contact=f"<sip:{MALLORY};gr=x.1>", **headers))
        await self.eventually(lambda: len(requests(self.bob, "INVITE")) == 2)
        return requests(self.bob, "INVITE")[-1]

    async def test_asserted(self) -> None:
        """What asserts another identity than the link's does not reach a phone, in whatever header."""
        somebody = f'"Alice" <sip:{ALICE}>'
        invite = await self._called(
            P_Asserted_Identity=somebody,
            P_Preferred_Identity=somebody,
            Remote_Party_ID=f"{somebody};party=calling",
        )
        for name in ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "From", "Contact"):
            self.assertNotIn("alice", " ".join(invite.values(name)).lower(), name)
        self.assertIn(MALLORY, invite.from_.uri)
        self.assertEqual(self.counts("bob")["screen.asserted"], 1)

    async def test_odd_spelling(self) -> None:
        """However the header's name is written."""
        somebody = f"<sip:{ALICE}>"
        invite = await self._called(p_asserted_IDENTITY=somebody, rEMOTE_party_id=somebody)
        self.assertNotIn(ALICE.encode(), invite.encode())
        self.assertEqual(self.counts("bob")["screen.asserted"], 1)

    async def test_in_answers(self) -> None:
        """Who is called cannot answer in another's name either."""
        await self.set_up()
        self.mallory.answering = IGNORE
        call = self.alice.call(self.mallory.aor)
        await self.mallory.until(lambda: len(self.mallory.calls) > 0)
        clients = self.node("alice").telephony.proxy.layer._clients.values()
        (sent,) = [each.request for each in clients if each.request.call_id == call.dialog.call_id]
        forged = response_to(sent, 180, to_tag="m")
        for name in ("P-Asserted-Identity", "Remote-Party-ID", "P-Preferred-Identity"):
            forged.append(name, f"<sip:{BOB}>")
        forged.append("Contact", f"<sip:{MALLORY};gr=x.1>")
        await self.send(ALICE, forged)
        await call.ringing
        self.assertNotIn(BOB.encode(), call.responses[-1].encode())
        self.assertEqual(self.counts("alice")["screen.asserted"], 1)
        await call.cancel()

    async def test_identity_passes(self) -> None:
        """A signed Identity (RFC 8224) is proof of its own, and passes as it came."""
        invite = await self._called(
            Identity="eyJhbGciOiJFUzI1NiJ9..sig;info=<https://example.com/c>;alg=ES256"
        )
        self.assertEqual(
            invite.first("Identity"), "eyJhbGciOiJFUzI1NiJ9..sig;info=<https://example.com/c>;alg=ES256"
        )

    async def test_forged_call_has_a_story(self) -> None:
        """The journal of calls tells of a call that was refused: whose it truly was, and by which rule."""
        await self.set_up()
        forged = self.request("INVITE", sender=f"<sip:{ALICE}>;tag=a", Contact=f"<sip:{ALICE};gr=x.1>")
        await self.refuses(forged, "forged-from")
        (line,) = [each for each in self.node("bob").standing.recent_calls({}) if each["state"] == "refused"]
        story = self.node("bob").telephony.book.story(line["id"])
        self.assertEqual((story["caller"], story["rule"], story["status"]), (MALLORY, "forged-from", 403))
        self.assertIn(ALICE, story["reason"])
        await self.undisturbed()

    async def test_forged_referrer(self) -> None:
        """A transfer within Mallory's own call, in Alice's name."""
        await self.set_up()
        call, _ = await self.up(self.mallory, self.bob)
        self.heard = len(self.bob.received)
        dialog = call.dialog
        refer = self.request(
            "REFER",
            sender=str(dialog.local),
            To=str(dialog.remote),
            Call_ID=dialog.call_id,
            CSeq=f"{dialog.cseq + 1} REFER",
            Contact=f"<sip:{MALLORY};gr=x.1>",
            Refer_To=f"<sip:{CAROL}>",
            Referred_By=f"<sip:{ALICE}>",
        )
        await self.refuses(refer, "forged-referrer")
        await self.undisturbed()


class OpenRelayTests(StrangerCase):
    """Requests that are to be carried on to somebody else."""

    async def test_other_targets(self) -> None:
        """Whoever lives elsewhere, however the Request-URI says so."""
        await self.set_up()
        proxy = self.nodes.proxy("alice")
        for number, uri in enumerate(
            (
                f"sip:{ALICE}",
                f"sips:{ALICE}",
                f"sip:{ALICE};maddr=127.0.0.1",
                f"sip:alice@{proxy}",
                f"sip:{BOB}.evil.example",
                f"sip:bob%40example.com@{proxy}",
                f"sip:{ALICE};gr={self.node('alice').keyring.device.hit.hex()}.1",
            )
        ):
            message = self.request(
                "MESSAGE",
                uri,
                Call_ID=f"relay{number}",
                Via=f"SIP/2.0/P2P [2001:20::1];branch=z9hG4bKr{number}",
            )
            await self.refuses(message, "open-relay")
        self.assertEqual([each.text for each in self.alice.texts], ["hello"])
        await self.undisturbed()

    async def test_routes(self) -> None:
        """A Route, or a maddr, carries nothing to where it points, and no phone sees it."""
        await self.set_up()
        heard = len(self.alice.received)
        for number, (uri, route) in enumerate(
            (
                (f"sip:{BOB}", f"<sip:{ALICE};lr>"),
                (f"sip:{BOB}", f"<sip:{self.alice.address};lr>, <sip:{self.nodes.proxy('alice')};lr>"),
                (f"sip:{BOB};maddr={self.alice.address.host}", f"<sip:{self.alice.address}>"),
            )
        ):
            via = f"SIP/2.0/P2P [2001:20::1];branch=z9hG4bKroute{number}"
            await self.send(BOB, self.request("MESSAGE", uri, Call_ID=f"route{number}", Via=via, Route=route))
        await self.eventually(lambda: len(requests(self.bob, "MESSAGE")) == 4)
        for message in requests(self.bob, "MESSAGE")[1:]:
            self.assertNotIn(str(self.alice.address), message.encode().decode())
            self.assertEqual(message.values("Route"), [])
        self.assertEqual(len(self.alice.received), heard)

    async def test_guessed_grid(self) -> None:
        """A GRUU of Bob's whose token is a guess, or another's, rings no phone."""
        await self.set_up()
        hit = self.node("bob").keyring.device.hit.hex()
        for number, token in enumerate((f"{hit}.0", f"{hit}.", "x", "", f"{hit}.{'A' * 500}")):
            via = f"SIP/2.0/P2P [2001:20::1];branch=z9hG4bKgrid{number}"
            await self.send(
                BOB, self.request("MESSAGE", f"sip:{BOB};gr={token}", Call_ID=f"gr{number}", Via=via)
            )
        await self.mallory.message(self.bob.aor, "after it")
        self.assertEqual([each.text for each in self.bob.texts], ["hello", "after it"])

    async def test_guessed_branches(self) -> None:
        """Responses to requests that Mallory was never sent find none, whatever branch they guess."""
        await self.set_up()
        sent = [each.request for each in self.node("bob").telephony.proxy.layer._clients.values()]
        vias = [each.first("Via") or "" for each in sent]
        stray = self.counts("bob").get("sip.stray_response", 0) + self.counts("bob").get("sip.not_ours", 0)
        guesses = [*vias, *(f"SIP/2.0/P2P [2001:20::1];branch=z9hG4bK{number:08x}" for number in range(20))]
        for via in guesses:
            request = self.request("INVITE", Via=via, Call_ID=self.call.dialog.call_id)
            await self.send(BOB, response_to(request, 200, to_tag="m"))
        counted = self.counts("bob").get("sip.stray_response", 0) + self.counts("bob").get("sip.not_ours", 0)
        self.assertEqual(counted - stray, len(guesses))
        await self.undisturbed()

    async def test_stray_acks(self) -> None:
        """An ACK in the dialog of others, with a description that would take its media away, is dropped and counted."""
        await self.set_up()
        dialog = self.call.dialog
        ack = self.request(
            "ACK",
            sender=str(dialog.local),
            To=str(dialog.remote),
            Call_ID=dialog.call_id,
            CSeq=f"{dialog.cseq} ACK",
        )
        await self.send(BOB, ack)
        await self.eventually(lambda: self.counts("bob").get("sip.stray_ack") == 1)
        await self.undisturbed()


class MediaTests(NodeTestCase):
    """Packets to the ports that a node has opened for its phone, from elsewhere than the phone."""

    def _spray(self, relay: HostPort, hosts: Iterable[str]) -> int:
        """Send packets from ports of these hosts; returns how many."""
        sent = 0
        for host in hosts:
            with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as mallory:
                mallory.bind((host, 0))
                for number in range(10):
                    packet = struct.pack("!BBHLL", 0x80, 0, number, 160 * number, 0xBAD) + FORGED
                    sent += mallory.sendto(packet, (relay.host, relay.port)) > 0
        return sent

    async def _are_not_heard(self, bob: Phone, relay: HostPort, hosts: Iterable[str]) -> None:
        strangers = self.counts("bob").get("media.stranger", 0)
        sent = self._spray(relay, hosts)
        await self.eventually(lambda: self.counts("bob").get("media.stranger", 0) - strangers == sent)

    async def test_while_they_talk(self) -> None:
        """Nobody else is heard, from another host or from another port of the phone's own."""
        alice, bob = await self.two_phones()
        call, answered = await self.up(alice, bob)
        await self.talk(call, answered)
        relay = answered.media._rtp
        assert relay is not None
        await self._are_not_heard(bob, relay, ("127.0.0.1", "127.0.0.2"))
        await self.talk(call, answered)
        self.assertNotIn(0xBAD, {packet.ssrc for packet in call.media.packets})

    async def test_before_they_talk(self) -> None:
        """Nor is anybody who is quicker than the phone, as long as it is waited for."""
        self.patch(latch, "PATIENCE", 60.0)
        send = RTPStream._send_next
        self.patch(RTPStream, "_send_next", lambda stream, to: None)
        alice, bob = await self.two_phones()
        call, answered = await self.up(alice, bob)
        relay = answered.media._rtp
        assert relay is not None
        await self._are_not_heard(bob, relay, ("127.0.0.1", "127.0.0.2"))
        self.patch(RTPStream, "_send_next", send)
        await self.talk(call, answered)
        self.assertNotIn(0xBAD, {packet.ssrc for packet in call.media.packets})
