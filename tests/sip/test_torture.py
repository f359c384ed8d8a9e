"""The torture messages of RFC 4475 and RFC 5118 as text: what is taken, what is refused, and what they mean."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip.framing import StreamParser
from p2pship.sip.message import BadMessage, Message, Request, Response, parse
from p2pship.sip.refusal import refusal
from p2pship.sip.sdp import SDP
from p2pship.sip.uri import BadURI, NameAddr, Via, parse_uri, request_uri, unescaped
from p2pship.sip.validity import check_extensions, validate
from tests.sip.torture import HANDLING, RFC4475, RFC5118, VECTORS, Fate, names, octets

WELL_FORMED = {"escnull", "esc02", "zeromf", "unksm2", "unreason", "noreason"}
"Refused or dropped for what they ask for, and not for how they are written."

GOOD = [*names(Fate.PASSED, Fate.WITHIN, Fate.REGISTERED, Fate.ANSWERED), *sorted(WELL_FORMED)]


def taken(name: str) -> Message:
    """Return a message as a proxy takes it.

    :raises BadMessage: if it is refused.
    """
    return checked(parse(octets(name)))


def checked(message: Message) -> Message:
    """Check what a proxy checks."""
    validate(message)
    if isinstance(message, Request):
        check_extensions(message, "Proxy-Require")
    return message


class TortureTests(SynchronousTestCase):
    """Every message."""

    def test_every_file_is_named(self) -> None:
        """No message is left out, and the table has the RFC's 49 and 12."""
        for folder, table in (("rfc4475", RFC4475), ("rfc5118", RFC5118)):
            files = sorted(path.stem for path in (VECTORS / folder).glob("*.dat"))
            self.assertEqual(sorted(table), files)
        self.assertEqual((len(RFC4475), len(RFC5118)), (49, 12))

    def test_good(self) -> None:
        """A well-formed message is taken and sent on octet for octet; its Vias can be read.

        Of ``dblreq``, only what follows its body is left.
        """
        for name in GOOD:
            message = taken(name)
            self.assertTrue(octets(name).startswith(message.encode()), name)
            self.assertTrue(message.encode() == octets(name) or name == "dblreq", name)
            self.assertEqual(
                len([Via.parse(value) for value in message.values("Via")]), len(message.values("Via"))
            )

    def test_good_over_a_stream(self) -> None:
        """A well-formed message is cut out of a stream, in one piece as octet by octet."""
        for name in GOOD:
            if name == "inv2543":
                continue
            expected = taken(name).encode()
            self.assertEqual(StreamParser().feed(expected + b"BYE"), [expected], name)
            parser = StreamParser()
            items = [item for at in range(len(expected)) for item in parser.feed(expected[at : at + 1])]
            self.assertEqual(items, [expected], name)

    def test_body_without_length(self) -> None:
        """The body of ``inv2543`` is the rest of a datagram; in a stream it has no end (RFC 4475 §3.3.9)."""
        self.assertTrue(taken("inv2543").body.endswith(b"RTP/AVP 0\r\n"))
        error = self.assertRaises(BadMessage, StreamParser().feed, octets("inv2543"))
        self.assertEqual((error.status, type(error.message)), (400, Request))

    def test_refused(self) -> None:
        """A malformed request is refused with the RFC's status, and its answer shows its Vias as they came."""
        for name in names(Fate.REFUSED):
            if name in WELL_FORMED:
                continue
            error = self.assertRaises(BadMessage, taken, name)
            self.assertEqual(error.status, HANDLING[name].status, name)
            assert isinstance(error.message, Request)
            answer = refusal(error)
            assert answer is not None, name
            self.assertEqual(answer.lines("Via"), error.message.lines("Via"), name)

    def test_dropped(self) -> None:
        """A malformed response is refused, and there is nothing to answer."""
        for name in names(Fate.DROPPED):
            if name in WELL_FORMED:
                continue
            error = self.assertRaises(BadMessage, taken, name)
            self.assertIsNone(refusal(error), name)

    def test_extra_octets(self) -> None:
        """What follows the body of ``dblreq`` in its datagram is not passed on."""
        message = taken("dblreq")
        self.assertEqual((message.body, repr(message)), (b"", "<REGISTER sip:example.com>"))
        self.assertNotIn(b"INVITE", message.encode())

    def test_bad_display_name(self) -> None:
        """``baddn`` is refused for its display names too, not only because its last line is missing."""
        error = self.assertRaises(BadMessage, lambda: checked(parse(octets("baddn") + b"\r\n")))
        self.assertEqual(error.status, 400)
        self.assertIn("bad from header: 'Bell, Alexander", str(error))

    def test_truncated(self) -> None:
        """Each message, cut anywhere, is taken or refused."""
        for name in HANDLING:
            whole = octets(name)
            for length in range(0, len(whole), 7):
                try:
                    self.assertIsInstance(checked(parse(whole[:length])), Message)
                except BadMessage as error:
                    self.assertGreaterEqual(error.status, 400)

    def test_unsupported_is_listed(self) -> None:
        """The 420 for ``bext01`` names what is not supported, for the role that answers."""
        request = parse(octets("bext01"))
        assert isinstance(request, Request)
        for header, tags in (
            ("Proxy-Require", "noProxiesSupportThis, norDoAnyProxiesSupportThis"),
            ("Require", "nothingSupportsThis, nothingSupportsThisEither"),
        ):
            error = self.assertRaises(BadMessage, check_extensions, request, header)
            self.assertEqual(error.headers, (("Unsupported", tags),))
            check_extensions(request, header, tags.upper().split(", "))


class MeaningTests(SynchronousTestCase):
    """What the RFC says the tricky parts of valid messages mean."""

    def test_wsinv(self) -> None:
        """White space and folds anywhere change no meaning (§3.1.1.1)."""
        message = taken("wsinv")
        self.assertEqual((message.max_forwards, message.cseq), (68, (9, "INVITE")))
        self.assertEqual((message.to.tag, message.from_.tag), ("1918181833n", "98asjd8"))
        self.assertEqual(message.from_.display, 'J Rosenberg \\"')
        hosts = [Via.parse(value).host for value in message.values("Via")]
        self.assertEqual(hosts, ["192.0.2.2", "spindle.example.com", "192.168.255.111"])
        self.assertEqual(Via.parse(message.values("Via")[2]).branch, "z9hG4bK30239")
        self.assertEqual(
            (message.first("Subject"), message.first("UnknownHeaderWithUnusualValue")), ("", ";;,,;;,;")
        )
        contact = NameAddr.parse(message.values("Contact")[0])
        self.assertEqual((contact.display, contact.parameters.get("q")), ('Quoted string ""', "0.33"))

    def test_intmeth(self) -> None:
        """All legal characters are taken (§3.1.1.2)."""
        message = taken("intmeth")
        assert isinstance(message, Request)
        self.assertEqual(message.method, "!interesting-Method0123456789_*+`.%indeed'~")
        self.assertEqual(message.to.display, "BEL:\x07 NUL:\x00 DEL:\x7f")
        self.assertEqual(parse_uri(message.uri).password, "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)")
        self.assertEqual(message.first("extensionHeader-!.%*+_`'~"), "\ufeff大停電")

    def test_escapes(self) -> None:
        """Escapes mean what they stand for in URIs, and nothing elsewhere (§3.1.1.3 to §3.1.1.5)."""
        esc01 = taken("esc01")
        assert isinstance(esc01, Request)
        self.assertEqual(unescaped(parse_uri(esc01.uri).user or ""), "sips:user@example.com")
        self.assertEqual(unescaped(parse_uri(esc01.to.uri).user or ""), "user")
        self.assertEqual(len(taken("escnull").values("Contact")), 2)
        esc02 = taken("esc02")
        assert isinstance(esc02, Request)
        self.assertEqual(
            (esc02.method, esc02.to.display, len(esc02.values("Contact"))), ("RE%47IST%45R", "%Z%45", 2)
        )

    def test_longreq(self) -> None:
        """All 34 Vias are there (§3.1.1.7)."""
        self.assertEqual(len(taken("longreq").values("Via")), 34)

    def test_responses(self) -> None:
        """Odd reason phrases are no fault (§3.1.1.12, §3.1.1.13)."""
        unreason, noreason = taken("unreason"), taken("noreason")
        assert isinstance(unreason, Response) and isinstance(noreason, Response)
        self.assertEqual((unreason.status, unreason.reason[:13]), (200, "= 2**3 * 5**2"))
        self.assertEqual((noreason.status, noreason.reason), (100, ""))

    def test_rfc2543(self) -> None:
        """A message of RFC 2543 lacks branch, tag and Max-Forwards, and its body is the rest (§3.4.1)."""
        message = taken("inv2543")
        self.assertEqual((message.via.branch, message.from_.tag, message.max_forwards), (None, None, None))
        self.assertTrue(message.body.startswith(b"v=0\r\n"))

    def test_descriptions(self) -> None:
        """The session descriptions within are read and kept."""
        found = 0
        for name in GOOD:
            message = taken(name)
            if message.first("Content-Type") == "application/sdp":
                found += 1
                self.assertEqual(SDP.parse(message.body).encode(), message.body)
        self.assertGreaterEqual(found, 10)

    def test_header_in_contact(self) -> None:
        """The header in the Contact of ``regescrt`` stays in it, and does not come into a Request-URI (§3.3.14)."""
        contact = NameAddr.parse(taken("regescrt").values("Contact")[0])
        self.assertEqual(parse_uri(contact.uri).headers, (("Route", "%3Csip:sip.example.com%3E"),))
        self.assertEqual(request_uri(contact.uri), "sip:user@example.com")


class IPv6MeaningTests(SynchronousTestCase):
    """What RFC 5118 says its messages mean."""

    def test_brackets(self) -> None:
        """An address and its port are told apart by the brackets (§4.1, §4.3, §4.4)."""
        found = {}
        for name in ("ipv6-good", "port-ambiguous", "port-unambiguous"):
            request = taken(name)
            assert isinstance(request, Request)
            uri = parse_uri(request.uri)
            found[name] = (uri.host, uri.port)
            self.assertEqual((request.via.host, request.via.port), ("2001:db8::9:1", None))
            self.assertEqual(NameAddr.parse(request.values("Contact")[0]).uri, "sip:caller@[2001:db8::1]")
        self.assertEqual(
            found,
            {
                "ipv6-good": ("2001:db8::10", None),
                "port-ambiguous": ("2001:db8::10:5070", None),
                "port-unambiguous": ("2001:db8::10", 5070),
            },
        )

    def test_received(self) -> None:
        """The received parameter is the same with and without brackets (§4.5)."""
        for name in ("via-received-param-with-delim", "via-received-param-no-delim"):
            self.assertEqual(taken(name).via.received, "2001:db8::9:255", name)

    def test_mixed_headers(self) -> None:
        """IPv4 and IPv6 stand beside each other (§4.7, §4.9)."""
        vias = [Via.parse(value) for value in taken("mult-ip-in-header").values("Via")]
        self.assertEqual([via.host for via in vias], ["2001:db8::9:1", "192.0.2.1", "2001:db8::9:255"])
        self.assertEqual((vias[0].port, vias[2].received), (6050, "192.0.2.200"))
        mapped = taken("ipv4-mapped-ipv6").via
        self.assertEqual((mapped.host, mapped.port), ("::ffff:192.0.2.10", 19823))

    def test_descriptions(self) -> None:
        """Each media line is sent to its own address, mapped ones to IPv4 (§4.6, §4.8, §4.9)."""
        expected = {
            "ipv6-in-sdp": ["[2001:db8::20]:6000", "[2001:db8::20]:6024"],
            "mult-ip-in-sdp": ["192.0.2.1:22334", "[2001:db8::1]:6024"],
            "ipv4-mapped-ipv6": ["192.0.2.2:6000", "192.0.2.2:6024"],
        }
        for name, addresses in expected.items():
            sdp = SDP.parse(taken(name).body)
            self.assertEqual([str(line.rtp) for line in sdp.media], addresses, name)

    def test_third_colon(self) -> None:
        """The third colon is passed over where the URI is read, and only before an IPv4 address (§4.10)."""
        odd, right = taken("ipv6-bug-abnf-3-colons"), taken("ipv6-correct-abnf-2-colons")
        assert isinstance(odd, Request) and isinstance(right, Request)
        self.assertEqual(parse_uri(odd.uri), parse_uri(right.uri))
        self.assertIn(":::", odd.uri)
        self.assertRaises(BadURI, parse_uri, "sip:user@[2001:db8:::1]")
