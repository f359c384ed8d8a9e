"""What stands for a lookup key where others see it, and what proves that one knows it."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

HANDLE_LENGTH = 20
"Octets of a handle: as many as an infohash has (BEP 3)."

KEYS_KEPT = 64
"Keys remembered, for as many searches at once: to make one takes 10 µs."

_HANDLE = b"p2pship handle v1\0"
_QUESTION = b"p2pship question v1"


def handle(lookup_key: bytes) -> bytes:
    """Return the 20 octets by which a lookup key is called where strangers see it; they do not tell the key."""
    return hashlib.sha256(_HANDLE + lookup_key).digest()[:HANDLE_LENGTH]


@lru_cache(KEYS_KEPT)
def question_secret(lookup_key: bytes) -> bytes:
    """Return the 32 octets with which a question for what is under a lookup key is authenticated (RFC 5869 §2.3)."""
    return HKDFExpand(hashes.SHA256(), 32, _QUESTION).derive(lookup_key)
