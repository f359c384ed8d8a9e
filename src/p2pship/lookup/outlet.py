"""One lookup as the publisher sees it: what it is to hold, and the trouble it takes to have it so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred, FirstError, TimeoutError, gatherResults, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pship.identity.place import Place
from p2pship.interfaces import ILookup
from p2pship.journal import Journal, Published
from p2pship.lookup.candidate import Slot
from p2pship.lookup.part import servers_of
from p2pship.lookup.selftest import SelfTest
from p2pship.status import LookupStatus

PUBLISH_TIME = 30.0
"Seconds that publishing an identity's items may take: the slowest lookup asks some dozens of strangers in turn."

FIRST_RETRY, LAST_RETRY = 2.0, 300.0
"Seconds until a failed attempt is repeated: doubled each time, and never as rare as the records themselves."


_Kept: TypeAlias = tuple[str, Place]
"What is held as one: the items of an identity at a place."


@dataclass(slots=True, eq=False)
class _Holding:
    """What is held as one, and the trouble taken for it."""

    slots: tuple[Slot, ...] = ()
    items: Mapping[Slot, bytes] = field(default_factory=dict)
    "what the lookup does not have yet"
    attempt: Deferred[Any] | None = None
    "under way"
    retry: Any = None
    "the call of the next one, if the last has failed"
    delay: float = FIRST_RETRY
    "seconds until that, should this one fail"
    failing: str = ""
    "why the last one failed, in words"

    def give_up(self) -> None:
        """End an attempt and forget its repetition."""
        retry, self.retry = self.retry, None
        if retry is not None:
            retry.cancel()
        attempt, self.attempt = self.attempt, None
        if attempt is not None:
            attempt.cancel()


class Outlet:
    """Keeps one lookup holding what it was last told, for each identity and place by itself; failures disturb nobody else.

    Items are kept here only until the lookup has them; then their slots are enough, to take them back.

    ``spread`` makes a time a little longer or shorter, so that not all nodes come at once. ``test`` reads back what was published,
    where the lookup keeps it.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        lookup: ILookup,
        journal: Journal,
        spread: Callable[[float], float],
        test: SelfTest | None = None,
    ) -> None:
        self._reactor = reactor
        self._lookup = lookup
        self._journal = journal
        self._spread = spread
        self._test = test
        self._holdings: dict[_Kept, _Holding] = {}
        self._told: dict[str, str] = {}

    @property
    def name(self) -> str:
        """The lookup's."""
        return str(self._lookup.name)

    @property
    def wide_area(self) -> bool:
        """Whether others than our own networks can ask this lookup."""
        return bool(self._lookup.wide_area)

    def hold(self, aor: str, items: Mapping[Slot, bytes], place: Place | None = None) -> None:
        """Have the lookup hold these items of an identity at a place, the open one if None, and no others there."""
        kept = aor, place or Place.of_name(aor)
        holding = self._holdings.setdefault(kept, _Holding())
        for slot in holding.slots:
            if slot not in items:
                self._withdraw(slot)
        if not items:
            self._forget(kept)
            return
        holding.slots, holding.items, holding.delay = tuple(items), items, FIRST_RETRY
        self._attempt(kept, holding)

    def status(self) -> LookupStatus:
        """Say how the lookup takes what is published, and whether it is found there."""
        test = self._test
        failing = next((each.failing for each in self._holdings.values() if each.failing), "")
        not_found = test.trouble if test is not None and self._holdings else ""
        return {
            "name": self.name,
            "wide_area": self.wide_area,
            "trouble": failing or not_found,
            "read_back": test.found if test is not None else 0.0,
            "servers": servers_of(self._lookup),
        }

    def _forget(self, kept: _Kept) -> None:
        if self._test is not None:
            self._test.withdrawn(*kept)
        self._holdings.pop(kept).give_up()
        if not any(aor == kept[0] for aor, _ in self._holdings):
            self._told.pop(kept[0], None)

    def close(self) -> Deferred[Any]:
        """Take everything back; fires when that is done, or has failed."""
        if self._test is not None:
            self._test.stop()
        held, self._holdings = self._holdings, {}
        for holding in held.values():
            holding.give_up()
        return gatherResults([self._withdraw(slot) for holding in held.values() for slot in holding.slots])

    def _attempt(self, kept: _Kept, holding: _Holding) -> None:
        holding.give_up()
        publishing = [maybeDeferred(self._lookup.publish, slot, item) for slot, item in holding.items.items()]
        attempt = gatherResults(publishing, consumeErrors=True).addErrback(_first_error)
        holding.attempt = attempt.addTimeout(PUBLISH_TIME, self._reactor)
        attempt.addCallbacks(self._published, self._failed, (kept, holding), {}, (kept, holding))

    def _published(self, _: object, kept: _Kept, holding: _Holding) -> None:
        if holding.attempt is None:  # given up for a newer one
            return
        slot, item = next(iter(holding.items.items()))  # today's is first
        if self._test is not None:
            self._test.published(*kept, slot, item)
        holding.items, holding.attempt = {}, None
        holding.delay, holding.failing = FIRST_RETRY, ""
        self._tell(kept[0])

    def _tell(self, aor: str) -> None:
        """Tell whether an identity is published, at every place, if that is news."""
        failing = (each.failing for (own, _), each in self._holdings.items() if own == aor)
        reason = next(filter(None, failing), "")
        if self._told.get(aor) != reason:
            self._told[aor] = reason
            self._journal.tell(Published(aor, self._lookup.name, reason))

    def _failed(self, failure: Failure, kept: _Kept, holding: _Holding) -> None:
        if holding.attempt is None:  # given up for a newer one
            return
        holding.attempt = None
        holding.failing = _reason(failure)
        self._tell(kept[0])
        holding.retry = self._reactor.callLater(self._spread(holding.delay), self._retry, kept, holding)
        holding.delay = min(2 * holding.delay, LAST_RETRY)

    def _retry(self, kept: _Kept, holding: _Holding) -> None:
        holding.retry = None
        self._attempt(kept, holding)

    def _withdraw(self, slot: Slot) -> Deferred[Any]:
        withdrawing = maybeDeferred(self._lookup.withdraw, slot)
        return withdrawing.addErrback(self._not_withdrawn)

    def _not_withdrawn(self, failure: Failure) -> None:
        self.log.info(
            "could not take a record back from {lookup}, where it expires: {reason}",
            lookup=self._lookup.name,
            reason=_reason(failure),
        )


def _first_error(failure: Failure) -> Failure:
    """Return why the first of several failed that did."""
    error = failure.value
    return error.subFailure if isinstance(error, FirstError) else failure


def _reason(failure: Failure) -> str:
    if failure.check(TimeoutError):
        return f"it took longer than {PUBLISH_TIME:.0f} s"
    return str(failure.value) or type(failure.value).__name__
