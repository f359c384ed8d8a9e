"""The section ``[lookup.lan]`` of the configuration."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from dataclasses import dataclass

from p2pship.config import check_port, option

LINK_LOCAL_SCOPE = 2
"The scope of an IPv6 group that no router passes on (RFC 4291 §2.7)."


def check_group(value: str) -> None:
    """Pass an IPv4 multicast group."""
    with suppress(ValueError):
        if ipaddress.IPv4Address(value).is_multicast:
            return
    raise ValueError("give an IPv4 multicast group, such as 239.255.55.66")


def check_group6(value: str) -> None:
    """Pass an IPv6 multicast group of link-local scope."""
    with suppress(ValueError):
        address = ipaddress.IPv6Address(value)
        link_local = address.is_multicast and address.packed[1] & 0x0F == LINK_LOCAL_SCOPE
        if link_local and address.scope_id is None:
            return
    raise ValueError(
        "give an IPv6 multicast group of link-local scope, without an interface, such as ff12::5566"
    )


@dataclass(frozen=True)
class LANSettings:
    """Finding people, and being found, by multicast on the local network."""

    enabled: bool = option(True, "Whether to find and be found on the local network.")
    group: str = option(
        "239.255.55.66", "The IPv4 multicast group; the same on all nodes.", check=check_group
    )
    group6: str = option("ff12::5566", "The IPv6 multicast group; the same on all nodes.", check=check_group6)
    port: int = option(5565, "The UDP port of both groups; the same on all nodes.", check=check_port)
    interfaces: tuple[str, ...] = option(
        [], "The interfaces to use, by name. None named: all that are up, loopback included."
    )
