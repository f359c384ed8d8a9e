"""Where a device can be reached: an IP address and port, and the locator that adds the bearer."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from p2pship.errors import RemoteError

_PORT = re.compile("[0-9]{1,5}")
_THIRD_COLON = re.compile(r":::(?=[0-9]{1,3}\.)")
_BEARER = re.compile("[a-z0-9]{1,32}")

_LOCAL = tuple(map(ipaddress.ip_network, ("100.64.0.0/10", "64:ff9b:1::/48", "fec0::/10")))
"What some versions of Python take for global: RFC 6598, RFC 8215 (behind a translator of one network alone), RFC 3879."

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"IPv4 addresses behind a translator (RFC 6052 §2.1)."

_COMPATIBLE = ipaddress.ip_network("::/96")
"IPv4 addresses in the oldest form (RFC 4291 §2.5.5.1)."

KEPT = 512
"Addresses that are remembered as read: a few for each phone and peer that talks."


class BadAddress(RemoteError):
    """This is not an IP address and port."""


def canonical_host(text: str) -> str:
    """Return the one spelling of an IP address literal, without brackets (RFC 5952 for IPv6).

    An IPv4-mapped IPv6 address becomes the IPv4 address. A scope (``%eth0``) is kept.

    :raises BadAddress: if it is not an address literal.
    """
    host = _canonical(text)
    if host is None:
        raise BadAddress(f"{text!r} is not an IP address")
    return host


@lru_cache(KEPT)
def _canonical(text: str) -> str | None:
    """Return what :func:`canonical_host` does, None for what is no address; the same few are asked for in each message."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)


def without_third_colon(host: str) -> str:
    """Return an IPv6 literal without the colon that RFC 3261's grammar has too many before an IPv4 address.

    ``[2001:db8:::192.0.2.1]`` must be tolerated in SIP (RFC 5118 §4.10); it is not an address anywhere else.
    """
    return _THIRD_COLON.sub("::", host)


@dataclass(frozen=True, slots=True, order=True)
class HostPort:
    """An IP address and a port, as ``192.0.2.1:5060`` or ``[2001:db8::1]:5060``."""

    host: str
    "the address in its canonical spelling, without brackets"
    port: int
    "1 to 65535; 0 where the operating system is to choose"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``host:port`` or ``[host]:port``.

        :raises BadAddress: if the host is no IP address literal or the port not 0 to 65535.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not _PORT.fullmatch(port) or int(port) > 0xFFFF:
            raise BadAddress(f"{text!r} is not an address and port such as 127.0.0.1:5060 or [::1]:5060")
        if ":" in host and not host.startswith("["):
            raise BadAddress(f"{text!r}: an IPv6 address needs brackets, as in [::1]:5060")
        return cls(canonical_host(host), int(port))


@dataclass(frozen=True, slots=True, order=True)
class Locator:
    """Where a device answers, and with which bearer: ``tls:192.0.2.1:5566``."""

    bearer: str
    "the bearer's name, such as ``tls``"
    host: str
    "the address in its canonical spelling, without brackets or scope"
    port: int
    "1 to 65535"

    def __str__(self) -> str:
        return f"{self.bearer}:{HostPort(self.host, self.port)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``bearer:host:port``.

        :raises BadAddress: if a part is missing or is not of its form.
        """
        bearer, _, rest = text.partition(":")
        if not _BEARER.fullmatch(bearer):
            raise BadAddress(f"{text!r} is not a locator such as tls:192.0.2.1:5566")
        at = HostPort.parse(rest)
        if not at.port or "%" in at.host:
            raise BadAddress(f"{text!r}: a locator has a port from 1 to 65535, and an address without scope")
        return cls(bearer, at.host, at.port)


def is_loopback(host: str) -> bool:
    """Tell whether an address literal is this machine itself (127.0.0.0/8 or ::1)."""
    return host == "127.0.0.1" or ipaddress.ip_address(host).is_loopback  # each message of a phone asks it


def is_unspecified(host: str) -> bool:
    """Tell whether an address literal is 0.0.0.0 or ::, which many systems connect to themselves."""
    return ipaddress.ip_address(host).is_unspecified


def is_private(host: str) -> bool:
    """Tell whether an address means something only on its own network.

    These are RFC 1918, RFC 6598 (shared), link-local, and unique local IPv6 addresses, and those of a network's own translator (RFC 8215);
    loopback is not among them.
    """
    address = ipaddress.ip_address(host)
    if address.is_loopback:
        return False
    return address.is_private or address.is_link_local or any(address in each for each in _LOCAL)


def is_translated(host: str) -> bool:
    """Tell whether what is sent to an address literal goes to an IPv4 address in it, where there is a translator (RFC 6052 §2.1)."""
    return ipaddress.ip_address(host) in _TRANSLATED


def untranslated(host: str) -> str:
    """Return the IPv4 address to which a translator would pass on what is sent there, and any other address as it is.

    Where there is no IPv4, resolvers give public IPv4 addresses in this form (RFC 6147 §5.1.7); and anybody can give any.
    """
    return str(ipaddress.IPv4Address(ipaddress.ip_address(host).packed[-4:])) if is_translated(host) else host


def is_never_dialled(host: str) -> bool:
    """Tell whether an address can be no device's: multicast, broadcast, unspecified or reserved."""
    return _is_never_dialled(host)


@lru_cache(KEPT)
def _is_never_dialled(host: str) -> bool:
    address = ipaddress.ip_address(host)
    reserved = isinstance(address, ipaddress.IPv4Address) and address.is_reserved
    return address.is_multicast or address.is_unspecified or reserved


def is_public(host: str) -> bool:
    """Tell whether an address is one of a machine in the Internet, and nothing that wraps another address."""
    if is_loopback(host) or is_private(host) or is_never_dialled(host):
        return False
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address) and (
        address.sixtofour or address.teredo or address in _COMPATIBLE or is_translated(host)
    ):
        return False  # packets would go to an IPv4 address that nobody has looked at
    return address.is_global
