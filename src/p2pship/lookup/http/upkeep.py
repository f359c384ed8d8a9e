"""One rendezvous server as the publisher's side sees it: what it is to have, and the trouble taken that it has it.

Theory of operation. What is to be put waits here by its slot, the newest only, until the server has it; a tombstone is put as
anything else. A few are on their way at once. When one fails, the rest waits until the server is asked again
(:mod:`p2pship.lookup.http.patience`), or something new comes, as it does when the network is back. Whoever published is told at
once that it failed, as another server may have it, but the attempts go on until the slot expires. What a server refuses for good
is told and not repeated. When the network is another one, what is under way on it is begun anew. A server that has the same slot
already with a later sequence, as when this machine's clock was set back, gets it with one that is later still.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pship.journal import Journal
from p2pship.lookup.candidate import Question, Slot
from p2pship.lookup.http.facts import ServerTrouble
from p2pship.lookup.http.remote import Remote, ServerFailed, SlotRefused, Stale
from p2pship.lookup.http.trouble import Trouble
from p2pship.lookup.http.wire import SKEW, SignedSlot, signed
from p2pship.lookup.selftest import SWALLOWED
from p2pship.status import ServerStatus

MOST_AT_ONCE = 4
"Slots on their way to one server: as many connections are kept."

AGAIN_EVERY = 300.0
"Seconds between two times at which everything is put again on a server that seems to have lost it; one may say so for ever."

DROP_EVERY = 10.0
"Seconds between two looks for what has expired: somebody with hundreds of friends publishes thousands of slots at a time."

LATER = 0.05
"Seconds added to a wait, so that it is over when the time comes."


@dataclass(eq=False)
class _Wanted:
    """A slot that the server is to have."""

    slot: Slot
    signed: SignedSlot
    settled: Deferred[None] | None = field(default_factory=Deferred)
    "fires with the first result; None when it has"
    again: bool = False
    "whether it was put before, too long ago for a server to take it as it is"

    def settle(self, error: Exception | None = None) -> None:
        """Tell whoever published, once."""
        settled, self.settled = self.settled, None
        if settled is not None:
            settled.callback(None) if error is None else settled.errback(error)


class Upkeep:
    """Keeps one server holding what it was last told; see the module's theory of operation."""

    log = Logger()

    def __init__(self, reactor: Any, remote: Remote, journal: Journal) -> None:
        self._reactor = reactor
        self.remote = remote
        self._journal = journal
        self._waiting: dict[Slot, _Wanted] = {}
        self._under_way: dict[Slot, Deferred[None]] = {}
        self._sent: dict[Slot, int] = {}
        "until when each slot may be there that was sent, Unix time"
        self._held: dict[Slot, SignedSlot] = {}
        "what the server has taken"
        self._put_again_at = self._dropped_at = 0.0
        self._timer: Any = None
        self._unreached = ""
        "why the server cannot be asked, in words"
        self._refused: dict[Slot, tuple[int, str]] = {}
        "until when what the server would not take is of use, Unix time, and why it would not"
        self._swallows = False
        self._trouble = Trouble(reactor.seconds)
        self._stopped = False

    def hold(self, slot: Slot, wanted: SignedSlot) -> Deferred[None]:
        """Have the server hold this in a slot; fires when it does, or is to hold something else; fails if the first attempt does."""
        self._drop_expired()
        held = self._held.get(slot)
        if held is not None and held.sealed == wanted.sealed and not self._is_under_way(slot):
            return succeed(None)  # it is published again for another slot that failed
        before = self._waiting.get(slot)  # whose turn it takes
        if before is not None:
            before.settle()
        wait = self.remote.wait(urgent=True)
        each = self._waiting[slot] = _Wanted(slot, wanted)
        assert each.settled is not None
        settled = each.settled
        if wait:
            each.settle(ServerFailed(f"{self.remote.trouble}; it is asked again in {ceil(wait)} s"))
        self._go_on(urgent=True)
        return settled

    def withdraw(self, slot: Slot, tombstone: SignedSlot) -> Deferred[None]:
        """Take back what the slot holds, if it was ever sent; fails if the first attempt does."""
        if slot in self._sent:
            return self.hold(slot, tombstone)
        before = self._waiting.pop(slot, None)
        if before is not None:
            before.settle()
        self._refused.pop(slot, None)
        return succeed(None)

    def own(self, question: Question) -> frozenset[Slot]:
        """Return those of the slots asked for that were taken here and should be told: not expired, refused or on their way."""
        now = self._reactor.seconds()
        asked = [
            slot for slot in self._sent if slot.lookup_key == question.lookup_key and self._sent[slot] > now
        ]
        others = self._waiting.keys() | self._under_way.keys() | self._refused.keys()
        return frozenset(
            slot for slot in asked if slot.publication_key in question.known and slot not in others
        )

    def answered(self, own: Iterable[Slot], told: Container[bytes]) -> None:
        """Hear of which of our slots the server has told us, by publication key: one that swallows them is of no use to us."""
        sent = [slot for slot in own if slot in self._sent]
        if sent:
            self._swallows = any(slot.publication_key not in told for slot in sent)
            self._say()
            if self._swallows:
                self.put_again()

    def newest(self) -> SignedSlot | None:
        """Return what the server took last and should have; None if there is nothing."""
        self._drop_expired()
        return next(reversed(self._held.values()), None)

    def put_again(self) -> None:
        """Hear that the server has lost something: it gets everything anew, but for what is on its way; harmless when repeated."""
        now = self._reactor.seconds()
        if self._stopped or 0 <= now - self._put_again_at < AGAIN_EVERY:
            return
        self._put_again_at = now
        self._journal.count("http.put_again")
        for slot, held in tuple(self._held.items()):
            if slot not in self._under_way:
                self._waiting.setdefault(slot, _Wanted(slot, held, None, again=True))
        self._go_on()

    def status(self) -> ServerStatus:
        """Say how the server is: whether it has what is published, or does not answer at all."""
        status, trouble = self.remote.status(), self._trouble
        if trouble.words:
            status["trouble"] = trouble.words.removeprefix(f"{self.remote.address}: ")
            status["since"] = trouble.since
        return status

    def begin_anew(self) -> None:
        """Hear that there is another network: what is on its way may hang, and what failed may work."""
        self.remote.forgive()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        for attempt in tuple(self._under_way.values()):
            attempt.cancel()
        self._go_on()

    def stop(self) -> None:
        """Give up everything."""
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            each.settle(ServerFailed("the lookup was stopped"))
        for attempt in tuple(self._under_way.values()):
            attempt.cancel()

    def _is_under_way(self, slot: Slot) -> bool:
        return slot in self._waiting or slot in self._under_way

    def _go_on(self, urgent: bool = False) -> None:
        """Begin as many attempts as there may be now; what is new is tried at once, as the network may have come back."""
        self._drop_expired()
        if self.remote.wait(urgent) and self._waiting:
            self._later(self.remote.wait() + LATER)
            return
        for slot in tuple(self._waiting):
            if len(self._under_way) >= MOST_AT_ONCE:
                return
            if slot in self._waiting and slot not in self._under_way:
                self._begin(self._waiting.pop(slot))

    def _later(self, seconds: float) -> None:
        if self._timer is None or not self._timer.active():
            self._timer = self._reactor.callLater(seconds, self._go_on)

    def _begin(self, wanted: _Wanted) -> None:
        attempt = Deferred.fromCoroutine(self._put(wanted))
        self._under_way[wanted.slot] = attempt
        attempt.addErrback(self._not_put, wanted)
        attempt.addCallback(self._ended, wanted)

    def _not_put(self, failure: Failure, wanted: _Wanted) -> None:
        if failure.check(CancelledError) is None:
            self.log.failure("a slot could not be put", failure)
        wanted.settle(ServerFailed("it was given up"))

    def _ended(self, _: None, wanted: _Wanted) -> None:
        del self._under_way[wanted.slot]
        if not self._stopped:
            self._go_on()

    async def _put(self, wanted: _Wanted) -> None:
        try:
            await self._send(wanted)
        except CancelledError:
            if self._stopped:
                raise
            if self._waiting.setdefault(wanted.slot, wanted) is not wanted:
                wanted.settle()  # there is something newer
        except ServerFailed as error:
            self._waiting.setdefault(wanted.slot, wanted)
            for each in (wanted, *self._waiting.values()):
                each.settle(error)
            self._unreached = self.remote.trouble
            self._say()
        except SlotRefused as error:
            wanted.settle(error)
            self._refused[wanted.slot] = wanted.signed.expiry, str(error)
            self._reached()
        else:
            wanted.settle()
            self._refused.pop(wanted.slot, None)
            self._reached()

    async def _send(self, wanted: _Wanted) -> None:
        """Put a slot, a second time with a later sequence if the server has a later one."""
        self._sent[wanted.slot] = max(wanted.signed.expiry, self._sent.get(wanted.slot, 0))
        if wanted.again:
            _sign_anew(wanted, max(wanted.signed.sequence + 1, int(self._reactor.seconds() * 1000)))
        try:
            await self.remote.put(wanted.signed)
        except Stale as error:
            latest = int((self._reactor.seconds() + SKEW) * 1000)
            if not wanted.signed.sequence <= error.sequence < latest:
                raise  # it would not take a slot that is from so far ahead
            _sign_anew(wanted, error.sequence + 1)
            await self.remote.put(wanted.signed)
        self._held.pop(wanted.slot, None)
        if wanted.signed.withdrawn:
            self._sent.pop(wanted.slot, None)
        else:
            self._held[wanted.slot] = wanted.signed

    def _drop_expired(self) -> None:
        now = self._reactor.seconds()
        if 0 <= now - self._dropped_at < DROP_EVERY:
            return
        self._dropped_at = now
        for slot, until in tuple(self._sent.items()):
            if until <= now:
                del self._sent[slot]
                self._held.pop(slot, None)
        for slot, (until, _) in tuple(self._refused.items()):
            if until <= now:
                del self._refused[slot]
        for slot, each in tuple(self._waiting.items()):
            if each.signed.expiry <= now:
                del self._waiting[slot]

    def _reached(self) -> None:
        """Hear that the server answered: when nothing waits for it any more, all that is wrong is what it refused."""
        if not self._waiting:
            self._unreached = ""
        self._say()

    def _say(self) -> None:
        swallows = f"{self.remote.address}: {SWALLOWED}" if self._swallows else ""
        refused = next((words for _, words in self._refused.values()), "")
        words = self._unreached or refused or swallows
        if words != self._trouble.words:
            self._trouble.tell(words)
            self._journal.tell(ServerTrouble(str(self.remote.address), words))


def _sign_anew(wanted: _Wanted, sequence: int) -> None:
    before = wanted.signed
    wanted.signed = signed(wanted.slot, before.sealed, sequence, before.expiry)


def first_success(attempts: list[Deferred[None]]) -> Deferred[None]:
    """Fire when the first of these does; fails with the reasons of all when all have failed. Giving it up changes nothing."""
    if not attempts:
        return fail(ServerFailed("there is no rendezvous server to ask"))
    done: Deferred[None] = Deferred(lambda _: None)
    reasons: list[str] = []

    def failed(failure: Any) -> None:
        reasons.append(str(failure.value))
        if len(reasons) == len(attempts) and not done.called:
            done.errback(ServerFailed("; ".join(reasons)))

    def worked(_: None) -> None:
        if not done.called:
            done.callback(None)

    for attempt in attempts:
        attempt.addCallbacks(worked, failed)
    return done
