"""One lookup as the publisher sees it: what it is to hold, and the trouble it takes to have it so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
        self._slots: dict[_Kept, tuple[Slot, ...]] = {}
        self._unpublished: dict[_Kept, Mapping[Slot, bytes]] = {}
        self._attempts: dict[_Kept, Deferred[Any]] = {}
        self._retries: dict[_Kept, Any] = {}
        self._delays: dict[_Kept, float] = {}
        self._failing: dict[_Kept, str] = {}
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
        for slot in self._slots.pop(kept, ()):
            if slot not in items:
                self._withdraw(slot)
        self._delays.pop(kept, None)
        if not items:
            self._forget(kept)
            return
        self._slots[kept] = tuple(items)
        self._unpublished[kept] = items
        self._attempt(kept)

    def status(self) -> LookupStatus:
        """Say how the lookup takes what is published, and whether it is found there."""
        test = self._test
        failing = next(iter(self._failing.values()), "")
        not_found = test.trouble if test is not None and self._slots else ""
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
        self._unpublished.pop(kept, None)
        self._failing.pop(kept, None)
        self._give_up(kept)
        if not any(aor == kept[0] for aor, _ in self._slots):
            self._told.pop(kept[0], None)

    def close(self) -> Deferred[Any]:
        """Take everything back; fires when that is done, or has failed."""
        if self._test is not None:
            self._test.stop()
        for kept in self._slots:
            self._give_up(kept)
        held, self._slots = self._slots, {}
        self._unpublished.clear()
        return gatherResults([self._withdraw(slot) for slots in held.values() for slot in slots])

    def _attempt(self, kept: _Kept) -> None:
        self._give_up(kept)
        items = self._unpublished[kept].items()
        publishing = [maybeDeferred(self._lookup.publish, slot, item) for slot, item in items]
        attempt = gatherResults(publishing, consumeErrors=True).addErrback(_first_error)
        attempt.addTimeout(PUBLISH_TIME, self._reactor)
        self._attempts[kept] = attempt
        attempt.addCallbacks(self._published, self._failed, callbackArgs=(kept,), errbackArgs=(kept,))

    def _give_up(self, kept: _Kept) -> None:
        """End an attempt and forget its repetition."""
        retry = self._retries.pop(kept, None)
        if retry is not None:
            retry.cancel()
        attempt = self._attempts.pop(kept, None)
        if attempt is not None:
            attempt.cancel()

    def _published(self, _: object, kept: _Kept) -> None:
        slot, item = next(iter(self._unpublished[kept].items()))  # today's is first
        if self._test is not None:
            self._test.published(*kept, slot, item)
        for each in (self._attempts, self._unpublished, self._delays, self._failing):
            each.pop(kept, None)
        self._tell(kept[0])

    def _tell(self, aor: str) -> None:
        """Tell whether an identity is published, at every place, if that is news."""
        reason = next((reason for (own, _), reason in self._failing.items() if own == aor), "")
        if self._told.get(aor) != reason:
            self._told[aor] = reason
            self._journal.tell(Published(aor, self._lookup.name, reason))

    def _failed(self, failure: Failure, kept: _Kept) -> None:
        if self._attempts.pop(kept, None) is None:  # given up for a newer one
            return
        self._failing[kept] = _reason(failure)
        self._tell(kept[0])
        delay = self._delays.get(kept, FIRST_RETRY)
        self._delays[kept] = min(2 * delay, LAST_RETRY)
        self._retries[kept] = self._reactor.callLater(self._spread(delay), self._retry, kept)

    def _retry(self, kept: _Kept) -> None:
        del self._retries[kept]
        self._attempt(kept)

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
