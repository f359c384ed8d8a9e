"""All lookups as one: each is asked at once, and what any of them finds is told as soon as it may be dialled."""

from __future__ import annotations

from collections.abc import Sequence
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
from p2pship.lookup.pieces import PieceStore
from p2pship.lookup.privacy import EVERYTHING_OPEN, Privacy
from p2pship.lookup.search import Search


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
    ) -> None:
        """``privacy`` says with whom our own identities have pair secrets, and who may see whom they look for."""
        self._reactor = reactor
        self._lookups = tuple(lookups)
        self._trust = trust
        self._keyring = keyring
        self._network = network
        self._journal = journal
        self._privacy = privacy
        self._store = PieceStore()

    def find(self, aor: str, own: IIdentity, receiver: IFindReceiver) -> IFinding:
        """Search every lookup; ``receiver`` is told nothing before this has returned.

        A device is told again when more of its locators become known. Our own device is told like any other, and so is
        one without a locator that may be dialled from here: there may be a link with it already.
        """
        search = Search(
            self._reactor,
            self._trust,
            self._keyring,
            self._network,
            self._journal,
            self._lookups,
            self._privacy.searched(own.aor, aor),
            self._store,
            aor,
            own,
            receiver,
        )
        search.begin()
        return search

    def forget(self, aor: str, device_key: bytes) -> None:
        """Do nothing: every search asks anew."""
