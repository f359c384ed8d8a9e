"""Tests of what a message must be to be routed or answered; the torture messages are tested beside."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip.message import BadMessage, Request, parse, request, response_to
from p2pship.sip.validity import MOST_VIAS, check_extensions, validate

HEADERS = [
    ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
    ("From", "<sip:a@example.com>;tag=1"),
    ("To", "<sip:b@example.com>"),
    ("Call-ID", "1"),
    ("CSeq", "1 INVITE"),
]


def _invite(uri: str = "sip:b@example.com", **changed: str) -> Request:
    message = request("INVITE", uri, HEADERS)
    for name, value in changed.items():
        message.set(name.replace("_", "-"), value)
    return message


class ValidateTests(SynchronousTestCase):
    """Statuses for what is wrong."""

    def test_good(self) -> None:
        """A plain request and its answer are good, and may come without Max-Forwards and Contact."""
        message = _invite()
        validate(message)
        validate(response_to(message, 200))
        validate(_invite(Contact="*", Max_Forwards="0"))

    def test_bad(self) -> None:
        """Each fault has its status and names the request."""
        for message, status in (
            (_invite("sip:b@@example.com"), 400),
            (_invite("sip:b@example.com?x=y"), 400),
            (_invite("nothing"), 400),
            (_invite("tel:+358"), 416),
            (_invite(CSeq="1 BYE"), 400),
            (request("InVITE", "sip:b@example.com", HEADERS), 501),
            (_invite(From="<sip:a@b@c>"), 400),
            (_invite(To="sip:"), 400),
            (_invite(Contact="<sip:a>, <sip:"), 400),
            (_invite(Contact="<sip:%>"), 400),
            (_invite(Max_Forwards="many"), 400),
            (_invite(Via="SIP/2.0/UDP h;branch=z9hG4bK"), 400),
            (_invite(Via=", ".join(["SIP/2.0/UDP h"] * (MOST_VIAS + 1))), 482),
        ):
            error = self.assertRaises(BadMessage, validate, message)
            self.assertEqual((error.status, error.message), (status, message))

    def test_schemes(self) -> None:
        """A node that serves telephone numbers takes their scheme."""
        validate(_invite("tel:+358-555"), {"sip", "sips", "tel"})

    def test_response_to_everybody(self) -> None:
        """A response that would go on to a broadcast, multicast or unreadable address is bad (RFC 4475 §3.3.10)."""
        for second in ("255.255.255.255", "239.1.1.1", "0.0.0.0", "[ff02::1]", "<x>"):
            response = response_to(_invite(), 200)
            response.append("Via", f"SIP/2.0/UDP {second};branch=z9hG4bK2")
            self.assertRaises(BadMessage, validate, response)
        response.set("Via", HEADERS[0][1], "SIP/2.0/UDP phone.example.com")
        validate(response)

    def test_extensions(self) -> None:
        """ACK and CANCEL are never refused for Require (RFC 3261 §8.2.2.3)."""
        for method in ("ACK", "CANCEL"):
            check_extensions(request(method, "sip:a", [("Require", "x")]), "Require")
        message = request("INVITE", "sip:a", [("Require", "100rel, x"), ("Require", "Y")])
        error = self.assertRaises(BadMessage, check_extensions, message, "Require", ["100REL"])
        self.assertEqual((error.status, error.headers), (420, (("Unsupported", "x, Y"),)))

    def test_parsed(self) -> None:
        """What was parsed is checked the same."""
        validate(parse(_invite().encode()))
