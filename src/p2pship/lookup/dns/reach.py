"""Which addresses that the DNS named may be asked: public ones; over TLS, those of our own networks, too.

Whoever writes records for a domain could else have every node that looks for somebody there knock at a machine within its
own network, or at itself, which the writer cannot reach. Over TLS nothing is asked before the machine has proven that it has the
name; a datagram is asked at once, and whoever gets it may take it for something else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
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

from p2pship.address import canonical_host, is_loopback
from p2pship.interfaces import INetwork
from p2pship.lookup.questions.targets import is_public, is_usable
from p2pship.network import networks_of

MayAsk: TypeAlias = Callable[[str], bool]
"Tells whether an address, in its canonical spelling, may be asked."

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""The prefix of translators (RFC 6052 §2.1). Where there is no IPv4, resolvers give public IPv4 addresses in this form; and whoever
writes records can give any."""


def within_reach(network: INetwork) -> MayAsk:
    """Return what passes public addresses, and private ones that are on one of our networks as they are then."""

    def may_ask(host: str) -> bool:
        host = _unwrapped(host)
        if is_public(host):
            return True
        if is_loopback(host) or not is_usable(host):
            return False
        address = ipaddress.ip_address(host)
        return any(address in each for each in networks_of(network.interfaces()))

    return may_ask


def in_the_internet(host: str) -> bool:
    """Pass public addresses alone."""
    return is_public(_unwrapped(host))


def _unwrapped(host: str) -> str:
    """Return the address to which a translator between IPv6 and IPv4 would pass on what is sent there."""
    address = ipaddress.ip_address(host)
    return str(ipaddress.IPv4Address(address.packed[-4:])) if address in _TRANSLATED else host


@implementer(IReactorPluggableNameResolver)
class GuardedReactor:
    """A reactor whose name resolver tells only such addresses as may be asked.

    So it is the address itself to which a connection would go that is looked at: a name that was asked for before could have got
    another one since.
    """

    def __init__(self, reactor: Any, may_ask: MayAsk) -> None:
        self._reactor = reactor
        self.exempt: set[str] = set()
        "the hosts that may be anywhere, such as a proxy: names in lower case"
        self.nameResolver = _GuardedResolver(reactor.nameResolver, may_ask, self.exempt)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        """Have the reactor itself ask another resolver; returns the one before."""
        before: IHostnameResolver = self._reactor.installNameResolver(resolver)
        return before


@implementer(IHostnameResolver)
class _GuardedResolver:
    def __init__(self, inner: IHostnameResolver, may_ask: MayAsk, exempt: set[str]) -> None:
        self._inner = inner
        self._may_ask = may_ask
        self._exempt = exempt

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """Resolve a name; addresses that may not be asked are left out, unless it is exempt."""
        if hostName.lower() not in self._exempt:
            resolutionReceiver = _GuardedReceiver(resolutionReceiver, self._may_ask)
        return self._inner.resolveHostName(
            resolutionReceiver, hostName, portNumber, addressTypes, transportSemantics
        )


@implementer(IResolutionReceiver)
class _GuardedReceiver:
    def __init__(self, inner: IResolutionReceiver, may_ask: MayAsk) -> None:
        self._inner = inner
        self._may_ask = may_ask

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        self._inner.resolutionBegan(resolutionInProgress)

    def addressResolved(self, address: IAddress) -> None:
        if isinstance(address, IPv4Address | IPv6Address) and self._may_ask(canonical_host(address.host)):
            self._inner.addressResolved(address)

    def resolutionComplete(self) -> None:
        self._inner.resolutionComplete()
