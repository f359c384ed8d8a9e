"""Which authorities are trusted, each for the domains that the user named and for no other."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509

from p2pship.errors import LocalError
from p2pship.identity.aor import BadAOR, canonical_aor, split_aor
from p2pship.identity.fingerprint import OWN_PROOF
from p2pship.storage.database import Database
from p2pship.trust.certificates import der, key_fingerprint, load

HINT_LENGTH = 8
"Octets of a root's fingerprint in a statement."


@dataclass(frozen=True, slots=True)
class TrustedAuthority:
    """An authority and a domain that it is trusted for."""

    root: bytes
    "the SHA-256 of its key"
    domain: str
    certificate: x509.Certificate
    since: int
    "Unix time"


def canonical_domain(domain: str) -> str:
    """Return the one spelling of a domain, as in a canonical AOR.

    :raises LocalError: if it is none, or the one of names that prove themselves.
    """
    try:
        host = split_aor(canonical_aor(f"user@{domain}"))[1]
    except BadAOR:
        raise LocalError(f"{domain!r} is not a domain, such as example.com") from None
    if host != domain.lower().removesuffix("."):
        raise LocalError(f"{domain!r} is not a domain, such as example.com")
    if host == OWN_PROOF or host.endswith(f".{OWN_PROOF}"):
        raise LocalError(f"names at {OWN_PROOF} prove themselves: no authority can vouch for them")
    return host


class TrustedAuthorities:
    """The list, in memory and on the disk."""

    def __init__(self, database: Database) -> None:
        self._database = database
        rows = database.query(
            "SELECT root, domain, certificate, since FROM authority_trusted ORDER BY since, domain"
        )
        read = [TrustedAuthority(root, domain, load(octets), since) for root, domain, octets, since in rows]
        self._trusted = {(one.root, one.domain): one for one in read}

    def all(self) -> list[TrustedAuthority]:
        """Return each authority with each of its domains, oldest first."""
        return list(self._trusted.values())

    def roots(self, domain: str) -> list[x509.Certificate]:
        """Return the certificates that are trusted for exactly this domain, not for those above or below it."""
        return [one.certificate for one in self._trusted.values() if one.domain == domain]

    def hinted(self, hint: bytes) -> bool:
        """Tell whether any trusted authority's fingerprint begins with these 8 octets."""
        return any(one.root[:HINT_LENGTH] == hint for one in self._trusted.values())

    def add(self, certificate: x509.Certificate, domain: str, now: float) -> TrustedAuthority:
        """Trust an authority for a canonical domain; its certificate may be a new one for the same key."""
        root = key_fingerprint(certificate)
        old = self._trusted.get((root, domain))
        one = TrustedAuthority(root, domain, certificate, old.since if old else int(now))
        row = (one.root, one.domain, der(certificate), one.since)
        self._database.write("INSERT OR REPLACE INTO authority_trusted VALUES (?, ?, ?, ?)", *row)
        self._trusted[root, domain] = one
        return one

    def remove(self, one: TrustedAuthority) -> None:
        """No longer trust an authority for a domain."""
        self._database.write(
            "DELETE FROM authority_trusted WHERE root = ? AND domain = ?", one.root, one.domain
        )
        self._trusted.pop((one.root, one.domain), None)
