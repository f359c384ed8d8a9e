"""Keeps the sockets in step with this machine's addresses, which come and go."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pship.bearer.hip.sockets import Sockets, listened_hosts
from p2pship.interfaces import INetwork

RETRY_TIME = 0.25
"Seconds between attempts to use an address that the system does not let us use yet."

MOST_TRIES = 20
"How often that is tried: a new address of IPv6 cannot be used for a second or two (RFC 4862 §5.4), and nobody says when it can."


class Following:
    """Follows the network from :meth:`begin` to :meth:`end`."""

    def __init__(
        self,
        clock: IReactorTime,
        network: INetwork,
        listen: Sequence[str],
        sockets: Sockets,
        changed: Callable[[], None],
    ) -> None:
        """Listen on those of this machine's addresses that ``listen`` means; ``changed`` is told when they are others."""
        self._clock = clock
        self._network = network
        self._listen = listen
        self._sockets = sockets
        self._changed = changed
        self._unwatch: Callable[[], None] | None = None
        self._retry: IDelayedCall | None = None
        self._tries_left = 0

    def hosts(self) -> list[str]:
        """Return the addresses to be listened on, most preferred first."""
        return listened_hosts(self._listen, self._network.interfaces())

    def begin(self) -> None:
        """Follow from now on."""
        self._unwatch = self._network.watch(self._network_changed)
        self._tries_left = MOST_TRIES
        self._look_for_missing()

    def end(self) -> None:
        """Follow no more; harmless when that has ended."""
        self._stop_retrying()
        unwatch, self._unwatch = self._unwatch, None
        if unwatch is not None:
            unwatch()

    def _network_changed(self) -> None:
        self._tries_left = MOST_TRIES
        self._change()

    def _change(self) -> None:
        if self._sockets.change(self.hosts()):
            self._changed()
        self._look_for_missing()

    def _look_for_missing(self) -> None:
        """Try again soon if an address cannot be used yet; say so when that has been in vain."""
        self._stop_retrying()
        if not self._sockets.missing or self._unwatch is None:
            return
        if not self._tries_left:
            self._sockets.tell_missing()
            return
        self._tries_left -= 1
        self._retry = self._clock.callLater(RETRY_TIME, self._change)

    def _stop_retrying(self) -> None:
        retry, self._retry = self._retry, None
        if retry is not None and retry.active():
            retry.cancel()
