"""Tests of what a test phone offers and answers; its sound is tested with the stream and the calls."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import HostPort
from p2pship.sip.sdp import SDP, BadSDP
from p2pship.testing.phonemedia import Media, NoCommonMedia, answer_direction
from p2pship.testing.timers import Timers
from tests.testing.test_rtp import PortsClock


class MediaTests(SynchronousTestCase):
    """Offers and answers."""

    def setUp(self) -> None:
        """Open the media of two phones."""
        self.clock = PortsClock()
        self.one, self.other = (
            Media(self.clock, Timers(self.clock), "127.0.0.1", Random(seed)) for seed in (1, 2)
        )

    def test_exchange(self) -> None:
        """Both know where the other is, and the description is what a relay expects."""
        offer = self.one.offer()
        self.one.take_answer(self.other.take_offer(offer))
        line = SDP.parse(offer).media[0]
        self.assertEqual((line.protocol, line.formats, line.rtp), ("RTP/AVP", ("0", "101"), self.one.address))
        assert self.one.remote is not None and self.other.remote is not None
        self.assertEqual((self.one.remote.rtp, self.other.remote.rtp), (self.other.address, self.one.address))
        rtcp = HostPort("127.0.0.1", self.one.address.port + 1)
        self.assertEqual((self.other.remote.rtcp, self.one.direction), (rtcp, "sendrecv"))

    def test_version(self) -> None:
        """Each description has a higher version of the same session (RFC 3264 §8)."""
        origins = [self.one.offer().split(b"\r\n")[1].split() for _ in range(2)]
        self.assertEqual(origins[0][1], origins[1][1])
        self.assertEqual(int(origins[0][2]) + 1, int(origins[1][2]))

    def test_directions(self) -> None:
        """An answer never claims what the offer does not allow (RFC 3264 §6.1)."""
        for offered, wanted, answered in (
            ("sendrecv", "sendrecv", "sendrecv"),
            ("sendonly", "sendrecv", "recvonly"),
            ("recvonly", "sendrecv", "sendonly"),
            ("inactive", "sendrecv", "inactive"),
            ("sendrecv", "sendonly", "sendonly"),
            ("sendonly", "sendonly", "inactive"),
            ("recvonly", "recvonly", "inactive"),
        ):
            self.assertEqual(answer_direction(offered, wanted), answered)

    def test_event_type(self) -> None:
        """Telephone events get the payload type that the offer names for them."""
        offer = self.one.offer().replace(b"101", b"96")
        self.assertEqual(SDP.parse(self.other.take_offer(offer)).media[0].formats, ("0", "96"))
        self.assertEqual(self.other.event_type, 96)

    def test_hold_by_address(self) -> None:
        """The hold of RFC 2543 stops the sending."""
        self.other.take_offer(self.one.offer(hold_by_address=True))
        assert self.other.remote is not None
        self.assertIsNone(self.other.remote.rtp)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_in_common(self) -> None:
        """Offers without PCMU, without UDP, refused or garbled cannot be answered."""
        for old, new in (
            (b"AVP 0 101", b"AVP 9 101"),
            (b"RTP/AVP", b"TCP/RTP/AVP"),
            (b"m=audio", b"m=video"),
        ):
            self.assertRaises(NoCommonMedia, self.other.take_offer, self.one.offer().replace(old, new))
        self.assertRaises(BadSDP, self.other.take_offer, b"hello")

    def test_video(self) -> None:
        """Video is offered and answered once it is asked for; else, and when it is switched off again, it has port 0."""
        picture, other = self.one.add_video(), self.other
        declined = SDP.parse(other.take_offer(self.one.offer())).media[1]
        self.assertEqual((declined.kind, declined.port), ("video", 0))
        answer = SDP.parse(self.other_with_video().take_offer(self.one.offer())).media[1]
        self.assertNotIn(answer.port, (0, picture.address.port))
        self.one.video_on = False
        self.assertEqual(SDP.parse(self.one.offer()).media[1].port, 0)

    def other_with_video(self) -> Media:
        """Let the other phone take video too."""
        self.other.add_video()
        return self.other
