"""Tests of octets under a passphrase."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.storage import wrapping
from p2pship.storage.wrapping import COSTLIEST, MOST_WORK, PassphraseKey, WrongPassphrase, unwrap, wrap


class WrappingTests(SynchronousTestCase):
    """Wrapping and unwrapping, with less work than usual."""

    def setUp(self) -> None:
        self.patch(wrapping, "COST", 4)
        self.wrapped = wrap(b"passphrase", "test", b"secret data")

    def test_round_trip(self) -> None:
        """It opens with the same passphrase for the same purpose, and no two wrappings are alike."""
        self.assertEqual(unwrap(b"passphrase", "test", self.wrapped), b"secret data")
        self.assertNotIn(b"secret", self.wrapped)
        self.assertNotEqual(wrap(b"passphrase", "test", b"secret data"), self.wrapped)

    def test_wrong(self) -> None:
        """Another passphrase or purpose opens nothing."""
        for passphrase, purpose in ((b"passphrasf", "test"), (b"", "test"), (b"passphrase", "tess")):
            self.assertRaises(WrongPassphrase, unwrap, passphrase, purpose, self.wrapped)

    def test_altered(self) -> None:
        """With any octet changed, or cut short anywhere, it does not open."""
        for at in range(len(self.wrapped)):
            altered = bytearray(self.wrapped)
            altered[at] ^= 1
            self.assertRaises(WrongPassphrase, unwrap, b"passphrase", "test", bytes(altered))
            self.assertRaises(WrongPassphrase, unwrap, b"passphrase", "test", self.wrapped[:at])

    def test_too_costly(self) -> None:
        """A file that asks for gigabytes of memory, or hours, is refused before any work is done."""
        for at, value in ((1, 40), (1, 18), (1, 0), (2, 255), (3, 0)):
            altered = bytearray(self.wrapped)
            altered[at] = value
            self.assertIn(
                "form", str(self.assertRaises(WrongPassphrase, unwrap, b"p", "test", bytes(altered)))
            )

    def test_too_long(self) -> None:
        """Much memory many times over is too much as well."""
        altered = bytearray(self.wrapped)
        altered[1], altered[3] = COSTLIEST, MOST_WORK // 2**COSTLIEST + 1
        self.assertIn("form", str(self.assertRaises(WrongPassphrase, unwrap, b"p", "test", bytes(altered))))

    def test_wrapped_again(self) -> None:
        """The key of a passphrase wraps something else without the work, under another nonce."""
        key = PassphraseKey.of(b"passphrase", self.wrapped)
        again = key.wrap("test", b"secret data")
        self.assertEqual(unwrap(b"passphrase", "test", again), b"secret data")
        self.assertNotEqual(again, self.wrapped)
