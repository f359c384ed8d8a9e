"""Which of this machine's addresses others can dial."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from p2pship.address import is_loopback, is_never_dialled, is_private
from p2pship.network import Interface

ANYWHERE = {4: "0.0.0.0", 6: "::"}
"What a listener on all addresses listens on, by IP version."


def dialled_hosts(listen: Iterable[str], interfaces: Iterable[Interface]) -> list[str]:
    """Return the addresses at which a listener on ``listen`` is reached: public ones, then private, then loopback.

    IPv6 link-local addresses are left out: they mean nothing without a scope, and each side has its own names for
    those (RFC 4007 §6).
    """
    listened = frozenset(listen)
    hosts = dict.fromkeys(host for interface in interfaces for host, _prefix in interface.addresses)
    return sorted((host for host in hosts if _is_dialled(host, listened)), key=_distance)


def _is_dialled(host: str, listened: frozenset[str]) -> bool:
    address = ipaddress.ip_address(host)
    if is_never_dialled(host) or (address.version == 6 and address.is_link_local):
        return False
    return host in listened or ANYWHERE[address.version] in listened


def _distance(host: str) -> int:
    return 2 if is_loopback(host) else int(is_private(host))
