"""Tests for p2pship.sip.linepool: several answers to one INVITE."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.errors import LocalError
from p2pship.sip.linepool import MOST_RELAYS, LinePool
from p2pship.sip.offer import Offer, OfferAnswer, Turn
from p2pship.sip.sdp import SDP
from tests.sip.fakes import FakePeer, FakeRelays
from tests.sip.station import LINK_OFFER, OFFER


class ForkedCase(TestCase):
    """An INVITE with an offer, and its dialogs."""

    def setUp(self) -> None:
        self.relays = FakeRelays()
        peer = FakePeer("alice@example.com", "bob@example.com")
        self.pool = LinePool(self.relays, peer, "127.0.0.1", "127.0.0.1")

    def offered(self, by_phone: bool, description: bytes = b"") -> Offer:
        """Let one side offer in the INVITE."""
        draft = OfferAnswer(self.pool)
        said = description or (OFFER if by_phone else LINK_OFFER)
        draft.described(said, Turn(by_phone, "INVITE", (by_phone, 1)))
        offer = draft.offer
        assert offer is not None
        self.pool.offered(by_phone, len(offer.lines))
        draft.close()
        return offer

    def answered(self, media: OfferAnswer, by_phone: bool, description: bytes) -> int:
        """Let a dialog have an answer, and return the first port or flow that is shown for it."""
        shown = media.described(description, Turn(by_phone, "INVITE", (not by_phone, 1), 183))
        return SDP.parse(shown).media[0].port


class PhoneOfferedTests(ForkedCase):
    """Our phone called, and several phones of the other side answer."""

    def setUp(self) -> None:
        super().setUp()
        offer = self.offered(by_phone=True)
        self.first, self.second = OfferAnswer(self.pool, offer), OfferAnswer(self.pool, offer)

    def both(self) -> tuple[int, int]:
        """Let both answer; returns the ports that the phone is shown."""
        return (
            self.answered(self.first, False, LINK_OFFER),
            self.answered(self.second, False, LINK_OFFER.replace(b"audio 40", b"audio 50")),
        )

    def test_ports_of_their_own(self) -> None:
        """Each answer shows other ports of ours, whose packets go to its flow; the flow of the offer is one."""
        self.assertEqual(self.both(), (20000, 20002))
        self.assertEqual([relay.effective["peer"] for relay in self.relays.opened], [(40, 41), (50, 51)])
        self.assertEqual([relay.flow for relay in self.relays.opened], [100, 100])
        phones = {relay.effective["phone"] for relay in self.relays.opened}
        self.assertEqual(len(phones), 1)

    def test_who_describes_first(self) -> None:
        """A dialog that only rings has no relay; the offer's own goes to the first that describes media."""
        self.assertEqual(len(self.relays.opened), 1)
        self.assertEqual(self.answered(self.second, False, LINK_OFFER), 20000)
        self.assertEqual(len(self.relays.opened), 1)

    def test_one_ends_early(self) -> None:
        """Whoever ends before the final response gives the offer's relay back, silenced, for the next."""
        self.answered(self.first, False, LINK_OFFER)
        self.first.close()
        self.assertEqual(self.relays.live(), self.relays.opened)
        self.assertEqual(self.relays.opened[0].effective["peer"], (None, None))
        self.assertEqual(
            self.answered(self.second, False, LINK_OFFER.replace(b"audio 40", b"audio 50")), 20000
        )
        self.assertEqual(self.relays.opened[0].effective["peer"], (50, 51))

    def test_losers_are_closed(self) -> None:
        """After the final response the loser's relay is closed, and the winner's is left."""
        self.both()
        self.pool.settle()
        self.first.close()
        self.assertEqual([relay.port for relay in self.relays.live()], [20002])
        self.second.close()
        self.assertEqual(self.relays.live(), [])

    def test_late_answer(self) -> None:
        """A second 2xx after the final response has a relay beside the winner's."""
        self.answered(self.first, False, LINK_OFFER)
        self.pool.settle()
        self.assertEqual(self.answered(self.second, False, LINK_OFFER), 20002)
        self.assertEqual([relay.flow for relay in self.relays.live()], [100, 100])

    def test_nobody_answers(self) -> None:
        """If nobody answers nothing is left."""
        self.pool.settle()
        self.pool.settle()
        self.assertEqual(self.relays.live(), [])

    def test_lines_of_later(self) -> None:
        """A line that one dialog adds later is its own, also if the other adds one at the same place."""
        self.both()
        video = b"m=video 14460 RTP/AVP 96\r\n"
        for number, media in enumerate((self.first, self.second)):
            media.described(OFFER + video, Turn(True, "UPDATE", (True, 2 + number)))
        self.assertEqual([relay.flow for relay in self.relays.opened], [100, 100, 104, 106])


class PeerOfferedTests(ForkedCase):
    """Our phone is a proxy with several phones, which all answer what the peer offered."""

    def test_flows_of_their_own(self) -> None:
        """All phones send to the port of the offer, and each answer shows the peer another flow."""
        offer = self.offered(by_phone=False)
        first, second = OfferAnswer(self.pool, offer), OfferAnswer(self.pool, offer)
        self.assertEqual(self.answered(first, True, OFFER), 100)
        self.assertEqual(self.answered(second, True, OFFER.replace(b"14440", b"15550")), 102)
        self.assertEqual([relay.port for relay in self.relays.opened], [20000, 20000])
        phones = [relay.effective["phone"][0].port for relay in self.relays.opened]
        self.assertEqual(phones, [14440, 15550])
        self.assertEqual({relay.effective["peer"] for relay in self.relays.opened}, {(40, 41)})


class NoOfferTests(ForkedCase):
    """An INVITE without an offer."""

    def test_nothing_is_shared(self) -> None:
        """Each dialog has an offer of its own, and relays of its own at both ends."""
        shown = [self.answered(OfferAnswer(self.pool), False, LINK_OFFER) for _ in range(2)]
        self.assertEqual(shown, [20000, 20002])
        self.assertEqual([relay.flow for relay in self.relays.opened], [100, 102])


class LimitTests(ForkedCase):
    """A peer that answers with very many phones."""

    def test_most_relays(self) -> None:
        """One INVITE has only so many relays, however many phones answer and however many lines there are."""
        line = b"m=audio 14440 RTP/AVP 8\r\n"
        offer = self.offered(True, OFFER + line * 15)
        answer = LINK_OFFER + line * 15
        for _ in range(MOST_RELAYS // 16):
            self.answered(OfferAnswer(self.pool, offer), False, answer)
        self.assertRaises(LocalError, self.answered, OfferAnswer(self.pool, offer), False, answer)
        self.assertEqual(len(self.relays.opened), MOST_RELAYS)
