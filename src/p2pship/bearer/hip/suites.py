"""Which hash, and which keys of which size, an association has: its Responder's HIT and what both sides chose settle it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes

from p2pship.bearer.hip.numbers import Cipher, ESPSuite, HITSuite, NotifyType
from p2pship.bearer.hip.packet import BadPacket

OFFERED_CIPHERS = (Cipher.AES_128_CBC, Cipher.AES_256_CBC)
"For ENCRYPTED, best first; NULL is never among them (RFC 7401 §5.2.8)."

OFFERED_ESP = (
    ESPSuite.AES_GCM_16,
    ESPSuite.AES_128_CBC_HMAC_SHA256,
    ESPSuite.AES_256_CBC_HMAC_SHA256,
)
"For data, best first (RFC 7402 §5.1.2)."

OFFERED_HIT_SUITES = (HITSuite.ECDSA_SHA384, HITSuite.RSA_DSA_SHA256)
"Whose HITs we can talk to, best first (RFC 7401 §5.2.10)."

CIPHER_KEY = {Cipher.AES_128_CBC: 16, Cipher.AES_256_CBC: 32}
"Octets of the key of ENCRYPTED."


@dataclass(frozen=True, slots=True)
class RHash:
    """The hash of the Responder's HIT: puzzle, MAC and KEYMAT of the whole association use it (RFC 7401 §3)."""

    name: str
    "as hashlib has it"
    size: int
    "octets"
    algorithm: hashes.HashAlgorithm

    def new(self, octets: bytes) -> Any:
        """Return a hashlib hash object that has taken these octets."""
        return hashlib.new(self.name, octets)

    def mac(self, key: bytes, octets: bytes) -> bytes:
        """Return the HMAC of all octets of the hash (RFC 7401 §6.4.1)."""
        return hmac.digest(key, octets, self.name)


_SHA256 = RHash("sha256", 32, hashes.SHA256())
_SHA384 = RHash("sha384", 48, hashes.SHA384())
_BY_SUITE: dict[int, RHash] = {HITSuite.RSA_DSA_SHA256: _SHA256, HITSuite.ECDSA_SHA384: _SHA384}


def hit_suite(hit: bytes) -> int:
    """Return the HIT suite of a HIT: the last four bits of its prefix (RFC 7343 §2, RFC 7401 §5.2.10)."""
    return hit[3] & 0x0F


def is_hit(octets: bytes) -> bool:
    """Tell whether 16 octets have the prefix of a HIT, 2001:20::/28 (RFC 7343 §2)."""
    return octets[:3] == b"\x20\x01\x00" and octets[3] >> 4 == 2


def rhash_of(hit: bytes) -> RHash:
    """Return the RHASH of an association whose Responder has this HIT.

    :raises BadPacket: if it is no HIT, or of a suite that we do not use.
    """
    found = _BY_SUITE.get(hit_suite(hit)) if is_hit(hit) else None
    if found is None:
        raise BadPacket(
            f"{hit.hex()} is no HIT of a suite that is used here", NotifyType.UNSUPPORTED_HIT_SUITE
        )
    return found


@dataclass(frozen=True, slots=True)
class ESPKeys:
    """How many octets one direction of a suite draws from KEYMAT."""

    encryption: int
    "key, and for GCM the four octets of salt behind it (RFC 4106 §8.1)"
    authentication: int

    @property
    def size(self) -> int:
        """Both together."""
        return self.encryption + self.authentication


ESP_KEYS = {
    ESPSuite.AES_GCM_16: ESPKeys(20, 0),
    ESPSuite.AES_128_CBC_HMAC_SHA256: ESPKeys(16, 32),
    ESPSuite.AES_256_CBC_HMAC_SHA256: ESPKeys(32, 32),
}
"By suite (RFC 7402 §5.1.2, RFC 4106 §8.1, RFC 4868 §2.1.1)."
