"""The rendezvous servers that domains named, as far as they were asked lately."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.iweb import IPolicyForHTTPS

from p2pship.interfaces import ISearch, ISearchReceiver
from p2pship.lookup.candidate import Question
from p2pship.lookup.chance import part_of_one
from p2pship.lookup.http.address import BadServer, ServerAddress
from p2pship.lookup.http.asking import ask
from p2pship.lookup.http.proxies import proxy_for
from p2pship.lookup.http.remote import Remote
from p2pship.lookup.http.web import Web
from p2pship.trust.reach import GuardedReactor, MayAsk

MOST_SERVERS = 64
"Servers remembered, with their connections and when they are to be left alone."


class Servers:
    """Asks servers over HTTPS, at addresses that ``may_ask`` passes; ``environment`` names the proxies that may be anywhere."""

    def __init__(
        self,
        reactor: Any,
        policy: IPolicyForHTTPS,
        environment: Mapping[str, str],
        may_ask: MayAsk,
        random: Callable[[int], bytes],
    ) -> None:
        self.reactor = GuardedReactor(reactor, may_ask)
        "with whose names the servers are reached"
        self._environment = environment
        self._random = random
        self._web = Web(self.reactor, policy, environment)
        self._known: OrderedDict[ServerAddress, Remote] = OrderedDict()

    def remote(self, address: ServerAddress) -> Remote:
        """Return a server."""
        remote = self._known.pop(address, None) or self._made(address)
        self._known[address] = remote
        if len(self._known) > MOST_SERVERS:
            self._known.popitem(last=False)
        return remote

    def ask(
        self, address: ServerAddress, question: Question, receiver: ISearchReceiver, lookup: str
    ) -> ISearch:
        """Ask a server, on behalf of a lookup of this name."""
        return ask(self.remote(address), question, receiver, self.reactor.seconds, lookup)

    def forget(self) -> None:
        """Hear that there is another network: kept connections would hang, and what could not be reached may be there."""
        self._web.close_idle()
        for remote in self._known.values():
            remote.forgive()

    def close(self) -> Deferred[None]:
        """End every connection; fires when they are gone."""
        return self._web.close()

    def _made(self, address: ServerAddress) -> Remote:
        with suppress(BadServer):  # it is told as why the server cannot be asked
            proxy = proxy_for(address, self._environment)
            if proxy is not None:
                self.reactor.exempt.add(proxy.host)
        return Remote(self.reactor, self._web, address, partial(part_of_one, self._random))
