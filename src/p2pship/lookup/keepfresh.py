"""Keeps what is known of the contacts' devices fresh, so that a call to one of them waits for no lookup.

Theory of operation. Each contact of each own identity has a time of its own at which it is searched for. After a search that is at half of
what is left of the record that ends first, give or take a tenth, so that one or two searches may fail before it ends; who was not
found is looked for less and less often. What the search finds the caching finder keeps. Where a lookup can tell by itself what changes
(:mod:`p2pship.lookup.following`), each device that it tells puts the search off, and there is none as long as it goes on.

When this machine's addresses change, what was kept means something else, and everybody is searched for anew, spread over
:data:`FIRST_TIME` as at the start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from twisted.logger import Logger
from zope.interface import implementer

from p2pship.errors import BadPapers, LocalError
from p2pship.interfaces import IFindReceiver, IIdentity, IKeyring, INetwork, ISearch
from p2pship.lookup.cache import MOST_PEOPLE, CachingFinder
from p2pship.lookup.candidate import FindOutcome, Found
from p2pship.lookup.chain import LookupChain
from p2pship.lookup.chance import part_of_one, spread
from p2pship.lookup.following import Following

FIRST_TIME = 60.0
"Seconds over which the first searches are spread: what many contacts' lookups are asked at once would tell whose they are."

SHORTEST_TIME = 60.0
"Seconds between two searches for one person at the least: a record that is about to end has perhaps nobody any more who renews it."

FIRST_ABSENCE, LAST_ABSENCE = 300.0, 7200.0
"Seconds until somebody who was not found is searched for again: doubled each time."

MOST_CONTACTS = MOST_PEOPLE * 3 // 4
"Contacts that are kept fresh; the rest of the room is for people who are called."

_Who: TypeAlias = tuple[str, str]
"Our own AOR, and the contact's."


class KeepFresh:
    """Searches for the contacts of all own identities in the background."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        keyring: IKeyring,
        chain: LookupChain,
        finder: CachingFinder,
        network: INetwork,
        contacts: Callable[[str], Sequence[str]],
        random: Callable[[int], bytes],
    ) -> None:
        """``contacts`` returns the canonical AORs of an own identity's contacts; ``chain`` is what is behind ``finder``."""
        self._reactor = reactor
        self._keyring = keyring
        self._chain = chain
        self._finder = finder
        self._network = network
        self._contacts = contacts
        self._random = random
        self._kept: dict[_Who, _Contact] = {}
        self._unwatch: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin, and follow the changes."""
        self._unwatch = [
            self._keyring.watch(lambda _: self.contacts_changed()),
            self._network.watch(self._network_changed),
        ]
        self.contacts_changed()

    def stop(self) -> None:
        """End every search."""
        for unwatch in self._unwatch:
            unwatch()
        self._unwatch = []
        for who in tuple(self._kept):
            self._drop(who)

    def contacts_changed(self) -> None:
        """Hear that contacts were added or removed; harmless before it is started."""
        if not self._unwatch:
            return
        wanted = self._wanted()
        for who in self._kept.keys() - wanted.keys():
            self._drop(who)
        for who, identity in wanted.items():
            if who in self._kept:
                self._kept[who].identity = identity
                continue
            self._kept[who] = _Contact(self, who[1], identity)
            self._kept[who].again(FIRST_TIME * self._part())

    def privacy_changed(self, own: str) -> None:
        """Hear that an own identity has another mode, or other pair secrets, and so looks for its contacts elsewhere."""
        for who, contact in self._kept.items():
            if who[0] == own:
                contact.follow_no_longer()
                contact.again(FIRST_TIME * self._part())

    def _wanted(self) -> dict[_Who, IIdentity]:
        """Return who is to be kept fresh, and for whom."""
        identities = self._keyring.identities()
        wanted = {
            (identity.aor, aor): identity
            for identity in identities
            for aor in self._contacts(identity.aor)
            if aor != identity.aor
        }
        return dict(list(wanted.items())[:MOST_CONTACTS])

    def _drop(self, who: _Who) -> None:
        self._kept.pop(who).stop()
        self._finder.set_fresh(*who, False)

    def _network_changed(self) -> None:
        for contact in self._kept.values():
            contact.again(FIRST_TIME * self._part())

    def _part(self) -> float:
        return part_of_one(self._random)

    # For contacts.

    def later(self, seconds: float, call: Callable[[], None]) -> Any:
        """Call after some seconds, give or take a tenth."""
        return self._reactor.callLater(spread(seconds, self._random), call)

    def search(self, aor: str, identity: IIdentity, receiver: IFindReceiver) -> ISearch:
        """Search for a contact."""
        return self._finder.refresh(aor, identity, receiver)

    def follow(self, aor: str, identity: IIdentity, taken: Callable[[Found], None]) -> Following:
        """Be told what the lookups tell of a contact, which is kept before ``taken`` is called."""

        def keep(found: Found) -> None:
            self._finder.keep((identity.aor, aor), identity, found)
            taken(found)

        return self._chain.follow(aor, identity, keep)

    def left(self, aor: str, identity: IIdentity) -> float:
        """Return for how many seconds what is kept of a contact holds, 0 if nothing is; from now on it is told at once."""
        now: float = self._reactor.seconds()
        self._finder.set_fresh(identity.aor, aor, True)
        return max(0.0, self._finder.expiry(identity.aor, aor) - now)

    def heard(self, found: Found) -> None:
        """Remember who a contact's devices are now, so that they can be asked for by their keys, and that others are not."""
        statement = found.papers.statement
        listed = {device.publication_key for device in statement.devices}
        if not found.verdict.proven or listed == set(self._keyring.publication_keys(statement.aor)):
            return
        try:
            self._keyring.accept_statement(statement, self._reactor.seconds(), keep=True)
        except BadPapers:  # a newer one was seen meanwhile
            return
        except LocalError as error:
            self.log.error("the devices of {aor} are not remembered: {error}", aor=statement.aor, error=error)


@implementer(IFindReceiver)
class _Contact:
    """One contact of one own identity."""

    def __init__(self, keeper: KeepFresh, aor: str, identity: IIdentity) -> None:
        self._keeper = keeper
        self._aor = aor
        self.identity = identity
        "for whom it is searched, as it is now"
        self._absence = FIRST_ABSENCE
        self._timer: Any = None
        self._search: ISearch | None = None
        self._following: Following | None = None

    def again(self, seconds: float) -> None:
        """Search after so many seconds, and not when it was due before."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self._keeper.later(seconds, self._due)

    def stop(self) -> None:
        """Search and follow no longer."""
        self.follow_no_longer()
        if self._search is not None:
            self._search.cancel()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def follow_no_longer(self) -> None:
        """End the following; the next search begins another."""
        following, self._following = self._following, None
        if following is not None:
            following.cancel()

    def device_found(self, found: Found) -> None:
        """Remember whose device it is; the finder keeps where."""
        self._keeper.heard(found)

    def find_ended(self, outcome: FindOutcome) -> None:
        """Set the time of the next search."""
        self._search = None
        left = self._keeper.left(self._aor, self.identity)
        if left:
            self._absence = FIRST_ABSENCE
            self.again(max(SHORTEST_TIME, left / 2))
        else:
            self.again(self._absence)
            self._absence = min(2 * self._absence, LAST_ABSENCE)

    def _due(self) -> None:
        self.again(self._absence)  # should nothing come of this search, not even its end
        if self._search is not None:
            self._search.cancel()
        self._search = self._keeper.search(self._aor, self.identity, self)
        if self._following is not None and self._following.over:
            self.follow_no_longer()
        if self._following is None:
            self._following = self._keeper.follow(self._aor, self.identity, self._told)

    def _told(self, found: Found) -> None:
        """Put the search off, unless one is under way, after which the time is set anyway."""
        self._keeper.heard(found)
        left = self._keeper.left(self._aor, self.identity)
        if self._search is None and left:
            self._absence = FIRST_ABSENCE
            self.again(max(SHORTEST_TIME, left / 2))
