"""A link over a TCP connection, from its first octet, when it is nobody's yet, to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConnector, IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from p2pship.address import Locator, canonical_host
from p2pship.bearer.streamlink import StreamLink
from p2pship.errors import NotReached
from p2pship.interfaces import ILink
from p2pship.journal import Journal

HANDSHAKE_TIME = 5.0
"Seconds from the TCP connection to a proven key: enough for two lost packets on a slow path."


class HandshakeLink(StreamLink):
    """One connection. ``handshake`` fires with it when the other side's key is proven, or fails with NotReached.

    A bearer's subclass calls :meth:`proven` when that is so, and nothing is delivered before.
    """

    handshake_name = "handshake"
    "what is waited for, for people"

    def __init__(
        self,
        name: str,
        clock: IReactorTime,
        journal: Journal,
        ended: Callable[[Any], None],
        locator: Locator | None = None,
    ) -> None:
        """Make a link that dials ``locator``; without it, one that listens.

        ``ended`` is called once with the link, when nothing of the connection is left.
        """
        super().__init__(name, clock, journal, locator)
        self.handshake: Deferred[ILink] = Deferred(lambda _: self.give_up("it was cancelled"))
        self.connector: IConnector | None = None
        self._ended = ended
        self._timer: IDelayedCall | None = None

    @property
    def own_host(self) -> str:
        """This machine's address of the connection; empty while there is none."""
        return (
            canonical_host(self._socket.getHost().host.partition("%")[0]) if self._socket is not None else ""
        )

    def connectionMade(self) -> None:
        super().connectionMade()
        self._timer = self._clock.callLater(
            HANDSHAKE_TIME, self.abort, f"no {self.handshake_name} within {HANDSHAKE_TIME:.0f} s"
        )

    def proven(self, key: bytes) -> None:
        """Become a link to the device of this Host Identity."""
        self._stop_timer()
        self.proof = key
        self.hold()
        self.handshake.callback(self)

    def give_up(self, reason: str) -> None:
        """End it in whatever state it is, without waiting for anything."""
        if self._socket is not None:
            self.abort(reason)
        elif self.connector is not None:
            self.connector.stopConnecting()

    def not_connected(self, reason: Failure) -> None:
        """Hear that there is no TCP connection."""
        self._end(self.ending(reason))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop_timer()
        super().connectionLost(reason)
        self._end(self._reason)

    def _end(self, reason: str) -> None:
        self.connector = None
        if not self.handshake.called:
            self.handshake.errback(NotReached(reason))
        self._ended(self)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
