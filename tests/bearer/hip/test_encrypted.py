"""Tests of ENCRYPTED."""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.encrypted import decrypt, encrypt
from p2pship.bearer.hip.numbers import NotifyType, ParameterType
from p2pship.bearer.hip.packet import BadPacket, tlv
from tests.bearer.hip.recorded import all_recorded

KEY = bytes(range(16))


class EncryptedTests(TestCase):
    """Parameters that only two hosts can read."""

    def test_recorded(self) -> None:
        """What another program has encrypted is read, and would be the same octets of ours."""
        seen = 0
        for recorded in all_recorded():
            hidden = recorded.i2.find(ParameterType.ENCRYPTED)
            if hidden is None:
                continue
            seen += 1
            key = recorded.keys(recorded.i2.sender).encryption
            inner = decrypt(key, hidden)
            self.assertEqual(encrypt(key, inner, lambda count, hidden=hidden: hidden[4:20]), hidden)  # type: ignore[misc]
            self.assertEqual(recorded.identity(recorded.i2.sender).hit, recorded.i2.sender)
        self.assertGreater(seen, 0)

    @given(st.binary(max_size=300), st.sampled_from([16, 32]))
    def test_round_trip(self, contents: bytes, size: int) -> None:
        """What goes in comes out."""
        inner, key = tlv(ParameterType.HOST_ID, contents), os.urandom(size)
        hidden = encrypt(key, inner, os.urandom)
        self.assertEqual((hidden[:4], len(hidden) % 16), (bytes(4), 4))
        self.assertEqual(decrypt(key, hidden), inner)

    @given(st.binary(max_size=300), st.sampled_from([16, 32]))
    def test_filled(self, contents: bytes, size: int) -> None:
        """Whole blocks are taken with and without a block of padding behind them: RFC 7401 §5.2.18 can be read both ways."""
        inner, key, iv = tlv(ParameterType.HOST_ID, contents), os.urandom(size), os.urandom(16)
        encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
        plain = inner + b"\x08" * (len(inner) % 16)
        hidden = bytes(4) + iv + encryptor.update(plain) + encryptor.finalize()
        self.assertEqual(decrypt(key, hidden), inner)

    @given(st.binary(max_size=100))
    def test_garbage(self, contents: bytes) -> None:
        """Anything else is refused, or is octets that mean nothing."""
        try:
            self.assertIsInstance(decrypt(KEY, contents), bytes)
        except BadPacket as error:
            self.assertEqual(error.notify, NotifyType.ENCRYPTION_FAILED)

    def test_truncated(self) -> None:
        """What is cut off between two blocks is refused."""
        hidden = encrypt(KEY, bytes(40), os.urandom)
        for size in range(len(hidden)):
            if (size - 20) % 16 or size <= 20:
                self.assertRaises(BadPacket, decrypt, KEY, hidden[:size])
