"""One search in the DHT: who was announced there is asked, and what it keeps under known publication keys is fetched, both at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from zope.interface import implementer

from p2pship.errors import P2PShipError
from p2pship.interfaces import ISearch, ISearchReceiver
from p2pship.lookup.candidate import Candidate, Question
from p2pship.lookup.mainline.mutable import salt
from p2pship.lookup.mainline.session import DHTSession
from p2pship.lookup.questions.exchange import Exchange
from p2pship.lookup.questions.keys import handle
from p2pship.lookup.questions.wire import LONGEST_ITEM

NAME = "mainline"

FIND_TIME = 2.8
"""Seconds until a search is over: a little less than a lookup is given. The DHT does not say when no more addresses come: the
last nodes that it asks may be gone, which it notices after seconds."""

MOST_KEYS = 16
"Publication keys asked for in one search: as many as a statement lists devices."

CROWD = 50
"""Addresses that are a crowd: a node of the DHT tells 100 at most (libtorrent), drawn anew each time, so that asking again may tell
others. Where fewer were told, all were."""

AGAIN = 0.3
"""Seconds after which a crowd is asked for again, some 1 kB sent and 8 kB received each time. If eight nodes have 400 inventions each, each
answer has the true address once in four to twenty times (libtorrent prefers low ones), and nine rounds have it nearly always."""


class NotAsked(P2PShipError):
    """The DHT could not be asked: none of its nodes is known yet; if that lasts, does a firewall keep UDP from them?"""


@implementer(ISearch)
class MainlineSearch:
    """A search under way; it is in ``searches`` until it is over."""

    def __init__(
        self,
        reactor: Any,
        session: DHTSession,
        exchange: Exchange,
        question: Question,
        receiver: ISearchReceiver,
        searches: set[MainlineSearch],
    ) -> None:
        self._reactor = reactor
        self._session = session
        self._question = question
        self._receiver = receiver
        self._searches = searches
        self._infohash = handle(question.lookup_key)
        self._asking = exchange.ask(question.lookup_key, self._received, receiver.noted)
        self._stop_asking_who: Callable[[], None] = lambda: None
        self._cancels = [self._asking.cancel, lambda: self._stop_asking_who()]
        self._timers: dict[str, Any] = {}
        self._told: set[tuple[str, int]] = set()
        self._seen: set[bytes] = set()
        self._over = False

    def begin(self) -> None:
        """Ask."""
        self._searches.add(self)
        nodes = self._session.nodes
        self._receiver.noted(f"asks the DHT, of which {nodes} node{'s are' if nodes != 1 else ' is'} known")
        self._timers["over"] = self._reactor.callLater(FIND_TIME, self._time_over)
        self._ask_who()
        self._timers["again"] = self._reactor.callLater(AGAIN, self._ask_again)
        salted = salt(self._question.lookup_key)
        for key in self._question.known[:MOST_KEYS]:
            received = partial(self._item_received, key)
            self._cancels.append(self._session.get_item(key, salted, received))

    def cancel(self) -> None:
        """Ask and tell nothing more; harmless when it is over."""
        self._over = True
        for cancel in self._cancels:
            cancel()
        self._cancels = []
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        self._searches.discard(self)

    def end(self, error: Exception | None) -> None:
        """End it, and tell the receiver."""
        self.cancel()
        self._receiver.search_ended(error)

    def _ask_who(self) -> None:
        self._stop_asking_who()
        self._stop_asking_who = self._session.get_peers(self._infohash, self._told_of)

    def _ask_again(self) -> None:
        """Ask who else is announced, where there is a crowd."""
        self._timers["again"] = self._reactor.callLater(AGAIN, self._ask_again)
        if len(self._told) >= CROWD:
            self._ask_who()

    def _told_of(self, host: str, port: int) -> None:
        if len(self._told) < CROWD:
            self._told.add((host, port))
        self._asking.found(host, port, self._session.answers)

    def _time_over(self) -> None:
        self.end(None if self._session.nodes or self._seen else NotAsked())

    def _item_received(self, key: bytes, item: bytes) -> None:
        if len(item) <= LONGEST_ITEM:
            self._received(Candidate(item, NAME, signer=key))

    def _received(self, candidate: Candidate) -> None:
        if candidate.item not in self._seen and not self._over:
            self._seen.add(candidate.item)
            self._receiver.candidate_received(candidate)
