"""Tests of what a server is asked, and what is believed."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.candidate import Question
from p2pship.lookup.http.machine import Inquiry
from p2pship.lookup.http.wire import MOST_SLOTS, SKEW, SignedSlot
from tests.lookup.http.publishers import LIFETIME, LOOKUP_KEY, NOW, Publisher, lookup_key

BOB = Publisher(1)
SLOT = BOB.signed()


def crowd(number: int) -> tuple[SignedSlot, ...]:
    """Return slots of so many others."""
    return tuple(Publisher(100 + each).signed() for each in range(number))


class InquiryTests(SynchronousTestCase):
    """One question."""

    def test_believed(self) -> None:
        """What is asked for, signed and not over is believed."""
        inquiry = Inquiry(Question(LOOKUP_KEY))
        self.assertEqual(inquiry.listed((SLOT,), NOW), [SLOT])
        self.assertEqual((inquiry.believed, inquiry.refused, inquiry.more), (1, "", ()))

    def test_not_believed(self) -> None:
        """Whatever a server changes, moves or makes up is refused."""
        other = Publisher(2)
        for wrong in (
            replace(SLOT, sealed=b"other"),
            replace(SLOT, sequence=SLOT.sequence + 1),
            replace(SLOT, expiry=SLOT.expiry + 1),
            replace(SLOT, publication_key=other.key),
            replace(SLOT, publication_key=b"\xff" * 32),
            replace(SLOT, signature=bytes(64)),
            replace(BOB.signed(lookup=lookup_key(1)), lookup_key=LOOKUP_KEY),
            BOB.signed(lookup=lookup_key(1)),
        ):
            inquiry = Inquiry(Question(LOOKUP_KEY))
            self.assertEqual(inquiry.listed((wrong,), NOW), [])
            self.assertNotEqual(inquiry.refused, "")

    def test_passed_over(self) -> None:
        """What was withdrawn or has expired is no lie: clocks differ, and changes are pushed."""
        inquiry = Inquiry(Question(LOOKUP_KEY))
        self.assertEqual(inquiry.received(BOB.signed(b""), NOW), [])
        self.assertEqual(inquiry.listed((SLOT,), NOW + LIFETIME + SKEW + 1), [])
        self.assertEqual(inquiry.listed((SLOT,), NOW + LIFETIME + SKEW - 1), [SLOT])
        self.assertEqual(inquiry.refused, "")

    def test_full(self) -> None:
        """Only if the lookup key is full those who are known and not among them are asked for, as many as there are devices."""
        known = (BOB.key, Publisher(100).key, Publisher(3).key)
        for number, more in ((MOST_SLOTS - 1, ()), (MOST_SLOTS, (BOB.key, Publisher(3).key))):
            inquiry = Inquiry(Question(LOOKUP_KEY, known=known))
            self.assertEqual(len(inquiry.listed(crowd(number), NOW)), number)
            self.assertEqual(inquiry.more, more)
        self.assertEqual(inquiry.received(SLOT, NOW), [SLOT])
        many = tuple(lookup_key(each) for each in range(100))
        inquiry = Inquiry(Question(LOOKUP_KEY, known=many))
        inquiry.listed(crowd(MOST_SLOTS), NOW)
        self.assertEqual(len(inquiry.more), MOST_SLOTS)
