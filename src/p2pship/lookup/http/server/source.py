"""From where a request comes, as it is counted: an IPv4 address, or a network of IPv6, which one line of a home has to itself."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Network, ip_address

from p2pship.address import canonical_host

IPV6_PREFIX = 64
"Bits that name a network of IPv6 (RFC 4291 §2.5.1): whoever has one has all 2^64 addresses in it."

LONGEST_ADDRESS = 64
"Characters of an address that are read: with a scope, and more than any has."

SITE_PREFIX = 48
"Bits that name a site of IPv6 (RFC 6177 §2), which anybody may have for the asking, and with it 65,536 networks."

NETWORKS_EACH = 8
"Networks for how many of which a whole site of IPv6 counts: a provider's customers may share one, and so may one attacker's."


def asker_of(host: str, forwarded: Iterable[str], proxies: frozenset[str]) -> str:
    """Return the address from which a request comes that ``host`` sent, in its canonical spelling.

    ``forwarded`` are the X-Forwarded-For header fields. They are believed from ``proxies`` only, from the last backwards as far
    as proxies of ours wrote them: whoever asks can write what they like in front.

    :raises BadAddress: if one of ours wrote something else than an address.
    """
    way = [each.strip() for line in forwarded for each in line.split(",")]
    asker = canonical_host(host)
    while asker in proxies and way:
        asker = canonical_host(way.pop()[:LONGEST_ADDRESS])
    return asker


def site_of(source: str) -> str:
    """Return the site of a network of IPv6; what else is counted as a source is its own."""
    return str(IPv6Network(source).supernet(new_prefix=SITE_PREFIX)) if "/" in source else source


def network_of(host: str) -> str:
    """Return an address as it is counted.

    :raises BadAddress: if it is none.
    """
    address = ip_address(canonical_host(host).partition("%")[0])
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((address, IPV6_PREFIX), strict=False))
