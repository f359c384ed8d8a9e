"""Tests of who says to be somebody else, by whatever means: each is refused and counted, and disturbs nobody."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from zope.interface import implementer

from p2pship.address import HostPort
from p2pship.identity.record import sign_record
from p2pship.identity.seal import day_of, lookup_key, seal
from p2pship.identity.statement import person_hash, sign_statement
from p2pship.identity.validity import RECORD_LIFETIME, STATEMENT_LIFETIME
from p2pship.interfaces import ILink, ILinkReceiver
from p2pship.journal import LinkRefused, PapersRefused
from p2pship.lookup.candidate import Slot
from p2pship.media import latch
from p2pship.overlay.wire import Parcel, parse
from p2pship.sip.message import Request, response_to
from p2pship.testing.bearer import MemoryLink
from p2pship.testing.phone import IGNORE, RING, Phone
from p2pship.testing.rtp import RTPStream
from tests.node.calling import ALICE, BOB, CAROL, NodeTestCase, refusal, requests
from tests.node.stranger import MALLORY, StrangerCase
from tests.scale import SCALE

STRIDE = 1 if SCALE else 37
"Octets from one altered octet of an item to the next."

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

    async def test_odd_spelling(self) -> None:
        """However the header's name is written."""
        somebody = f"<sip:{ALICE}>"
        invite = await self._called(p_asserted_IDENTITY=somebody, rEMOTE_party_id=somebody)
        self.assertNotIn(ALICE.encode(), invite.encode())

    async def test_in_answers(self) -> None:
        """Who is called cannot answer in another's name either."""
        await self.set_up()
        self.mallory.answering = IGNORE
        call = self.alice.call(self.mallory.aor)
        await self.mallory.until(lambda: len(self.mallory.calls) > 0)
        clients = self.node("alice")._proxy.layer._clients.values()
        (sent,) = [each.request for each in clients if each.request.call_id == call.dialog.call_id]
        forged = response_to(sent, 180, to_tag="m")
        for name in ("P-Asserted-Identity", "Remote-Party-ID", "P-Preferred-Identity"):
            forged.append(name, f"<sip:{BOB}>")
        forged.append("Contact", f"<sip:{MALLORY};gr=x.1>")
        await self.send(ALICE, forged)
        await call.ringing
        self.assertNotIn(BOB.encode(), call.responses[-1].encode())
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
        (line,) = [each for each in self.node("bob").recent_calls({}) if each["state"] == "refused"]
        story = self.node("bob").call_book.story(line["id"])
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
        sent = [each.request for each in self.node("bob")._proxy.layer._clients.values()]
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


class RecordTests(NodeTestCase):
    """What is published under Bob's name by others, or anew by whoever has seen it."""

    names = ("alice", "bob", "mallory")

    async def _set_up(self) -> None:
        """Let Alice and Bob have talked, and Mallory be published too."""
        self.alice, self.bob = await self.two_phones()
        self.mallory = await self.phone(MALLORY)
        await self.have_talked(self.alice, self.bob)

    def _slots(self, aor: str) -> list[Slot]:
        """Return the slots in which somebody's items are."""
        today = day_of(self.node("alice").reactor.seconds())
        keys = {lookup_key(aor, day) for day in (today - 1, today, today + 1)}
        return [slot for slot in self.nodes.directory.items if slot.lookup_key in keys]

    def _item(self, aor: str) -> bytes:
        """Return today's item of somebody."""
        today = lookup_key(aor, day_of(self.node("alice").reactor.seconds()))
        (slot,) = [slot for slot in self._slots(aor) if slot.lookup_key == today]
        return self.nodes.directory.items[slot]

    def _publish(self, item: bytes) -> None:
        """Put an item in place of every one of Bob's."""
        for slot in self._slots(BOB):
            self.nodes.directory.items[slot] = item

    async def _is_not_believed(self, item: bytes, *words: str) -> None:
        """Look that nobody is found by an item, that it is counted, and why."""
        refused = self.counts("alice").get("lookup.refused", 0)
        self._publish(item)
        found = await self.node("alice").find({"aor": BOB})
        self.assertEqual(found["devices"], [])
        self.assertEqual(self.counts("alice")["lookup.refused"], refused + 1)
        for word in words:
            self.assertIn(word, found["reason"])
            self.assertIn(word, self.told("alice", PapersRefused)[-1].reason)

    async def test_of_another(self) -> None:
        """Mallory's item in Bob's slot, and Mallory's papers sealed for Bob's name."""
        await self._set_up()
        await self._is_not_believed(self._item(MALLORY), "not sealed for this name")
        await self._is_not_believed(self._sealed("mallory", MALLORY), "mallory@example.com")
        self.assertEqual(len(self.nodes.links.links), 2)

    async def test_call(self) -> None:
        """A call to Bob does not go to who is in his slot, and its story says what was not believed."""
        self.alice, self.bob = await self.two_phones()
        self.mallory = await self.phone(MALLORY)
        self._publish(self._item(MALLORY))
        self.assertEqual((await refusal(self.alice.call(self.bob.aor))).status, 404)
        self.assertEqual((self.bob.calls, self.mallory.calls), ([], []))
        (line,) = self.node("alice").recent_calls({})
        (reason,) = self.node("alice").call_book.story(line["id"])["refused"]
        self.assertIn("not sealed for this name", reason)

    async def test_altered(self) -> None:
        """An item of which one octet is another, whichever, is none."""
        await self._set_up()
        item = self._item(BOB)
        for offset in range(0, len(item), STRIDE):
            altered = bytearray(item)
            altered[offset] ^= 1 + offset % 255
            self._publish(bytes(altered))
            self.assertEqual((await self.node("alice").find({"aor": BOB}))["devices"], [], offset)
        self._publish(item)
        self.assertEqual(len((await self.node("alice").find({"aor": BOB}))["devices"]), 1)

    async def test_altered_within(self) -> None:
        """Who knows the name can open an item, and seal it anew: a changed statement or record is found out all the same."""
        await self._set_up()
        statement, record = self._papers("bob", BOB)
        for offset in range(0, len(statement), STRIDE):
            await self._is_not_believed(self._seal(_flipped(statement, offset), record))
        for offset in range(0, len(record), STRIDE):
            await self._is_not_believed(self._seal(statement, _flipped(record, offset)))

    async def test_older_record(self) -> None:
        """An old record, published again after a newer one was seen."""
        await self._set_up()
        old = self._papers("bob", BOB, sequence=1)
        await self._is_not_believed(self._seal(*old), "sequence number 1,")

    async def test_older_statement(self) -> None:
        """A statement of before, such as one that lists a device that was lost since."""
        await self._set_up()
        identity: Any = self.node("bob").keyring.identity(BOB)
        old = self._papers("bob", BOB, version=identity.stated().version - 1)
        await self._is_not_believed(self._seal(*old), f"has version {identity.stated().version - 1}, but")

    async def test_device_of_another(self) -> None:
        """Bob's statement with the record of Mallory's device."""
        await self._set_up()
        statement, _ = self._papers("bob", BOB)
        _, record = self._papers("mallory", MALLORY)
        await self._is_not_believed(self._seal(statement, record))
        _, claimed = self._papers("mallory", MALLORY, person=self.node("bob").keyring.identity(BOB))
        await self._is_not_believed(self._seal(statement, claimed))

    def _sealed(self, node: str, aor: str) -> bytes:
        device = self.node(node).keyring.device
        return self._seal(*self._papers(node, aor), publication_key=device.publication_key)

    def _seal(self, statement: bytes, record: bytes, publication_key: bytes | None = None) -> bytes:
        """Seal papers for Bob's name and, if nothing else is said, for his device's slot."""
        key = publication_key or self.node("bob").keyring.device.publication_key
        return seal(BOB, day_of(self.node("alice").reactor.seconds()), key, statement, record)

    def _papers(
        self, node: str, aor: str, version: int | None = None, sequence: int | None = None, person: Any = None
    ) -> tuple[bytes, bytes]:
        """Sign papers as a node would, but for what is asked for."""
        keyring = self.node(node).keyring
        identity: Any = keyring.identity(aor)
        stated, now = identity.stated(), int(self.node(node).reactor.seconds())
        of = version or stated.version
        statement = sign_statement(
            identity.sign,
            aor=aor,
            key=identity.key,
            version=of,
            issued=now,
            expires=now + STATEMENT_LIFETIME,
            devices=stated.devices,
            certificate_hash=stated.certificate_hash,
        )
        whose = person or identity
        record = sign_record(
            keyring.device.sign,
            person=person_hash(whose.aor, whose.key),
            statement_version=of,
            sequence=sequence or (now + 60) * 1000,
            issued=now,
            expires=now + RECORD_LIFETIME,
            device_key=keyring.device.key,
            sealing_key=keyring.device.sealing_key,
            locators=self.nodes.bearers[node].locators(),
        )
        return statement, record


def _flipped(octets: bytes, offset: int) -> bytes:
    altered = bytearray(octets)
    altered[offset] ^= 0x41
    return bytes(altered)


class HelloTests(StrangerCase):
    """Hellos that were overheard, and those of others."""

    async def _overheard(self, node: str, aor: str) -> bytes:
        """Set all up, and return the hello that somebody's node has sent to Bob's."""
        frames: list[tuple[MemoryLink, bytes]] = []
        self._overhear(frames)
        await self.set_up()
        sender: Any = self.node(node).keyring.identity(aor)
        statement, bob = sender.statement, self.node("bob").keyring.device.key
        return next(frame for link, frame in frames if statement in frame and link.proof == bob)

    def _overhear(self, frames: list[tuple[MemoryLink, bytes]]) -> None:
        """Keep every frame that is sent from now on."""
        send = MemoryLink.send

        def overheard(link: MemoryLink, frame: bytes) -> None:
            frames.append((link, frame))
            send(link, frame)

        self.patch(MemoryLink, "send", overheard)

    async def _dial_bob(self) -> Thief:
        """Return a link from Mallory's device to Bob's, of which Mallory's node knows nothing."""
        thief = Thief()
        bearer = self.nodes.bearers["mallory"]
        link = await bearer.dial(self.node("bob").keyring.device.key, self.nodes.bearers["bob"].locators())
        link.start(thief)
        thief.link = link
        return thief

    async def test_on_another_link(self) -> None:
        """Alice's hello, word for word, is worth nothing on Mallory's link."""
        hello = await self._overheard("alice", ALICE)
        peers = len(self.node("bob").overlay.peers())
        thief = await self._dial_bob()
        thief.link.send(hello)
        await self.eventually(thief.has_heard)
        self.assertIn("another device", self.told("bob", LinkRefused)[-1].reason)
        self.assertEqual(len(self.node("bob").overlay.peers()), peers)
        await self.undisturbed()

    async def test_again_on_its_own_link(self) -> None:
        """The same octets again, over the very link that they came over, open no second peer and disturb nobody else."""
        hello = await self._overheard("mallory", MALLORY)
        peers = len(self.node("bob").overlay.peers())
        device = self.node("bob").keyring.device.key
        (link,) = [each for each in self.nodes._links_of("mallory") if each.proof == device]
        link.send(hello)
        await self.eventually(lambda: link not in self.nodes.links.links)
        await self.undisturbed()
        self.assertLessEqual(len(self.node("bob").overlay.peers()), peers)

    async def test_frames_without_a_hello(self) -> None:
        """Frames of an established peer, sent over a link on which nobody has said hello, are not heard."""
        await self.set_up()
        frames: list[tuple[MemoryLink, bytes]] = []
        self._overhear(frames)
        await self.call.send_info("0")
        self.heard = len(self.bob.received)
        infos = [frame for _, frame in frames if b"INFO sip:" in frame]
        self.assertTrue(infos)
        for frame in infos:
            thief = await self._dial_bob()
            thief.link.send(frame)
            await self.eventually(thief.has_heard)
        await self.undisturbed()


@implementer(ILinkReceiver)
class Thief:
    """The receiver of a link in Mallory's hands."""

    link: ILink

    def __init__(self) -> None:
        self.got: list[Parcel] = []
        self.lost: list[str] = []

    def has_heard(self) -> bool:
        """Tell whether anything came of what was sent."""
        return bool(self.got or self.lost)

    def frame_received(self, frame: bytes) -> None:
        """Keep it."""
        self.got.append(parse(frame))

    def datagram_received(self, datagram: bytes) -> None:
        """Take no notice."""

    def link_writable(self) -> None:
        """Take no notice."""

    def path_changed(self, path: str) -> None:
        """Take no notice."""

    def link_stalled(self) -> None:
        """Take no notice."""

    def link_lost(self, reason: str) -> None:
        """Keep why."""
        self.lost.append(reason)


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
