"""The primes of the MODP groups, from the formula that defines them (RFC 3526 §2, §4).

Each is 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) * pi) + c) with the least c that makes it a safe prime: nobody could
choose it so that they know more of it than we do.
"""

from __future__ import annotations

from functools import cache

from p2pship.bearer.hip.numbers import DHGroup

_FORMULA = {DHGroup.MODP_1536: (1536, 741804), DHGroup.MODP_3072: (3072, 1690314)}
"n and c of each group."

_GUARD = 64
"Bits that rounding may spoil."


@cache
def prime(group: int) -> int:
    """Return the prime of a group."""
    bits, constant = _FORMULA[DHGroup(group)]
    return (1 << bits) - (1 << (bits - 64)) - 1 + ((_pi(bits - 130) + constant) << 64)


def _pi(bits: int) -> int:
    """Return floor(2^bits * pi), by Machin's formula: pi = 16 arctan(1/5) - 4 arctan(1/239)."""
    one = 1 << (bits + _GUARD)
    return (16 * _arctan(5, one) - 4 * _arctan(239, one)) >> _GUARD


def _arctan(inverse: int, one: int) -> int:
    power = total = one // inverse
    divisor, square = 1, inverse * inverse
    while power:
        power //= -square
        divisor += 2
        total += power // divisor
    return total
