"""What is told to the journal of authorities and their certificates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from p2pship.journal import REFUSAL_LINES, Fact


@dataclass(frozen=True, slots=True)
class AuthorityTrusted(Fact):
    """The user trusts an authority for the names of a domain, or no longer does."""

    authority: str
    "16 hexadecimal digits of its key's SHA-256"
    domain: str
    trusted: bool

    def __str__(self) -> str:
        return f"the authority {self.authority} is {'' if self.trusted else 'no longer '}trusted for {self.domain}"


@dataclass(frozen=True, slots=True)
class CertificateIssued(Fact):
    """An authority of ours issued a certificate."""

    authority: str
    aor: str
    serial: str
    expires: float

    def __str__(self) -> str:
        return f"the authority {self.authority} issued certificate {self.serial} to {self.aor}"


@dataclass(frozen=True, slots=True)
class CertificateRevoked(Fact):
    """An authority of ours revoked a certificate."""

    authority: str
    aor: str
    serial: str

    def __str__(self) -> str:
        return f"the authority {self.authority} revoked certificate {self.serial} of {self.aor}"


@dataclass(frozen=True, slots=True)
class RevocationListTaken(Fact):
    """A newer revocation list of an authority came."""

    authority: str
    number: int
    revoked: int
    "how many certificates are on it"

    def __str__(self) -> str:
        return f"took revocation list {self.number} of the authority {self.authority}: {self.revoked} revoked"


@dataclass(frozen=True, slots=True)
class CertificateRenewed(Fact):
    """A certificate of one of our own names was renewed, or could not be."""

    lines: ClassVar[int] = REFUSAL_LINES
    aor: str
    expires: float
    error: str = ""
    "why it could not be; empty when it was"

    def __str__(self) -> str:
        if self.error:
            return f"could not renew the certificate of {self.aor}: {self.error}"
        return f"renewed the certificate of {self.aor}"


@dataclass(frozen=True, slots=True)
class RenewalRefused(Fact):
    """Somebody asked an authority of ours for a certificate that they do not get."""

    lines: ClassVar[int] = REFUSAL_LINES
    aor: str
    reason: str

    def __str__(self) -> str:
        return f"refused a certificate to {self.aor}: {self.reason}"
