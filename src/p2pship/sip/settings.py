"""The section ``[sip]`` of the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.config import check_aor_domain, check_host, check_port_or_any, option


@dataclass(frozen=True)
class SIPSettings:
    """Where phones register, and which names they get."""

    listen: str = option(
        "127.0.0.1",
        "The address at which phones register, by UDP and TCP. Whoever reaches it may use any name: keep it loopback.",
        check=check_host,
    )
    port: int = option(
        5060,
        "The port at which phones register. If it is taken, the next free one is chosen, kept and said. 0 takes any.",
        check=check_port_or_any,
    )
    domain: str = option(
        "home.p2pship.alt",
        "The domain of a phone that registers at this node's own address or host name: alice@127.0.0.1 becomes "
        "alice@DOMAIN.",
        check=check_aor_domain,
    )
    anonymous: bool = option(
        True,
        "Whether calls of people who do not show their name (RFC 3323) are taken; otherwise they hear 433. The node knows "
        "who they are either way.",
    )
