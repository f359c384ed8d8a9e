"""Tests of COSE_Sign1."""

from __future__ import annotations

import cbor2
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cwt import COSE, COSEAlgs, COSEHeaders, COSEKey, VerifyError
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.identity.cbor import BadCBOR
from p2pship.identity.cose import LONGEST, parse_sign1, sign1
from p2pship.identity.keys import sign, to_pem
from tests.identity.example import DEVICE, IDENTITY_KEY, KEY

CONTEXT = "p2pship test v1"
PROTECTED = b"\xa1\x01\x26"


def signed(payload: bytes = b"payload") -> bytes:
    """Return a payload signed with the example's identity key."""
    return sign1(payload, CONTEXT, lambda data: sign(KEY, data))


def tagged(*parts: object) -> bytes:
    """Return an array with the tag of COSE_Sign1, whatever is in it."""
    return cbor2.dumps(cbor2.CBORTag(18, list(parts)))


class Sign1Tests(TestCase):
    """Signing, reading and verifying."""

    def test_verifies(self) -> None:
        """A signature holds for its key and context, and for no other."""
        read = parse_sign1(signed())
        self.assertEqual(read.payload, b"payload")
        self.assertTrue(read.signed_by(IDENTITY_KEY, CONTEXT))
        self.assertFalse(read.signed_by(IDENTITY_KEY, "p2pship test v2"))
        self.assertFalse(read.signed_by(DEVICE.key, CONTEXT))

    def test_other_payload(self) -> None:
        """A signature does not hold for another payload."""
        raw = signed().replace(b"payload", b"paYload")
        self.assertFalse(parse_sign1(raw).signed_by(IDENTITY_KEY, CONTEXT))

    def test_read_by_cwt(self) -> None:
        """Another implementation verifies ours, and refuses it in another context."""
        spki = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        key = COSEKey.from_pem(spki, alg="ES256")
        cose = COSE.new()
        self.assertEqual(cose.decode(signed(), key, external_aad=CONTEXT.encode()), b"payload")
        self.assertRaises(VerifyError, cose.decode, signed(), key, external_aad=b"other")

    def test_made_by_cwt(self) -> None:
        """Ours verifies what another implementation has signed."""
        key = COSEKey.from_pem(to_pem(KEY), alg="ES256")
        raw = COSE.new().encode(
            b"payload", key, protected={COSEHeaders.ALG: COSEAlgs.ES256}, external_aad=CONTEXT.encode()
        )
        self.assertTrue(parse_sign1(raw).signed_by(IDENTITY_KEY, CONTEXT))

    def test_other_forms(self) -> None:
        """Any other form than the one is refused, even where RFC 9052 allows it."""
        signature = bytes(64)
        forms: tuple[tuple[object, ...], ...] = (
            (PROTECTED, {}, b"payload"),
            (PROTECTED, {}, b"payload", signature, b""),
            (b"", {1: -7}, b"payload", signature),
            (b"\xa1\x01\x38\x22", {}, b"payload", signature),  # ES384
            (b"\xa2\x01\x26\x04\x41\x01", {}, b"payload", signature),
            (PROTECTED, {4: b"key"}, b"payload", signature),
            (PROTECTED, {}, None, signature),
            (PROTECTED, {}, "payload", signature),
            (PROTECTED, {}, b"payload", signature[:-1]),
            (PROTECTED, [], b"payload", signature),
            ({1: -7}, {}, b"payload", signature),
        )
        for form in forms:
            with self.assertRaises(BadCBOR, msg=repr(form)):
                parse_sign1(tagged(*form))
        self.assertEqual(parse_sign1(tagged(PROTECTED, {}, b"payload", signature)).payload, b"payload")

    def test_tag(self) -> None:
        """Without its tag, with another, or with its tag in a longer form it is refused."""
        raw = signed()
        for other in (raw[1:], b"\xd1" + raw[1:], b"\xd8\x12" + raw[1:], raw + b"\0", b"\xd2" + raw):
            self.assertRaises(BadCBOR, parse_sign1, other)

    def test_longest(self) -> None:
        """4,096 octets are read, one more is not even looked at."""
        raw = signed(bytes(LONGEST - 76))
        self.assertEqual(len(raw), LONGEST)
        parse_sign1(raw)
        self.assertRaises(BadCBOR, parse_sign1, signed(bytes(LONGEST - 75)))

    def test_truncated(self) -> None:
        """One that is cut short anywhere is refused."""
        raw = signed()
        for end in range(len(raw)):
            self.assertRaises(BadCBOR, parse_sign1, raw[:end])

    @given(st.integers(0, 10_000), st.integers(1, 255))
    def test_garbled(self, at: int, flip: int) -> None:
        """One with an octet changed is refused, or does not verify."""
        raw = bytearray(signed())
        raw[at % len(raw)] ^= flip
        try:
            read = parse_sign1(bytes(raw))
        except BadCBOR:
            return
        self.assertFalse(read.signed_by(IDENTITY_KEY, CONTEXT))
