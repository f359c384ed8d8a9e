"""Security associations of ESP in BEET mode: one seals what goes to the other side, one opens what comes (RFC 7402, RFC 4303).

The code here runs for every packet.

Sequence numbers have 64 bits on both sides, of which 32 travel, and the higher half is *not* in the ICV: extended sequence numbers
are not agreed on (RFC 7402 §3.3.6), and an association is rekeyed long before the lower half comes round. A receiver takes the
number that is nearest to the newest one. With AES-GCM the IV is the whole number, so none is used twice with a key (RFC 4106 §3.1).

AES-CBC uses one cipher object for all packets, as a new one costs twenty times the encryption: each packet is encrypted behind
16 random octets, whose ciphertext, which nobody can foresee, then *is* the IV of what follows (NIST SP 800-38A, Appendix C). The
same on the way back: what the cipher makes of the IV is thrown away.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from p2pship.bearer.hip.numbers import ESPSuite
from p2pship.bearer.hip.suites import ESP_KEYS
from p2pship.errors import LocalError, RemoteError

WINDOW = 4096
"""Sequence numbers whose use is surely remembered: what comes after another packet with a number 4096 higher may be refused. That
is 0.4 s of 10,000 packets a second."""

REKEY_AT = 1 << 30
"Packets after which an association should be rekeyed."

LAST = 1 << 31
"The last packet of a key: the 32 bits that travel have not come round then."

SMALLEST_SPI = 256
"Those below are reserved (RFC 4303 §2.1)."

_LOW = 0xFFFF_FFFF
_HEADER_SIZE = 8
_IV_SIZE = 8
_TAG_SIZE = 16
_SMALLEST_GCM = _HEADER_SIZE + _IV_SIZE + 4 + _TAG_SIZE
_BLOCK = 16
_ICV_SIZE = 16
"HMAC-SHA-256-128 (RFC 4868 §2.3)."

_gcm_header = struct.Struct(">IIQ").pack
_cbc_header = struct.Struct(">II").pack
_sequence = struct.Struct(">4xI").unpack_from


class Forged(RemoteError):
    """A packet is not from the other side of this association, or was altered."""


class Replayed(RemoteError):
    """A packet came twice, or far too late."""


class Exhausted(LocalError):
    """A key has been used as often as it may be, and was not replaced in time."""


def _trailers(block: int) -> tuple[bytes, ...]:
    """Return what follows a payload up to its next header, by the payload's length modulo the block (RFC 4303 §2.4)."""
    lengths = [(-remainder - 2) % block for remainder in range(block)]
    return tuple(bytes(range(1, length + 1)) + bytes([length]) for length in lengths)


_GCM_TRAILERS = _trailers(4)
_CBC_TRAILERS = _trailers(_BLOCK)
_NEXT = tuple(bytes([number]) for number in range(256))


class Outbound(Protocol):
    """Seals what goes to one SPI."""

    spi: int
    suite: ESPSuite
    sequence: int
    "the number of the last packet, which is how many there were"
    tired: Callable[[], object]
    "called once, when the key should be replaced"

    def seal(self, next_header: int, payload: bytes, head: bytes = b"") -> bytes:
        """Return the ESP packet around a payload, which may be in two pieces: ``head`` comes first.

        :raises Exhausted: if the key may not be used any more.
        """


class Inbound(Protocol):
    """Opens what comes to one SPI."""

    spi: int
    suite: ESPSuite
    newest: int
    "the highest number that was taken"
    taken: int
    "packets that were taken"

    def open(self, packet: bytes) -> tuple[int, bytes]:
        """Return the next header and the payload of an ESP packet, whose SPI was looked at.

        :raises Forged: if it is not from the other side.
        :raises Replayed: if its number was taken before, or is more than the window behind.
        """


def outbound(
    suite: int, spi: int, keys: bytes, random: Callable[[int], bytes], rekey_at: int = REKEY_AT
) -> Outbound:
    """Return what seals for an SPI with keys from KEYMAT; nothing else may ever seal with them."""
    encryption, authentication = _split(suite, keys)
    if suite == ESPSuite.AES_GCM_16:
        return _GCMOutbound(spi, rekey_at, encryption)
    return _CBCOutbound(ESPSuite(suite), spi, rekey_at, encryption, authentication, random)


def inbound(suite: int, spi: int, keys: bytes) -> Inbound:
    """Return what opens what comes to an SPI with keys from KEYMAT."""
    encryption, authentication = _split(suite, keys)
    if suite == ESPSuite.AES_GCM_16:
        return _GCMInbound(spi, encryption)
    return _CBCInbound(ESPSuite(suite), spi, encryption, authentication)


def overhead(suite: int) -> int:
    """Return how many octets a packet has more than its payload, at most."""
    if suite == ESPSuite.AES_GCM_16:
        return _HEADER_SIZE + _IV_SIZE + len(max(_GCM_TRAILERS, key=len)) + 1 + _TAG_SIZE
    return _HEADER_SIZE + _BLOCK + len(max(_CBC_TRAILERS, key=len)) + 1 + _ICV_SIZE


def _split(suite: int, keys: bytes) -> tuple[bytes, bytes]:
    encryption = ESP_KEYS[ESPSuite(suite)].encryption
    return keys[:encryption], keys[encryption:]


class _Counter:
    """Counts the packets of one key."""

    __slots__ = ("_limit", "sequence", "spi", "tired")

    def __init__(self, spi: int, rekey_at: int) -> None:
        self.spi = spi
        self.sequence = 0
        self.tired: Callable[[], object] = _nothing
        self._limit = rekey_at

    def _reached(self) -> None:
        """Hear that the limit is reached: the first one is a wish, the second is the end."""
        if self.sequence > LAST:
            raise Exhausted()
        self._limit = LAST + 1
        self.tired()


def _nothing() -> None:
    """Do nothing."""


class _GCMOutbound(_Counter):
    suite = ESPSuite.AES_GCM_16
    __slots__ = ("_encrypt", "_salt")

    def __init__(self, spi: int, rekey_at: int, key: bytes) -> None:
        super().__init__(spi, rekey_at)
        self._encrypt = AESGCM(key[:-4]).encrypt
        self._salt = key[-4:]

    def seal(self, next_header: int, payload: bytes, head: bytes = b"") -> bytes:
        sequence = self.sequence = self.sequence + 1
        if sequence >= self._limit:
            self._reached()
        header = _gcm_header(self.spi, sequence, sequence)
        trailer = _GCM_TRAILERS[(len(head) + len(payload)) & 3]
        inner = b"".join((head, payload, trailer, _NEXT[next_header]))
        return header + self._encrypt(self._salt + header[8:], inner, header[:8])


class _CBCOutbound(_Counter):
    __slots__ = ("_encrypt", "_mac", "_random", "suite")

    def __init__(
        self,
        suite: ESPSuite,
        spi: int,
        rekey_at: int,
        encryption: bytes,
        authentication: bytes,
        random: Callable[[int], bytes],
    ) -> None:
        super().__init__(spi, rekey_at)
        self.suite = suite
        self._random = random
        cipher = Cipher(algorithms.AES(encryption), modes.CBC(random(_BLOCK)))
        self._encrypt = cipher.encryptor().update
        self._mac = hmac.new(authentication, digestmod="sha256")

    def seal(self, next_header: int, payload: bytes, head: bytes = b"") -> bytes:
        sequence = self.sequence = self.sequence + 1
        if sequence >= self._limit:
            self._reached()
        trailer = _CBC_TRAILERS[(len(head) + len(payload)) & 15]
        inner = b"".join((self._random(_BLOCK), head, payload, trailer, _NEXT[next_header]))
        packet = _cbc_header(self.spi, sequence) + self._encrypt(inner)
        mac = self._mac.copy()
        mac.update(packet)
        return packet + mac.digest()[:_ICV_SIZE]


class _Window:
    """Which numbers were taken.

    Kept are those up to the newest that are *missing*, as the bits of one integer, the lowest of which is ``_base``. When packets
    come in order there is nothing to keep, and nothing to do but to count.
    """

    __slots__ = ("_base", "_missing", "newest", "taken")

    def __init__(self) -> None:
        self.newest = 0
        self.taken = 0
        self._missing = 0
        self._base = 1

    def number(self, low: int) -> int:
        """Return the whole number of a packet of which 32 bits have come, and which is not the next one.

        :raises Replayed: if it was taken before, or is too old to tell.
        """
        newest = self.newest
        sequence = newest + ((low - newest + 0x8000_0000) & _LOW) - 0x8000_0000
        at = sequence - self._base
        if sequence <= newest and (at < 0 or not self._missing >> at & 1):
            raise Replayed()
        return sequence

    def take(self, sequence: int) -> None:
        """Hear that the packet with a number, which is not the next one, was authentic."""
        self.taken += 1
        if sequence <= self.newest:
            self._missing ^= 1 << (sequence - self._base)
            return
        base = max(self._base, sequence - WINDOW)
        first = max(base, self.newest + 1)
        self._missing >>= base - self._base
        self._missing |= ((1 << (sequence - first)) - 1) << (first - base)
        self._base, self.newest = base, sequence


class _GCMInbound(_Window):
    suite = ESPSuite.AES_GCM_16
    __slots__ = ("_decrypt", "_salt", "spi")

    def __init__(self, spi: int, key: bytes) -> None:
        super().__init__()
        self.spi = spi
        self._decrypt = AESGCM(key[:-4]).decrypt
        self._salt = key[-4:]

    def open(self, packet: bytes) -> tuple[int, bytes]:
        if len(packet) < _SMALLEST_GCM:
            raise Forged("a packet is too short")
        next_one = self.newest + 1
        (sequence,) = _sequence(packet)
        if sequence != next_one:
            sequence = self.number(sequence)
        try:
            inner = self._decrypt(self._salt + packet[8:16], packet[16:], packet[:8])
        except InvalidTag:
            raise Forged() from None
        if sequence == next_one:
            self.newest = sequence
            self.taken += 1
        else:
            self.take(sequence)
        return inner[-1], _payload(inner)


class _CBCInbound(_Window):
    __slots__ = ("_decrypt", "_mac", "spi", "suite")

    def __init__(self, suite: ESPSuite, spi: int, encryption: bytes, authentication: bytes) -> None:
        super().__init__()
        self.suite = suite
        self.spi = spi
        cipher = Cipher(algorithms.AES(encryption), modes.CBC(bytes(_BLOCK)))
        self._decrypt = cipher.decryptor().update
        self._mac = hmac.new(authentication, digestmod="sha256")

    def open(self, packet: bytes) -> tuple[int, bytes]:
        size = len(packet) - _HEADER_SIZE - _ICV_SIZE
        if size < 2 * _BLOCK or size % _BLOCK:
            raise Forged("a packet is too short, or no blocks")
        sequence = self.number(_sequence(packet)[0])
        mac = self._mac.copy()
        mac.update(packet[:-_ICV_SIZE])
        if not hmac.compare_digest(mac.digest()[:_ICV_SIZE], packet[-_ICV_SIZE:]):
            raise Forged()
        self.take(sequence)
        inner = self._decrypt(packet[_HEADER_SIZE:-_ICV_SIZE])[_BLOCK:]
        return inner[-1], _payload(inner)


def _payload(inner: bytes) -> bytes:
    """Return what comes before the padding; its sender has proven to have the key, and may still be wrong."""
    end = len(inner) - 2 - inner[-2]
    if end < 0:
        raise Forged("a packet has more padding than octets")
    return inner[:end]
