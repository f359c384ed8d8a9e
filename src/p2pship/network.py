"""This machine's own network interfaces and addresses, watched as they come and go.

Theory of operation: the list is made by psutil (0.25 ms and 1 MB; pyroute2 takes 2.5 ms, 11 MB, a quarter of a second
at its first use, and an event loop of its own). The kernel says when to make it again: a netlink socket subscribed to
changes of links and addresses becomes readable, and nothing else is asked of it, so that no message needs parsing.
Where there is no such socket (another system, a sandbox), the list is made every :data:`POLL_PERIOD` seconds instead.
Nothing runs while nobody watches.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.address import canonical_host
from p2pship.interfaces import INetwork
from p2pship.neighbours import open_netlink

SETTLING_TIME = 0.05
"Seconds from the first sign of a change to the new list: an interface that comes up is announced many times over."

POLL_PERIOD = 2.0
"Seconds between two lists where the kernel does not tell."

NETLINK_GROUPS = 0x1 | 0x10 | 0x100
"RTMGRP_LINK, RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR: rtnetlink(7), linux/rtnetlink.h."

NETLINK_READ = 4096
"Octets of one read of the netlink socket; what does not fit is cut off, as none of it is needed."

MOST_NETLINK_READS = 256
"Reads in one turn of the reactor, so that a storm of changes cannot hold it; what is left rings again."

DISCARD_PORT = 9
"Where nothing is sent: the kernel only says from which address it would be (RFC 863)."

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Interface:
    """A usable network interface."""

    name: str
    "such as ``eth0``"
    index: int
    "the operating system's number for it"
    addresses: tuple[tuple[str, int], ...]
    "each address in its canonical spelling, without scope, and the length of its prefix"
    loopback: bool
    multicast: bool


def source_towards(host: str) -> str | None:
    """Return the address of this machine from which a remote one is reached; None if there is no way to it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((host, DISCARD_PORT))
            return canonical_host(probe.getsockname()[0])
    except OSError:
        return None


def networks_of(interfaces: Iterable[Interface]) -> tuple[IPNetwork, ...]:
    """Return the networks that these interfaces are on, except those of loopback interfaces."""
    return tuple(
        ipaddress.ip_network((host, prefix), strict=False)
        for interface in interfaces
        if not interface.loopback
        for host, prefix in interface.addresses
    )


def list_interfaces() -> list[Interface]:
    """Return the interfaces that are up and have an address, in the operating system's order."""
    import psutil  # at first use: a node with a fixed network never needs it

    states = psutil.net_if_stats()
    rows: dict[str, list[Any]] = {}
    for label, found in psutil.net_if_addrs().items():
        rows.setdefault(label.partition(":")[0], []).extend(found)  # eth0:1 is another label of eth0
    listed = (
        _interface(name, states[name].flags.split(","), found)
        for name, found in rows.items()
        if name in states and states[name].isup
    )
    return sorted((item for item in listed if item is not None), key=lambda item: item.index)


def _interface(name: str, flags: Sequence[str], rows: Iterable[Any]) -> Interface | None:
    addresses = tuple(
        (canonical_host(row.address.partition("%")[0]), int(ipaddress.ip_address(row.netmask)).bit_count())
        for row in rows
        if row.family in (socket.AF_INET, socket.AF_INET6) and row.netmask
    )
    if not addresses:
        return None
    try:
        index = socket.if_nametoindex(name)
    except OSError:  # it went away since it was listed
        return None
    return Interface(name, index, addresses, "loopback" in flags, "multicast" in flags)


OpenBell = Callable[[Any, Callable[[], None]], Callable[[], None]]
"Begins to call its second argument at each sign of a change, and returns a call that ends it; may raise OSError."


def listen_to_kernel(reactor: Any, ring: Callable[[], None]) -> Callable[[], None]:
    """Call ``ring`` whenever the kernel announces a change; returns a call that ends it.

    :raises OSError: if the kernel cannot be listened to.
    """
    listener = open_netlink()
    try:
        listener.bind((0, NETLINK_GROUPS))
    except OSError:
        listener.close()
        raise
    bell = _Bell(reactor, listener, ring)
    reactor.addReader(bell)
    return bell.close


@implementer(IReadDescriptor)
class _Bell:
    """A netlink socket in the reactor, of which only the fact that something came is of interest."""

    def __init__(self, reactor: Any, listener: socket.socket, ring: Callable[[], None]) -> None:
        self._reactor = reactor
        self._listener = listener
        self._ring = ring

    def fileno(self) -> int:
        return self._listener.fileno()

    def logPrefix(self) -> str:
        return "network"

    def doRead(self) -> None:
        self._drain()
        self._ring()

    def _drain(self) -> None:
        for _ in range(MOST_NETLINK_READS):
            try:
                self._listener.recv(NETLINK_READ)
            except OSError:  # empty, or it overflowed (ENOBUFS), which is a change too
                return

    def connectionLost(self, reason: Failure) -> None:
        self.close()

    def close(self) -> None:
        self._reactor.removeReader(self)
        self._listener.close()


@implementer(INetwork)
class NetworkWatcher:
    """The interfaces of this machine as they are now; see the module's theory of operation.

    ``listing`` and ``open_bell`` are where the list comes from and who says that it changed.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        listing: Callable[[], Sequence[Interface]] = list_interfaces,
        open_bell: OpenBell = listen_to_kernel,
    ) -> None:
        self._reactor = reactor
        self._listing = listing
        self._open_bell = open_bell
        self._known: tuple[Interface, ...] = ()
        self._watchers: dict[object, Callable[[], None]] = {}
        self._close_bell: Callable[[], None] | None = None
        self._timer: Any = None

    def interfaces(self) -> Sequence[Interface]:
        """Return the usable interfaces; while nobody watches, the list is made anew each time."""
        if not self._watchers:
            self._known = tuple(self._listing())
        return self._known

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` when the list is another; returns a call that ends the watch, harmless when repeated."""
        if not self._watchers:
            self._begin()
        token = object()
        self._watchers[token] = changed
        return lambda: self._end(token)

    def _begin(self) -> None:
        try:
            self._close_bell = self._open_bell(self._reactor, self._rung)
        except OSError as error:
            self.log.warn(
                "the kernel does not tell of network changes ({error}): looking every {period} s",
                error=error,
                period=POLL_PERIOD,
            )
            self._timer = self._reactor.callLater(POLL_PERIOD, self._look)
        self._known = tuple(self._listing())  # after the subscription, so that no change falls between

    def _end(self, token: object) -> None:
        if self._watchers.pop(token, None) is None or self._watchers:
            return
        if self._close_bell is not None:
            self._close_bell()
            self._close_bell = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rung(self) -> None:
        if self._timer is None:
            self._timer = self._reactor.callLater(SETTLING_TIME, self._look)

    def _look(self) -> None:
        self._timer = None if self._close_bell else self._reactor.callLater(POLL_PERIOD, self._look)
        listed = tuple(self._listing())
        if listed == self._known:
            return
        self._known = listed
        for changed in tuple(self._watchers.values()):
            try:
                changed()
            except Exception:  # noqa: BLE001 (one watcher's bug must not keep the news from the others)
                self.log.failure("a watcher of the network failed")
