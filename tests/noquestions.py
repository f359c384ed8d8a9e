"""No test asks the machine's resolver: it would tell others what is looked for, and depend on what they answer."""

from __future__ import annotations

import socket
import sys

DNS_PORT = 53

ASKING = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
SENDING = ("socket.connect", "socket.sendto", "socket.sendmsg")
"What Python says before it does so (https://docs.python.org/3/library/audit_events.html)."

OWN = ("", "localhost")
"Names that the machine knows itself."


class AsksTheResolver(AssertionError):
    """This test would have sent a question to the resolver of the machine on which it runs."""


def forbid_questions() -> None:
    """Have whatever in this process would be a question to the DNS fail from now on; there is no way back."""
    sys.addaudithook(_look)


def _look(event: str, arguments: tuple[object, ...]) -> None:
    if event in ASKING and not _is_known(arguments[0]):
        raise AsksTheResolver(f"about {arguments[0]!r}")
    if event in SENDING and _port(arguments[1]) == DNS_PORT:
        raise AsksTheResolver(f"at {arguments[1]!r}")


def _is_known(host: object) -> bool:
    """Tell whether the addresses of a host are known without a question."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
    if name in OWN:
        return True
    if ":" in name:
        return True  # an IPv6 address: no name has a colon
    try:
        socket.inet_aton(name)  # in all the spellings of an IPv4 address that the machine takes
    except OSError:
        return False
    return True


def _port(address: object) -> object:
    return address[1] if isinstance(address, tuple) and len(address) > 1 else None
