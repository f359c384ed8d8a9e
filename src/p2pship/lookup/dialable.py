"""Which of a record's locators may be dialled from here: anybody may write any address into a record."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from p2pship.address import Locator, is_loopback, is_never_dialled, is_private, untranslated
from p2pship.lookup.candidate import Candidate
from p2pship.network import IPNetwork


def dialable(
    locators: Iterable[Locator], candidate: Candidate, networks: Sequence[IPNetwork]
) -> tuple[Locator, ...]:
    """Return those locators that may be dialled, in their order.

    A loopback address is dialled only if the candidate itself came over loopback: else anybody could have this node
    knock at what listens on its own machine. A private one is dialled only if the candidate came from one of our own
    networks (``networks``), or the address is on one. Those that can be no device's are never dialled.
    """
    return tuple(
        locator for locator in locators if _may_dial(untranslated(locator.host), candidate, networks)
    )


def _may_dial(host: str, candidate: Candidate, networks: Sequence[IPNetwork]) -> bool:
    address = ipaddress.ip_address(host)
    near = [network for network in networks if address in network]
    if is_never_dialled(host) or any(_is_broadcast(address, network) for network in near):
        return False
    if is_loopback(host):
        return candidate.over_loopback
    if is_private(host):
        return candidate.on_link or bool(near)
    return True


def _is_broadcast(address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: IPNetwork) -> bool:
    """Tell whether an address reaches a whole IPv4 network, which has one only if longer than /31 (RFC 3021)."""
    return network.version == 4 and network.prefixlen < 31 and address == network.broadcast_address


def is_public(locator: Locator) -> bool:
    """Tell whether a locator means the same everywhere, so that it may be published to everybody."""
    host = untranslated(locator.host)
    return not (is_loopback(host) or is_private(host) or is_never_dialled(host))
