"""The Mainline lookup itself: the DHT says where somebody may be, or has the item, and questions fetch it from who announced himself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.errors import ConfigError, P2PShipError
from p2pship.interfaces import ILookup, INetwork, INode, ISearch, ISearchReceiver
from p2pship.journal import Journal
from p2pship.lookup.candidate import Candidate, Question, Slot
from p2pship.lookup.mainline.announce import Announcements
from p2pship.lookup.mainline.mutable import MutableItems, salt
from p2pship.lookup.mainline.session import DHTSession
from p2pship.lookup.mainline.settings import MainlineSettings
from p2pship.lookup.questions.exchange import Asking, Exchange
from p2pship.lookup.questions.keys import handle
from p2pship.lookup.questions.wire import LONGEST_ITEM
from p2pship.storage.files import read_private, write_file
from p2pship.storage.ports import Ports

SETTINGS = MainlineSettings

FIND_TIME = 2.8
"""Seconds until a search is over: a little less than a lookup is given. The DHT does not say when no more addresses come: the
last nodes that it asks may be gone, which it notices after seconds."""

MOST_KEYS = 16
"Publication keys asked for in one search: as many as a statement lists devices."

LOOK_EVERY = 60.0
"Seconds between two looks at how many nodes are known."

LOOK_FOR_FIRST = 1.0
"The same while there are none: what is published waits for them."

FIRST_NODES_TIME = 10.0
"Seconds that a publication waits for the first nodes: at a start they are known within one or two."

SAVE_EVERY = 3600.0
"Seconds between two savings of the nodes that are known: a node that is killed finds enough of them alive."

STATE_FILE = "mainline"
"In the state folder."

NAME = "mainline"


def make(reactor: Any, settings: MainlineSettings, node: INode) -> MainlineLookup:
    """Return the lookup for a node.

    :raises ImportError: if libtorrent is not installed.
    """
    state = Path(node.state) / STATE_FILE
    return MainlineLookup(reactor, settings, state, node.network, node.ports, node.random, node.journal)


class NotAsked(P2PShipError):
    """The DHT could not be asked: none of its nodes is known yet."""


@implementer(ILookup)
class MainlineLookup:
    """Asks the DHT, and announces this node there: ``docs/reference/mainline-lookup.md``."""

    log = Logger()

    name = NAME
    keeps = True

    def __init__(
        self,
        reactor: Any,
        settings: MainlineSettings,
        state: Path,
        network: INetwork,
        ports: Ports,
        random: Callable[[int], bytes],
        journal: Journal,
    ) -> None:
        """Prepare the lookup; known nodes are kept in the file ``state``."""
        self._reactor = reactor
        self.settings = settings
        self._state = state
        self.wide_area = not settings.private
        self.session = DHTSession(reactor, settings)
        self.exchange = Exchange(
            reactor,
            NAME,
            network,
            ports,
            random,
            journal,
            listen=settings.listen,
            port=settings.question_port,
            private=settings.private,
        )
        self.session.told_external = self.exchange.told_external
        self._announcements = Announcements(
            reactor, lambda infohash: self.session.announce(infohash, self.exchange.port)
        )
        self._items = MutableItems(reactor, self.session, journal)
        self.session.told_nodes = self._nodes_told
        self._waiting: dict[Slot, tuple[bytes, Deferred[None]]] = {}
        self._searches: set[_Search] = set()
        self._timer: Any = None
        self._saving: Any = None

    def start(self) -> Deferred[None]:
        """Begin to find nodes of the DHT; it can be asked some seconds later, at the first start."""
        self.exchange.start()
        self.session.start(self._saved())
        self._look()
        self._saving = self._reactor.callLater(SAVE_EVERY, self._save_often)
        return succeed(None)

    def stop(self) -> Deferred[None]:
        """End every search, save the known nodes, and close every socket."""
        for search in tuple(self._searches):
            search.end(NotAsked("the lookup was stopped"))
        for timer in (self._timer, self._saving):
            if timer is not None:
                timer.cancel()
        if self._saving is not None:
            self._save()
        self._timer = self._saving = None
        for slot in tuple(self._waiting):
            self._give_up(slot)
        self._announcements.stop()
        self._items.stop()
        self.session.stop()
        self.exchange.stop()
        return succeed(None)

    def find(self, question: Question, receiver: ISearchReceiver) -> ISearch:
        """Ask; it is over after :data:`FIND_TIME`."""
        search = _Search(self, receiver)
        self._searches.add(search)
        self.session.refresh()
        search.begin(self._reactor, question)
        return search

    def follow(self, question: Question, receiver: ISearchReceiver) -> None:
        """Return None: the DHT tells nothing without being asked."""

    def publish(self, slot: Slot, item: bytes) -> Deferred[None]:
        """Announce this node, answer questions with the item, and keep it in the DHT from now on.

        It fails with :class:`NotAsked` where no node of the DHT is known after :data:`FIRST_NODES_TIME`.

        :raises LocalError: if it does not fit into an answer.
        """
        self.exchange.publish(slot, item)
        if self.session.nodes:
            self._announce(slot, item)
            return succeed(None)
        self._give_up(slot)
        done: Deferred[None] = Deferred(lambda _: self._forget(slot, done))
        self._waiting[slot] = item, done
        done.addTimeout(FIRST_NODES_TIME, self._reactor, lambda _, seconds: Failure(NotAsked()))
        return done

    def withdraw(self, slot: Slot) -> Deferred[None]:
        """Answer no more with the item, and empty it in the DHT; the announcement ends by itself, within the hour."""
        self._give_up(slot)
        if self.exchange.withdraw(slot):
            self._announcements.drop(handle(slot.lookup_key))
        return self._items.withdraw(slot)

    def _announce(self, slot: Slot, item: bytes) -> None:
        self._announcements.add(handle(slot.lookup_key))
        self._items.publish(slot, item)

    def _nodes_told(self) -> None:
        """Publish what waited for the first nodes."""
        if not self.session.nodes:
            return
        waiting, self._waiting = self._waiting, {}
        for slot, (item, done) in waiting.items():
            self._announce(slot, item)
            done.callback(None)

    def _give_up(self, slot: Slot) -> None:
        """Let what waits for the first nodes wait no more; harmless if nothing does."""
        if slot in self._waiting:
            self._waiting[slot][1].cancel()

    def _forget(self, slot: Slot, done: Deferred[None]) -> None:
        """Wait no more for who has given up."""
        if self._waiting.get(slot, (b"", None))[1] is done:
            del self._waiting[slot]

    def ended(self, search: _Search) -> None:
        """Forget a search that is over."""
        self._searches.discard(search)

    def _look(self) -> None:
        seconds = LOOK_EVERY if self.session.nodes else LOOK_FOR_FIRST
        self._timer = self._reactor.callLater(seconds, self._look)
        self.session.refresh()

    def _save_often(self) -> None:
        self._saving = self._reactor.callLater(SAVE_EVERY, self._save_often)
        self._save()

    def _saved(self) -> bytes:
        try:
            return read_private(self._state)
        except FileNotFoundError:
            return b""
        except (OSError, ConfigError) as error:
            self.log.warn("the known nodes of the DHT cannot be read: {error}", error=error)
            return b""

    def _save(self) -> None:
        try:
            write_file(self._state, self.session.saved())
        except OSError as error:
            self.log.warn("the known nodes of the DHT cannot be saved: {error}", error=error)


@implementer(ISearch)
class _Search:
    """A search under way."""

    def __init__(self, lookup: MainlineLookup, receiver: ISearchReceiver) -> None:
        self._lookup = lookup
        self._receiver = receiver
        self._asking: Asking | None = None
        self._cancels: list[Callable[[], None]] = []
        self._timer: Any = None
        self._seen: set[bytes] = set()
        self._over = False

    def begin(self, reactor: Any, question: Question) -> None:
        """Ask the DHT."""
        lookup = self._lookup
        asking = self._asking = lookup.exchange.ask(question.lookup_key, self._received)
        self._timer = reactor.callLater(FIND_TIME, self._time_over)
        self._cancels = [asking.cancel]
        self._cancels.append(lookup.session.get_peers(handle(question.lookup_key), asking.found))
        salted = salt(question.lookup_key)
        for key in question.known[:MOST_KEYS]:
            self._cancels.append(lookup.session.get_item(key, salted, self._item_received))

    def cancel(self) -> None:
        """Ask and tell nothing more; harmless when it is over."""
        self._over = True
        for cancel in self._cancels:
            cancel()
        self._cancels = []
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._lookup.ended(self)

    def end(self, error: Exception | None) -> None:
        """End it, and tell the receiver."""
        self.cancel()
        self._receiver.search_ended(error)

    def _time_over(self) -> None:
        self.end(None if self._lookup.session.nodes or self._seen else NotAsked())

    def _item_received(self, item: bytes) -> None:
        if len(item) <= LONGEST_ITEM:
            self._received(Candidate(item, NAME))

    def _received(self, candidate: Candidate) -> None:
        if candidate.item not in self._seen and not self._over:
            self._seen.add(candidate.item)
            self._receiver.candidate_received(candidate)
