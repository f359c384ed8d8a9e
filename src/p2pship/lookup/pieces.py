"""Pieces of annexes: asked of every lookup by their hash."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults, succeed
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.python.failure import Failure

from p2pship.errors import RemoteError
from p2pship.identity.place import Place
from p2pship.identity.seal import open_piece
from p2pship.lookup.candidate import Asked, Candidate
from p2pship.lookup.part import Part
from p2pship.lookup.sought import Sought
from p2pship.lookup.surroundings import Surroundings

ANNEX_TIME = 1.5
"""Seconds that a search waits for pieces: a question on the local network is sent four times by then. Meanwhile nobody unproven is
dialled, as the pieces may prove somebody; whoever knows the name can cause that much delay, and no more."""

MOST_FETCHED = 20
"""Pieces asked for in one search for what one lookup tells: one and a half full annexes. Who knows the name can make us ask for no more, and
keeps out nobody's who is found through another lookup, or by what a known device has signed."""


Whose = tuple[str, bytes]
"Among whose pieces one counts: the name of the lookup that told what refers to it, and the known device that has signed that, or empty."


class PieceSearch:
    """Fetches the pieces that one search wants, each once; ``cancel`` ends all of it."""

    def __init__(self, surroundings: Surroundings, sought: Sought) -> None:
        self._around = surroundings
        self._sought = sought
        self._asked: dict[tuple[Place, bytes], _Asking] = {}
        self._asked_for: Counter[Whose] = Counter()

    def whole(self, place: Place, references: Sequence[bytes], whose: Whose) -> Deferred[bytes | None]:
        """Return what the pieces put together; None if one of them is not found in time, or the search ends. Never fails."""
        if not references:
            return succeed(None)
        pieces = gatherResults([self._piece(place, each, whose) for each in references], consumeErrors=True)
        pieces.addTimeout(ANNEX_TIME, self._around.reactor)
        return pieces.addCallbacks(_joined, _too_late)

    def cancel(self) -> None:
        """Ask for nothing any longer."""
        for asking in self._asked.values():
            asking.cancel()

    def _piece(self, place: Place, reference: bytes, whose: Whose) -> Deferred[bytes | None]:
        kept = self._around.pieces.get(reference)
        if kept is not None:
            return succeed(kept)
        key = place, reference
        if key not in self._asked:
            if self._asked_for[whose] >= MOST_FETCHED:
                return succeed(None)
            self._asked_for[whose] += 1
            self._asked[key] = _Asking(self._around, self._sought, place, reference)
            self._asked[key].begin()
        return self._asked[key].wait()


class _Asking:
    """One piece, being asked of every lookup until one has it."""

    def __init__(self, surroundings: Surroundings, sought: Sought, place: Place, reference: bytes) -> None:
        self._store = surroundings.pieces
        self._sought = sought
        self._place = place
        self._reference = reference
        self._parts = [
            Part(surroundings.reactor, lookup, self._received, self._part_ended)
            for lookup in surroundings.lookups
        ]
        self._waiting: list[Deferred[bytes | None]] = []
        self._over = False
        self._piece: bytes | None = None

    def begin(self) -> None:
        question = self._sought.question(self._place, self._reference)
        for part in self._parts:
            if not self._over:
                part.begin(question)
        self._look_ended()

    def wait(self) -> Deferred[bytes | None]:
        """Return what fires with the piece, or with None when it is known to be nowhere."""
        if self._over:
            return succeed(self._piece)
        waiter: Deferred[bytes | None] = Deferred(self._waiting.remove)
        self._waiting.append(waiter)
        return waiter

    def _received(self, candidate: Candidate) -> None:
        if self._over:
            return
        try:
            self._piece = open_piece(self._place, self._sought.day, self._reference, candidate.item)
        except RemoteError:  # whoever knows the name may have put it there; the true one may still come
            return
        self._store.keep(self._reference, self._piece)
        self._end()

    def _part_ended(self, _asked: Asked) -> None:
        self._look_ended()

    def _look_ended(self) -> None:
        if not self._over and all(part.asked is not None for part in self._parts):
            self._end()

    def _end(self) -> None:
        self.cancel()
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(self._piece)

    def cancel(self) -> None:
        self._over = True
        for part in self._parts:
            part.cancel()


def _joined(pieces: list[bytes | None]) -> bytes | None:
    found = [piece for piece in pieces if piece is not None]
    return b"".join(found) if len(found) == len(pieces) else None


def _too_late(failure: Failure) -> None:
    failure.trap(FirstError, TimedOut, CancelledError)
