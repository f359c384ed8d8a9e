"""Which addresses that the DNS named may be asked: public ones; over TLS, those of our own networks, too.

Whoever writes records for a domain could else have every node that looks for somebody there, or whom somebody calls by a name of that
domain, knock at a machine within its own network, or at itself, which the writer cannot reach, and tell by the time what is there. Over TLS nothing is asked before the machine has proven that it has the
name; a datagram is asked at once, and whoever gets it may take it for something else.
"""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from zope.interface import implementer

from p2pship.address import canonical_host, is_loopback, is_never_dialled, is_public, untranslated
from p2pship.network import Interface, networks_of

MOST_RESOLVED = 5
"""Names of servers resolved at a time: each keeps one of the reactor's ten threads, in which all other names are resolved too, and a domain
whose name servers do not answer does so for ten seconds and more."""

MOST_WAITING = 32
"Names that wait for that; whoever waits for longest is told that there is no address: they have probably given up."

MayAsk: TypeAlias = Callable[[str], bool]
"Tells whether an address, in its canonical spelling, may be asked."


def within_reach(interfaces: Callable[[], Iterable[Interface]]) -> MayAsk:
    """Return what passes public addresses, and private ones that are on a network of ours, as ``interfaces`` tells them then."""

    def may_ask(host: str) -> bool:
        host = untranslated(host)
        if is_public(host):
            return True
        if is_loopback(host) or is_never_dialled(host):
            return False
        address = ipaddress.ip_address(host)
        return any(address in each for each in networks_of(interfaces()))

    return may_ask


def in_the_internet(host: str) -> bool:
    """Pass public addresses alone."""
    return is_public(untranslated(host))


_Sought: TypeAlias = tuple[str, int, Sequence[type[IAddress]] | None, str]
"A name, and what else is asked of a resolver."


@implementer(IReactorPluggableNameResolver)
class GuardedReactor:
    """A reactor whose name resolver tells only such addresses as may be asked.

    So it is the address itself to which a connection would go that is looked at: a name that was asked for before could have got
    another one since.
    """

    def __init__(self, reactor: Any, may_ask: MayAsk, most: int = MOST_RESOLVED) -> None:
        """``most`` names are resolved at a time, until the system has answered or given up, whoever still waits for that."""
        self._reactor = reactor
        self.exempt: set[str] = set()
        "the hosts that may be anywhere, such as a proxy: names in lower case"
        self.nameResolver = _GuardedResolver(reactor.nameResolver, may_ask, self.exempt, most)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        """Have the reactor itself ask another resolver; returns the one before."""
        before: IHostnameResolver = self._reactor.installNameResolver(resolver)
        return before


@implementer(IHostnameResolver)
class _GuardedResolver:
    def __init__(self, inner: IHostnameResolver, may_ask: MayAsk, exempt: set[str], most: int) -> None:
        self._inner = inner
        self._may_ask = may_ask
        self._exempt = exempt
        self._most = most
        self._under_way = 0
        self._waiting: deque[tuple[_GuardedReceiver, _Sought]] = deque()

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """Resolve a name, when it is its turn; addresses that may not be asked are left out. If it is exempt, at once, and tell all."""
        more = hostName, portNumber, addressTypes, transportSemantics
        if hostName.lower() in self._exempt:
            return self._inner.resolveHostName(resolutionReceiver, *more)
        guarded = _GuardedReceiver(resolutionReceiver, self._may_ask, self._one_ended)
        self._waiting.append((guarded, more))
        self._advance()
        if len(self._waiting) > MOST_WAITING:
            guarded, (name, *_) = self._waiting.popleft()
            guarded.give_up(name)
        return _Resolution(hostName)

    def _one_ended(self) -> None:
        self._under_way -= 1
        self._advance()

    def _advance(self) -> None:
        """Resolve those next that were asked for last: who asked before them may have given up."""
        while self._waiting and self._under_way < self._most:
            self._under_way += 1
            guarded, sought = self._waiting.pop()
            self._inner.resolveHostName(guarded, *sought)


@implementer(IHostResolution)
class _Resolution:
    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """Let it end by itself: a thread cannot be interrupted."""


@implementer(IResolutionReceiver)
class _GuardedReceiver:
    def __init__(self, inner: IResolutionReceiver, may_ask: MayAsk, ended: Callable[[], object]) -> None:
        self._inner = inner
        self._may_ask = may_ask
        self._ended = ended

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        self._inner.resolutionBegan(resolutionInProgress)

    def addressResolved(self, address: IAddress) -> None:
        if isinstance(address, IPv4Address | IPv6Address) and self._may_ask(canonical_host(address.host)):
            self._inner.addressResolved(address)

    def resolutionComplete(self) -> None:
        self._ended()
        self._inner.resolutionComplete()

    def give_up(self, name: str) -> None:
        """Tell that there is no address, though nobody has looked."""
        self._inner.resolutionBegan(_Resolution(name))
        self._inner.resolutionComplete()
