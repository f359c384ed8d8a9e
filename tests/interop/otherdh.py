"""Diffie-Hellman of a HIPv2 host that is not ours (RFC 7401 §5.2.7, RFC 3526)."""

from __future__ import annotations

import os
import struct
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from tests.interop.otherwire import check, wide

CURVES: dict[int, tuple[Any, int]] = {7: (ec.SECP256R1, 32), 8: (ec.SECP384R1, 48)}
"By DH group."
MODP = {3: (1536, 741804), 4: (3072, 1690314)}
"Bits, and what is added to those of pi, by DH group (RFC 3526)."
GROUPS = (*CURVES, *MODP)


@cache
def modp(group: int) -> int:
    """Return a prime of RFC 3526, from pi, as it is defined there."""
    bits, added = MODP[group]
    one = 1 << (bits + 64)
    pi = 16 * _arctan(5, one) - 4 * _arctan(239, one)
    whole = (pi >> (bits + 64 - (bits - 130))) + added
    return (1 << bits) - (1 << (bits - 64)) - 1 + (whole << 64)


def _arctan(inverse: int, one: int) -> int:
    """Return the arc tangent of a fraction, in units of ``1/one`` (Machin)."""
    term = total = one // inverse
    for odd in range(3, one.bit_length(), 2):
        term //= -inverse * inverse
        total += term // odd
    return total


class Exchange:
    """A private value of Diffie-Hellman, and the parameter that goes with it."""

    def __init__(self, group: int) -> None:
        self.group = group
        if group in MODP:
            self._size = MODP[group][0] // 8
            self._exponent = int.from_bytes(os.urandom(32))
            public = wide(pow(2, self._exponent, modp(group)), self._size)
        else:
            curve, width = CURVES[group]
            self._private = ec.generate_private_key(curve())
            point = self._private.public_key().public_numbers()
            public = wide(point.x, width) + wide(point.y, width)
        self.value = struct.pack("!BH", group, len(public)) + public

    def secret(self, other: bytes) -> bytes:
        """Return what both know, given the other's parameter."""
        check(len(other) == len(self.value) and other[:3] == self.value[:3], "group of Diffie-Hellman")
        if self.group in MODP:
            return wide(pow(int.from_bytes(other[3:]), self._exponent, modp(self.group)), self._size)
        point = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[self.group][0](), b"\4" + other[3:])
        return self._private.exchange(ec.ECDH(), point)
