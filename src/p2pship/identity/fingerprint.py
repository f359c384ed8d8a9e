"""The short form of an identity key, for people to compare and for names that prove themselves."""

from __future__ import annotations

import base64
import hashlib

FINGERPRINT_OCTETS = 20
"160 bits of SHA-256: 32 characters, which nobody can find a second key for."


def fingerprint(key: bytes) -> str:
    """Return the fingerprint of an identity key (DER SubjectPublicKeyInfo): 32 characters of lower-case base32."""
    return base64.b32encode(hashlib.sha256(key).digest()[:FINGERPRINT_OCTETS]).decode("ascii").lower()
