"""G.711 µ-law, which RTP calls PCMU (RFC 3551 §4.5.14): 8-bit octets for 16-bit samples."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from functools import cache

_BIAS = 0x84
_LOUDEST = 32_635

SILENCE = 0xFF
"The octet of the sample 0."


def encode(samples: Iterable[int]) -> bytes:
    """Encode samples from -32,768 to 32,767."""
    return bytes(map(_octets().__getitem__, samples))


def decode(payload: bytes) -> array[int]:
    """Return the samples."""
    return array("h", map(_samples().__getitem__, payload))


def _octet(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), _LOUDEST) + _BIAS
    exponent = magnitude.bit_length() - 8
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    return ~(sign | exponent << 4 | mantissa) & 0xFF


def _sample(octet: int) -> int:
    inverted = ~octet
    magnitude = (((inverted & 0x0F) << 3) + _BIAS << ((inverted & 0x70) >> 4)) - _BIAS
    return -magnitude if inverted & 0x80 else magnitude


@cache
def _octets() -> list[int]:
    """Return the octet of each sample; a negative one is counted from the end, as it is in a list."""
    return [_octet(sample) for sample in (*range(0x8000), *range(-0x8000, 0))]


@cache
def _samples() -> list[int]:
    return [_sample(octet) for octet in range(0x100)]
