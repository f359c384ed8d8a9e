"""Diffie-Hellman keys of the base exchange: P-256 and P-384, and the older MODP groups (RFC 7401 §5.2.7, §6.5).

A public value on a curve is x ‖ y without the octet 04, and the secret is x at full width (RFC 5903 §7). A secret of a
MODP group is as long as its prime: RFC 7401 does not say whether zeros in front stay, and a length that gives away the secret's
first octet is no good reading.
"""

from __future__ import annotations

import secrets
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from p2pship.bearer.hip.modp import prime
from p2pship.bearer.hip.numbers import DHGroup
from p2pship.bearer.hip.packet import BadPacket

OFFERED_GROUPS = (DHGroup.P256, DHGroup.P384)
"Best first: P-256 takes a twentieth of the time of P-384."

LEGACY_GROUPS = (DHGroup.MODP_3072, DHGroup.MODP_1536)
"Offered behind the others to hosts that have nothing else, only where switched on; RFC 7401 §5.2.7 has 3 as mandatory."

_GENERATOR = 2

_EXPONENT_BITS = 320
"Twice the strength of the largest group, and some (RFC 3526 §8)."

_CURVES: dict[int, tuple[ec.EllipticCurve, int]] = {
    DHGroup.P256: (ec.SECP256R1(), 32),
    DHGroup.P384: (ec.SECP384R1(), 48),
}


class KeyPair(Protocol):
    """One side's key pair."""

    group: int
    public: bytes
    "the public value, as DIFFIE_HELLMAN carries it"

    def secret(self, public: bytes) -> bytes:
        """Return the secret shared with the owner of a public value.

        :raises BadPacket: if that is no value of the group.
        """


def new_key_pair(group: int) -> KeyPair:
    """Make a key pair of one of the groups offered here."""
    return EllipticKeyPair(group) if group in _CURVES else ModularKeyPair(group)


class EllipticKeyPair:
    """Of P-256 or P-384."""

    def __init__(self, group: int) -> None:
        self.group = group
        self._curve, self._width = _CURVES[group]
        self._private_key = ec.generate_private_key(self._curve)
        point = self._private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public = point[1:]

    def secret(self, public: bytes) -> bytes:
        """See :class:`KeyPair`."""
        try:
            if len(public) != 2 * self._width:
                raise ValueError("it is of another length")
            point = ec.EllipticCurvePublicKey.from_encoded_point(self._curve, b"\x04" + public)
        except ValueError:
            raise _bad(self.group) from None
        return self._private_key.exchange(ec.ECDH(), point)


class ModularKeyPair:
    """Of a MODP group. Python's own arithmetic, as libraries give these groups up; a key is used for one exchange or few."""

    def __init__(self, group: int) -> None:
        self.group = group
        self._prime = prime(group)
        self._width = self._prime.bit_length() // 8
        self._exponent = secrets.randbits(_EXPONENT_BITS) | 1 << (_EXPONENT_BITS - 1)
        self.public = pow(_GENERATOR, self._exponent, self._prime).to_bytes(self._width, "big")

    def secret(self, public: bytes) -> bytes:
        """See :class:`KeyPair`."""
        value = int.from_bytes(public, "big")
        if len(public) > self._width or not 1 < value < self._prime - 1:
            raise _bad(self.group)
        return pow(value, self._exponent, self._prime).to_bytes(self._width, "big")


def _bad(group: int) -> BadPacket:
    """Return an error that is not INVALID_DH_CHOSEN: that is for another group, and this ends silently (RFC 7401 §5.3.2)."""
    return BadPacket(f"the public value is none of the group {group}")
