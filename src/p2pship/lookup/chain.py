"""All lookups as one: each is asked at once, and what any of them finds is told as soon as it may be dialled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zope.interface import implementer

from p2pship.interfaces import (
    IFinder,
    IFinding,
    IFindReceiver,
    IIdentity,
    IKeyring,
    ILookup,
    INetwork,
    ITrustPolicy,
)
from p2pship.journal import Journal
from p2pship.lookup.candidate import Found
from p2pship.lookup.clockdoubt import ClockDoubt
from p2pship.lookup.following import Following
from p2pship.lookup.privacy import EVERYTHING_OPEN, Privacy
from p2pship.lookup.search import Search
from p2pship.lookup.surroundings import Surroundings
from p2pship.lookup.trace import NO_TRACE, Trace


@implementer(IFinder)
class LookupChain:
    """Finds people through every lookup that it was given."""

    def __init__(
        self,
        reactor: Any,
        lookups: Sequence[ILookup],
        trust: ITrustPolicy,
        keyring: IKeyring,
        network: INetwork,
        journal: Journal,
        privacy: Privacy = EVERYTHING_OPEN,
        clock_doubt: ClockDoubt | None = None,
    ) -> None:
        """``privacy`` says with whom our own identities have pair secrets, and who may see whom they look for.

        ``clock_doubt`` hears the dates of who was found.
        """
        self.clock_doubt = clock_doubt or ClockDoubt()
        self._around = Surroundings(
            reactor, tuple(lookups), trust, keyring, network, journal, self.clock_doubt
        )
        self._privacy = privacy

    def find(self, aor: str, own: IIdentity, receiver: IFindReceiver, trace: Trace = NO_TRACE) -> IFinding:
        """Search every lookup; ``receiver`` is told nothing before this has returned.

        A device is told again when more of its locators become known, or a newer record. Our own device is told like any other, and so is
        one without a locator that may be dialled from here: there may be a link with it already.
        """
        places = self._privacy.searched(own.aor, aor)
        search = Search(self._around, places, aor, own, receiver, trace)
        search.begin()
        return search

    def follow(self, aor: str, own: IIdentity, taken: Callable[[Found], None]) -> Following:
        """Call ``taken`` with each device of a person whose key is proven, as lookups tell of it by themselves, until cancelled."""
        following = Following(self._around, aor, own, taken)
        following.begin(self._privacy.searched(own.aor, aor))
        return following

    def forget(self, aor: str, device_key: bytes) -> None:
        """Do nothing: every search asks anew."""
