"""The section ``[lookup.dns]`` of the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.config import check_port_or_any, option


@dataclass(frozen=True)
class DNSSettings:
    """Finding people where the domain of their name says, in the DNS, that they are to be asked for."""

    enabled: bool = option(
        True,
        "Whether to ask the DNS where people of a domain are to be asked for. The resolver then sees for which domain "
        "somebody is looked for, and the servers that the domain names see that somebody looks for a name of theirs.",
    )
    proven: bool = option(
        False,
        "Whether to go only where DNSSEC proves that the domain said so. Most domains are not signed, and are then of no use.",
    )
    port: int = option(
        0,
        "The UDP port at which this node answers questions for its people, where their domain names it in the DNS. "
        "0: it answers none, and only asks.",
        check=check_port_or_any,
    )
