"""The section ``[lookup.mainline]`` of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from p2pship.config import check_host, check_port, check_port_or_any, each, option


def split_node(text: str) -> tuple[str, int]:
    """Return the host and the port of a node of the DHT, such as ``router.bittorrent.com:6881`` or ``[2001:db8::1]:6881``.

    :raises ValueError: if it is no such thing.
    """
    host, colon, port = text.rpartition(":")
    if not host or not colon or not (port.isascii() and port.isdigit()):
        raise ValueError("give a host and a port, such as router.bittorrent.com:6881")
    check_port(int(port))
    return host.removeprefix("[").removesuffix("]"), int(port)


def is_address(host: str) -> bool:
    """Tell whether a host is an address, not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def check_node(value: str) -> None:
    """Pass a host and a port."""
    split_node(value)


@dataclass(frozen=True)
class MainlineSettings:
    """Finding people, and being found, everywhere, through the BitTorrent Mainline DHT."""

    enabled: bool = option(
        False,
        "Whether to find and be found through it. Strangers then see that this address looks for, or is, somebody whose name they "
        "do not learn (docs/reference/mainline-lookup.md). Where it is not given, the first start at a terminal asks.",
    )
    listen: tuple[str, ...] = option(
        ("0.0.0.0", "::"),
        "The addresses of this machine that are used; 0.0.0.0 and :: are all of them.",
        check=each(check_host),
    )
    dht_port: int = option(
        5567, "The UDP port of the DHT; a higher one is taken if it is in use.", check=check_port
    )
    question_port: int = option(
        5568,
        "The UDP port where this node is asked for what it publishes, which a firewall has to let in; the next free one "
        "is taken, and kept, if another program has it. 0 takes any.",
        check=check_port_or_any,
    )
    bootstrap: tuple[str, ...] = option(
        (
            "dht.libtorrent.org:25401",
            "router.bittorrent.com:6881",
            "router.utorrent.com:6881",
            "dht.transmissionbt.com:6881",
        ),
        "The nodes that are asked first, until others are known.",
        check=each(check_node),
    )
    private: bool = option(
        False,
        "Whether this is a DHT of our own in a private network: the public one is then not touched, addresses of private "
        "networks are asked and published, and bootstrap must name nodes by their addresses.",
    )

    def __post_init__(self) -> None:
        if not self.listen:
            raise ValueError("listen must name an address; not to use it set enabled = false")
        if self.private and not all(is_address(split_node(node)[0]) for node in self.bootstrap):
            raise ValueError(
                "in a private network bootstrap must name nodes by their addresses, such as 10.0.0.1:5567"
            )
