"""Tests for p2pship.sip.offer."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.address import HostPort
from p2pship.sip.linepool import LinePool
from p2pship.sip.offer import OfferAnswer, Turn
from p2pship.sip.sdp import SDP
from tests.sip.fakes import FakePeer, FakeRelay, FakeRelays
from tests.sip.station import LINK_OFFER, OFFER

VIDEO = b"m=video 14460 RTP/AVP 96\r\n"
LINK_VIDEO = b"m=video 60 RTP/AVP 96\r\n"
MOVED = OFFER.replace(b"14440", b"15550")
HELD = OFFER.replace(b"c=IN IP4 127.0.0.1", b"c=IN IP4 0.0.0.0") + b"a=sendonly\r\n"

AT, MOVED_AT = HostPort("127.0.0.1", 14440), HostPort("127.0.0.1", 15550)


class ExchangeCase(TestCase):
    """One dialog: our phone called, or was called, with or without an offer."""

    def setUp(self) -> None:
        self.relays = FakeRelays()
        self.pool = LinePool(
            self.relays, FakePeer("alice@example.com", "bob@example.com"), "127.0.0.1", "127.0.0.1"
        )
        self.media = OfferAnswer(self.pool)

    def says(
        self,
        phone: bool,
        method: str,
        number: int,
        description: bytes,
        *,
        status: int = 0,
        reliable: bool = False,
    ) -> bytes:
        """Let one side say a description in a request of its own or, with a status, in a response to the other's."""
        asked_by_phone = phone if not status else not phone
        turn = Turn(phone, method, (asked_by_phone, number), status, reliable)
        return self.media.described(description, turn)

    def phone(self, method: str, number: int, description: bytes, **where: int) -> bytes:
        """Let our phone say it."""
        return self.says(True, method, number, description, **where)  # type: ignore[arg-type]

    def peer(self, method: str, number: int, description: bytes, **where: int) -> bytes:
        """Let the peer say it."""
        return self.says(False, method, number, description, **where)  # type: ignore[arg-type]

    def call(self) -> None:
        """Let our phone call, and the peer answer."""
        self.phone("INVITE", 1, OFFER)
        self.peer("INVITE", 1, LINK_OFFER, status=200)

    @property
    def relay(self) -> FakeRelay:
        """The first line's relay."""
        return self.relays.opened[0]

    def goes_to(self) -> tuple[int | None, int | None]:
        """Return to which port of the phone, and to which flow of the peer, RTP goes."""
        effective = self.relay.effective
        at = effective.get("phone", (None,))[0]
        return (None if at is None else at.port), effective.get("peer", (None,))[0]


class OfferAnswerTests(ExchangeCase):
    """Descriptions that cross the node."""

    def test_first_offer_takes_effect_at_once(self) -> None:
        """Who offers first must hear from then on (RFC 3264 §5.1)."""
        shown = self.phone("INVITE", 1, OFFER)
        self.assertIn(b"c=IN IP6 2001:20::\r\n", shown)
        self.assertIn(b"m=audio 100 RTP/AVP 8\r\n", shown)
        self.assertEqual(self.relay.effective["phone"], (AT, HostPort("127.0.0.1", 14441)))

    def test_answer_takes_effect(self) -> None:
        """The answer completes it, and shows the phone our port."""
        self.phone("INVITE", 1, OFFER)
        shown = self.peer("INVITE", 1, LINK_OFFER, status=200)
        self.assertIn(b"m=audio 20000 RTP/AVP 8\r\n", shown)
        self.assertEqual(self.relay.effective["peer"], (40, 41))
        self.assertIsNone(self.media.offer)

    def test_called(self) -> None:
        """The same the other way round."""
        self.assertIn(b"m=audio 20000 ", self.peer("INVITE", 1, LINK_OFFER))
        self.assertEqual(self.goes_to(), (None, 40))
        self.assertIn(b"m=audio 100 ", self.phone("INVITE", 1, OFFER, status=200))
        self.assertEqual(self.goes_to(), (14440, 40))

    def test_ports_stay(self) -> None:
        """However often a session changes, each line keeps its relay, and a new line gets one of its own."""
        self.call()
        shown = self.phone("INVITE", 2, OFFER + VIDEO)
        self.assertIn(b"m=audio 100 RTP/AVP 8\r\n", shown)
        self.assertIn(b"m=video 102 RTP/AVP 96\r\n", shown)
        self.assertEqual(len(self.relays.opened), 2)

    def test_refused_line(self) -> None:
        """Port 0 stays 0 at its place, and nothing is sent for the line."""
        self.phone("INVITE", 1, OFFER + VIDEO)
        shown = self.peer("INVITE", 1, LINK_OFFER.replace(b"audio 40", b"audio 0") + LINK_VIDEO, status=200)
        self.assertIn(b"m=audio 0 RTP/AVP 8\r\n", shown)
        self.assertIn(b"m=video 20002 RTP/AVP 96\r\n", shown)
        self.assertEqual(self.relay.effective["peer"], (None, None))
        self.assertEqual(self.relays.opened[1].effective["peer"], (60, 61))

    def test_line_comes_back(self) -> None:
        """A line that was removed may come back at its place, with the port that it had (RFC 3264 §8.1)."""
        self.phone("INVITE", 1, OFFER + VIDEO)
        self.peer("INVITE", 1, LINK_OFFER + LINK_VIDEO, status=200)
        without = self.phone("INVITE", 2, OFFER + VIDEO.replace(b"14460", b"0"))
        self.assertIn(b"m=video 0 ", without)
        self.assertIn(
            b"m=video 0 ", self.peer("INVITE", 2, LINK_OFFER + LINK_VIDEO.replace(b"60", b"0", 1), status=200)
        )
        self.assertEqual(self.relays.opened[1].effective, {"phone": (None, None), "peer": (None, None)})
        self.assertIn(b"m=video 20002 ", self.peer("INVITE", 7, LINK_OFFER + LINK_VIDEO))
        self.assertIn(b"m=video 102 ", self.phone("INVITE", 7, OFFER + VIDEO, status=200))
        self.assertEqual(self.relays.opened[1].effective["peer"], (60, 61))
        self.assertEqual(len(self.relays.opened), 2)

    def test_tcp_line(self) -> None:
        """A line over TCP is offered on with port 0 at its place, and an answer to it opens nothing (RFC 4145)."""
        for protocol in (b"TCP/MSRP *", b"TCP/TLS/BFCP *", b"TCP/RTP/AVP 0"):
            self.setUp()
            line = b"m=message 2855 %s\r\na=setup:actpass\r\na=connection:new\r\n" % protocol
            audio_at = OFFER.index(b"m=audio")
            shown = self.phone("INVITE", 1, OFFER[:audio_at] + line + OFFER[audio_at:])
            self.assertIn(b"m=message 0 %s\r\na=setup:actpass\r\n" % protocol, shown)
            self.assertIn(b"m=audio 100 ", shown)
            at = LINK_OFFER.index(b"m=audio")
            answer = LINK_OFFER[:at] + b"m=message 9 UDP/MSRP *\r\n" + LINK_OFFER[at:]
            answered = SDP.parse(self.peer("INVITE", 1, answer, status=200))
            self.assertEqual([line.port for line in answered.media], [0, 20000])
            self.assertEqual([relay.effective["peer"] for relay in self.relays.opened], [(40, 41)])

    def test_closed(self) -> None:
        """A closed exchange holds no relay and opens none."""
        self.call()
        self.pool.settle()
        self.media.close()
        self.media.close()
        self.assertEqual(self.relays.live(), [])
        self.assertIn(b"m=audio 0 ", self.phone("INVITE", 2, OFFER))
        self.assertEqual(len(self.relays.opened), 1)


class RTCPTests(ExchangeCase):
    """RTCP at the port of RTP, if both sides want that (RFC 5761)."""

    MUX = b"a=rtcp-mux\r\n"

    def test_both(self) -> None:
        """Then both sides are shown one port for both."""
        shown = self.phone("INVITE", 1, OFFER + self.MUX)
        self.assertIn(self.MUX, shown)
        self.assertEqual(self.relay.effective["phone"], (AT, AT))
        self.peer("INVITE", 1, LINK_OFFER + self.MUX, status=200)
        self.assertEqual(self.relay.effective, {"phone": (AT, AT), "peer": (40, 40)})

    def test_not_the_answer(self) -> None:
        """If the answer does not have it, it is apart, also at who offered it (§5.1.1)."""
        self.phone("INVITE", 1, OFFER + self.MUX)
        self.peer("INVITE", 1, LINK_OFFER, status=200)
        self.assertEqual(self.relay.effective["phone"], (AT, HostPort("127.0.0.1", 14441)))
        self.assertEqual(self.relay.effective["peer"], (40, 41))

    def test_where_if_not(self) -> None:
        """An offer that also says where RTCP is wanted otherwise shows where our node wants it then (§5.1.3)."""
        shown = self.phone("INVITE", 1, OFFER + self.MUX + b"a=rtcp:14450\r\n")
        self.assertIn(b"a=rtcp:101\r\n", shown)
        self.peer("INVITE", 1, LINK_OFFER, status=200)
        self.assertEqual(self.relay.effective["phone"], (AT, HostPort("127.0.0.1", 14450)))


class ChangeTests(ExchangeCase):
    """Offers within a call."""

    def test_waits_for_answer(self) -> None:
        """A new address counts from the answer on."""
        self.call()
        self.phone("INVITE", 2, MOVED)
        self.assertEqual(self.goes_to(), (14440, 40))
        self.peer("INVITE", 2, LINK_OFFER, status=200)
        self.assertEqual(self.goes_to(), (15550, 40))

    def test_refused(self) -> None:
        """An offer that is refused never was: the next exchange does not bring it back (RFC 6337 §3.4)."""
        self.call()
        self.phone("INVITE", 2, MOVED)
        self.media.over((True, 2))
        self.peer("UPDATE", 5, LINK_OFFER.replace(b"audio 40", b"audio 44"))
        self.phone("UPDATE", 5, OFFER, status=200)
        self.assertEqual(self.goes_to(), (14440, 44))

    def test_success_without_answer(self) -> None:
        """A 2xx without an answer settles nothing, and blocks nothing."""
        self.call()
        self.phone("UPDATE", 2, MOVED)
        self.media.over((True, 2), acknowledged=False)
        self.assertEqual(self.goes_to(), (14440, 40))
        self.assertIsNone(self.media.offer)

    def test_hold(self) -> None:
        """A hold by address stops what goes to the phone, and resuming brings it back, at the same port."""
        self.call()
        self.assertIn(b"c=IN IP4 0.0.0.0", self.phone("INVITE", 2, HELD))
        self.peer("INVITE", 2, LINK_OFFER + b"a=recvonly\r\n", status=200)
        self.assertEqual(self.goes_to(), (None, 40))
        self.assertIn(b"m=audio 100 ", self.phone("INVITE", 3, OFFER))
        self.peer("INVITE", 3, LINK_OFFER, status=200)
        self.assertEqual(self.goes_to(), (14440, 40))

    def test_crossing_offers(self) -> None:
        """An offer that crosses another shows what there is, and opens and changes nothing (RFC 3261 §14.2)."""
        self.call()
        self.phone("INVITE", 2, MOVED)
        shown = self.peer("INVITE", 9, LINK_OFFER.replace(b"audio 40", b"audio 66") + LINK_VIDEO)
        self.assertEqual([line.port for line in SDP.parse(shown).media], [20000, 0])
        self.media.over((False, 9))
        self.peer("INVITE", 2, LINK_OFFER, status=200)
        self.assertEqual(self.goes_to(), (15550, 40))
        self.assertEqual(len(self.relays.opened), 1)

    def test_answer_to_nothing(self) -> None:
        """An answer that nobody asked for means nothing, be it in a response, an ACK or a PRACK's answer."""
        self.call()
        stray = LINK_OFFER.replace(b"audio 40", b"audio 66") + LINK_VIDEO
        for method, number, status in (
            ("INVITE", 1, 200),
            ("UPDATE", 8, 200),
            ("PRACK", 8, 200),
            ("ACK", 1, 0),
        ):
            shown = self.peer(method, number, stray, status=status)
            self.assertEqual([line.port for line in SDP.parse(shown).media], [20000, 0], method)
            self.assertEqual(self.goes_to(), (14440, 40), method)
        self.assertEqual(len(self.relays.opened), 1)

    def test_answer_with_too_many_lines(self) -> None:
        """An answer opens no relay for a line that was not offered (RFC 3264 §6)."""
        self.phone("INVITE", 1, OFFER)
        shown = self.peer("INVITE", 1, LINK_OFFER + LINK_VIDEO * 20, status=200)
        self.assertEqual([line.port for line in SDP.parse(shown).media], [20000] + [0] * 20)
        self.assertEqual(len(self.relays.opened), 1)

    def test_late_update_stands(self) -> None:
        """A 2xx that repeats the answer of a 18x does not undo the UPDATE in between."""
        self.phone("INVITE", 1, OFFER)
        self.peer("INVITE", 1, LINK_OFFER, status=183)
        self.peer("UPDATE", 5, LINK_OFFER.replace(b"audio 40", b"audio 44"))
        self.phone("UPDATE", 5, OFFER, status=200)
        shown = self.peer("INVITE", 1, LINK_OFFER, status=200)
        self.assertIn(b"m=audio 20000 ", shown)
        self.assertEqual(self.goes_to(), (14440, 44))


class EarlyTests(ExchangeCase):
    """Answers and offers before the 2xx (RFC 3262 §5, RFC 6337 §3.1)."""

    def test_said_again(self) -> None:
        """The answer in a 183 counts at once, and a 2xx that says it again changes nothing."""
        self.phone("INVITE", 1, OFFER)
        early = self.peer("INVITE", 1, LINK_OFFER, status=183)
        self.assertEqual(self.goes_to(), (14440, 40))
        self.assertEqual(self.peer("INVITE", 1, LINK_OFFER, status=200), early)
        self.assertEqual(self.goes_to(), (14440, 40))

    def test_differs_later(self) -> None:
        """A 2xx that differs from a 183 that was not reliable counts, for phones go by it."""
        self.phone("INVITE", 1, OFFER)
        self.peer("INVITE", 1, LINK_OFFER, status=183)
        self.peer("INVITE", 1, LINK_OFFER.replace(b"audio 40", b"audio 44"), status=200)
        self.assertEqual(self.goes_to(), (14440, 44))

    def test_reliable_stands(self) -> None:
        """The answer in a reliable 183 is the answer: a 2xx that differs means nothing."""
        self.phone("INVITE", 1, OFFER)
        self.peer("INVITE", 1, LINK_OFFER, status=183, reliable=True)
        self.peer("INVITE", 1, LINK_OFFER.replace(b"audio 40", b"audio 44"), status=200)
        self.assertEqual(self.goes_to(), (14440, 40))

    def test_offer_in_prack(self) -> None:
        """After a reliable answer the PRACK may offer anew, and its 2xx answers."""
        self.phone("INVITE", 1, OFFER)
        self.peer("INVITE", 1, LINK_OFFER, status=183, reliable=True)
        self.phone("PRACK", 2, MOVED)
        self.assertEqual(self.goes_to(), (14440, 40))
        self.peer("PRACK", 2, LINK_OFFER, status=200)
        self.assertEqual(self.goes_to(), (15550, 40))

    def test_no_offer(self) -> None:
        """Without an offer in the INVITE the 2xx brings it, and the ACK the answer (RFC 3261 §13.2.1)."""
        self.assertIn(b"m=audio 20000 ", self.peer("INVITE", 1, LINK_OFFER, status=200))
        self.assertEqual(self.goes_to(), (None, 40))
        self.media.over((True, 1), acknowledged=False)
        self.assertIn(b"m=audio 100 ", self.phone("ACK", 1, OFFER))
        self.assertEqual(self.goes_to(), (14440, 40))

    def test_no_answer_in_ack(self) -> None:
        """An ACK without the answer leaves no offer behind that would block the next."""
        self.peer("INVITE", 1, LINK_OFFER, status=200)
        self.media.over((True, 1))
        self.phone("UPDATE", 2, OFFER)
        self.peer("UPDATE", 2, LINK_OFFER, status=200)
        self.assertEqual(self.goes_to(), (14440, 40))

    def test_offer_in_reliable_response(self) -> None:
        """The offer may come in a reliable 18x, and the PRACK answers; the 2xx that says it again is nothing."""
        self.peer("INVITE", 1, LINK_OFFER, status=183, reliable=True)
        self.phone("PRACK", 2, OFFER)
        self.assertEqual(self.goes_to(), (14440, 40))
        self.peer("INVITE", 1, LINK_OFFER.replace(b"audio 40", b"audio 44"), status=200)
        self.phone("ACK", 1, MOVED)
        self.assertEqual(self.goes_to(), (14440, 40))

    def test_offer_in_tentative_response(self) -> None:
        """An offer in a 18x that may be lost is made again in the 2xx, and the ACK answers that."""
        self.peer("INVITE", 1, LINK_OFFER, status=183)
        self.peer("INVITE", 1, LINK_OFFER.replace(b"audio 40", b"audio 44"), status=200)
        self.phone("ACK", 1, OFFER)
        self.assertEqual(self.goes_to(), (14440, 44))

    def test_reinvite_without_offer(self) -> None:
        """Within a call the 2xx may bring the offer too."""
        self.call()
        self.phone("INVITE", 3, MOVED, status=200)
        self.assertEqual(self.goes_to(), (14440, 40))
        self.peer("ACK", 3, LINK_OFFER.replace(b"audio 40", b"audio 44"))
        self.assertEqual(self.goes_to(), (15550, 44))

    def test_ack_of_another(self) -> None:
        """An answer in the ACK of another INVITE is none."""
        self.call()
        self.phone("INVITE", 3, MOVED, status=200)
        self.peer("ACK", 2, LINK_OFFER.replace(b"audio 40", b"audio 44"))
        self.assertEqual(self.goes_to(), (14440, 40))
