"""What was found before: the devices of a person are told while the lookups are still being asked.

Theory of operation. A device that a search found is kept until its record expires or this machine's own addresses change,
after which its locators may mean something else. A later search for the same person asks the finder behind all the same,
and gives it a head start, since what a lookup says now is better than anything kept: where an answer takes 10 ms, as on the
local network, nothing old is dialled. After that the kept devices are told, and of what is found then only what is news:
another device, or more locators of one.

Of people who are kept fresh (:mod:`p2pship.lookup.keepfresh`) what is kept is as good as what the lookups would say. It is told at once, and
the lookups are asked only when that has not led to the person in :data:`LOOKUP_LATER`, or a device was dialled in vain: so a
call to a contact waits for no lookup, and tells none that it is made.

Who dialled a kept device in vain says :meth:`~CachingFinder.forget`: it is then not told again from memory, and what the
search under way still finds of it is told even if it is no news. A wrong entry thus costs a vain attempt, no more: whoever
answers has to prove the device key, and the hello that follows has its papers verified and judged anew. A device that a newer
statement of its person no longer lists is dropped when that is found.

When a person has to be judged anew, as after the first call that pinned them, what is kept of them is, and is told again with
the new verdict, unless it is that the key is another one than the confirmed one. When everybody has, all is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger
from zope.interface import implementer

from p2pship.identity.papers import Statement
from p2pship.identity.statement import host_identity_hash
from p2pship.identity.verdict import NameGrade, Verdict
from p2pship.interfaces import IFinder, IFinding, IFindReceiver, IIdentity, INetwork, ITrustPolicy
from p2pship.lookup.candidate import FindOutcome, Found
from p2pship.lookup.claims import combined
from p2pship.network import Interface

HEAD_START = 0.1
"Seconds that the lookups have before something kept is told: collecting unproven keys on one network takes 0.05."

LOOKUP_LATER = 0.5
"Seconds that the devices of somebody who is kept fresh have for being reached before the lookups are asked: three round trips across the world."

MOST_PEOPLE = 256
"People kept; the one found longest ago is dropped. Each takes about 2 kB."

MOST_DEVICES = 16
"Devices kept of one person: as many as a statement lists."


@dataclass(frozen=True, slots=True)
class _Entry:
    """A device that was found."""

    found: Found
    own: IIdentity
    "for whom it was judged"
    interfaces: tuple[Interface, ...]
    "our own at that time"
    doubtful: bool = False
    "whether it is being judged anew"


_Who = tuple[str, str]
"Our own AOR, for which a person was judged, and that person's."


@implementer(IFinder)
class CachingFinder:
    """A finder that remembers what another one found."""

    log = Logger()

    def __init__(self, reactor: Any, finder: IFinder, network: INetwork, trust: ITrustPolicy) -> None:
        self._reactor = reactor
        self._finder = finder
        self._network = network
        self._trust = trust
        self._people: OrderedDict[_Who, dict[bytes, _Entry]] = OrderedDict()
        self._searches: set[_CachedSearch] = set()
        self._fresh: set[_Who] = set()

    def find(self, aor: str, own: IIdentity, receiver: IFindReceiver) -> IFinding:
        """Search as the finder behind does; devices found before are told if it is slow to find them again.

        ``receiver`` is told nothing before this has returned.
        """
        who = own.aor, aor
        search = self._search(who, own, receiver)
        search.begin(later=who in self._fresh and bool(self.kept(who)))
        return search

    def refresh(self, aor: str, own: IIdentity, receiver: IFindReceiver) -> IFinding:
        """Search as :meth:`find` does, whatever is kept, and keep what is found."""
        search = self._search((own.aor, aor), own, receiver)
        search.begin(later=False)
        return search

    def set_fresh(self, own: str, aor: str, fresh: bool) -> None:
        """Hear whether somebody sees to it that what is kept of a person is what the lookups would say."""
        if fresh:
            self._fresh.add((own, aor))
        else:
            self._fresh.discard((own, aor))

    def expiry(self, own: str, aor: str) -> float:
        """Return when the first of what is kept of a person runs out, Unix time; 0 if nothing is."""
        return min((_until(found) for found in self.kept((own, aor))), default=0.0)

    def _search(self, who: _Who, own: IIdentity, receiver: IFindReceiver) -> _CachedSearch:
        search = _CachedSearch(self, self._reactor, self._finder, who, own, receiver)
        self._searches.add(search)
        return search

    def forget(self, aor: str, device_key: bytes) -> None:
        """Drop what is kept of a person's device, because dialling it was in vain; harmless if nothing is."""
        self._finder.forget(aor, device_key)
        for who, devices in self._people.items():
            if who[1] == aor:
                devices.pop(device_key, None)
        for search in self._searches:
            search.forget(aor, device_key)

    def kept(self, who: _Who) -> list[Found]:
        """Return the devices of a person that are still worth dialling, and drop the others."""
        devices = self._people.get(who, {})
        now, interfaces = self._reactor.seconds(), tuple(self._network.interfaces())
        for key, entry in tuple(devices.items()):
            found = entry.found
            if _until(found) <= now or entry.interfaces != interfaces:
                del devices[key]
        return [entry.found for entry in devices.values() if not entry.doubtful]

    def keep(self, who: _Who, own: IIdentity, found: Found) -> Found:
        """Keep a device that was found, and return it, or what is kept of it if that is newer: anybody can play old records again."""
        known = {each.papers.record.device_key: each for each in self.kept(who)}
        devices = self._people.setdefault(who, {})
        self._people.move_to_end(who)
        key = found.papers.record.device_key
        if key in devices and found.verdict.outdated:
            return found  # what is kept is newer
        _drop_unlisted(devices, found.papers.statement)
        if key in known and known[key].papers.statement.key == found.papers.statement.key:
            found = combined(known[key], found)
        if key in devices or len(devices) < MOST_DEVICES:
            devices[key] = _Entry(found, own, tuple(self._network.interfaces()))
        while len(self._people) > MOST_PEOPLE:
            self._people.popitem(last=False)
        return found

    def drop(self, who: _Who) -> None:
        """Keep nothing more of a person, since who that is has become doubtful."""
        self._people.pop(who, None)

    def judge_again(self, own: str, aor: str) -> None:
        """Judge anew what is kept of a person for an own identity; "" is everybody, of whom nothing is kept then."""
        for who in tuple(self._people):
            if own in ("", who[0]) and aor == who[1]:
                self._judge(self._people[who])
            elif own in ("", who[0]) and not aor:
                self.drop(who)

    def _judge(self, devices: dict[bytes, _Entry]) -> None:
        for key, entry in tuple(devices.items()):
            doubtful = devices[key] = replace(entry, doubtful=True)
            judging = maybeDeferred(self._trust.judge, entry.found.papers, entry.own)
            judging.addCallback(self._judged, devices, key, doubtful)
            judging.addErrback(lambda failure: self.log.failure("a device could not be judged", failure))

    def _judged(self, verdict: Verdict, devices: dict[bytes, _Entry], key: bytes, entry: _Entry) -> None:
        if devices.get(key) is not entry:
            return
        if verdict.name is NameGrade.CHANGED and not verdict.outdated:
            del devices[key]
        else:
            devices[key] = replace(entry, found=replace(entry.found, verdict=verdict), doubtful=False)

    def ended(self, search: _CachedSearch) -> None:
        """Forget a search that is over."""
        self._searches.discard(search)


def _until(found: Found) -> float:
    """Return until when a device that was found may be dialled, Unix time."""
    return min(found.papers.record.expires, found.verdict.until)


def _drop_unlisted(devices: dict[bytes, _Entry], newest: Statement) -> None:
    """Keep no device that a newer statement of the same key lists no longer."""
    listed = {device.host_identity_hash for device in newest.devices}
    for key, entry in tuple(devices.items()):
        last = entry.found.papers.statement
        if last.key == newest.key and last.version < newest.version and host_identity_hash(key) not in listed:
            del devices[key]


@implementer(IFinding, IFindReceiver)
class _CachedSearch:
    """A search under way: tells what is found, what is kept, and then what is news."""

    def __init__(
        self,
        cache: CachingFinder,
        reactor: Any,
        finder: IFinder,
        who: _Who,
        own: IIdentity,
        receiver: IFindReceiver,
    ) -> None:
        self._cache = cache
        self._reactor = reactor
        self._finder = finder
        self._who = who
        self._own = own
        self._receiver = receiver
        self._told: dict[bytes, Found] = {}
        self._devices: set[bytes] = set()
        self._search: IFinding | None = None
        self._timer: Any = None
        self._later: Any = None
        self._over = False

    def begin(self, later: bool) -> None:
        """Ask now, and tell what is kept after the head start; or tell it now, and ask later."""
        if later:
            self._later = self._reactor.callLater(LOOKUP_LATER, self._ask)
        else:
            self._ask()
        self._timer = self._reactor.callLater(0 if later else HEAD_START, self._tell_kept)

    def _ask(self) -> None:
        self._search = self._finder.find(self._who[1], self._own, self)

    def so_far(self) -> FindOutcome:
        """Return what would be told now if it ended."""
        behind: FindOutcome = self._search.so_far() if self._search is not None else FindOutcome((), 0)
        return self._seen_from_here(behind)

    def cancel(self) -> None:
        """End the search; harmless when it is over."""
        self._over = True
        self._cache.ended(self)
        for timer in (self._timer, self._later):
            if timer is not None and timer.active():
                timer.cancel()
        if self._search is not None:
            self._search.cancel()

    def forget(self, aor: str, device_key: bytes) -> None:
        """Hear that a device was dialled in vain."""
        if aor != self._who[1]:
            return
        self._told.pop(device_key, None)
        if self._later is not None and self._later.active():
            self._later.reset(0)

    def device_found(self, found: Found) -> None:
        """Keep a device, and tell it if it is news."""
        found = self._cache.keep(self._who, self._own, found)
        told = self._told.get(found.papers.record.device_key)
        if told is None or set(found.locators) - set(told.locators):
            self._tell(found)

    def find_ended(self, outcome: FindOutcome) -> None:
        """End the search; a person whom several now claim to be, or only others, is dialled from memory no more."""
        if outcome.ambiguous or outcome.changed:
            self._cache.drop(self._who)
        if self._timer.active():
            self._tell_kept()
        if self._over:
            return
        self.cancel()
        self._receiver.find_ended(self._seen_from_here(outcome))

    def _seen_from_here(self, outcome: FindOutcome) -> FindOutcome:
        nobody = not self._devices
        return replace(
            outcome,
            found=len(self._devices),
            ambiguous=outcome.ambiguous and nobody,
            changed=outcome.changed and nobody,
            doubted=outcome.doubted and nobody,
        )

    def _tell_kept(self) -> None:
        for found in self._cache.kept(self._who):
            if not self._over and found.papers.record.device_key not in self._told:
                self._tell(found)

    def _tell(self, found: Found) -> None:
        key = found.papers.record.device_key
        self._told[key] = found
        self._devices.add(key)
        self._receiver.device_found(found)
