"""Tests of G.711 µ-law."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.testing.pcmu import SILENCE, decode, encode


class PCMUTests(SynchronousTestCase):
    """Encoding and decoding."""

    def test_known_values(self) -> None:
        """The ends and the middle of the scale are those of G.711 table 2a."""
        self.assertEqual(encode([0, 32767, -32768, -1]), bytes([SILENCE, 0x80, 0x00, 0x7F]))
        self.assertEqual(list(decode(bytes([0xFF, 0x7F, 0x80, 0x00]))), [0, 0, 32124, -32124])

    def test_every_octet(self) -> None:
        """Each octet stands for a sample that gives it back, but for the second zero."""
        octets = bytes(octet for octet in range(256) if octet != 0x7F)
        self.assertEqual(encode(decode(octets)), octets)

    def test_error_is_small(self) -> None:
        """No sample is more than a sixteenth of itself, or 4, off."""
        samples = range(-32124, 32125, 7)
        for sample, heard in zip(samples, decode(encode(samples)), strict=True):
            self.assertLessEqual(abs(sample - heard), max(4, abs(sample) // 16), sample)
