"""ESP packets made and read by the library's operations for single messages alone, beside the code that is tested."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from twisted.trial.unittest import SynchronousTestCase

from p2pship.bearer.hip.esp import Inbound, Outbound, inbound, outbound
from p2pship.bearer.hip.numbers import ESPSuite
from p2pship.bearer.hip.suites import ESP_KEYS, OFFERED_ESP

SPI = 0x4321
KEYS = {suite: bytes(range(ESP_KEYS[suite].size)) for suite in OFFERED_ESP}
CBC = tuple(suite for suite in OFFERED_ESP if suite != ESPSuite.AES_GCM_16)
LARGEST = 1600


def icv(key: bytes, packet: bytes) -> bytes:
    """Return an HMAC-SHA-256-128, by RFC 2104 with nothing but the hash."""
    inner, outer = (bytes(each ^ pad for each in key.ljust(64, b"\0")) for pad in (0x36, 0x5C))
    return hashlib.sha256(outer + hashlib.sha256(inner + packet).digest()).digest()[:16]


def by_the_book(suite: ESPSuite, keys: bytes, packet: bytes) -> bytes:
    """Return what is inside a packet, with trailer, by the library's operations for single messages alone."""
    if suite == ESPSuite.AES_GCM_16:
        return AESGCM(keys[:16]).decrypt(keys[16:] + packet[8:16], packet[16:], packet[:8])
    sizes = ESP_KEYS[suite]
    assert hmac.compare_digest(packet[-16:], icv(keys[sizes.encryption :], packet[:-16]))
    cipher = Cipher(algorithms.AES(keys[: sizes.encryption]), modes.CBC(packet[8:24])).decryptor()
    return cipher.update(packet[24:-16]) + cipher.finalize()


def made_by_the_book(suite: ESPSuite, keys: bytes, sequence: int, inner: bytes) -> bytes:
    """Return a packet around what is to be inside, trailer included, by those operations as well."""
    header = SPI.to_bytes(4, "big") + (sequence & 0xFFFF_FFFF).to_bytes(4, "big")
    if suite == ESPSuite.AES_GCM_16:
        iv = sequence.to_bytes(8, "big")
        return header + iv + AESGCM(keys[:16]).encrypt(keys[16:] + iv, inner, header)
    sizes, iv = ESP_KEYS[suite], os.urandom(16)
    cipher = Cipher(algorithms.AES(keys[: sizes.encryption]), modes.CBC(iv)).encryptor()
    packet = header + iv + cipher.update(inner) + cipher.finalize()
    return packet + icv(keys[sizes.encryption :], packet)


def padded(suite: ESPSuite, payload: bytes, next_header: int = 17) -> bytes:
    """Return a payload with its trailer (RFC 4303 §2.4)."""
    block = 4 if suite == ESPSuite.AES_GCM_16 else 16
    length = -(len(payload) + 2) % block
    return payload + bytes(range(1, length + 1)) + bytes([length, next_header])


class ESPPair(SynchronousTestCase):
    """What seals and what opens."""

    def pair(self, suite: ESPSuite, random: Callable[[int], bytes] = os.urandom) -> tuple[Outbound, Inbound]:
        return outbound(suite, SPI, KEYS[suite], random), inbound(suite, SPI, KEYS[suite])
