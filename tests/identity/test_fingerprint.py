"""Tests for p2pship.identity.fingerprint."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.identity.fingerprint import fingerprint


class FingerprintTests(TestCase):
    """The short form of a key."""

    def test_known(self) -> None:
        """SHA-256 of nothing begins with e3b0c442…: its first 160 bits in base32."""
        self.assertEqual(fingerprint(b""), "4oymiquy7qobjgx36tejs35zeqt24qpe")
