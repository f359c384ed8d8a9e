"""One search through the DNS: the domain's directions, then all whom they name at once.

Theory of operation. Each server and each host of a node is a *leg*, which ends by itself. Servers are asked as soon as the
directions are there, while the addresses of nodes are still looked for. The search ends when every leg has ended: well, if one
of them was truly asked, since silence is how a node says that it does not know; else with the reasons of all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.errors import LocalError, P2PShipError
from p2pship.interfaces import ISearch, ISearchReceiver
from p2pship.lookup.candidate import Candidate, NobodyToAsk, Question
from p2pship.lookup.dns.answers import Service
from p2pship.lookup.dns.discovery import Directions
from p2pship.lookup.dns.hosts import Host
from p2pship.lookup.http.address import ServerAddress
from p2pship.lookup.questions.exchange import Asking
from p2pship.lookup.questions.targets import LOWEST_PORT

ANSWER_TIME = 1.0
"Seconds for the answers of a host's node: a question is repeated after half of it, and the longest way around the world is left."


class NotAsked(P2PShipError):
    """Nobody could be asked through the DNS."""


class IWays(Protocol):
    """What a search needs of the lookup that it belongs to."""

    def directions(self, domain: str) -> Deferred[Directions]:
        """Return who may be asked for the people of a domain; fails with DNSFailed."""

    def host(self, name: str) -> Deferred[Host]:
        """Return where a host is asked; fails with DNSFailed."""

    def ask_server(self, address: ServerAddress, question: Question, receiver: ISearchReceiver) -> ISearch:
        """Ask a rendezvous server."""

    def ask_nodes(
        self, question: Question, receive: Callable[[Candidate], object], noted: Callable[[str], object]
    ) -> Asking:
        """Return what asks nodes at those addresses that it is told; raises LocalError if nothing can be asked."""

    def may_ask(self, host: str) -> bool:
        """Tell whether a node may be asked at an address that the DNS named."""

    def call_later(self, seconds: float, call: Callable[[], object]) -> Any:
        """Call later; returns an IDelayedCall."""

    def quest_ended(self, quest: Quest) -> None:
        """Hear that a search is over."""


@implementer(ISearch)
class Quest:
    """A search under way; see the module's theory of operation."""

    log = Logger()

    def __init__(self, ways: IWays, question: Question, receiver: ISearchReceiver) -> None:
        self._ways = ways
        self.question = question
        self._receiver = receiver
        self._discovering: Deferred[Any] | None = None
        self._legs: set[_ServerLeg | _HostLeg] = set()
        self._asking: Asking | None = None
        self._reasons: list[str] = []
        self._asked = False
        self._over = False

    def begin(self) -> None:
        """Begin. The receiver may be told before this has returned."""
        discovering = self._ways.directions(self.question.domain)
        self._discovering = discovering
        discovering.addCallbacks(self._directed, self._lost)

    def cancel(self) -> None:
        """End it, and tell nothing more; harmless when it is over."""
        if self._over:
            return
        self._over = True
        self._ways.quest_ended(self)
        if self._discovering is not None:
            self._discovering.cancel()
        if self._asking is not None:
            self._asking.cancel()
        for leg in tuple(self._legs):
            leg.cancel()
        self._legs.clear()

    def end(self, error: Exception | None) -> None:
        """End it, and tell that; harmless when it is over."""
        if not self._over:
            self.cancel()
            self._receiver.search_ended(error)

    def passed_on(self, candidate: Candidate) -> None:
        """Pass on what a leg was told, as what this lookup found."""
        if not self._over:
            source = f"{candidate.source}, which the DNS of {self.question.domain} names"
            self._receiver.candidate_received(replace(candidate, source=source))

    def noted(self, words: str) -> None:
        """Pass on whom a leg asks."""
        if not self._over:
            self._receiver.noted(words)

    def ask_node(self, host: Host, port: int) -> bool:
        """Ask a node at the addresses of its host; tell whether any of them may be asked.

        :raises LocalError: if nothing can be asked from here.
        """
        if self._asking is None:
            self._asking = self._ways.ask_nodes(self.question, self.passed_on, self.noted)
        addresses = [each for each in host.addresses if self._ways.may_ask(each)]
        asked = [self._asking.found(each, port) for each in addresses]
        return any(asked)

    def leg_ended(self, leg: _ServerLeg | _HostLeg, reason: str) -> None:
        """Hear that a leg has ended; ``reason`` is empty if it was truly asked."""
        if leg not in self._legs:
            return
        self._legs.discard(leg)
        if reason:
            self._reasons.append(reason)
            self.noted(reason)
        else:
            self._asked = True
        if not self._legs:
            self.end(None if self._asked else NotAsked("; ".join(self._reasons)))

    def _directed(self, directions: Directions) -> None:
        self._reasons += [
            f"{each} is at a port that is not asked (those below {LOWEST_PORT} are not, but 443 of servers)"
            for each in directions.passed_over
        ]
        for reason in self._reasons:
            self.noted(reason)
        if not directions:
            nobody = f"{self.question.domain} names nobody in the DNS who could be asked"
            self.end(NobodyToAsk("; ".join([nobody, *self._reasons])))
            return
        legs: list[_ServerLeg | _HostLeg] = [
            *(_ServerLeg(self._ways, self, address) for address in directions.servers),
            *(_HostLeg(self._ways, self, service) for service in directions.nodes),
        ]
        self._legs.update(legs)
        for leg in legs:
            if not self._over:  # one before may have told all that was wanted
                leg.begin()

    def _lost(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        if not failure.check(P2PShipError):
            self.log.failure("the directions of a domain could not be looked for", failure)
        self.end(NotAsked(failure.getErrorMessage()))


@implementer(ISearchReceiver)
class _ServerLeg:
    """A rendezvous server that is asked."""

    def __init__(self, ways: IWays, quest: Quest, address: ServerAddress) -> None:
        self._ways = ways
        self._quest = quest
        self._address = address
        self._search: ISearch | None = None
        self._over = False

    def begin(self) -> None:
        """Ask it."""
        search = self._ways.ask_server(self._address, self._quest.question, self)
        if self._over:
            search.cancel()
        else:
            self._search = search

    def cancel(self) -> None:
        """Ask no more."""
        self._over = True
        if self._search is not None:
            self._search.cancel()

    def candidate_received(self, candidate: Candidate) -> None:
        """Pass it on."""
        self._quest.passed_on(candidate)

    def noted(self, words: str) -> None:
        """Pass it on."""
        self._quest.noted(words)

    def search_ended(self, error: Exception | None) -> None:
        """Hear that it has said all."""
        self._over = True
        self._quest.leg_ended(self, "" if error is None else str(error) or type(error).__name__)


class _HostLeg:
    """A host whose node is asked."""

    def __init__(self, ways: IWays, quest: Quest, service: Service) -> None:
        self._ways = ways
        self._quest = quest
        self._service = service
        self._looking: Deferred[Any] | None = None
        self._timer: Any = None

    def begin(self) -> None:
        """Look for its addresses."""
        looking = self._ways.host(self._service.target)
        self._looking = looking
        looking.addCallbacks(self._found, self._failed)

    def cancel(self) -> None:
        """Ask no more."""
        if self._looking is not None:
            self._looking.cancel()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _found(self, host: Host) -> None:
        try:
            asked = self._quest.ask_node(host, self._service.port)
        except LocalError as error:
            self._quest.leg_ended(self, str(error))
            return
        if asked:
            self._timer = self._ways.call_later(ANSWER_TIME, self._time_over)
        else:
            self._quest.leg_ended(self, f"{host.name[:-1]} has no address in the DNS that may be asked")

    def _failed(self, failure: Failure) -> None:
        if failure.check(CancelledError) is None:
            self._quest.leg_ended(self, failure.getErrorMessage())

    def _time_over(self) -> None:
        self._quest.leg_ended(self, "")
