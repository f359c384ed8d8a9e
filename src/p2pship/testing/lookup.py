"""A lookup in memory: nodes that share a directory find each other through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import deferLater
from zope.interface import implementer

from p2pship.errors import LocalError, RemoteError
from p2pship.interfaces import ILookup, ISearch, ISearchReceiver
from p2pship.lookup.candidate import Candidate, Publishing, Question, Slot

LONGEST_ITEM = 960
"Octets of an item that every lookup has room for."


_ANY_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


def unsigned_slot(lookup_key: bytes, publication_key: bytes) -> Slot:
    """Return a slot for lookups that sign nothing: its private key is not that of the public one."""
    return Slot(lookup_key, publication_key, _ANY_KEY)


class MemoryLookupDown(RemoteError):
    """The lookup in memory was told to fail."""


class MemoryDirectory:
    """What is published, shared by the lookups of several nodes."""

    def __init__(self) -> None:
        self.items: dict[Slot, bytes] = {}
        "the item in each slot; a test may put in what it likes"
        self.followers: list[Callable[[Slot, bytes], None]] = []
        "called with what is published"

    def put(self, slot: Slot, item: bytes) -> None:
        """Publish an item, and tell the followers."""
        self.items[slot] = item
        for follower in tuple(self.followers):
            follower(slot, item)

    def under(self, key: bytes) -> list[bytes]:
        """Return the items under a lookup key."""
        return [item for slot, item in self.items.items() if slot.lookup_key == key]


@implementer(ILookup)
class MemoryLookup:
    """Publishes to a directory and finds in it, and behaves as its attributes say."""

    def __init__(
        self, reactor: Any, directory: MemoryDirectory, name: str = "memory", *, wide_area: bool = False
    ) -> None:
        self._reactor = reactor
        self._directory = directory
        self._searches: set[_Search] = set()
        self.name = name
        self.wide_area = wide_area
        self.publishing = Publishing.TESTED
        self.over_loopback = not wide_area
        "whether its candidates say that they came from this machine"
        self.on_link = not wide_area
        "whether its candidates say that they came from our own network"
        self.delay = 0.0
        "seconds from a question to its candidates, and from publishing to its being done"
        self.lasting = 0.0
        "seconds from the candidates to the end of the search"
        self.failure: Exception | None = None
        "what every question and publication fails with; None while it works"
        self.silent = False
        "whether it neither answers nor ends a search"
        self.follows = False
        "whether it tells what changes"
        self.questions: list[Question] = []
        "what was asked"

    @property
    def asked(self) -> list[bytes]:
        """The lookup keys that were asked for."""
        return [question.lookup_key for question in self.questions]

    def start(self) -> Deferred[None]:
        """Begin."""
        return succeed(None)

    def stop(self) -> Deferred[None]:
        """End the searches that are under way."""
        for search in tuple(self._searches):
            search.end(MemoryLookupDown("the lookup was stopped"))
        return succeed(None)

    def find(self, question: Question, receiver: ISearchReceiver) -> ISearch:
        """Tell what the directory then has, after ``delay``."""
        self.questions.append(question)
        search = _Search(self._searches, receiver)
        if not self.silent:
            search.timer = self._reactor.callLater(self.delay, self._answer, question.lookup_key, search)
        return search

    def follow(self, question: Question, receiver: ISearchReceiver) -> ISearch | None:
        """Tell each item that the directory has, and later each that it gets, if ``follows``."""
        if not self.follows:
            return None
        following = _Following(self._directory, self._candidate, question, receiver)
        following.begin()
        return following

    def publish(self, slot: Slot, item: bytes) -> Deferred[None]:
        """Put an item into the directory, after ``delay``."""
        if not 0 < len(item) <= LONGEST_ITEM:
            raise LocalError(f"an item of {len(item)} octets cannot be published")
        return self._later(lambda: self._directory.put(slot, item))

    def withdraw(self, slot: Slot) -> Deferred[None]:
        """Take an item out of the directory, after ``delay``."""
        return self._later(lambda: self._directory.items.pop(slot, None))

    def _later(self, change: Any) -> Deferred[None]:
        if self.failure is not None:
            return fail(self.failure)
        if not self.delay:
            change()
            return succeed(None)
        return deferLater(self._reactor, self.delay, change).addCallback(lambda _: None)

    def _answer(self, key: bytes, search: _Search) -> None:
        if self.failure is not None:
            search.end(self.failure)
            return
        for item in self._directory.under(key):
            search.tell(self._candidate(item))
        if not search.over:
            search.timer = self._reactor.callLater(self.lasting, search.end, None)

    def _candidate(self, item: bytes) -> Candidate:
        return Candidate(item, self.name, self.over_loopback, self.on_link)


@implementer(ISearch)
class _Search:
    """A search in memory."""

    def __init__(self, searches: set[_Search], receiver: ISearchReceiver) -> None:
        self._searches = searches
        self._receiver = receiver
        self._searches.add(self)
        self.timer: Any = None

    @property
    def over(self) -> bool:
        """Whether it has ended or was cancelled."""
        return self not in self._searches

    def tell(self, candidate: Candidate) -> None:
        """Tell the receiver of a candidate, unless it is over."""
        if not self.over:
            self._receiver.candidate_received(candidate)

    def end(self, error: Exception | None) -> None:
        """End it, and tell the receiver; harmless when it is over."""
        if self.over:
            return
        self.cancel()
        self._receiver.search_ended(error)

    def cancel(self) -> None:
        """End it, and tell nothing more; harmless when it is over."""
        self._searches.discard(self)
        if self.timer is not None and self.timer.active():
            self.timer.cancel()


@implementer(ISearch)
class _Following:
    """What is told of a lookup key as it changes."""

    def __init__(
        self,
        directory: MemoryDirectory,
        candidate: Callable[[bytes], Candidate],
        question: Question,
        receiver: ISearchReceiver,
    ) -> None:
        self._directory = directory
        self._candidate = candidate
        self._key = question.lookup_key
        self._receiver = receiver

    def begin(self) -> None:
        """Tell what there is, and from now on what comes."""
        self._directory.followers.append(self._put)
        for item in self._directory.under(self._key):
            self._receiver.candidate_received(self._candidate(item))

    def _put(self, slot: Slot, item: bytes) -> None:
        if slot.lookup_key == self._key:
            self._receiver.candidate_received(self._candidate(item))

    def cancel(self) -> None:
        """Tell nothing more; harmless when it is over."""
        if self._put in self._directory.followers:
            self._directory.followers.remove(self._put)
