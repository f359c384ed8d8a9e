"""What is asked on the local network and what is answered, without sockets or a clock.

Theory of operation. A question goes out at the :data:`SENDINGS` after the search began, on every interface, and is over
after :data:`QUESTION_TIME`. It is known by its random id: an answer with any other id is dropped, whoever sent it. The
same item is handed on once, and once more if it then comes over loopback, which says more about its locators.

Whoever holds something under the key asked for answers by unicast, one datagram to a question and never longer than it,
as far as the buckets of the asker and of all askers allow. Who holds several items gives them in turn, one for each
repetition of the question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from p2pship.errors import LocalError
from p2pship.lookup.candidate import Slot
from p2pship.lookup.lan.wire import LONGEST_ITEM, LOOKUP_KEY_LENGTH, QUERY_ID_LENGTH, Answer, Question
from p2pship.lookup.rates import Rate, RateLimit

SENDINGS = (0.0, 0.1, 0.3, 0.7, 1.5)
"""Seconds after the start at which a question is sent. A wireless access point sends multicast once, without
acknowledgement, and holds it for sleeping stations until its next beacons (0.1 to 0.3 s apart); loss comes in bursts, so
the repetitions are further and further apart (RFC 6762 §5.2 does so too). Where a tenth is lost each way, the five are in vain once
in 4,000 times; three would be once in 150."""

QUESTION_TIME = 2.5
"""Seconds until a question is over: one after its last repetition, for a station that sleeps through several beacons. Who answers must
first ask for our link-layer address, and asks again after one second and after two when that is lost (RFC 1122 §2.3.2.1): their
answer comes then."""

MOST_ANSWERS = 256
"Different answers taken to one question: far more than one person's devices, few enough to try to open in 10 ms."

MOST_FROM_ONE_SOURCE = 16
"""Of these, answers from one address: as many as one person has devices. Whoever hears a question can answer it at once with
anything; he must not be able to crowd out those who know."""

SOURCE_RATE = Rate(20.0, 60.0)
"Answers a second to one address: a call takes 5; the burst lets somebody open a contact list."

TOTAL_RATE = Rate(200.0, 400.0)
"Answers a second to all addresses: 200 kB/s at most, which disturbs no call even on old wireless."

Held = tuple[bytes, bytes]
"A publication key, and the item published under it; with a thousand people a dictionary for each day would be a megabyte."


class Shelf:
    """The items that this node publishes, and its answers to questions for them."""

    def __init__(self, now: float) -> None:
        self._items: dict[bytes, tuple[Held, ...]] = {}
        self._limit = RateLimit(SOURCE_RATE, TOTAL_RATE, now)

    def publish(self, slot: Slot, item: bytes) -> None:
        """Hold an item in its slot.

        :raises LocalError: if it does not fit into an answer.
        """
        if not 0 < len(item) <= LONGEST_ITEM or len(slot.lookup_key) != LOOKUP_KEY_LENGTH:
            raise LocalError(f"an item of {len(item)} octets cannot be published on the local network")
        self._items[slot.lookup_key] = (*self._others(slot), (slot.publication_key, item))

    def withdraw(self, slot: Slot) -> None:
        """Drop what the slot holds; harmless when it is empty."""
        others = self._others(slot)
        if others:
            self._items[slot.lookup_key] = others
        else:
            self._items.pop(slot.lookup_key, None)

    def answer(self, datagram: bytes, host: str, now: float) -> bytes | None:
        """Return the answer to a question from ``host``; None when there is nothing to say, or it asks too often.

        :raises BadMessage: if the datagram is not a question.
        """
        question = Question.parse(datagram)
        held = self._items.get(question.lookup_key)
        if held is None or not self._limit.allows(host, now):
            return None
        self._items[question.lookup_key] = (*held[1:], held[0])  # the next one has its turn
        return Answer(question.query_id, held[0][1]).print()

    def _others(self, slot: Slot) -> tuple[Held, ...]:
        """Return what is held under the same lookup key by other devices."""
        held = self._items.get(slot.lookup_key, ())
        return tuple(each for each in held if each[0] != slot.publication_key)


@dataclass(eq=False)
class Query:
    """A question under way."""

    datagram: bytes
    "what is sent"
    query_id: bytes
    begun: float
    "when it was first asked, Unix time"
    sent: bool = False
    "whether it could be sent on any interface; the shell sets it"
    sendings: int = 0
    "how often it fell due to be sent"
    taken: set[tuple[bytes, bool]] = field(default_factory=set)
    "the items handed on, and whether they came over loopback"
    sources: Counter[str] = field(default_factory=Counter)
    "how many of them came from each address"

    @property
    def due(self) -> float:
        """When it is to be sent again, or is over."""
        if self.sendings < len(SENDINGS):
            return self.begun + SENDINGS[self.sendings]
        return self.begun + QUESTION_TIME


class Queries:
    """All questions under way."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._queries: dict[bytes, Query] = {}

    def begin(self, lookup_key: bytes, now: float) -> Query:
        """Begin to ask; the first sending is due at once.

        :raises LocalError: if the key has not 32 octets.
        """
        query_id = self._random(QUERY_ID_LENGTH)
        query = Query(Question(query_id, lookup_key).print(), query_id, now)
        self._queries[query_id] = query
        return query

    def end(self, query: Query) -> None:
        """Forget a question; harmless when it is over."""
        self._queries.pop(query.query_id, None)

    def answer_received(self, datagram: bytes, host: str, over_loopback: bool) -> tuple[Query, bytes] | None:
        """Return the question that a datagram from ``host`` answers, and the item.

        None when nobody asked, it is known, or there were too many.

        :raises BadMessage: if it is not an answer.
        """
        answer = Answer.parse(datagram)
        query = self._queries.get(answer.query_id)
        if query is None or len(query.taken) >= MOST_ANSWERS or query.sources[host] >= MOST_FROM_ONE_SOURCE:
            return None
        if not query.taken.isdisjoint({(answer.item, over_loopback), (answer.item, True)}):
            return None
        query.taken.add((answer.item, over_loopback))
        query.sources[host] += 1
        return query, answer.item

    def due(self) -> float | None:
        """Return when :meth:`timer_fired` is to be called next; None when nothing is under way."""
        return min((query.due for query in self._queries.values()), default=None)

    def timer_fired(self, now: float) -> tuple[list[Query], list[Query]]:
        """Return the questions to send now and those that are over, which are forgotten."""
        due = [query for query in self._queries.values() if query.due <= now]
        to_send = [query for query in due if query.sendings < len(SENDINGS)]
        over = [query for query in due if query.sendings == len(SENDINGS)]
        for query in to_send:
            query.sendings += 1
        for query in over:
            self.end(query)
        return to_send, over
