"""Tests of where responses to phones go."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import HostPort
from p2pship.sip.message import BadMessage, Request, request, response_to
from p2pship.sip.way_back import mark_source, way_back

SOURCE = HostPort("192.0.2.4", 9988)


def request_with(*vias: str) -> Request:
    """Make a request with these Vias."""
    return request("OPTIONS", "sip:example.com", [("Via", via) for via in vias])


class WayBackTests(SynchronousTestCase):
    """What is noted, and where it leads."""

    def check(self, via: str, marked: str, to: str, source: HostPort = SOURCE) -> None:
        """The top Via becomes ``marked``, and a response goes to an address."""
        made = request_with(via)
        mark_source(made, source)
        self.assertEqual(made.values("Via"), [marked])
        self.assertEqual(str(way_back(response_to(made, 200), source)), to)

    def test_name(self) -> None:
        """A name in sent-by gets the source address; the port is that of sent-by (§18.2.1)."""
        self.check(
            "SIP/2.0/UDP bobspc.biloxi.com:5060;branch=z9hG4bK1",
            "SIP/2.0/UDP bobspc.biloxi.com:5060;branch=z9hG4bK1;received=192.0.2.4",
            "192.0.2.4:5060",
        )

    def test_same_address(self) -> None:
        """The source's own address needs no mark."""
        self.check("SIP/2.0/UDP 192.0.2.4:5070", "SIP/2.0/UDP 192.0.2.4:5070", "192.0.2.4:5070")

    def test_default_port(self) -> None:
        """Without a port in sent-by the response goes to 5060 (§18.2.2)."""
        self.check("SIP/2.0/UDP 192.0.2.4", "SIP/2.0/UDP 192.0.2.4", "192.0.2.4:5060")

    def test_rport(self) -> None:
        """With rport the response goes to the source, and both are noted even if sent-by is right (RFC 3581 §4)."""
        self.check(
            "SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bKkjshdyff",
            "SIP/2.0/UDP 10.1.1.1:4540;rport=9988;branch=z9hG4bKkjshdyff;received=192.0.2.4",
            "192.0.2.4:9988",
        )
        self.check(
            "SIP/2.0/UDP 192.0.2.4:9988;rport",
            "SIP/2.0/UDP 192.0.2.4:9988;rport=9988;received=192.0.2.4",
            "192.0.2.4:9988",
        )

    def test_forged_marks(self) -> None:
        """A sender cannot have its response sent to somebody else."""
        self.check("SIP/2.0/UDP 192.0.2.4;received=203.0.113.1", "SIP/2.0/UDP 192.0.2.4", "192.0.2.4:5060")
        self.check(
            "SIP/2.0/UDP x.example.com;received=203.0.113.1;rport=7",
            "SIP/2.0/UDP x.example.com;received=192.0.2.4;rport=9988",
            "192.0.2.4:9988",
        )

    def test_maddr(self) -> None:
        """An maddr that is the address of a host is obeyed, also with rport; a name or a group is not, nor that of another machine."""
        local = HostPort("127.0.0.1", 9988)
        for maddr, source, to in (
            ("192.0.2.9", local, "192.0.2.9:5070"),
            ("224.0.1.75", local, "127.0.0.1:5070"),
            ("x.example.com", local, "127.0.0.1:5070"),
            ("192.0.2.9", SOURCE, "192.0.2.4:5070"),
            ("127.0.0.1", SOURCE, "192.0.2.4:5070"),
        ):
            via = f"SIP/2.0/UDP {source.host}:5070;maddr={maddr}"
            self.check(via, via, to, source)

    def test_ipv6(self) -> None:
        """The same IPv6 address in another spelling is the same (RFC 5118)."""
        source = HostPort("2001:db8::1", 5070)
        via = "SIP/2.0/UDP [2001:DB8:0::1]:5070"
        made = request_with(via)
        mark_source(made, source)
        self.assertIsNone(made.via.received)
        self.check(
            "SIP/2.0/UDP [2001:db8::9]:5061",
            "SIP/2.0/UDP [2001:db8::9]:5061;received=2001:db8::1",
            "[2001:db8::1]:5061",
            source,
        )

    def test_only_the_top_via(self) -> None:
        """The Vias below stay as they are."""
        made = request_with(
            "SIP/2.0/UDP a.example.com, SIP/2.0/UDP b.example.com;rport", "SIP/2.0/TCP c.example.com"
        )
        mark_source(made, SOURCE)
        self.assertEqual(
            made.values("Via"),
            [
                "SIP/2.0/UDP a.example.com;received=192.0.2.4",
                "SIP/2.0/UDP b.example.com;rport",
                "SIP/2.0/TCP c.example.com",
            ],
        )

    def test_no_via(self) -> None:
        """Without a Via, there is no way back."""
        bad = request_with()
        self.assertRaises(BadMessage, mark_source, bad, SOURCE)
        self.assertRaises(BadMessage, way_back, response_to(bad, 200), SOURCE)

    def test_unreadable_via(self) -> None:
        """Who sends a Via that cannot be read is answered where it sends from, with its own Via as it was."""
        for via in ("nonsense", "SIP/2.0/UDP 192.0.2.9;;", ""):
            bad = request_with(via)
            mark_source(bad, SOURCE)
            self.assertEqual(bad.lines("Via"), [via])
            self.assertEqual(way_back(response_to(bad, 400), SOURCE), SOURCE)
