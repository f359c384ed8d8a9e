"""The section ``[lookup.http]`` of the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.config import option
from p2pship.lookup.http.address import BadServer, ServerAddress

MOST_SERVERS = 8
"Each is told everything that is published, and asked in every search."


def check_server(value: str) -> None:
    """Pass the address of a rendezvous server."""
    try:
        ServerAddress.parse(value)
    except BadServer as error:
        raise ValueError(str(error)) from None


def check_servers(value: tuple[str, ...]) -> None:
    """Pass the addresses of different servers, not too many."""
    for each in value:
        check_server(each)
    if len(value) > MOST_SERVERS or len({ServerAddress.parse(each) for each in value}) < len(value):
        raise ValueError(f"give at most {MOST_SERVERS} servers, each once")


@dataclass(frozen=True)
class HTTPSettings:
    """Finding people, and being found, through rendezvous servers, which anybody can run."""

    enabled: bool = option(True, "Whether to use the servers below; if there are none, this is off.")
    servers: tuple[str, ...] = option(
        [],
        "The servers, such as https://rendezvous.example.com. Who is to find you needs one of yours among theirs. They learn the "
        "IP addresses of those who publish and ask, and when; no names. With http:// so does everybody on the way.",
        check=check_servers,
    )
    ca_file: str = option(
        "",
        "A file of certificates, PEM, of the authorities that vouch for the servers, in place of the operating system's; for "
        "servers with a certificate of one's own.",
    )
