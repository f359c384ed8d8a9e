"""Publishes where this device is, for each of our own identities, on every lookup, for as long as the node runs.

Theory of operation. What there is to say of an identity is an :class:`~p2pship.lookup.edition.Edition`; each lookup is kept
holding it by an :class:`~p2pship.lookup.outlet.Outlet`. A round looks at every identity and makes a new edition where the
old one says something else than it should, or is getting old. Rounds come at half of a record's life, give or take a tenth,
and :data:`COALESCING_TIME` after an identity was made or locators changed, however many changes there are in that time.

Hellos carry the record of the same edition (:meth:`Publisher.record_for`), with only the locators that may be shown on that
link. If they had one of their own, with a higher sequence number, whoever accepted it would from then on refuse what is
published as stale; two people who call each other at the same moment would not find each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from p2pship.address import Locator
from p2pship.errors import LocalError
from p2pship.interfaces import IIdentity, IKeyring, ILookup
from p2pship.journal import Journal
from p2pship.lookup.edition import HALF_LIFE, Edition, new_edition, record_showing, sealed
from p2pship.lookup.outlet import Outlet

COALESCING_TIME = 0.05
"Seconds from a change to its publication: an interface that comes up changes several locators, one after the other."

SPREAD = 0.1
"The part by which times are made longer or shorter at random: nodes that were started together do not publish together."

OLDEST_IN_HELLO = HALF_LIFE * 1.2
"""Seconds after which a hello no longer carries what is published: a round should have made it anew. Until then it does, since
to renew it for a hello would write to the disk while a phone waits."""

WITHDRAWING_TIME = 2.0
"Seconds that stopping waits for the lookups; a record that stays behind expires."


class Publisher:
    """Publishes our own records; see the module's theory of operation.

    ``locators`` returns where this device can be dialled now, most preferred first.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        keyring: IKeyring,
        lookups: Sequence[ILookup],
        locators: Callable[[], Sequence[Locator]],
        journal: Journal,
        random: Callable[[int], bytes],
    ) -> None:
        self._reactor = reactor
        self._keyring = keyring
        self._outlets = [Outlet(reactor, lookup, journal, self._spread) for lookup in lookups]
        self._locators = locators
        self._random = random
        self._editions: dict[str, Edition] = {}
        self._held: dict[str, Edition] = {}
        self._timer: Any = None
        self._running = False

    def start(self) -> None:
        """Publish what there is, and follow the changes."""
        self._running = True
        self._keyring.watch(lambda _: self._soon())
        self._soon()

    def stop(self) -> Deferred[None]:
        """Take back what was published; fires when the lookups have done so, at the latest after 2 s."""
        self._running = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        closing = gatherResults([outlet.close() for outlet in self._outlets])
        return closing.addTimeout(WITHDRAWING_TIME, self._reactor).addCallback(lambda _: None)

    def locators_changed(self) -> None:
        """Hear that the device can be dialled elsewhere than before."""
        self._soon()

    def record_for(self, identity: IIdentity, locators: Sequence[Locator], now: float) -> bytes:
        """Return the record of the current edition with those of its locators that are among ``locators``.

        :raises LocalError: if it cannot be signed.
        """
        edition = self._edition(identity, self._locators(), now, OLDEST_IN_HELLO)
        if self._held.get(identity.aor) is not edition:
            self._soon()
        return record_showing(edition, self._keyring.device, locators, now)

    def _edition(
        self, identity: IIdentity, locators: Sequence[Locator], now: float, oldest: float = HALF_LIFE / 2
    ) -> Edition:
        """Return the current edition of an identity, a new one if need be."""
        edition = self._editions.get(identity.aor)
        if edition is None or not edition.is_current(identity, locators, now, oldest):
            edition = self._editions[identity.aor] = new_edition(self._keyring, identity, locators, now)
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
        self._set_timer(self._spread(HALF_LIFE))
        locators, now = tuple(self._locators()), self._reactor.seconds()
        for identity in self._keyring.identities():
            try:
                self._publish(identity, locators, now)
            except LocalError as error:  # the next round tries again
                self.log.error("{aor} cannot be published: {error}", aor=identity.aor, error=error)

    def _publish(self, identity: IIdentity, locators: tuple[Locator, ...], now: float) -> None:
        edition = self._edition(identity, locators, now)
        if self._held.get(identity.aor) is edition:
            return
        self._held[identity.aor] = edition
        for outlet in self._outlets:
            outlet.hold(edition.aor, sealed(edition, self._keyring.device, outlet.wide_area, now))

    def _spread(self, seconds: float) -> float:
        part = int.from_bytes(self._random(2), "big") / 0xFFFF  # 0 to 1
        return seconds * (1 + SPREAD * (2 * part - 1))
