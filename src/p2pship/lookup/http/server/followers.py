"""Who wants to hear of changes, by lookup key."""

from __future__ import annotations

from collections.abc import Callable

from p2pship.lookup.http.server.store import Change, Follower


class Followers:
    """The followers of every lookup key."""

    def __init__(self) -> None:
        self._followers: dict[bytes, dict[object, Follower]] = {}

    def __contains__(self, lookup_key: object) -> bool:
        return lookup_key in self._followers

    def add(self, lookup_key: bytes, follower: Follower) -> Callable[[], None]:
        """Add a follower, and return what takes it away again; that is harmless when repeated."""
        token = object()
        self._followers.setdefault(lookup_key, {})[token] = follower

        def end() -> None:
            followers = self._followers.get(lookup_key, {})
            followers.pop(token, None)
            if not followers:
                self._followers.pop(lookup_key, None)

        return end

    def tell_missed(self) -> None:
        """Tell everybody that changes may have been missed."""
        for lookup_key in tuple(self._followers):
            self._tell(lookup_key, None)

    def tell(self, lookup_key: bytes, change: Change) -> None:
        """Tell a change to whoever follows the lookup key."""
        self._tell(lookup_key, change)

    def _tell(self, lookup_key: bytes, change: Change | None) -> None:
        for follower in tuple(self._followers.get(lookup_key, {}).values()):
            follower(change)
