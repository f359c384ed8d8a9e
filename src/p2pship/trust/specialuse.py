"""Names that nobody in the Internet may be asked about: they are not in the DNS, or are nobody's."""

from __future__ import annotations

_RESERVED = frozenset(
    (
        # RFC 6761 §6, RFC 6762 §3, RFC 7686, RFC 8375, RFC 9476; "internal" was reserved by ICANN in 2024
        *("test", "example", "invalid", "localhost", "local", "onion", "alt", "internal", "arpa"),
        *("example.com", "example.net", "example.org", "home.arpa"),
        # never delegated, since so many networks use them (ICANN, 2018)
        *("home", "corp", "mail", "lan", "localdomain"),
    )
)


def asked_of_nobody(domain: str) -> bool:
    """Tell whether a canonical domain must not be asked about: an address, a single label, or a name of special use."""
    labels = domain.split(".")
    if len(labels) < 2 or "_" in domain or domain.startswith("[") or labels[-1].isdigit():
        return True
    return any(".".join(labels[at:]) in _RESERVED for at in range(len(labels)))
