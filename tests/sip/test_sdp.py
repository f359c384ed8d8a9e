"""Tests of session descriptions as a relay needs them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import HostPort
from p2pship.sip.sdp import LARGEST_SDP, MOST_MEDIA, SDP, BadSDP, MediaLine
from tests.sip.descriptions import Described, descriptions

PLAIN = b"""v=0
o=alice 2890844526 2890844527 IN IP4 192.0.2.1
s=-
c=IN IP4 192.0.2.1
t=0 0
m=audio 49170 RTP/AVP 0 8 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
m=video 51372 RTP/SAVP 31 32
c=IN IP4 192.0.2.2
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4
a=sendonly
""".replace(b"\n", b"\r\n")

BROWSER = b"""v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=ice-lite
a=ice-options:trickle
m=audio 9 UDP/TLS/RTP/SAVPF 111 0
c=IN IP4 203.0.113.7
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2113937151 192.168.1.5 54400 typ host
a=remote-candidates:1 192.0.2.3 45664
a=end-of-candidates
a=ice-ufrag:ETEn
a=ice-pwd:OtSK0WpNtpUjkY4+86js7ZQl
a=fingerprint:sha-256 7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35
a=setup:actpass
a=mid:0
a=rtcp-mux
a=rtpmap:111 opus/48000/2
""".replace(b"\n", b"\r\n")


def _media(*lines: str, session: str = "c=IN IP4 192.0.2.1") -> MediaLine:
    text = "\r\n".join(["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", session, "t=0 0", *lines, ""])
    return SDP.parse(text.encode()).media[0]


class ReadingTests(SynchronousTestCase):
    """What a relay reads."""

    def test_plain(self) -> None:
        """Ports, formats, directions and the address that applies are found."""
        audio, video = SDP.parse(PLAIN).media
        self.assertEqual((audio.kind, audio.port, audio.protocol), ("audio", 49170, "RTP/AVP"))
        self.assertEqual((audio.formats, audio.direction), (("0", "8", "101"), "sendrecv"))
        self.assertEqual(
            (audio.rtp, audio.rtcp), (HostPort("192.0.2.1", 49170), HostPort("192.0.2.1", 49171))
        )
        self.assertEqual((video.rtp, video.direction), (HostPort("192.0.2.2", 51372), "sendonly"))
        self.assertEqual(audio.attributes("rtpmap"), ["0 PCMU/8000", "101 telephone-event/8000"])

    def test_unchanged(self) -> None:
        """What is read is printed octet for octet, with either line end and with odd octets."""
        for data in (PLAIN, BROWSER, PLAIN.replace(b"\r\n", b"\n"), PLAIN.replace(b"s=-", b"s=\xff\xe9 x")):
            self.assertEqual(SDP.parse(data).encode(), data)

    def test_last_line_end_missing(self) -> None:
        """The last line may lack its end, and gets one; empty lines may follow."""
        self.assertEqual(SDP.parse(PLAIN[:-2]).encode(), PLAIN)
        self.assertEqual(SDP.parse(PLAIN + b"\r\n\r\n").media[1].direction, "sendonly")

    def test_rtcp(self) -> None:
        """RTCP is where RFC 3605 says, at RTP's port with RFC 5761, else at the next."""
        self.assertEqual(_media("m=audio 7000 RTP/AVP 0").rtcp, HostPort("192.0.2.1", 7001))
        self.assertEqual(_media("m=audio 7000 RTP/AVP 0", "a=rtcp:8000").rtcp, HostPort("192.0.2.1", 8000))
        other = _media("m=audio 7000 RTP/AVP 0", "a=rtcp:8000 IN IP6 2001:db8::5")
        self.assertEqual(other.rtcp, HostPort("2001:db8::5", 8000))
        muxed = _media("m=audio 7000 RTP/AVP 0", "a=rtcp:8000", "a=rtcp-mux")
        self.assertEqual((muxed.muxed, muxed.rtcp), (True, HostPort("192.0.2.1", 7000)))
        self.assertIsNone(_media("m=audio 65535 RTP/AVP 0").rtcp)

    def test_nowhere(self) -> None:
        """Port 0, hold by address, names and addresses that are nobody's take no media."""
        for address in ("IP4 0.0.0.0", "IP6 ::", "IP4 phone.example.com", "IP4 239.1.1.1/127", "IP6 ff02::1"):
            line = _media("m=audio 7000 RTP/AVP 0", f"c=IN {address}")
            self.assertEqual((line.rtp, line.rtcp, line.port), (None, None, 7000), address)
        self.assertIsNone(_media("m=audio 0 RTP/AVP 0").rtp)
        self.assertIsNone(_media("m=audio 7000 RTP/AVP 0", session="i=none").rtp)

    def test_ipv6_and_multiple_ports(self) -> None:
        """IPv6 addresses are in their one spelling; a number of ports is passed over."""
        line = _media("m=video 49170/2 RTP/AVP 31", "c=IN IP6 2001:DB8:0::1")
        self.assertEqual(line.rtp, HostPort("2001:db8::1", 49170))

    def test_transports(self) -> None:
        """What is carried in UDP is known."""
        for protocol in (
            "RTP/AVP",
            "RTP/SAVP",
            "RTP/AVPF",
            "RTP/SAVPF",
            "UDP/TLS/RTP/SAVPF",
            "udptl",
            "UDP/DTLS/SCTP",
            "udp",
        ):
            self.assertTrue(_media(f"m=audio 7000 {protocol} 0").is_udp, protocol)
        for protocol in ("TCP/RTP/AVP", "TCP/MSRP", "TCP/TLS/MSRP", "TCP/BFCP", "TCP", "X"):
            self.assertFalse(_media(f"m=audio 7000 {protocol} 0").is_udp, protocol)

    def test_direction(self) -> None:
        """The session's direction applies where the media states none (RFC 8866 §6.7)."""
        self.assertEqual(_media("m=audio 1 RTP/AVP 0", session="a=recvonly").direction, "recvonly")
        self.assertEqual(
            _media("m=audio 1 RTP/AVP 0", "a=inactive", session="a=recvonly").direction, "inactive"
        )

    def test_malformed(self) -> None:
        """What is no session description is refused."""
        start = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n"
        for data in (
            b"",
            b"\r\n",
            b"hello",
            b"o=- 1 1 IN IP4 192.0.2.1\r\n",
            start + b"m=audio\r\n",
            start + b"m=audio x RTP/AVP 0\r\n",
            start + b"m=audio 65536 RTP/AVP 0\r\n",
            start + b"m=audio -1 RTP/AVP 0\r\n",
            start + b"m =audio 1 RTP/AVP 0\r\n",
            start + b"c=IN IP4\r\n" + b"m=audio 1 RTP/AVP 0\r\n",
            start + b"c=IN IP5 192.0.2.1\r\n" + b"m=audio 1 RTP/AVP 0\r\n",
            start + b"c=IN IP4 192.0.2.1\r\nm=audio 1 RTP/AVP 0\r\na=rtcp:x\r\n",
            start + b"\r\nm=audio 1 RTP/AVP 0\r\n",
            start + b"s=\rx\r\n",
        ):
            self.assertRaises(BadSDP, SDP.parse, data)

    def test_limits(self) -> None:
        """Size and number of media lines are limited."""
        start = b"v=0\r\ns=-\r\n"
        self.assertEqual(len(SDP.parse(start + b"m=audio 0 RTP/AVP 0\r\n" * MOST_MEDIA).media), MOST_MEDIA)
        self.assertRaises(BadSDP, SDP.parse, start + b"m=audio 0 RTP/AVP 0\r\n" * (MOST_MEDIA + 1))
        self.assertRaises(BadSDP, SDP.parse, start + b"a=" + b"x" * LARGEST_SDP)

    def test_truncated(self) -> None:
        """A description cut anywhere is read or refused."""
        for whole in (PLAIN, BROWSER):
            for length in range(len(whole)):
                try:
                    self.assertTrue(whole.startswith(SDP.parse(whole[:length]).encode().rstrip()))
                except BadSDP:
                    continue

    @given(st.lists(st.sampled_from("vocmabz"), max_size=8), st.binary(max_size=40))
    def test_garbage(self, kinds: list[str], data: bytes) -> None:
        """Garbage gives BadSDP only, also in rewriting."""
        text = b"v=0\r\n" + b"".join(f"{kind}=".encode() + data + b"\r\n" for kind in kinds)
        try:
            sdp = SDP.parse(text)
            again = SDP.parse(sdp.rewrite("192.0.2.9", [(4000, 4001)] * len(sdp.media)))
        except BadSDP:
            return
        self.assertEqual(len(again.media), len(sdp.media))


class NoAddressTests(SynchronousTestCase):
    """No address of the phone goes on, and nothing else is touched."""

    def test_in_unknown_places(self) -> None:
        """An attribute that names an address of the description goes, and in text another stands for it."""
        described = (
            PLAIN.replace(b"o=alice", b"o=alice@192.0.2.1")
            .replace(b"s=-", b"s=call from 192.0.2.1")
            .replace(
                b"a=sendonly",
                b"a=X-mine:192.0.2.2:99\r\na=alt:1 1 : u p 10.1.1.1 99\r\na=altc:1 IP4 10.1.1.2 99\r\na=sendonly",
            )
        )
        shown = SDP.parse(described).rewrite("2001:20::1", [(2, 3), (4, 5)])
        for address in (b"192.0.2.", b"10.1.1."):
            self.assertNotIn(address, shown)
        self.assertIn(b"o=alice@2001:20::1 2890844526 2890844527 IN IP6 2001:20::1\r\n", shown)
        self.assertIn(b"s=call from 2001:20::1\r\n", shown)
        self.assertIn(b"a=sendonly\r\n", shown)

    @given(descriptions())
    def test_anything(self, described: Described) -> None:
        """Whatever a phone says: its addresses are gone, as many lines are offered, and every other line keeps its octets."""
        sdp = SDP.parse(described.text)
        shown = sdp.rewrite("2001:20::1", [(4000 + 2 * at, 4001 + 2 * at) for at in range(len(sdp.media))])
        for address in described.addresses:
            self.assertNotIn(address.encode(), shown)
        again = SDP.parse(shown)
        self.assertEqual([line.kind for line in again.media], [line.kind for line in sdp.media])
        self.assertEqual(
            [line.port for line in again.media],
            [4000 + 2 * at if line.port and line.is_udp else 0 for at, line in enumerate(sdp.media)],
        )
        kept = [line for line in shown.splitlines(True) if line in described.untouched]
        self.assertEqual(kept, described.untouched)


class RewritingTests(SynchronousTestCase):
    """What a relay changes."""

    def test_plain(self) -> None:
        """o=, c= and ports change; every other line keeps its octets."""
        shown = SDP.parse(PLAIN).rewrite("198.51.100.1", [(4000, 4001), (4002, 4003)])
        expected = (
            PLAIN.replace(b"IN IP4 192.0.2.1", b"IN IP4 198.51.100.1")
            .replace(b"IN IP4 192.0.2.2", b"IN IP4 198.51.100.1")
            .replace(b"49170", b"4000")
            .replace(b"51372", b"4002")
        )
        self.assertEqual(shown, expected)

    def test_hit(self) -> None:
        """Towards the link the address is a HIT and the ports are flow numbers."""
        shown = SDP.parse(PLAIN).rewrite("2001:20::1", [(2, 3), (4, 5)])
        self.assertIn(b"o=alice 2890844526 2890844527 IN IP6 2001:20::1\r\n", shown)
        self.assertEqual(
            [line.rtp for line in SDP.parse(shown).media], [HostPort("2001:20::1", port) for port in (2, 4)]
        )
        self.assertNotIn(b"192.0.2", shown)

    def test_line_ends(self) -> None:
        """Lines that end with LF alone go on to."""
        shown = SDP.parse(PLAIN.replace(b"\r\n", b"\n")).rewrite("198.51.100.1", [(1, 2), (3, 4)])
        self.assertNotIn(b"\r", shown)
        self.assertEqual(shown.count(b"\n"), PLAIN.count(b"\n"))

    def test_hold(self) -> None:
        """A hold by address stays one at either level, and the other level changes (RFC 3264 §8.4)."""
        session_hold = PLAIN.replace(b"c=IN IP4 192.0.2.1", b"c=IN IP4 0.0.0.0")
        for address in ("198.51.100.1", "2001:20::1"):
            audio, video = SDP.parse(SDP.parse(session_hold).rewrite(address, [(2, 3), (4, 5)])).media
            self.assertEqual((audio.host, audio.rtp, audio.port), ("0.0.0.0", None, 2))
            self.assertEqual(video.rtp, HostPort(address, 4))
            media_hold = PLAIN.replace(b"c=IN IP4 192.0.2.2", b"c=IN IP4 0.0.0.0")
            audio, video = SDP.parse(SDP.parse(media_hold).rewrite(address, [(2, 3), (4, 5)])).media
            self.assertEqual((audio.rtp, video.rtp), (HostPort(address, 2), None))

    def test_browser(self) -> None:
        """ICE goes; DTLS-SRTP, rtcp-mux, groups and codecs stay."""
        shown = SDP.parse(BROWSER).rewrite("198.51.100.1", [(4000, 4000)])
        for gone in (b"candidate", b"ice-", b"127.0.0.1", b"203.0.113.7", b"192.168.1.5", b"0.0.0.0"):
            self.assertNotIn(gone, shown)
        for kept in (
            b"a=fingerprint:sha-256 7B:8B",
            b"a=setup:actpass",
            b"a=rtcp-mux",
            b"a=group:BUNDLE 0",
            b"opus/48000/2",
        ):
            self.assertIn(kept, shown)
        line = SDP.parse(shown).media[0]
        self.assertEqual(
            (line.rtp, line.rtcp, line.attributes("rtcp")),
            (HostPort("198.51.100.1", 4000), HostPort("198.51.100.1", 4000), ["4000"]),
        )

    def test_rtcp(self) -> None:
        """a=rtcp stands where it stood, and where RTCP would not be found without."""
        line = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 7000 RTP/AVP 0\r\n"
        for extra, pair, stated in (
            ("", (4000, 4001), []),
            ("", (4000, 4005), ["4005"]),
            ("a=rtcp:9 IN IP4 192.0.2.8\r\n", (4000, 4001), ["4001"]),
            ("a=rtcp-mux\r\n", (4000, 4000), []),
            ("a=rtcp-mux\r\n", (4000, 4001), []),
        ):
            shown = SDP.parse((line + extra).encode()).rewrite("198.51.100.1", [pair])
            self.assertEqual(SDP.parse(shown).media[0].attributes("rtcp"), stated)

    def test_refused(self) -> None:
        """What is refused, is not UDP or is nobody's gets port 0 and tells no address."""
        for text, pair in (
            ("m=audio 0 RTP/AVP 0", (4000, 4001)),
            ("m=audio 7000/2 RTP/AVP 0 8\r\na=rtcp:7005 IN IP4 192.0.2.1", None),
            ("m=message 2855 TCP/MSRP *\r\na=path:msrp://192.0.2.1:2855/abc;tcp", (4000, 4001)),
        ):
            data = f"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\n{text}\r\n".encode()
            shown = SDP.parse(data).rewrite("198.51.100.1", [pair])
            line = SDP.parse(shown).media[0]
            self.assertEqual((line.port, line.attributes("rtcp")), (0, []))
            self.assertNotIn(b"192.0.2.1", shown)
            self.assertEqual(line.formats, SDP.parse(data).media[0].formats)

    def test_source_filter(self) -> None:
        """A filter on the sender's address would stop the relay, and goes."""
        data = PLAIN + b"a=source-filter: incl IN IP4 * 192.0.2.1\r\n"
        self.assertNotIn(b"192.0.2.1", SDP.parse(data).rewrite("198.51.100.1", [(2, 3), (4, 5)]))

    def test_malformed_origin(self) -> None:
        """An o= that cannot be rewritten is refused rather than shown."""
        sdp = SDP.parse(PLAIN.replace(b"o=alice 2890844526 2890844527 IN IP4", b"o=alice"))
        self.assertRaises(BadSDP, sdp.rewrite, "198.51.100.1", [None, None])

    def test_session_rtcp(self) -> None:
        """An a=rtcp that stands where none belongs is left out: it would show an address (RFC 3605 §2.1)."""
        described = PLAIN.replace(
            b"t=0 0\r\n", b"t=0 0\r\na=rtcp:9 IN IP4 192.0.2.66\r\na=Candidate:1 1 UDP 1 192.0.2.66\r\n"
        )
        self.assertIn(b"192.0.2.66", described)
        sdp = SDP.parse(described)
        self.assertNotIn(b"192.0.2.66", sdp.rewrite("127.0.0.1", [(4000, 4001)] * len(sdp.media)))
