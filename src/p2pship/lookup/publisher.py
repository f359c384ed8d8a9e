"""Publishes where our devices are, for each of our own identities, on every lookup, for as long as the node runs.

Theory of operation. What there is to say of an identity is an :class:`~p2pship.lookup.edition.Edition`; each lookup is kept
holding it by an :class:`~p2pship.lookup.outlet.Outlet`, at each place where somebody may look for it: the open one, and one for
each friend, as the identity's mode says (:mod:`p2pship.lookup.privacy`). A round looks at every identity, makes a new edition
where the old one says something else than it should, signs it anew where it is getting old, and takes back what is at places
that are no longer wanted. Rounds come at a quarter of a record's life, give or take a tenth, and :data:`COALESCING_TIME` after an
identity, a mode, a secret or locators changed, however many changes there are in that time.

Strangers who keep items for the wide area see when they come. Those for friends go there one by one, each at moments of its
own, a quarter to three quarters of a record's life apart, whatever the rounds do; but with news within :data:`NEWS_TIME`, so that it is
found soon.

Hellos carry the record of the same edition (:meth:`Publisher.record_for`), with only the locators that may be shown on that
link. If they had one of their own, with a higher sequence number, whoever accepted it would from then on refuse what is
published as stale; two people who call each other at the same moment would not find each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from p2pship.address import Locator
from p2pship.errors import LocalError
from p2pship.identity.place import Place
from p2pship.identity.validity import RECORD_LIFETIME
from p2pship.interfaces import IDevice, IIdentity, IKeyring, ILookup
from p2pship.journal import Journal
from p2pship.lookup.candidate import Publishing
from p2pship.lookup.chance import part_of_one, spread
from p2pship.lookup.dialable import is_public
from p2pship.lookup.edition import ANNOUNCING_TIME, Edition, new_edition, record_showing, renewed, sealed
from p2pship.lookup.outlet import Outlet
from p2pship.lookup.part import servers_of
from p2pship.lookup.privacy import EVERYTHING_OPEN, Privacy
from p2pship.lookup.selftest import SelfTest
from p2pship.status import LookupStatus

COALESCING_TIME = 0.05
"Seconds from a change to its publication: an interface that comes up changes several locators, one after the other."

NEWS_TIME = 30.0
"Seconds in which all friends' items are in the wide area when there is news: somebody may want to call."

FRIENDS_TIME = RECORD_LIFETIME / 2
"""Seconds between two publications of one friend's item in the wide area, give or take a half: there are as many items as friends,
and who reads them can do without the last minutes."""

OLDEST_IN_HELLO = ANNOUNCING_TIME * 1.2
"""Seconds after which a hello no longer carries what is published: a round should have made it anew. Until then it does, since
to renew it for a hello would sign while a phone waits."""

MOST_BACK = 300.0
"""Seconds that the record of a device of one identity alone may be dated back: those of two identities that were signed in one
round would show the same millisecond. It still holds for long after the next round."""

WITHDRAWING_TIME = 2.0
"Seconds that stopping waits for the lookups; a record that stays behind expires."

NOT_PUBLIC = (
    "this machine has no public address, as behind a home router without IPv6: it is found there, and calls from here go out, "
    "but nobody elsewhere can call"
)
"What is said of the lookups of the wide area where nothing of ours could be dialled from there."


class Publisher:
    """Publishes our own records; see the module's theory of operation.

    ``locators`` returns where the device of an identity can be dialled now, most preferred first; ``privacy`` says at which
    places each identity is to be found.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        keyring: IKeyring,
        lookups: Sequence[ILookup],
        locators: Callable[[IIdentity], Sequence[Locator]],
        journal: Journal,
        random: Callable[[int], bytes],
        privacy: Privacy = EVERYTHING_OPEN,
    ) -> None:
        self._reactor = reactor
        self._keyring = keyring
        self._journal = journal
        self._random = random
        self._lookups = tuple(lookups)
        self._outlets = [
            self._outlet(lookup) for lookup in lookups if lookup.publishing is not Publishing.NONE
        ]
        self._locators = locators
        self._privacy = privacy
        self._editions: dict[str, Edition] = {}
        self._held: dict[str, dict[Place, Edition]] = {}
        self._later: dict[tuple[str, Place], Any] = {}
        self._timer: Any = None
        self._running = False
        self._unwatch: Callable[[], None] = _nothing

    def start(self) -> None:
        """Publish what there is, and follow the changes."""
        self._running = True
        self._unwatch = self._keyring.watch(self._identity_changed)
        self._soon()

    def stop(self) -> Deferred[None]:
        """Take back what was published; fires when the lookups have done so, at the latest after 2 s."""
        self._running = False
        self._unwatch()
        for timer in (self._timer, *self._later.values()):
            if timer is not None and timer.active():
                timer.cancel()
        closing = gatherResults([outlet.close() for outlet in self._outlets])
        return closing.addTimeout(WITHDRAWING_TIME, self._reactor).addCallback(lambda _: None)

    def status(self) -> list[LookupStatus]:
        """Say of each lookup whether it takes what is published, and whether that is found there."""
        published = {outlet.name: outlet.status() for outlet in self._outlets}
        held = [edition for places in self._held.values() for edition in places.values()]
        if any(edition.locators and not any(map(is_public, edition.locators)) for edition in held):
            for said in published.values():
                said["trouble"] = said["trouble"] or (NOT_PUBLIC if said["wide_area"] else "")
        return [published.get(lookup.name) or _searched_only(lookup) for lookup in self._lookups]

    def locators_changed(self) -> None:
        """Hear that the device can be dialled elsewhere than before."""
        self._soon()

    def privacy_changed(self) -> None:
        """Hear that an identity has another mode, or other pair secrets."""
        self._soon()

    def record_for(self, identity: IIdentity, locators: Sequence[Locator], now: float) -> bytes:
        """Return the record of the current edition with those of its locators that are among ``locators``.

        :raises LocalError: if it cannot be signed.
        """
        before = self._editions.get(identity.aor)
        edition = self._edition(identity, now, OLDEST_IN_HELLO)
        if edition is not before:
            self._soon()
        return record_showing(edition, locators, now)

    def _outlet(self, lookup: ILookup) -> Outlet:
        tested = lookup.publishing is Publishing.TESTED
        test = SelfTest(self._reactor, lookup, self._journal, self._part) if tested else None
        return Outlet(self._reactor, lookup, self._journal, self._spread, test)

    def _identity_changed(self, aor: str) -> None:
        self._editions.pop(aor, None)
        self._soon()

    def _edition(self, identity: IIdentity, now: float, oldest: float = ANNOUNCING_TIME / 2) -> Edition:
        """Return the current edition of an identity, a new one if need be."""
        locators = self._locators(identity)
        edition = self._editions.get(identity.aor)
        if edition is None or not edition.says(identity, locators):
            edition = new_edition(self._keyring, identity, locators, now, self._back(identity.device))
        elif not edition.is_fresh(now, oldest):
            edition = renewed(edition, now, self._back(edition.device))
        self._editions[identity.aor] = edition
        return edition

    def _soon(self) -> None:
        if self._running:
            self._set_timer(COALESCING_TIME, sooner=True)

    def _set_timer(self, seconds: float, sooner: bool = False) -> None:
        if self._timer is not None and self._timer.active():
            if sooner and self._timer.getTime() <= self._reactor.seconds() + seconds:
                return
            self._timer.cancel()
        self._timer = self._reactor.callLater(seconds, self._round)

    def _round(self) -> None:
        self._set_timer(self._spread(ANNOUNCING_TIME))
        identities, now = self._keyring.identities(), self._reactor.seconds()
        for identity in identities:
            try:
                self._publish(identity, now)
            except LocalError as error:  # the next round tries again
                self.log.error("{aor} cannot be published: {error}", aor=identity.aor, error=error)
        for aor in self._held.keys() - {identity.aor for identity in identities}:
            self._take_back(aor, self._held.pop(aor))

    def _publish(self, identity: IIdentity, now: float) -> None:
        places = self._privacy.published(identity.aor)
        held = self._held.setdefault(identity.aor, {})
        self._take_back(identity.aor, [place for place in held if place not in places])
        edition = self._edition(identity, now)
        for place in places:
            before = held.get(place)
            if before is not edition:
                held[place] = edition
                self._hold(edition, place, now, is_news=before is None or before.says_less(edition))

    def _hold(self, edition: Edition, place: Place, now: float, is_news: bool) -> None:
        for outlet in self._outlets:
            if place.open or not outlet.wide_area:
                outlet.hold(edition.aor, sealed(edition, outlet.wide_area, now, place), place)
        if is_news and not place.open and any(outlet.wide_area for outlet in self._outlets):
            self._hold_soon((edition.aor, place))

    def _hold_soon(self, what: tuple[str, Place]) -> None:
        """Publish a friend's news in the wide area at a moment that tells nothing, unless one is set that is as good."""
        waiting = self._later.get(what)
        if waiting is not None:
            if waiting.getTime() <= self._reactor.seconds() + NEWS_TIME:
                return
            waiting.cancel()
        self._later[what] = self._reactor.callLater(self._part() * NEWS_TIME, self._hold_now, what)

    def _hold_now(self, what: tuple[str, Place]) -> None:
        self._later[what] = self._reactor.callLater((0.5 + self._part()) * FRIENDS_TIME, self._hold_now, what)
        aor, place = what
        now = self._reactor.seconds()
        edition = self._held[aor][place]
        # So that it holds until its next moment comes.
        edition = renewed(edition, now, self._back(edition.device))
        for outlet in self._outlets:
            if outlet.wide_area:
                outlet.hold(aor, sealed(edition, True, now, place), place)

    def _take_back(self, aor: str, places: Iterable[Place]) -> None:
        """Withdraw what an identity has at these places."""
        for place in tuple(places):
            self._held.get(aor, {}).pop(place, None)
            waiting = self._later.pop((aor, place), None)
            if waiting is not None:
                waiting.cancel()
            for outlet in self._outlets:
                outlet.hold(aor, {}, place)

    def _back(self, device: IDevice) -> float:
        """Return by how many seconds the next record of a device is to be dated back."""
        return 0.0 if device.hit == self._keyring.device.hit else self._part() * MOST_BACK

    def _part(self) -> float:
        return part_of_one(self._random)

    def _spread(self, seconds: float) -> float:
        return spread(seconds, self._random)


def _searched_only(lookup: ILookup) -> LookupStatus:
    return {
        "name": lookup.name,
        "wide_area": lookup.wide_area,
        "trouble": "",
        "read_back": 0.0,
        "servers": servers_of(lookup),
    }


def _nothing() -> None:
    """Do nothing."""
