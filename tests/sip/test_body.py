"""Tests for p2pship.sip.body: descriptions in bodies of all kinds."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.sip.body import describe
from p2pship.sip.linepool import LinePool
from p2pship.sip.message import BadMessage, Request, request
from p2pship.sip.offer import OfferAnswer, Turn
from p2pship.sip.sdp import BadSDP
from tests.sip.fakes import FakePeer, FakeRelays
from tests.sip.station import LINK_OFFER, OFFER

ISUP = b"\x01\x00\x49\x00\x00\x03\x02\r\n--bogus\r\n\x00\xff"


def part(content: bytes, *headers: str, boundary: str = "b") -> bytes:
    """Return a part with the delimiter before it."""
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"--{boundary}\r\n{lines}\r\n".encode() + content + b"\r\n"


class BodyTests(TestCase):
    """What the other side sees of a body."""

    def setUp(self) -> None:
        self.relays = FakeRelays()
        peer = FakePeer("alice@example.com", "bob@example.com")
        self.media = OfferAnswer(LinePool(self.relays, peer, "127.0.0.1", "127.0.0.1"))

    def described(
        self,
        body: bytes,
        content_type: str = "application/sdp",
        by_phone: bool = True,
        method: str = "INVITE",
        **headers: str,
    ) -> Request:
        """Return a request after it was rewritten."""
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        made = request(
            method, "sip:a@b", [("Content-Type", content_type), ("CSeq", f"1 {method}"), *named], body
        )
        describe(made, Turn(by_phone, method, (by_phone, 1)), self.media)
        self.assertEqual(made.first("Content-Length"), str(len(made.body)))
        return made

    def test_alone(self) -> None:
        """A body that is a description is replaced, with its Content-Length."""
        shown = self.described(OFFER, "Application/SDP; charset=utf-8")
        self.assertIn(b"m=audio 100 ", shown.body)
        self.assertNotIn(b"127.0.0.1", shown.body)

    def test_other_bodies(self) -> None:
        """Another body keeps every octet."""
        for content_type, body in (
            ("text/plain", b"c=IN IP4 1.2.3.4"),
            ("junk", OFFER),
            ("application/sdp", b""),
        ):
            self.assertEqual(self.described(body, content_type).body, body)

    def test_with_isup(self) -> None:
        """In a multipart only the description changes, and what stands beside it keeps every octet (RFC 3204)."""
        isup = part(
            ISUP,
            "Content-Type: application/ISUP;version=nxv3",
            "Content-Disposition: signal;handling=optional",
        )
        for kind in ("mixed", "related", "alternative"):
            self.setUp()
            body = (
                isup
                + part(OFFER, "Content-Type: application/sdp", f"Content-Length: {len(OFFER)}")
                + isup
                + b"--b--"
            )
            shown = self.described(body, f"multipart/{kind};boundary=b").body
            self.assertTrue(shown.startswith(isup) and shown.endswith(isup + b"--b--"))
            inner = shown[len(isup) : -len(isup + b"--b--")]
            headers, _, content = inner.removesuffix(b"\r\n").partition(b"\r\n\r\n")
            self.assertIn(b"Content-Length: %d" % len(content), headers)
            self.assertIn(b"m=audio 100 ", content)
            self.assertNotIn(b"127.0.0.1", shown)

    def test_nested(self) -> None:
        """A description in a multipart within a multipart is found."""
        inner = part(b"hi", "Content-Type: text/plain", boundary="i") + part(
            OFFER, "Content-Type: application/sdp", boundary="i"
        )
        body = part(inner + b"--i--", "Content-Type: multipart/alternative;boundary=i") + b"--b--"
        shown = self.described(body, "multipart/mixed;boundary=b").body
        self.assertIn(b"m=audio 100 ", shown)
        self.assertNotIn(b"127.0.0.1", shown)

    def test_several(self) -> None:
        """One description counts; every other one goes on without an address and without a port."""
        early = part(
            OFFER.replace(b"14440", b"17770"),
            "Content-Type: application/sdp",
            "Content-Disposition: early-session",
        )
        main = part(OFFER, "Content-Type: application/sdp")
        third = part(OFFER.replace(b"14440", b"18880"), "Content-Type: application/sdp")
        shown = self.described(early + main + third + b"--b--", "multipart/mixed;boundary=b").body
        self.assertNotIn(b"127.0.0.1", shown)
        ports = [line.split()[1] for line in shown.splitlines() if line.startswith(b"m=")]
        self.assertEqual(ports, [b"0", b"100", b"0"])
        self.assertEqual(len(self.relays.opened), 1)

    def test_several_of_a_peer(self) -> None:
        """A peer cannot have media sent anywhere by a second description."""
        second = LINK_OFFER.replace(b"IP6 2001:2f::", b"IP4 192.0.2.66")
        body = (
            part(LINK_OFFER, "Content-Type: application/sdp")
            + part(second, "Content-Type: application/sdp")
            + b"--b--"
        )
        shown = self.described(body, "multipart/mixed;boundary=b", by_phone=False).body
        self.assertNotIn(b"192.0.2.66", shown)

    def test_early_session_alone(self) -> None:
        """A description for another purpose than the session opens nothing and shows nothing (RFC 3959)."""
        shown = self.described(OFFER, Content_Disposition="early-session").body
        self.assertIn(b"m=audio 0 ", shown)
        self.assertNotIn(b"127.0.0.1", shown)
        self.assertEqual(self.relays.opened, [])

    def test_encoded(self) -> None:
        """A description that cannot be read is answered 415 with what can be (RFC 3261 §21.4.13)."""
        wrapped = part(OFFER, "Content-Type: application/sdp", "Content-Transfer-Encoding: base64") + b"--b--"
        for body, content_type, headers in (
            (b"\x1f\x8b", "application/sdp", {"Content_Encoding": "gzip"}),
            (b"\x1f\x8b", "multipart/mixed;boundary=b", {"e": "gzip"}),
            (wrapped, "multipart/mixed;boundary=b", {}),
        ):
            error = self.assertRaises(BadMessage, self.described, body, content_type, **headers)
            self.assertEqual((error.status, error.headers), (415, (("Accept-Encoding", "identity"),)))

    def test_encoded_text(self) -> None:
        """A text may be encoded: it is nothing to us."""
        shown = self.described(b"\x1f\x8b", "text/plain", method="MESSAGE", Content_Encoding="gzip")
        self.assertEqual(shown.body, b"\x1f\x8b")

    def test_hidden(self) -> None:
        """A peer's description in a body or part of another type is refused: a phone may look there."""
        for body, content_type in (
            (LINK_OFFER, "text/plain"),
            (
                part(LINK_OFFER, "Content-Type: application/sdp")
                + part(LINK_OFFER, "Content-Type: text/x")
                + b"--b--",
                "multipart/mixed;boundary=b",
            ),
            (
                part(LINK_OFFER, "Content-Type: text/x")
                + part(LINK_OFFER, "Content-Type: application/sdp")
                + b"--b--",
                "multipart/mixed;boundary=b",
            ),
        ):
            self.assertRaises(BadSDP, self.described, body, content_type, by_phone=False)

    def test_not_an_exchange(self) -> None:
        """In a message that is neither offer nor answer a description says what can be done, and no more."""
        shown = self.described(OFFER, method="OPTIONS").body
        self.assertIn(b"m=audio 0 ", shown)
        self.assertNotIn(b"127.0.0.1", shown)
