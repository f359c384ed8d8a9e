"""Tests of bodies that are more than one session description over UDP: what of them reaches the other phone."""

from __future__ import annotations

import re

from p2pship.sip.message import Request, Response, parse
from tests.node.calling import ALICE, BOB
from tests.node.rawphones import RawCase, RawPhone

ISUP = b"\x01\x00\x49\x00\x00\x03\x02\x00\x07--\r\n\x04\x10\x00"
"A binary part, as telephone networks send beside the description (RFC 3204); nothing in it is text."

OFFER = b"""\
v=0
o=alice 1 1 IN IP4 192.0.2.7
s=-
c=IN IP4 192.0.2.7
t=0 0
m=audio 14440 RTP/AVP 8
a=rtpmap:8 PCMA/8000
m=message 2855 TCP/MSRP *
a=accept-types:text/plain
a=path:msrp://192.0.2.7:2855/s111271729;tcp
""".replace(b"\n", b"\r\n")
"Sound, and texts over TCP (RFC 4975), which no relay carries."

MIXED = (
    b"preamble\r\n--edge\r\nContent-Type: application/sdp\r\nContent-Disposition: session;handling=required\r\n\r\n"
    + OFFER
    + b"\r\n--edge\r\nContent-Type: application/isup;version=itu-t92+\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    + ISUP
    + b"\r\n--edge--\r\nepilogue"
)


class BodyTests(RawCase):
    """Raw phones of two nodes."""

    async def called(self, content_type: str, body: bytes) -> tuple[RawPhone, RawPhone, Request]:
        """Let Alice call Bob with a body; returns both phones, and the INVITE as Bob's has it."""
        alice, bob = await self.raw("alice", ALICE), await self.raw("bob", BOB)
        parties = f"<sip:{ALICE}>;tag=a", f"<sip:{BOB}>"
        headers = f"Contact: <sip:raw@{alice.address}>", f"Content-Type: {content_type}"
        made = alice.request("INVITE", f"sip:{BOB}", *parties, *headers)
        alice.send(made.replace(b"Content-Length: 0", b"Content-Length: %d" % len(body)) + body)
        await self.eventually(lambda: bool(bob.requests))
        invite = parse(bob.requests[0])
        assert isinstance(invite, Request)
        return alice, bob, invite

    async def refused(self, alice: RawPhone, bob: RawPhone) -> Response:
        """Let Bob refuse the call, and return what Alice hears."""
        bob.answer(bob.requests[0], 488, "b")
        await self.eventually(lambda: bool(alice.finals("INVITE")))
        return alice.finals("INVITE")[0]

    async def test_multipart(self) -> None:
        """The description within is rewritten to a relay of Bob's node; every other octet is as it was sent."""
        alice, bob, invite = await self.called("multipart/mixed;boundary=edge", MIXED)
        self.assertEqual(invite.first("Content-Type"), "multipart/mixed;boundary=edge")
        before, _, after = MIXED.partition(OFFER)
        self.assertTrue(invite.body.startswith(before))
        self.assertTrue(invite.body.endswith(after))
        self.shown(invite.body.removeprefix(before).removesuffix(after))
        self.assertEqual(self.counts("bob")["relays"], 1)
        self.assertEqual((await self.refused(alice, bob)).status, 488)

    async def test_tcp_line(self) -> None:
        """A line over TCP goes on with port 0 at its place, and takes no relay (RFC 4145, RFC 4975)."""
        alice, bob, invite = await self.called("application/sdp", OFFER)
        self.shown(invite.body)
        self.assertEqual((self.counts("alice")["relays"], self.counts("bob")["relays"]), (1, 1))
        self.assertEqual((await self.refused(alice, bob)).status, 488)

    def shown(self, description: bytes) -> None:
        """Look at the description that Bob's phone has: a port of its node, and none for the line over TCP."""
        audio, message = re.findall(rb"^m=(.*)\r$", description, re.MULTILINE)
        self.assertRegex(audio, rb"^audio [1-9][0-9]+ RTP/AVP 8$")
        self.assertEqual(message, b"message 0 TCP/MSRP *")
        self.assertNotIn(b"audio 14440", description)
        self.assertIn(b"\r\nc=IN IP4 127.0.0.1\r\n", description)
        self.assertNotIn(b"192.0.2.7", description)
