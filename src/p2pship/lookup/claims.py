"""Which of those who claim a name may be dialled, and when that is known.

Theory of operation. Anybody may publish under any name; who is meant is decided by identity key:

- the devices of a key that is proven (or pinned) are dialled as they are found;
- as long as no key is proven, what comes is collected for a while. If then one key alone claims the name, its devices are
  dialled, and those that are found later too. If several claim it, nobody is dialled: the name is ambiguous. A key that has
  signed another of them as its successor claims nothing;
- a key that proves itself later is dialled all the same, and ends the ambiguity. One that comes late without proof is not.

Of one device the record with the highest sequence counts; sequences are compared within one identity key only, so that
nobody else can push a record out with a higher one. The same sequence may come with more locators, over another path or
in the shorter form that is published to the whole world: these are then put together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from p2pship.identity.succession import predecessors
from p2pship.identity.verdict import Verdict
from p2pship.lookup.candidate import Found


class Claims:
    """The devices found in one search, by the identity key that claims them."""

    def __init__(self) -> None:
        self._devices: dict[bytes, dict[bytes, Found]] = {}
        self._proven: dict[bytes, Verdict] = {}
        self._former: set[bytes] = set()
        self._alone: bytes | None = None
        self._settled = False

    def received(self, found: Found) -> Sequence[Found]:
        """Take a device whose papers hold, and return those that are to be dialled now: it, or none."""
        key = found.papers.statement.key
        if key not in self._devices:
            self._former.update(predecessors(found.papers.statement))
        devices = self._devices.setdefault(key, {})
        if found.verdict.proven and key not in self._proven:
            self._proven[key] = found.verdict
            self._news(devices, found)
            return self._proven_now(devices, found)
        news = self._news(devices, replace(found, verdict=self._proven.get(key, found.verdict)))
        dialled = key in self._proven or (key == self._alone and not self._proven)
        return [news] if news is not None and dialled else []

    def _proven_now(self, devices: dict[bytes, Found], found: Found) -> Sequence[Found]:
        """Return all devices of a key that has just proven itself: those that came before without proof are dialled now."""
        for key, known in devices.items():
            devices[key] = replace(known, verdict=found.verdict)
        return list(devices.values())

    def settle(self) -> Sequence[Found]:
        """End the collecting, and return the devices that are to be dialled now; repeated, it returns none."""
        if self._settled or not self._devices:
            return []
        self._settled = True
        claimants = {key: devices for key, devices in self._devices.items() if key not in self._former}
        if self._proven or len(claimants) != 1:
            return []
        ((self._alone, devices),) = claimants.items()
        return list(devices.values())

    @property
    def settled(self) -> bool:
        """Whether the collecting has ended; it cannot before anybody claims the name."""
        return self._settled

    @property
    def ambiguous(self) -> bool:
        """Whether several keys claim the name and none may be dialled."""
        return self._settled and self._alone is None and not self._proven

    def too_late(self, key: bytes) -> bool:
        """Tell whether a key of which nothing is proven claims the name after another one was taken for the person's."""
        return self._alone not in (None, key) and key not in self._proven and key not in self._former

    def _news(self, devices: dict[bytes, Found], found: Found) -> Found | None:
        """Keep a device in place of what was known of it, and return it if there is more to dial than before, or it is newer."""
        key = found.papers.record.device_key
        known = devices.get(key)
        if known is None:
            devices[key] = found
            return found
        newest = devices[key] = combined(known, found)
        says_more = bool(set(newest.locators) - set(known.locators))
        return newest if says_more or _age(newest) > _age(known) else None


def combined(known: Found, found: Found) -> Found:
    """Return the newer of what was known of a device and what was found, by the sequence of its record.

    Of the same sequence there are forms that name fewer locators, and a record may have been renewed: that counts which holds
    longest, with the locators of both, in the order of whichever names more.
    """
    if known.papers.record.sequence != found.papers.record.sequence:
        return max(known, found, key=_age)
    more, less = sorted((found, known), key=lambda each: len(each.locators), reverse=True)
    locators = tuple(dict.fromkeys((*more.locators, *less.locators)))
    papers = max(found, known, key=_age).papers
    return replace(more, papers=papers, verdict=found.verdict, locators=locators)


def _age(found: Found) -> tuple[int, float]:
    """Return what is higher the later a record was signed."""
    return found.papers.record.sequence, found.papers.record.expires
