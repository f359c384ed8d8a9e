"""The Mainline lookup itself: the DHT says where somebody may be, or has the item, and questions fetch it from who announced himself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.errors import ConfigError
from p2pship.interfaces import ILookup, INetwork, INode, ISearch, ISearchReceiver
from p2pship.journal import Journal
from p2pship.lookup.candidate import Publishing, Question, Slot
from p2pship.lookup.mainline.announce import Announcements
from p2pship.lookup.mainline.mutable import MutableItems
from p2pship.lookup.mainline.search import NAME, MainlineSearch, NotAsked
from p2pship.lookup.mainline.session import DHTSession
from p2pship.lookup.mainline.settings import MainlineSettings
from p2pship.lookup.questions.exchange import Exchange
from p2pship.lookup.questions.keys import handle
from p2pship.storage.files import read_private, write_file
from p2pship.storage.ports import Ports

SETTINGS = MainlineSettings

LOOK_EVERY = 60.0
"Seconds between two looks at how many nodes are known."

LOOK_FOR_FIRST = 1.0
"The same while there are none: what is published waits for them."

FIRST_NODES_TIME = 10.0
"Seconds that a publication waits for the first nodes: at a start they are known within one or two."

SAVE_EVERY = 3600.0
"Seconds between two savings of the nodes that are known: a node that is killed finds enough of them alive."

STOPPED = "the lookup is stopped"

STATE_FILE = "mainline"
"In the state folder."


def make(reactor: Any, settings: MainlineSettings, node: INode) -> MainlineLookup:
    """Return the lookup for a node.

    :raises ImportError: if libtorrent is not installed.
    """
    state = Path(node.state) / STATE_FILE
    return MainlineLookup(reactor, settings, state, node.network, node.ports, node.random, node.journal)


@implementer(ILookup)
class MainlineLookup:
    """Asks the DHT, and announces this node there: ``docs/reference/mainline-lookup.md``."""

    log = Logger()

    name = NAME
    publishing = Publishing.TESTED

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
        self._network = network
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
        self.announce: Callable[[bytes], object] = self._announce_here
        """called with each infohash that is to be announced: a node that nobody can ask has a relay announce it, which passes
        questions on, and whose address :meth:`Exchange.told_external` is told"""
        self._announcements = Announcements(reactor, lambda infohash: self.announce(infohash))
        self._items = MutableItems(reactor, self.session, journal)
        self.session.told_nodes = self._nodes_told
        self.session.told_listening = self._meet
        self._waiting: dict[Slot, tuple[bytes, Deferred[None]]] = {}
        self._searches: set[MainlineSearch] = set()
        self._met = b""
        "the state of the DHT when nodes were known"
        self._timer: Any = None
        self._saving: Any = None
        self._unwatch: Callable[[], None] | None = None

    def start(self) -> Deferred[None]:
        """Begin to find nodes of the DHT; it can be asked some seconds later, at the first start."""
        self.exchange.start()
        self._unwatch = self._network.watch(self._moved)
        self._met = self._saved()
        self.session.start(self._met)
        self._look()
        self._saving = self._reactor.callLater(SAVE_EVERY, self._save_often)
        return succeed(None)

    def stop(self) -> Deferred[None]:
        """End every search, save the known nodes, and close every socket."""
        for search in tuple(self._searches):
            search.end(NotAsked(STOPPED))
        for timer in (self._timer, self._saving):
            if timer is not None:
                timer.cancel()
        if self._saving is not None:
            self._save()
        if self._unwatch is not None:
            self._unwatch()
        self._timer = self._saving = self._unwatch = None
        for slot in tuple(self._waiting):
            self._give_up(slot)
        self._announcements.stop()
        self._items.stop()
        self.session.stop()
        self.exchange.stop()
        return succeed(None)

    def find(self, question: Question, receiver: ISearchReceiver) -> ISearch:
        """Ask; it is over after :data:`FIND_TIME`, or at once where the lookup is stopped."""
        search = MainlineSearch(
            self._reactor, self.session, self.exchange, question, receiver, self._searches
        )
        if self._unwatch is None:
            search.end(NotAsked(STOPPED))
            return search
        self.session.refresh()
        search.begin()
        return search

    def follow(self, question: Question, receiver: ISearchReceiver) -> None:
        """Return None: the DHT tells nothing without being asked."""

    def publish(self, slot: Slot, item: bytes) -> Deferred[None]:
        """Announce this node, answer questions with the item, and keep it in the DHT from now on.

        It fails with :class:`NotAsked` where no node of the DHT is known after :data:`FIRST_NODES_TIME`, or the lookup is stopped.

        :raises LocalError: if it does not fit into an answer.
        """
        if self._unwatch is None:
            return fail(NotAsked(STOPPED))
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

    def _moved(self) -> None:
        self._items.moved()
        self._announcements.moved()
        self._meet()

    def _meet(self) -> None:
        """Meet the nodes of the DHT at another address; what is published waits for that."""
        self.session.acquaint(self._met)
        if self._timer is not None:
            self._timer.cancel()
            self._look()

    def _announce_here(self, infohash: bytes) -> None:
        self.session.announce(infohash, self.exchange.port)

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

    def _look(self) -> None:
        if self.session.nodes:
            self._met = self.session.saved()
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
