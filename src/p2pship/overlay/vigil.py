"""The watch over one link while a call is up: pings when it is silent, and gives it up when it stays so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pship.interfaces import ILink
from p2pship.overlay.peer import Peer
from p2pship.overlay.wire import LINK, Frame, Ping

PING_AFTER = 2
"Seconds of silence after which a watched link is pinged: its bearer speaks of a stall after 5, so two pings are tried."

GIVE_UP_AFTER = 5.0
"Seconds after a bearer has said that nothing comes until another link is dialled; a bearer that moves needs some time."

_TICK = 1.0


class _HasPeer(Protocol):
    peer: Peer


class Watched(Protocol):
    """The link's user, as its watch needs it."""

    @property
    def berths(self) -> Iterable[_HasPeer]:
        """The peers' places."""

    def send(self, frame: Frame, number: int) -> None:
        """Send a frame at once."""

    def give_up(self, reason: str) -> None:
        """Close the link."""


class Vigil:
    """Watches one link."""

    def __init__(self, reactor: IReactorTime, link: ILink, conduit: Watched) -> None:
        self._reactor = reactor
        self._link = link
        self._conduit = conduit
        self._silent = 0
        self._pings = 0
        self._ticking: IDelayedCall | None = None
        self._giving_up: IDelayedCall | None = None

    @property
    def stalled(self) -> bool:
        """Whether nothing comes."""
        return self._giving_up is not None

    def watch(self, closely: bool) -> None:
        """Begin or end to watch; harmless when that changes nothing."""
        if closely == (self._ticking is not None):
            return
        self._link.watch(closely)
        if closely:
            self._silent = 0
            self._ticking = self._reactor.callLater(_TICK, self._tick)
            return
        self._stop_ticking()
        if self.stalled:
            self._revive()

    def _tick(self) -> None:
        self._ticking = self._reactor.callLater(_TICK, self._tick)
        self._silent += 1
        if self._silent > PING_AFTER:
            self._pings += 1
            self._conduit.send(Ping(self._pings), LINK)

    def heard(self) -> None:
        """Hear that something came; called for each packet."""
        self._silent = 0
        if self._giving_up is not None:
            self._revive()

    def stall(self) -> None:
        """Hear from the bearer that nothing came for a while though the link is watched."""
        if self.stalled or self._ticking is None:
            return
        self._giving_up = self._reactor.callLater(GIVE_UP_AFTER, self._give_up)
        for berth in tuple(self._conduit.berths):
            berth.peer.stalled(self._reactor.seconds())

    def _revive(self) -> None:
        self._stop_giving_up()
        for berth in tuple(self._conduit.berths):
            berth.peer.revived()

    def _give_up(self) -> None:
        self._giving_up = None
        self._conduit.give_up("nothing comes over the link")

    def end(self) -> None:
        """Stop: the link is gone."""
        self._stop_giving_up()
        if self._ticking is not None:
            self._link.watch(False)
            self._stop_ticking()

    def _stop_ticking(self) -> None:
        timer, self._ticking = self._ticking, None
        if timer is not None and timer.active():
            timer.cancel()

    def _stop_giving_up(self) -> None:
        timer, self._giving_up = self._giving_up, None
        if timer is not None and timer.active():
            timer.cancel()
