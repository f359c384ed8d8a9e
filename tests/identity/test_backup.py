"""Tests of the backup of an identity."""

from __future__ import annotations

import base64
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import BadPapers, LocalError
from p2pship.identity.backup import BadBackup, read_backup, write_backup
from p2pship.identity.bundle import Bundle, bundle_of, decode_bundle, encode_bundle
from p2pship.identity.changes import begun
from p2pship.identity.keys import new_p256, to_der
from p2pship.storage import wrapping
from p2pship.storage.wrapping import WrongPassphrase
from tests.identity.example import AOR, DEVICE, KEY, NOW

HOLDINGS = begun(KEY, AOR, DEVICE.listed, NOW)
BUNDLE = bundle_of(HOLDINGS, with_key=True, extra=b"contacts")


class BackupTests(SynchronousTestCase):
    """Writing and reading."""

    def setUp(self) -> None:
        self.patch(wrapping, "COST", 4)

    def test_round_trip(self) -> None:
        """What was written is read, with a passphrase and without."""
        for passphrase in (None, b"open, please"):
            text = write_backup(BUNDLE, passphrase, NOW)
            self.assertEqual(read_backup(text, passphrase), BUNDLE)
            self.assertIn(f"Name: {AOR}".encode(), text)
            self.assertLess(max(map(len, text.splitlines())), 80)

    def test_holdings(self) -> None:
        """What is restored is what was held."""
        self.assertEqual(read_backup(write_backup(BUNDLE, None, NOW)).holdings(), HOLDINGS)

    def test_encrypted(self) -> None:
        """Without the passphrase there is nothing to be had from it, neither key nor contacts."""
        text = write_backup(BUNDLE, b"p", NOW)
        body = base64.b64decode(b"".join(text.split(b"\n\n")[1].split(b"-----")[0].split()))
        self.assertFalse(
            any(secret in body for secret in (BUNDLE.private_key[-32:], b"contacts", BUNDLE.raw))
        )
        for passphrase in (None, b"", b"q"):
            self.assertRaises(WrongPassphrase, read_backup, text, passphrase)

    def test_by_mail(self) -> None:
        """Other line ends, and words before and after, do no harm."""
        text = write_backup(BUNDLE, None, NOW)
        self.assertEqual(
            read_backup(b"Dear me,\r\n" + text.replace(b"\n", b"\r\n") + b"-- \r\nme\r\n"), BUNDLE
        )

    def test_damaged(self) -> None:
        """A backup that was cut short or altered anywhere between its lines is refused."""
        for passphrase, error in ((None, BadPapers), (b"p", (BadPapers, WrongPassphrase))):
            text = write_backup(BUNDLE, passphrase, NOW)
            begin = text.index(b"\n\n") + 2
            for at in range(begin, text.index(b"\n-----END"), 7):
                other = b"A" if text[at : at + 1] != b"A" else b"B"
                for bad in (text[:at] + other + text[at + 1 :], text[:at]):
                    self.assertRaises(error, read_backup, bad, passphrase)

    def test_without_key(self) -> None:
        """A device that does not hold the key can make no backup of it."""
        bundle = bundle_of(HOLDINGS, with_key=False)
        self.assertRaises(LocalError, write_backup, bundle, None, NOW)

    def test_another(self) -> None:
        """What is another file, or of a newer version, is said to be so."""
        for bad in (b"", b"garbage" * 1000, b"\xff" * 50, bytes(7_000_000)):
            self.assertRaises(BadBackup, read_backup, bad)
        text = write_backup(BUNDLE, None, NOW).replace(b"\n\nA", b"\n\nD")
        self.assertIn("newer version", str(self.assertRaises(BadBackup, read_backup, text)))


class BundleTests(SynchronousTestCase):
    """The octets inside."""

    def refused(self, bundle: Bundle) -> None:
        """Check that parts which do not belong together are not taken."""
        self.assertRaises(BadPapers, decode_bundle, encode_bundle(bundle))

    def test_round_trip(self) -> None:
        """Every part comes back."""
        self.assertEqual(decode_bundle(encode_bundle(BUNDLE)), BUNDLE)

    def test_not_shown(self) -> None:
        """What a log might show of it, and of the folder, has neither the key nor what rides along."""
        shown = repr((replace(BUNDLE, extra=b"the secrets of friends"), HOLDINGS))
        self.assertNotIn(repr(BUNDLE.private_key), shown)
        self.assertNotIn("friends", shown)

    def test_mixed_up(self) -> None:
        """Another key, other certificates, or garbage in place of any part is refused."""
        bob = begun(KEY, "bob@example.com", DEVICE.listed, NOW)
        self.refused(replace(BUNDLE, private_key=to_der(new_p256())))
        self.refused(replace(BUNDLE, private_key=b"garbage"))
        self.refused(replace(BUNDLE, chain=bob.chain))
        self.refused(replace(BUNDLE, chain=(b"garbage",)))
        self.refused(replace(BUNDLE, raw=b"garbage"))
        self.refused(replace(BUNDLE, created=-1))

    def test_truncated(self) -> None:
        """One that is cut short anywhere is refused."""
        octets = encode_bundle(BUNDLE)
        for end in range(len(octets)):
            self.assertRaises(BadPapers, decode_bundle, octets[:end])

    @given(st.binary(max_size=300))
    def test_garbage(self, octets: bytes) -> None:
        """Garbage is refused."""
        self.assertRaises(BadPapers, decode_bundle, octets)
