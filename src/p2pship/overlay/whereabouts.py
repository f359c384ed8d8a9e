"""Where a device is now whose link has lost it, as when both sides have moved at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from zope.interface import implementer

from p2pship.interfaces import IFinder, IFindReceiver, ISearch, Seek
from p2pship.lookup.candidate import FindOutcome, Found
from p2pship.overlay.peer import Peer
from p2pship.overlay.peerkey import PeerKey
from p2pship.overlay.redial import MOST_UNINVITED


class Whereabouts:
    """Asks the lookups where a peer's device is, one search for each peer at a time, and tells its link."""

    def __init__(self, finder: IFinder, dialled_in_vain: Callable[[str, bytes], None]) -> None:
        """Ask ``finder``, once what it keeps of the device has been said to be wrong with ``dialled_in_vain``."""
        self._finder = finder
        self._dialled_in_vain = dialled_in_vain
        self._under_way: dict[PeerKey, _Sought] = {}

    def seek(self, peer: Peer, seek: Seek) -> None:
        """Begin to look for a peer's device, and tell ``seek`` of every place where it is found; harmless while that is under way.

        Of strangers who came by themselves a few are looked for at a time.
        """
        if peer.key in self._under_way or (peer.uninvited and self._uninvited() >= MOST_UNINVITED):
            return
        self._dialled_in_vain(peer.aor, peer.device_key)
        sought = self._under_way[peer.key] = _Sought(peer, seek, partial(self._under_way.pop, peer.key, None))
        sought.search = self._finder.find(peer.aor, peer.identity, sought)

    def _uninvited(self) -> int:
        return sum(sought.peer.uninvited for sought in self._under_way.values())

    def close(self) -> None:
        """Look for nobody any longer."""
        for sought in tuple(self._under_way.values()):
            if sought.search is not None:
                sought.search.cancel()


@implementer(IFindReceiver)
class _Sought:
    """One search."""

    search: ISearch | None = None

    def __init__(self, peer: Peer, seek: Seek, over: Callable[[], object]) -> None:
        self.peer = peer
        self._seek = seek
        self._over = over

    def device_found(self, found: Found) -> None:
        if found.papers.hit == self.peer.hit and found.locators:
            self._seek(found.locators)

    def find_ended(self, outcome: FindOutcome) -> None:
        self._over()
