"""The torture messages of RFC 4475: each valid one is understood and passes unchanged, each other one is refused."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip.framing import StreamParser
from p2pship.sip.message import BadMessage, Message, Request, Response, parse, response_to
from p2pship.sip.sdp import SDP, sdp_in
from p2pship.sip.uri import NameAddr, Via, parse_uri
from p2pship.sip.validity import check_extensions, validate

VECTORS = Path(__file__).parent.parent / "vectors" / "rfc4475"

VALID = [
    "wsinv",
    "intmeth",
    "esc01",
    "escnull",
    "esc02",
    "lwsdisp",
    "longreq",
    "semiuri",
    "transports",
    "mpart01",
    "unreason",
    "noreason",
    "baddate",
    "unksm2",
    "invut",
    "regaut01",
    "zeromf",
    "cparam01",
    "cparam02",
    "regescrt",
    "sdp01",
    "inv2543",
]
"""Those that pass. ``baddate`` should pass where its Date does not matter (§3.1.2.12); what ``invut``, ``regaut01`` and
``sdp01`` ask for is an endpoint's matter, and the 483 for ``zeromf`` a proxy's."""

REFUSED = {
    "badinv01": 400,
    "clerr": 400,
    "ncl": 400,
    "scalar02": 400,
    "quotbal": 400,
    "ltgtruri": 400,
    "lwsruri": 400,
    "lwsstart": 400,
    "trws": 400,
    "escruri": 400,
    "regbadct": 400,
    "badaspec": 400,
    "baddn": 400,
    "badvers": 505,
    "mismatch01": 400,
    "mismatch02": 501,
    "badbranch": 400,
    "insuf": 400,
    "unkscm": 416,
    "novelsc": 416,
    "bext01": 420,
    "multi01": 400,
    "mcl01": 400,
}
"Requests that are answered with a status."

DROPPED = ("scalarlg", "bigcode", "bcast")
"Responses that nobody may get."


def octets(name: str) -> bytes:
    """Return a message as it comes."""
    return (VECTORS / f"{name}.dat").read_bytes()


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
    """All 49 messages."""

    def test_every_file_is_named(self) -> None:
        """No message is left out."""
        names = sorted(path.stem for path in VECTORS.glob("*.dat"))
        self.assertEqual(sorted([*VALID, *REFUSED, *DROPPED, "dblreq"]), names)
        self.assertEqual(len(names), 49)

    def test_valid(self) -> None:
        """A valid message is taken and sent on octet for octet; its typed headers can be read."""
        for name in VALID:
            message = taken(name)
            self.assertEqual(message.encode(), octets(name), name)
            self.assertEqual(
                len([Via.parse(value) for value in message.values("Via")]), len(message.values("Via"))
            )

    def test_valid_over_a_stream(self) -> None:
        """A valid message is cut out of a stream, unless it has a body and no Content-Length."""
        for name in VALID:
            expected = (
                octets(name).partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if name == "inv2543" else octets(name)
            )
            self.assertEqual(StreamParser().feed(expected + b"BYE"), [expected], name)

    def test_refused(self) -> None:
        """An invalid request is refused with the RFC's status, and can be answered."""
        for name, status in REFUSED.items():
            error = self.assertRaises(BadMessage, taken, name)
            self.assertEqual(error.status, status, name)
            assert isinstance(error.message, Request)
            answer = response_to(error.message, error.status, to_tag="1")
            self.assertEqual(answer.lines("Via"), error.message.lines("Via"), name)

    def test_dropped(self) -> None:
        """An invalid response is refused, and there is nothing to answer."""
        for name in DROPPED:
            error = self.assertRaises(BadMessage, taken, name)
            self.assertNotIsInstance(error.message, Request)

    def test_extra_octets(self) -> None:
        """What follows the body of ``dblreq`` in its datagram is not passed on."""
        message = taken("dblreq")
        self.assertEqual((message.body, repr(message)), (b"", "<REGISTER sip:example.com>"))
        self.assertTrue(octets("dblreq").startswith(message.encode()))
        self.assertNotIn(b"INVITE", message.encode())

    def test_bad_display_name(self) -> None:
        """``baddn`` is refused for its display names too, not only because its last line is missing."""
        error = self.assertRaises(BadMessage, lambda: checked(parse(octets("baddn") + b"\r\n")))
        self.assertEqual(error.status, 400)
        self.assertIn("Watson", str(error) + str(error.message and error.message.first("To")))

    def test_truncated(self) -> None:
        """Each message, cut anywhere, is taken or refused."""
        for path in VECTORS.glob("*.dat"):
            whole = path.read_bytes()
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
        self.assertEqual(parse_uri(esc01.uri).username, "sips:user@example.com")
        self.assertEqual(parse_uri(esc01.to.uri).username, "user")
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
        for name in VALID:
            description = sdp_in(taken(name))
            if description is not None:
                found += 1
                self.assertEqual(SDP.parse(description).encode(), description)
        self.assertGreaterEqual(found, 7)
