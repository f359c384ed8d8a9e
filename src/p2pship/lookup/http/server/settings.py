"""What can be configured of a rendezvous server, whether it runs alone or in a node."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from p2pship.config import check_host, check_port_or_any, each, option, within

PORT = 5580
"The port of rendezvous servers: not registered with anybody, and free on most machines."


def check_storage(value: str) -> None:
    """Pass ``sqlite``, or the URL of a Redis server."""
    with suppress(ValueError):  # where the URL, or a port in it, is none
        is_redis = value.startswith(("redis://", "rediss://", "unix://"))
        if value == "sqlite" or (is_redis and urlsplit(value).port != 0):
            return
    raise ValueError('give "sqlite", or a URL such as "redis://127.0.0.1:6379/0"')


@dataclass(frozen=True)
class ServerSettings:
    """A rendezvous server: it keeps sealed items for whoever publishes there, and tells them to whoever asks."""

    listen: tuple[str, ...] = option(
        ("0.0.0.0",),
        'The addresses of this machine on which to serve; "::" is all of them where there is IPv6.',
        check=each(check_host),
    )
    port: int = option(PORT, "The TCP port; 0 takes any that is free.", check=check_port_or_any)
    certificate: str = option(
        "",
        "The file of the TLS certificate and those above it, PEM; with none, the server speaks HTTP in the clear, as "
        "behind a proxy that does TLS. When the files change they are read again.",
    )
    key: str = option("", "The file of the certificate's private key, PEM.")
    storage: str = option(
        "sqlite",
        'Where slots are kept: "sqlite" in a file of the state folder, or the URL of a Redis server, which several of these '
        "servers may share.",
        check=check_storage,
    )
    careless: bool = option(
        False,
        "Whether to use a Redis server that may lose what it has confirmed (other than appendonly yes and appendfsync "
        "always), or forget it for want of memory (other than maxmemory-policy noeviction).",
    )
    slots: int = option(
        1_000_000, "How many slots are kept, of about 2 kB each.", check=within(1, 1_000_000_000)
    )
    slots_each: int = option(
        10_000,
        "How many slots may have come from one address; less when more than half of all are taken. A node uses three for each "
        "identity and paired contact.",
        check=within(1, 1_000_000_000),
    )
    puts: float = option(
        20.0,
        "Puts a second from one address, on average over a minute.",
        check=within(0.1, 1_000_000),
    )
    questions: float = option(
        50.0,
        "Questions a second from one address, on average over a minute.",
        check=within(0.1, 1_000_000),
    )
    connections: int = option(
        15_000,
        "Open connections. Each takes a file descriptor and some 12 kB.",
        check=within(1, 1_000_000),
    )
    connections_each: int = option(200, "Open connections from one address.", check=within(1, 1_000_000))
    subscriptions: int = option(
        10_000, "Connections on which changes are pushed.", check=within(0, 1_000_000)
    )
    subscriptions_each: int = option(150, "The same from one address.", check=within(0, 1_000_000))
    proxies: tuple[str, ...] = option(
        (),
        "The addresses of HTTP proxies of yours in front of this server: they are believed in X-Forwarded-For from where a request comes.",
        check=each(check_host),
    )
    observers: tuple[str, ...] = option(
        ("127.0.0.1",),
        "The addresses from which /metrics may be read.",
        check=each(check_host),
    )
    p2pext: bool = option(
        False,
        "Whether to serve the calls /get, /put and /rm of the original p2pship as well, apart from the slots. Nothing of them is "
        "signed: whoever knows a name can put there what they like.",
    )
    p2pext_values: int = option(
        10_000,
        "How many values are kept for these calls, of at most 8 kB each.",
        check=within(1, 10_000_000),
    )
    p2pext_values_each: int = option(
        100, "How many of them may have come from one address.", check=within(1, 10_000_000)
    )

    def __post_init__(self) -> None:
        if not self.listen:
            raise ValueError("listen must name an address")
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key belong together: give both or none")
