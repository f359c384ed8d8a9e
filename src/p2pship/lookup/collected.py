"""A whole search as one Deferred, for those who want to see everything and not the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from zope.interface import implementer

from p2pship.identity.fingerprint import fingerprint
from p2pship.identity.hit import format_hit
from p2pship.interfaces import IFindReceiver, IIdentity, ISearch
from p2pship.lookup.candidate import FindOutcome, Found
from p2pship.status import FindStatus, TraceStep

Collected = tuple[list[Found], FindOutcome]
"The devices found, each as it was last told, in the order in which they came; and what was asked."


Find = Callable[[str, IIdentity, IFindReceiver], ISearch]
"What begins a search, as :meth:`~p2pship.interfaces.IFinder.find` does."


def collect(find: Find, aor: str, own: IIdentity) -> Deferred[Collected]:
    """Search for a canonical AOR on behalf of an own identity; cancelling ends the search."""
    return _Collector().begin(find, aor, own)


def find_status(collected: Collected, aor: str, trace: Sequence[TraceStep] = ()) -> FindStatus:
    """Describe a search for a person: who was found, and who answered."""
    found, outcome = collected
    return {
        "aor": aor,
        "devices": [
            {
                "hit": format_hit(each.papers.hit),
                "locators": [str(locator) for locator in each.locators],
                "lookup": each.lookup,
                "name_grade": each.verdict.name.value,
                "fingerprint": fingerprint(each.papers.statement.key),
            }
            for each in found
        ],
        "asked": [
            {
                "lookup": asked.lookup,
                "answer": asked.answer.value,
                "seconds": asked.seconds,
                "reason": asked.reason,
            }
            for asked in outcome.asked
        ],
        "reason": "; ".join(
            (
                *([_ambiguous(aor)] if outcome.ambiguous else []),
                *outcome.refused,
                *([_changed(aor)] if outcome.changed else []),
            )
        ),
        "trace": list(trace),
    }


def _ambiguous(aor: str) -> str:
    return (
        "several keys claim this name and none is proven, so that nobody is called: ask them by another way which is theirs "
        f"(p2pship find {aor} --trace shows each)"
    )


def _changed(aor: str) -> str:
    return (
        f"ask them by another way whether they have a new key; if so: p2pship contact pin {aor} (it says how to compare "
        "safety numbers)"
    )


@implementer(IFindReceiver)
class _Collector:
    """Keeps what a search finds until it ends."""

    def __init__(self) -> None:
        self._found: dict[bytes, Found] = {}
        self._search: ISearch | None = None
        self._done: Deferred[Collected] = Deferred(lambda _: self._cancel())

    def begin(self, find: Find, aor: str, own: IIdentity) -> Deferred[Collected]:
        self._search = find(aor, own, self)
        return self._done

    def device_found(self, found: Found) -> None:
        self._found[found.papers.record.device_key] = found

    def find_ended(self, outcome: FindOutcome) -> None:
        self._done.callback((list(self._found.values()), outcome))

    def _cancel(self) -> None:
        if self._search is not None:
            self._search.cancel()
