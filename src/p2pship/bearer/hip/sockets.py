"""A UDP socket for each of this machine's addresses, all with one port number.

A socket that is bound to one address says by itself to which of ours a packet came, and from which of ours one leaves, so that a path
is a socket and a remote address, and sending along it is a plain ``sendto``.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from twisted.logger import Logger

from p2pship.address import Locator, canonical_host, is_loopback
from p2pship.bearer.datagramport import (
    Address,
    DatagramPort,
    address_of,
    bind,
    bind_everywhere,
    socket_address,
)
from p2pship.bearer.hip.path import Path
from p2pship.bearer.hip.rawport import RawPort
from p2pship.bearer.ownhosts import ANYWHERE, dialled_hosts
from p2pship.network import Interface, source_towards

log = Logger()

Port = TypeVar("Port", bound=DatagramPort)


def listened_hosts(listen: Sequence[str], interfaces: Iterable[Interface]) -> list[str]:
    """Return the addresses that a socket is wanted for, most preferred first."""
    named = [host for host in listen if host not in ANYWHERE.values()]
    return list(dict.fromkeys([*dialled_hosts(listen, interfaces), *named]))


def path_of(port: DatagramPort, address: Address) -> Path:
    """Return the path from a socket to an address."""
    remote = address_of(address)
    number = 0 if isinstance(port, RawPort) else remote.port
    return Path(port, address, canonical_host(port.host), remote.host, number)


class Sockets:
    """The sockets, by address."""

    def __init__(
        self,
        adopt: Callable[[socket.socket], DatagramPort],
        open_raw: Callable[[str], RawPort] | None,
    ) -> None:
        """Make a port of each open socket with ``adopt``; ``open_raw`` makes one for raw IP, where that is wanted."""
        self._adopt = adopt
        self._open_raw = open_raw
        self._raw: dict[str, RawPort] = {}
        self._listening: dict[str, DatagramPort] = {}
        self._dialling: dict[str, DatagramPort] = {}
        self._closed = False
        self.missing: dict[str, str] = {}
        "addresses that this machine has, but which could not be used, and why"
        self._told: set[str] = set()
        self.number = 0
        "the port number that they have in common; 0 until they listen"

    def __iter__(self) -> Iterator[DatagramPort]:
        return iter([*self._listening.values(), *self._dialling.values(), *self._raw.values()])

    def __contains__(self, port: object) -> bool:
        return any(each is port for each in self)

    @property
    def hosts(self) -> list[str]:
        """The addresses that are listened on."""
        return list(self._listening)

    @property
    def raw_hosts(self) -> list[str]:
        """The addresses at which HIP is spoken in IP itself."""
        return list(self._raw)

    def listen(self, hosts: Sequence[str], number: int) -> None:
        """Open a socket for each address.

        :raises CannotListenError: if the port is taken on one of them.
        :raises NoSuchAddress: if this machine has none of them.
        """
        for opened in bind_everywhere("hip", hosts, number):
            port = self._adopt(opened)
            self._listening[canonical_host(port.host)] = port
            self.number = port.number
        for host in self._listening:
            self._add_raw(host)
        self.missing = dict.fromkeys([host for host in hosts if host not in self._listening], "")
        self._told = set(self.missing)  # by what has opened the others

    def _add_raw(self, host: str) -> None:
        if self._open_raw is None:
            return
        try:
            self._raw[host] = self._open_raw(host)
        except PermissionError as error:
            self._open_raw = None  # nor is it allowed at any other address
            log.warn(
                "cannot speak HIP in IP itself: {error}; give the node CAP_NET_RAW, or set raw = false in [bearer.hip]",
                error=error.strerror,
            )
        except OSError as error:
            log.warn("cannot speak HIP in IP itself at {host}: {error}", host=host, error=error.strerror)

    def change(self, hosts: Sequence[str]) -> bool:
        """Open and close sockets as addresses have come and gone; returns whether others are listened on now.

        An address that cannot be used yet is in :attr:`missing`.
        """
        before = set(self._listening)
        self.missing = {}
        gone = [host for host in self._listening if host not in hosts]
        new = [host for host in hosts if host not in self._listening]
        for host in gone:
            self._listening.pop(host).close()
            if host in self._raw:
                self._raw.pop(host).close()
        for host in new:
            try:
                self._listening[host] = self._adopt(bind(host, self.number))
            except OSError as error:
                self.missing[host] = str(error.strerror)
                continue
            if host in self._dialling:  # from before it could be listened on, at a port that nobody knows
                self._dialling.pop(host).close()
            self._add_raw(host)
        self._told &= self.missing.keys()
        order = {host: index for index, host in enumerate(hosts)}
        self._listening = dict(sorted(self._listening.items(), key=lambda item: order[item[0]]))
        return set(self._listening) != before

    def tell_missing(self) -> None:
        """Log which addresses still cannot be used, each once as long as that lasts."""
        for host in self.missing.keys() - self._told:
            log.warn(
                "cannot use the address {host} at port {port}: {error}",
                host=host,
                port=self.number,
                error=self.missing[host],
            )
        self._told |= self.missing.keys()

    def towards(self, host: str) -> DatagramPort | None:
        """Return the socket from which a remote address is reached; None if there is no way to it, or they are closed."""
        source = None if self._closed else source_towards(host)
        if source is None:
            return None
        found = (
            self._listening.get(source) or next(iter(self.alike(host)), None) or self._dialling.get(source)
        )
        if found is None:
            try:
                found = self._dialling[source] = self._adopt(bind(source, 0))
            except OSError:
                return None
        return found

    def raw_towards(self, host: str) -> RawPort | None:
        """Return the raw socket from which a remote address is reached; None if there is none."""
        source = source_towards(host) if self._raw else None
        if source is None:
            return None
        return self._raw.get(source) or next(iter(self._alike(self._raw, host)), None)

    def alike(self, host: str, raw: bool = False) -> Sequence[DatagramPort]:
        """Return the sockets that may reach an address: of its IP version, and on loopback as it is."""
        return self._alike(self._raw if raw else self._listening, host)

    @staticmethod
    def _alike(ports: Mapping[str, Port], host: str) -> list[Port]:
        return [
            port
            for own, port in ports.items()
            if port.ipv6 == (":" in host) and is_loopback(own) == is_loopback(host)
        ]

    def paths_to(self, locator: Locator) -> list[Path]:
        """Return the paths by which a locator is dialled: in UDP, and in IP itself where that is on."""
        found = [(self.towards(locator.host), locator.port), (self.raw_towards(locator.host), 0)]
        return [
            path_of(port, socket_address(locator.host, number)) for port, number in found if port is not None
        ]

    def reach(self, host: str, number: int) -> list[Path]:
        """Return the paths to an address, the one that the system would take first; port 0 is raw IP."""
        first = self.towards(host) if number else self.raw_towards(host)
        ports = [port for port in self.alike(host, raw=not number) if port is not first]
        at = socket_address(host, number)
        return [path_of(port, at) for port in ([first] if first is not None else []) + ports]

    def close(self) -> None:
        """Close them all; none is opened any more."""
        self._closed = True
        for port in self:
            port.close()
        self._listening.clear()
        self._dialling.clear()
        self._raw.clear()
