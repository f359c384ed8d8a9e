"""Tests of SIP URIs, name-addr and Via."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip.uri import (
    SIPURI,
    BadURI,
    NameAddr,
    Parameters,
    Via,
    parse_uri,
    request_uri,
    scheme_of,
    unescaped,
)
from tests.sip.strategies import name_addrs, uris, vias


class SIPURITests(SynchronousTestCase):
    """Reading and printing of SIP and SIPS URIs."""

    def test_all_parts(self) -> None:
        """Every part of RFC 3261 §19.1.1 is found, and escapes are kept."""
        uri = parse_uri(
            "sip:al%69ce:secret@[2001:db8::1]:5062;transport=TCP;lr?subject=a%20b&priority=urgent"
        )
        self.assertEqual(
            uri,
            SIPURI(
                "sip",
                "al%69ce",
                "2001:db8::1",
                5062,
                Parameters((("transport", "TCP"), ("lr", None))),
                (("subject", "a%20b"), ("priority", "urgent")),
                "secret",
            ),
        )
        self.assertEqual((unescaped(uri.user or ""), uri.transport), ("alice", "tcp"))

    def test_examples_of_the_rfc(self) -> None:
        """The examples of RFC 3261 §19.1.3 print as they were written."""
        for text in (
            "sip:alice@atlanta.com",
            "sip:alice:secretword@atlanta.com;transport=tcp",
            "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:+1-212-555-1212:1234@gateway.com;user=phone",
            "sips:1212@gateway.com",
            "sip:alice@192.0.2.4",
            "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
            "sip:alice;day=tuesday@atlanta.com",
        ):
            self.assertEqual(str(parse_uri(text)), text)

    def test_user_with_semicolon(self) -> None:
        """What looks like a parameter before the @ belongs to the user (RFC 4475 §3.1.1.9)."""
        uri = parse_uri("sip:user;par=u%40example.net@example.com")
        self.assertEqual(
            (unescaped(uri.user or ""), uri.host, len(uri.parameters)),
            ("user;par=u@example.net", "example.com", 0),
        )

    def test_escapes_resolved_once(self) -> None:
        """``%2541`` is ``%41``, not ``A``; a null stays within the name (RFC 4475 §3.1.1.3, §3.1.1.4)."""
        self.assertEqual(unescaped(parse_uri("sip:%2541@example.com").user or ""), "%41")
        self.assertEqual(unescaped(parse_uri("sip:a%00b@example.com").user or ""), "a\0b")

    def test_dialled_hash(self) -> None:
        """A telephone's ``#`` is taken though it should be escaped."""
        self.assertEqual(parse_uri("sip:*67#@example.com").user, "*67#")

    def test_other_schemes(self) -> None:
        """Another scheme gets 416 and is named."""
        for text, scheme in (("tel:+358-555", "tel"), ("URN:service:sos", "urn"), ("http://a/", "http")):
            error = self.assertRaises(BadURI, parse_uri, text)
            self.assertEqual((error.status, error.scheme), (416, scheme))
        self.assertEqual(scheme_of("soap.beep://192.0.2.103:3002"), "soap.beep")

    def test_malformed(self) -> None:
        """What is no SIP URI is refused with 400."""
        for text in (
            "",
            "sip",
            "sip:",
            "sip:@example.com",
            "sip:a@",
            "sip:a b@example.com",
            "sip:a@b@example.com",
            "sip:a%4@example.com",
            "sip:a@example.com:0",
            "sip:a@example.com:65536",
            "sip:a@example.com:x",
            "sip:a@[::1",
            "sip:a@[1::2::3]",
            "sip:a@example.com;",
            "sip:a@example.com;lr;LR",
            "sip:a@example.com; lr",
            "sip:a@example.com?x",
            "sip:a@example.com\r\n",
            "<sip:a@example.com>",
        ):
            error = self.assertRaises(BadURI, parse_uri, text)
            self.assertEqual(error.status, 400, text)

    @given(uris)
    def test_round_trip(self, uri: SIPURI) -> None:
        """What is printed is read back."""
        self.assertEqual(parse_uri(str(uri)), uri)

    @given(uris.map(str), st.integers(0, 200))
    def test_truncated(self, text: str, length: int) -> None:
        """A part of a URI is a URI or refused."""
        try:
            parse_uri(text[:length])
        except BadURI:
            return
        self.assertIn(":", text[:length])

    @given(st.text(max_size=60))
    def test_garbage(self, text: str) -> None:
        """Garbage is refused as RemoteError only."""
        self.assertRaises(BadURI, parse_uri, f"sip:<{text}")


class RequestURITests(SynchronousTestCase):
    """What of a Contact's URI comes into a Request-URI (RFC 3261 §19.1.1, §19.1.5)."""

    def test_kept(self) -> None:
        """A URI without headers and method stays as it is, octet for octet, of whatever scheme."""
        for uri in ("sip:A%41@Example.COM:5060;transport=TCP;lr", "sips:[::1]", "tel:+1?x", "urn:method"):
            self.assertEqual(request_uri(uri), uri)

    def test_taken_out(self) -> None:
        """Headers and the method are left out, and nothing else: nobody has a Route of theirs put into a request."""
        for uri, left in (
            ("sip:user@example.com?Route=%3Csip:evil.example%3E", "sip:user@example.com"),
            ("sip:user@example.com;lr?a=b&c=d", "sip:user@example.com;lr"),
            ("sip:u:p@[2001:db8::1]:5070;x=1;Method=BYE;y", "sip:u:p@[2001:db8::1]:5070;x=1;y"),
            ("sip:user?tel@example.com", "sip:user?tel@example.com"),
        ):
            self.assertEqual(request_uri(uri), left)
        self.assertRaises(BadURI, request_uri, "sip:user@example.com?")

    @given(uris)
    def test_all(self, uri: SIPURI) -> None:
        """Whatever has headers or a method has none of them afterwards, and is the same but for that."""
        left = parse_uri(request_uri(str(uri)))
        self.assertEqual((left.headers, "method" in left.parameters), ((), False))
        self.assertEqual((left.user, left.host, left.port), (uri.user, uri.host, uri.port))


class NameAddrTests(SynchronousTestCase):
    """Reading and printing of addresses in header fields."""

    def test_forms(self) -> None:
        """The forms of RFC 3261 §20.10 and §25.1 give their parts."""
        for text, display, uri, tag in (
            ('"Mr. Watson" <sip:watson@example.com>;tag=1', "Mr. Watson", "sip:watson@example.com", "1"),
            ("sip:+1@gw.example.com;tag=887s", "", "sip:+1@gw.example.com", "887s"),
            ("Anonymous User <sip:c8@example.com>;TAG=hyh8", "Anonymous User", "sip:c8@example.com", "hyh8"),
            ("caller<sip:c@example.com>", "caller", "sip:c@example.com", None),
            ('  "a \\"b\\" \\\\"<sip:h;lr> ; x ; tag = 7 ', 'a "b" \\', "sip:h;lr", "7"),
            ("isbn:2983792873", "", "isbn:2983792873", None),
            ("<http://www.example.com>;tag=3", "", "http://www.example.com", "3"),
            ('"<sip:x@y>" <sip:a@b>', "<sip:x@y>", "sip:a@b", None),
        ):
            address = NameAddr.parse(text)
            self.assertEqual((address.display, address.uri, address.tag), (display, uri, tag))

    def test_name_without_quotes(self) -> None:
        """Telephones send UTF-8 names without quotes; what could be another value is refused."""
        address = NameAddr.parse("Cärol Doe <sip:c@example.com>;tag=1")
        self.assertEqual((address.display, address.tag), ("Cärol Doe", "1"))
        self.assertEqual(str(address), '"Cärol Doe" <sip:c@example.com>;tag=1')
        self.assertRaises(BadURI, NameAddr.parse, "Döe, C <sip:c@example.com>")

    def test_semicolon_outside_brackets(self) -> None:
        """Without brackets a parameter belongs to the header (RFC 3261 §20, RFC 4475 §3.3.12)."""
        self.assertIn("unknownparam", NameAddr.parse("sip:+1972@gw1.example.net;unknownparam").parameters)
        self.assertNotIn(
            "unknownparam", NameAddr.parse("<sip:+1972@gw1.example.net;unknownparam>").parameters
        )

    def test_malformed(self) -> None:
        """What RFC 4475 calls malformed is refused."""
        for text in (
            "",
            "*",
            "<>",
            "<sip:a@b",
            "sip:a@b>",
            "Bell, Alexander <sip:a@b>",
            '"Watson" < sip:t@example.org >',
            '"Mr. J. User <sip:j.user@example.com>',
            "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
            '"Joe" <sip:joe@example.org>;;;;',
            "<sip:a@b>;tag=1;tag=2",
            "<sip:a@b> junk",
            "<sip:a@b>,<sip:c@d>",
            "<nothing>",
        ):
            self.assertRaises(BadURI, NameAddr.parse, text)

    def test_parameters_set_and_dropped(self) -> None:
        """Parameters are changed without regard to case, and the rest stays."""
        address = NameAddr.parse("<sip:a@b>;expires=5;q=0.5")
        self.assertEqual(str(address.with_parameter("Expires", "60")), "<sip:a@b>;expires=60;q=0.5")
        self.assertEqual(str(address.with_parameter("tag", "1")), "<sip:a@b>;expires=5;q=0.5;tag=1")
        self.assertEqual(str(address.without_parameter("Q", "EXPIRES")), "<sip:a@b>")

    @given(name_addrs)
    def test_round_trip(self, address: NameAddr) -> None:
        """What is printed is read back, whatever the display name."""
        self.assertEqual(NameAddr.parse(str(address)), address)

    @given(st.text(alphabet=st.sampled_from('<>";:@=\\ \tsip%,*?ab\0\x7fä'), max_size=40))
    def test_garbage(self, text: str) -> None:
        """Garbage is an address with a scheme, or refused."""
        try:
            address = NameAddr.parse(text)
        except BadURI:
            return
        self.assertTrue(scheme_of(address.uri))


class ViaTests(SynchronousTestCase):
    """Reading and printing of Via values."""

    def test_parts(self) -> None:
        """All parts are found, with the white space that RFC 3261 §20.42 allows."""
        via = Via.parse(
            "SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1"
        )
        self.assertEqual(
            (via.protocol, via.transport, via.sent_by), ("SIP/2.0", "UDP", "first.example.com:4000")
        )
        self.assertEqual((via.branch, via.parameters.get("ttl")), ("z9hG4bKa7c6a8dlze.1", "16"))

    def test_received_and_rport(self) -> None:
        """What RFC 3581 adds is read; IPv6 with and without brackets (RFC 5118 §4.5)."""
        via = Via.parse("SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];rport;branch=z9hG4bKas3")
        self.assertEqual((via.host, via.received, via.rport), ("2001:db8::9:1", "2001:db8::9:255", None))
        self.assertIn("rport", via.parameters)
        answered = via.with_parameter("rport", "9988").with_parameter("received", "2001:db8::1")
        self.assertEqual(
            (Via.parse(str(answered)).rport, Via.parse(str(answered)).received), (9988, "2001:db8::1")
        )
        self.assertNotIn("rport", answered.without_parameter("rport").parameters)

    def test_bad_rport_is_none(self) -> None:
        """An rport that is no port is as if it had no value."""
        for value in ("x", "0", "65536", "123456", "9" * 5000):
            self.assertIsNone(Via.parse(f"SIP/2.0/UDP h;rport={value}").rport)

    def test_malformed(self) -> None:
        """What is no Via is refused."""
        for text in (
            "",
            "SIP/2.0/UDP",
            "SIP/2.0 UDP h",
            "SIP/2.0/UDP h:99999",
            "SIP/2.0/UDP h:",
            "SIP/2.0/UDP 192.0.2.15;;,;,,",
            "SIP/2.0/UDP [::1::2]",
            "SIP/2.0/UDP h;branch=1;Branch=2",
            "SIP/2.0/UDP h;branch=",
        ):
            self.assertRaises(BadURI, Via.parse, text)

    @given(vias)
    def test_round_trip(self, via: Via) -> None:
        """What is printed is read back."""
        self.assertEqual(Via.parse(str(via)), via)

    @given(st.text(alphabet=st.sampled_from("SIP/2.0UDTCh :;=branch[]\t,\"'ä\0"), max_size=50))
    def test_garbage(self, text: str) -> None:
        """Garbage is a Via with a host, or refused."""
        try:
            via = Via.parse(text)
        except BadURI:
            return
        self.assertTrue(via.host)
