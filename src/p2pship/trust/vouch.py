"""What a voucher says of a name: that it is this key's, that it is not, or nothing."""

from __future__ import annotations

from dataclasses import dataclass

BY_DOMAIN = "domain"
"In ``Vouch.by``: the domain of the name itself, over HTTPS or DNSSEC."

BY_ITSELF = "self"
"In ``Vouch.by``: the name is made from the key."


@dataclass(frozen=True, slots=True)
class Vouch:
    """What a voucher says of somebody's name and identity key."""

    by: str = ""
    "who vouches: ``ca:`` and 16 hexadecimal digits, ``domain``, ``self``; empty if the name is not vouched for"
    reasons: tuple[str, ...] = ()
    "why, in words, also why not: a hint that proves nothing, no revocation list, an expired certificate"
    until: float = 0.0
    "until when this may be believed without asking again, Unix time; 0 if nothing was said"
    revoked: bool = False
    "whether who vouched for this very key has taken it back, as by a revoked serial: it must not be believed"
    contradicted: bool = False
    "whether the domain of the name says whose it is, and that is neither this key nor one that gave way to it"

    def __bool__(self) -> bool:
        """Whether the name is vouched for."""
        return bool(self.by)


SILENT = Vouch()
"Of a voucher that has nothing to say of the name."


def by_authority(fingerprint: bytes) -> str:
    """Return ``Vouch.by`` of an authority: the first 8 octets of the SHA-256 of its root's key (DER SubjectPublicKeyInfo)."""
    return f"ca:{fingerprint[:8].hex()}"
