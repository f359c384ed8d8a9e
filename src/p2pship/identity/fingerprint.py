"""The short form of an identity key, for people to compare and for names that prove themselves."""

from __future__ import annotations

import base64
import hashlib

from p2pship.identity.aor import split_aor

OWN_PROOF = "p2pship.alt"
"The domain of names that are their own proof; ``alt`` is for names outside the DNS (RFC 9476), which is never asked."

FINGERPRINT_OCTETS = 20
"160 bits of SHA-256: 32 characters, which nobody can find a second key for."


def fingerprint(key: bytes) -> str:
    """Return the fingerprint of an identity key (DER SubjectPublicKeyInfo): 32 characters of lower-case base32."""
    return base64.b32encode(hashlib.sha256(key).digest()[:FINGERPRINT_OCTETS]).decode("ascii").lower()


def own_proof_aor(key: bytes) -> str:
    """Return the AOR that proves itself for an identity key: ``<fingerprint>@p2pship.alt``."""
    return f"{fingerprint(key)}@{OWN_PROOF}"


def names_itself(aor: str, key: bytes) -> bool | None:
    """Tell whether a canonical AOR is the one that its key proves; None if it is not of the kind that does."""
    if split_aor(aor)[1] != OWN_PROOF:
        return None
    return aor == own_proof_aor(key)
