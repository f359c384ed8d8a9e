"""Whether a lookup tells what it was given: some time after a publication, our own slot is asked for as anybody would.

Theory of operation. A lookup may take what is published and keep it from those who ask, because it is broken or means to: its
node then believes that it can be found. So one item of those last published, that of today, is asked for
:data:`EARLIEST` to :data:`LATEST` seconds later, when a system of many machines has had the time to pass it on. Any form of
the same edition will do. What was not found is asked for once more, as a datagram may be lost, and then told; it is tried
again after each publication until it is found, and once it was, every :data:`TEST_EVERY` seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from p2pship.errors import RemoteError
from p2pship.identity.place import Place, day_of
from p2pship.identity.record import verify_record
from p2pship.identity.seal import open_item
from p2pship.interfaces import ILookup
from p2pship.journal import Journal
from p2pship.lookup.candidate import Answer, Asked, Candidate, Question, Slot
from p2pship.lookup.facts import ReadBack
from p2pship.lookup.part import Part

EARLIEST, LATEST = 10.0, 30.0
"Seconds after a publication, or after an attempt in vain, at which it is read back; at random, or all nodes would come at once."

TRIES = 2
"Attempts until it is told that nothing was found: of questions on a bad wireless network one in 4,000 is in vain."

TEST_EVERY = 3600.0
"Seconds after which a lookup that told what it was given is tried again: as much as a record holds."

SWALLOWED = "it took what was published, but does not tell it to who asks"


@dataclass(frozen=True, slots=True)
class _Published:
    """What is read back."""

    aor: str
    place: Place
    day: int
    slot: Slot
    item: bytes

    def is_in(self, item: bytes, now: float) -> bool:
        """Tell whether an item that was found is of the same edition."""
        if item == self.item:
            return True
        try:
            ours, found = (open_item(self.place, self.day, each) for each in (self.item, item))
            if found.publication_key != ours.publication_key:
                return False
            return verify_record(found.record, now).sequence == verify_record(ours.record, now).sequence
        except RemoteError:  # somebody else's, in the same slot
            return False


class SelfTest:
    """Reads back from one lookup what was published there; one item at a time."""

    def __init__(
        self, reactor: Any, lookup: ILookup, journal: Journal, part_of_one: Callable[[], float]
    ) -> None:
        """``part_of_one`` returns numbers from 0 to 1, at random."""
        self._reactor = reactor
        self._lookup = lookup
        self._journal = journal
        self._part_of_one = part_of_one
        self._published: _Published | None = None
        self._tries = 0
        self._timer: Any = None
        self._part: Part | None = None
        self._next = 0.0
        self.found = 0.0
        "when our own item was last found there, Unix time; 0: never"
        self.trouble = ""
        "why it was not found, in words; empty while there is nothing to say"

    def published(self, aor: str, place: Place, slot: Slot, item: bytes) -> None:
        """Hear that an item of today was published, and read it back, if it is time to and no other is being read back."""
        now = self._reactor.seconds()
        under_way = self._published
        if now < self._next or (under_way is not None and (under_way.aor, under_way.place) != (aor, place)):
            return
        self.stop()
        self._published = _Published(aor, place, day_of(now), slot, item)
        self._ask_later()

    def withdrawn(self, aor: str, place: Place) -> None:
        """Hear that an identity publishes no longer at a place."""
        under_way = self._published
        if under_way is not None and (under_way.aor, under_way.place) == (aor, place):
            self.stop()

    def stop(self) -> None:
        """Read nothing back any longer."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._part is not None:
            self._part.cancel()
        self._part = self._published = None
        self._tries = 0

    def _ask_later(self) -> None:
        seconds = EARLIEST + self._part_of_one() * (LATEST - EARLIEST)
        self._timer = self._reactor.callLater(seconds, self._ask)

    def _ask(self) -> None:
        assert self._published is not None
        slot = self._published.slot
        self._tries += 1
        self._part = Part(self._reactor, self._lookup, self._received, self._asked)
        self._part.begin(Question(slot.lookup_key, known=(slot.publication_key,)))

    def _received(self, candidate: Candidate) -> None:
        published, now = self._published, self._reactor.seconds()
        if published is None or not published.is_in(candidate.item, now):
            return
        self.found = now
        self._next = now + TEST_EVERY
        self._end(published, "")

    def _asked(self, asked: Asked) -> None:
        assert self._published is not None
        if self._tries < TRIES:
            self._ask_later()
        else:
            self._end(self._published, _reason(asked))

    def _end(self, published: _Published, trouble: str) -> None:
        self.stop()
        if trouble:
            self._journal.count("lookup.not_read_back")
        if trouble != self.trouble:
            self.trouble = trouble
            self._journal.tell(ReadBack(self._lookup.name, published.aor, trouble))


def _reason(asked: Asked) -> str:
    """Return in words why nothing was found."""
    if asked.answer is Answer.COMPLETED:
        return SWALLOWED
    return f"what was published there could not be read back: {asked.reason or asked.answer.value}"
