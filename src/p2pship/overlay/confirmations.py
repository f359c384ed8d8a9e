"""Tells the other side of a session what has come: at once where much has, else a little later, once for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pship.overlay.machine import Session
from p2pship.overlay.wire import Received

if TYPE_CHECKING:
    from p2pship.overlay.peer import Peer

CONFIRM_DELAY = 0.2
"Seconds after a frame in which we say that it came: it may be kept so much longer, and one confirmation does for many."


class Confirmations:
    """Of one session of a peer."""

    def __init__(self, reactor: IReactorTime, peer: Peer, session: Session) -> None:
        self._reactor = reactor
        self._peer = peer
        self._session = session
        self._timer: IDelayedCall | None = None

    def arrived(self) -> None:
        """Hear that a frame came."""
        if self._session.confirmation_due:
            self._confirm()
        elif self._timer is None and self._peer.berth is not None:
            self._timer = self._reactor.callLater(CONFIRM_DELAY, self._confirm)

    def stop(self) -> None:
        """Say nothing for now: a hello on the next link says what has come, too."""
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _confirm(self) -> None:
        self.stop()
        if self._peer.berth is not None:
            self._peer.berth.send(Received(self._session.confirm()))
