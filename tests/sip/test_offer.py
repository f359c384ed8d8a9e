"""Tests for p2pship.sip.offer."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.address import HostPort
from p2pship.sip.offer import OfferAnswer
from tests.sip.fakes import FakePeer, FakeRelays
from tests.sip.station import LINK_OFFER, OFFER


class OfferAnswerTests(TestCase):
    """Descriptions that cross the node."""

    def setUp(self) -> None:
        self.relays = FakeRelays()
        self.peer = FakePeer("alice@example.com", "bob@example.com")
        self.media = OfferAnswer(self.relays, self.peer, "127.0.0.1", "127.0.0.1")

    def test_first_offer_takes_effect_at_once(self) -> None:
        """Who offers first must hear from then on (RFC 3264 §5.1)."""
        shown = self.media.from_phone(OFFER)
        self.assertIn(b"c=IN IP6 2001:20::\r\n", shown)
        self.assertIn(b"m=audio 100 RTP/AVP 8\r\n", shown)
        at = HostPort("127.0.0.1", 14440)
        self.assertEqual(self.relays.opened[0].effective["phone"], (at, HostPort("127.0.0.1", 14441)))

    def test_answer_takes_effect_when_committed(self) -> None:
        """The answer's flow numbers count only once the answer is accepted."""
        self.media.from_phone(OFFER)
        shown = self.media.from_peer(LINK_OFFER)
        self.assertIn(b"m=audio 20000 RTP/AVP 8\r\n", shown)
        self.assertNotIn("peer", self.relays.opened[0].effective)
        self.media.commit()
        self.assertEqual(self.relays.opened[0].effective["peer"], (40, 41))

    def test_ports_stay(self) -> None:
        """However often a session changes, each line keeps its relay, and a new line gets one of its own."""
        self.media.from_phone(OFFER)
        video = b"m=video 14460 RTP/AVP 96\r\n"
        shown = self.media.from_phone(OFFER + video)
        self.assertIn(b"m=audio 100 RTP/AVP 8\r\n", shown)
        self.assertIn(b"m=video 102 RTP/AVP 96\r\n", shown)
        self.assertEqual(len(self.relays.opened), 2)

    def test_refused_line(self) -> None:
        """Port 0 stays 0, and nothing is sent for the line."""
        self.media.from_phone(OFFER)
        shown = self.media.from_peer(LINK_OFFER.replace(b"audio 40", b"audio 0"))
        self.assertIn(b"m=audio 0 RTP/AVP 8\r\n", shown)
        self.media.commit()
        self.assertEqual(self.relays.opened[0].effective["peer"], (None, None))

    def test_mux(self) -> None:
        """With rtcp-mux both sides show one port for both."""
        shown = self.media.from_phone(OFFER + b"a=rtcp-mux\r\n")
        self.assertIn(b"a=rtcp-mux\r\n", shown)
        at = HostPort("127.0.0.1", 14440)
        self.assertEqual(self.relays.opened[0].effective["phone"], (at, at))

    def test_closed(self) -> None:
        """A closed exchange holds no relay and opens none."""
        self.media.from_phone(OFFER)
        self.media.close()
        self.media.close()
        self.assertEqual(self.relays.live(), [])
        self.assertIn(b"m=audio 0 ", self.media.from_phone(OFFER))
        self.assertEqual(len(self.relays.opened), 1)
