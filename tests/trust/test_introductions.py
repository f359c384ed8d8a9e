"""Tests of vouches for third persons: forged, expired, revoked, given to others."""

from __future__ import annotations

from typing import Any

from p2pship.errors import BadPapers, LocalError, RemoteError
from p2pship.identity.keys import new_p256, sign, spki
from p2pship.identity.validity import SKEW
from p2pship.trust.introductions import LIFETIME, read_introduction, sign_introduction, verify_introduction
from tests.trust.people import ALICE, BOB, CAROL, NOW, PolicyCase


class IntroductionTests(PolicyCase):
    """Carol, a contact of Alice, vouches for Bob."""

    def setUp(self) -> None:
        super().setUp()
        self.friend = new_p256()
        self.policy.contacts.add(ALICE, CAROL, "Carol")
        self.policy.pin(ALICE, CAROL, spki(self.friend), "contact")
        self.kept = self.policy.introductions

    def vouch(self, key: Any = None, **changes: Any) -> bytes:
        """Return a vouch of Carol, or of who has another key, with some values other than usual."""
        key = key or self.friend
        values: dict[str, Any] = {
            "voucher": CAROL,
            "key": spki(key),
            "subject": BOB,
            "subject_key": spki(self.key),
            "audience": ALICE,
            "issued": NOW,
            "expires": NOW + LIFETIME,
            "serial": b"serial 1",
        }
        return sign_introduction(lambda data: sign(key, data), **(values | changes))

    def count(self) -> int:
        """Return how many vouches count for Bob and his key."""
        return len(self.kept.of(ALICE, BOB, spki(self.key)))

    def assert_refused(self, raw: bytes) -> None:
        """Check that a vouch is not taken, and counts for nothing."""
        with self.assertRaises(BadPapers):
            self.kept.keep(ALICE, raw)
        self.assertEqual(self.count(), 0)

    def test_round_trip(self) -> None:
        """A vouch says what was signed, and counts until it expires."""
        found = self.kept.keep(ALICE, self.vouch())
        self.assertEqual((found.voucher, found.subject, found.audience), (CAROL, BOB, ALICE))
        self.assertEqual((found.issued, found.expires, found.serial), (NOW, NOW + LIFETIME, b"serial 1"))
        self.assertEqual(self.count(), 1)
        self.clock.advance(LIFETIME + 1)
        self.assertEqual(self.count(), 0)

    def test_forged(self) -> None:
        """One that another key signed in Carol's name, or whose octets were altered, is refused."""
        self.assert_refused(self.vouch(new_p256()))
        raw = self.vouch()
        for at in range(len(raw)):
            with self.assertRaises(RemoteError):
                read_introduction(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])

    def test_cut_short(self) -> None:
        """It is refused at every length but its own."""
        raw = self.vouch()
        for text in (*(raw[:length] for length in range(len(raw))), raw + b"\0", bytes(2000)):
            with self.assertRaises(RemoteError):
                read_introduction(text)

    def test_dates(self) -> None:
        """One that has expired, begins tomorrow or is to hold for too long is refused."""
        raw = self.vouch(expires=NOW + 10)
        with self.assertRaises(BadPapers):
            verify_introduction(raw, NOW + 86_400)
        with self.assertRaises(BadPapers):
            verify_introduction(raw, NOW - 86_400)
        with self.assertRaises(LocalError):
            self.vouch(expires=NOW + LIFETIME + 1)

    def test_clock_set_back(self) -> None:
        """One that another device took, or we before our clock was set back, counts when its time has come."""
        self.kept.keep(ALICE, self.vouch())
        for seconds, count in ((-SKEW - 1, 0), (-SKEW, 1), (LIFETIME + 1, 0)):
            self.clock.rightNow = NOW + seconds
            self.assertEqual(self.count(), count, seconds)

    def test_given_to_another(self) -> None:
        """One that was given to somebody else counts nothing."""
        self.assert_refused(self.vouch(audience="dave@example.net"))

    def test_of_oneself(self) -> None:
        """Nobody vouches for themselves."""
        with self.assertRaises(LocalError):
            self.vouch(subject=CAROL)

    def test_of_nobody(self) -> None:
        """One of somebody who is no contact, or no longer one, counts nothing."""
        self.assert_refused(self.vouch(voucher="mallory@example.net"))
        self.kept.keep(ALICE, self.vouch())
        self.policy.forget(ALICE, CAROL)
        self.assertEqual(self.count(), 0)

    def test_after_change(self) -> None:
        """When the friend has another key, what the old one signed counts no more."""
        self.kept.keep(ALICE, self.vouch())
        self.policy.pin(ALICE, CAROL, spki(new_p256()), "contact")
        self.assertEqual(self.count(), 0)

    def test_revoked(self) -> None:
        """One that was taken back counts no more and is not taken again; nobody takes back another's."""
        self.kept.keep(ALICE, self.vouch())
        self.assertTrue(self.kept.revoke(ALICE, "mallory@example.net", b"serial 1"))
        self.assertEqual(self.count(), 1)
        self.assertTrue(self.kept.revoke(ALICE, CAROL, b"serial 1"))
        self.assertEqual(self.count(), 0)
        self.assert_refused(self.vouch())
        self.assertFalse(self.kept.revoke(ALICE, CAROL, b"serial 1"))

    def test_other_key(self) -> None:
        """It is for one key of the subject, no other."""
        self.kept.keep(ALICE, self.vouch())
        self.assertEqual(self.kept.of(ALICE, BOB, spki(new_p256())), [])
