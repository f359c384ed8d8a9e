"""The LAN lookup itself: its questions and their timer, and the items with which it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from p2pship.errors import P2PShipError
from p2pship.interfaces import ILookup, INetwork, INode, ISearch, ISearchReceiver
from p2pship.journal import Journal
from p2pship.lookup.candidate import Candidate, Publishing, Question, Slot
from p2pship.lookup.lan.attachments import Attachments
from p2pship.lookup.lan.machine import Queries, Query, Shelf
from p2pship.lookup.lan.settings import LANSettings
from p2pship.lookup.lan.wire import BadMessage

SETTINGS = LANSettings


def make(reactor: Any, settings: LANSettings, node: INode) -> LANLookup:
    """Return the lookup for a node."""
    return LANLookup(reactor, settings, node.network, node.random, node.journal)


class NotAsked(P2PShipError):
    """The local network could not be asked."""


@implementer(ILookup)
class LANLookup:
    """Asks and answers on the local network: ``docs/reference/lan-lookup.md``."""

    name = "lan"
    wide_area = False
    publishing = Publishing.TESTED

    def __init__(
        self,
        reactor: Any,
        settings: LANSettings,
        network: INetwork,
        random: Callable[[int], bytes],
        journal: Journal,
    ) -> None:
        self._reactor = reactor
        self._journal = journal
        self._shelf = Shelf(reactor.seconds())
        self._queries = Queries(random)
        self._receivers: dict[Query, ISearchReceiver] = {}
        self._timer: Any = None
        self._attachments = Attachments(
            reactor, settings, network, self._question_received, self._answer_received, journal
        )

    def start(self) -> Deferred[None]:
        """Begin on the interfaces that there are; one that cannot be used now is tried again."""
        self._attachments.start()
        return succeed(None)

    def stop(self) -> Deferred[None]:
        """End every search and close every socket."""
        for query in tuple(self._receivers):
            self._queries.end(query)
            self._end(query, NotAsked("the lookup was stopped"))
        self._set_timer()
        self._attachments.stop()
        return succeed(None)

    def find(self, question: Question, receiver: ISearchReceiver) -> ISearch:
        """Ask; it is over after :data:`~p2pship.lookup.lan.machine.QUESTION_TIME`.

        :raises LocalError: if the key has not 32 octets.
        """
        query = self._queries.begin(question.lookup_key, self._reactor.seconds())
        self._receivers[query] = receiver
        self._set_timer()
        return _Search(self._forget, query)

    def follow(self, question: Question, receiver: ISearchReceiver) -> None:
        """Return None: nobody tells on the local network without being asked."""

    def publish(self, slot: Slot, item: bytes) -> Deferred[None]:
        """Answer questions with an item from now on.

        :raises LocalError: if it does not fit into an answer.
        """
        self._shelf.publish(slot, item)
        return succeed(None)

    def withdraw(self, slot: Slot) -> Deferred[None]:
        """Answer no more questions with what the slot holds."""
        self._shelf.withdraw(slot)
        return succeed(None)

    def _forget(self, query: Query) -> None:
        self._queries.end(query)
        self._receivers.pop(query, None)
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._queries.due()
        if due is not None:
            self._timer = self._reactor.callLater(max(0.0, due - self._reactor.seconds()), self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        to_send, over = self._queries.timer_fired(self._reactor.seconds())
        for query in to_send:
            query.sent |= self._attachments.ask(query.datagram)
        self._set_timer()
        for query in over:
            self._end(query, None if query.sent else NotAsked(self._attachments.why_not()))

    def _end(self, query: Query, error: Exception | None) -> None:
        receiver = self._receivers.pop(query, None)
        if receiver is not None:
            receiver.search_ended(error)

    def _answer_received(self, datagram: bytes, host: str, over_loopback: bool) -> None:
        try:
            taken = self._queries.answer_received(datagram, host, over_loopback)
        except BadMessage:
            self._journal.count("lan.garbage")
            return
        if taken is None:
            self._journal.count("lan.ignored")
            return
        query, item = taken
        self._receivers[query].candidate_received(
            Candidate(item, self.name, over_loopback, on_link=True, source=host)
        )

    def _question_received(self, datagram: bytes, host: str) -> bytes | None:
        try:
            return self._shelf.answer(datagram, host, self._reactor.seconds())
        except BadMessage:
            self._journal.count("lan.garbage")
            return None


@implementer(ISearch)
class _Search:
    """A question under way."""

    def __init__(self, forget: Callable[[Query], None], query: Query) -> None:
        self._forget = forget
        self._query = query

    def cancel(self) -> None:
        """Forget the question; harmless when it is over."""
        self._forget(self._query)
