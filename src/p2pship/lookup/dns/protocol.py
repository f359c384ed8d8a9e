"""The lookup ``dns`` itself: whom domains name in the DNS is asked, and questions are answered where our own domain names us."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from p2pship.interfaces import ILookup, INetwork, INode, ISearch, ISearchReceiver
from p2pship.journal import Journal
from p2pship.lookup.candidate import Candidate, Publishing, Question, Slot
from p2pship.lookup.dns.discovery import Directions, Discovery
from p2pship.lookup.dns.hosts import Host, Hosts
from p2pship.lookup.dns.proven import proven_only
from p2pship.lookup.dns.quest import NotAsked, Quest
from p2pship.lookup.dns.settings import DNSSettings
from p2pship.lookup.http.address import ServerAddress
from p2pship.lookup.questions.exchange import Asking, Exchange
from p2pship.storage.ports import Ports
from p2pship.trust.dnssec import DNSSEC, Ask
from p2pship.trust.reach import MayAsk, in_the_internet, within_reach
from p2pship.trust.resolver import Resolver
from p2pship.trust.specialuse import asked_of_nobody

if TYPE_CHECKING:
    from p2pship.lookup.dns.servers import Servers

SETTINGS = DNSSettings


def make(reactor: Any, settings: DNSSettings, node: INode) -> DNSLookup:
    """Return the lookup for a node."""
    resolver = Resolver(reactor)
    asking = proven_only(resolver.ask, DNSSEC(resolver.ask, reactor)) if settings.proven else resolver.ask
    servers = partial(_servers, reactor, within_reach(node.network.interfaces), node.random)
    return DNSLookup(
        reactor,
        settings,
        asking,
        servers,
        in_the_internet,
        node.network,
        node.ports,
        node.random,
        node.journal,
    )


def _servers(reactor: Any, may_ask: MayAsk, random: Callable[[int], bytes]) -> Servers:
    """Return what asks servers; a node that never finds one does without a web client."""
    from p2pship.lookup.dns.servers import Servers
    from p2pship.lookup.http.web import trusting

    return Servers(reactor, trusting(b""), os.environ, may_ask, random)


@implementer(ILookup)
class DNSLookup:
    """Asks whom domains name, ``docs/reference/dns-lookup.md``; publishes nothing, but for the questions that it answers.

    ``asking`` asks the DNS; ``make_servers`` is called when the first server is to be asked; ``may_ask`` says at which addresses
    that the DNS named nodes may be asked.
    """

    log = Logger()

    name = "dns"
    wide_area = True

    def __init__(
        self,
        reactor: Any,
        settings: DNSSettings,
        asking: Ask,
        make_servers: Callable[[], Servers],
        may_ask: MayAsk,
        network: INetwork,
        ports: Ports,
        random: Callable[[int], bytes],
        journal: Journal,
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._discovery = Discovery(asking, reactor, random)
        self._hosts = Hosts(asking, reactor)
        self._make_servers = make_servers
        self._servers: Servers | None = None
        self._may_ask = may_ask
        self._network = network
        self._unwatch: Callable[[], None] = _nothing
        self._exchange = Exchange(
            reactor, self.name, network, ports, random, journal, port=settings.port, private=True
        )
        self._quests: set[Quest] = set()
        self._started = False
        self.publishing = Publishing.UNTESTED if settings.port else Publishing.NONE

    @property
    def port(self) -> int:
        """The UDP port at which questions are asked and answered; 0 while there is none."""
        return self._exchange.port

    def start(self) -> Deferred[None]:
        """Begin, with the sockets for questions if they are to be answered; else those are opened when one is to be asked.

        :raises LocalError: if there can be none.
        """
        self._started = True
        if self._settings.port:
            self._exchange.start()
        self._unwatch = self._network.watch(self._network_changed)
        if self.port != self._settings.port:
            self.log.warn(
                "questions are answered at port {port}: whoever goes by the DNS asks at {wanted}, which another program has",
                port=self.port,
                wanted=self._settings.port,
            )
        return succeed(None)

    def stop(self) -> Deferred[None]:
        """End every search and close every socket."""
        self._started = False
        self._unwatch()
        self._unwatch = _nothing
        for quest in tuple(self._quests):
            quest.end(NotAsked("the lookup was stopped"))
        self._discovery.stop()
        self._hosts.stop()
        self._exchange.stop()
        servers, self._servers = self._servers, None
        return servers.close() if servers is not None else succeed(None)

    def find(self, question: Question, receiver: ISearchReceiver) -> ISearch:
        """Ask whom the domain of the question names; a domain that is nobody's in the Internet is not asked about."""
        quest = Quest(self, question, receiver)
        self._quests.add(quest)
        if not self._started:
            quest.end(NotAsked("the lookup is stopped"))
        elif asked_of_nobody(question.domain):
            what = f"{question.domain or 'the domain'} (a name for examples or home networks, or an address)"
            quest.end(NotAsked(f"{what} is not to be asked about in the DNS"))
        else:
            quest.begin()
        return quest

    def follow(self, question: Question, receiver: ISearchReceiver) -> ISearch | None:
        """Return None: nothing in the DNS tells what changes."""
        return None

    def publish(self, slot: Slot, item: bytes) -> Deferred[None]:
        """Answer questions with an item from now on, if questions are answered at all.

        :raises LocalError: if it does not fit into an answer.
        """
        if self._settings.port:
            self._exchange.publish(slot, item)
        return succeed(None)

    def withdraw(self, slot: Slot) -> Deferred[None]:
        """Answer no more questions with what the slot holds."""
        self._exchange.withdraw(slot)
        return succeed(None)

    # What the searches need.

    def directions(self, domain: str) -> Deferred[Directions]:
        """Return who may be asked for the people of a domain; fails with DNSFailed."""
        return self._discovery.directions(domain)

    def host(self, name: str) -> Deferred[Host]:
        """Return where a host is asked; fails with DNSFailed."""
        return self._hosts.host(name)

    def ask_server(self, address: ServerAddress, question: Question, receiver: ISearchReceiver) -> ISearch:
        """Ask a rendezvous server."""
        if self._servers is None:
            self._servers = self._make_servers()
        return self._servers.ask(address, question, receiver, self.name)

    def ask_nodes(
        self, question: Question, receive: Callable[[Candidate], object], noted: Callable[[str], object]
    ) -> Asking:
        """Return what asks nodes at those addresses that it is told, within the limits of one search.

        :raises LocalError: if there can be no sockets.
        """
        if not self.port:
            self._exchange.start()
        return self._exchange.ask(question.lookup_key, receive, noted)

    def may_ask(self, host: str) -> bool:
        """Tell whether a node may be asked at an address that the DNS named."""
        return self._may_ask(host)

    def call_later(self, seconds: float, call: Callable[[], object]) -> Any:
        """Call later; returns an IDelayedCall."""
        return self._reactor.callLater(seconds, call)

    def quest_ended(self, quest: Quest) -> None:
        """Hear that a search is over."""
        self._quests.discard(quest)

    def _network_changed(self) -> None:
        """Believe nothing that another network's resolver said: some answer everything until one has paid."""
        self._discovery.forget()
        self._hosts.forget()
        if self._servers is not None:
            self._servers.forget()


def _nothing() -> None:
    """Watch nothing."""
