"""Tests of pins on two devices of a person that could not hear of each other."""

from __future__ import annotations

from typing import cast

from twisted.internet.interfaces import IReactorTime
from twisted.trial.unittest import SynchronousTestCase

from p2pship.identity.keys import new_p256, spki
from p2pship.trust.ledger import CONFIRMED
from p2pship.trust.pins import BY_CALL, BY_CONFIRMING, BY_CONTACT, Pin, Pins
from tests.trust.test_ledger import BOB, NOW, OWN, clock_at, ledger

TRUE, FALSE = spki(new_p256()), spki(new_p256())


class MergedPinsTests(SynchronousTestCase):
    """What two devices know when they have met again."""

    def setUp(self) -> None:
        self.clock = clock_at(NOW)
        self.ledgers = [ledger(self.clock, device) for device in (1, 2)]
        self.phone, self.laptop = (Pins(one, cast(IReactorTime, self.clock)) for one in self.ledgers)

    def later(self) -> None:
        """Let a second pass."""
        self.clock.advance(1)

    def met(self) -> Pin | None:
        """Let both merge what the other has, and return the one pin that both then have of Bob."""
        one, other = self.ledgers
        one.merge(OWN, other.entries(OWN))
        other.merge(OWN, one.entries(OWN))
        self.assertEqual(self.phone.all(OWN), self.laptop.all(OWN))
        self.assertEqual(self.phone.get(OWN, BOB), self.phone.all(OWN).get(BOB))
        return self.phone.get(OWN, BOB)

    def confirmed(self) -> None:
        """Confirm Bob's true key on the phone, of which the laptop does not hear."""
        self.phone.make(OWN, BOB, TRUE, BY_CONFIRMING)
        self.later()

    def assert_true(self) -> None:
        """Check that both know Bob by his true key, and that it is confirmed."""
        pin = self.met()
        assert pin is not None
        self.assertEqual((pin.key, pin.confirmed), (TRUE, True))

    def test_called(self) -> None:
        """The key of an impostor who answered the laptop's call later does not take the place of a confirmed one."""
        self.confirmed()
        self.laptop.make(OWN, BOB, FALSE, BY_CALL)
        self.assert_true()

    def test_followed(self) -> None:
        """Nor does one that the laptop's pin followed."""
        self.phone.make(OWN, BOB, TRUE, BY_CALL)
        self.met()
        self.confirmed()
        self.laptop.follow(OWN, BOB, FALSE, "domain")
        self.assert_true()

    def test_acts_of_the_user(self) -> None:
        """The user may take another key later, confirmed or not, and forget it, on either device."""
        self.confirmed()
        self.met()
        self.laptop.make(OWN, BOB, FALSE, BY_CONTACT)
        pin = self.met()
        assert pin is not None
        self.assertEqual((pin.key, pin.confirmed), (FALSE, False))
        self.later()
        self.confirmed()
        self.assert_true()
        self.later()
        self.assertTrue(self.laptop.remove(OWN, BOB))
        self.assertIsNone(self.met())

    def test_of_an_earlier_version(self) -> None:
        """A confirmed pin that was kept once only is as good."""
        self.confirmed()
        self.ledgers[0].remove(OWN, CONFIRMED, BOB)
        self.assert_true()
