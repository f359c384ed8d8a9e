"""The watch over one link while something must come over it: pings when it is silent, and gives it up when it stays so."""

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

IDLE_AFTER = 10.0
"Seconds without a watch after which a link may have died unnoticed, as when the other machine was switched off."

PROOF_SECONDS = 2.0
"""Seconds for anything to come over such a link, which is pinged at once: a caller waits meanwhile, and there must be time left
to dial another. On a path of 200 ms with a tenth of all packets lost, TCP has sent a ping three times by then."""

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
        self._proving: IDelayedCall | None = None
        self._proven = True
        self._alone_since = reactor.seconds()

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
            self._begin()
            return
        self._alone_since = self._reactor.seconds()
        self._stop_ticking()
        if self.stalled:
            self._revive()

    def _begin(self) -> None:
        self._silent = 0
        self._ticking = self._reactor.callLater(_TICK, self._tick)
        if self._reactor.seconds() - self._alone_since >= IDLE_AFTER:
            self._proven = False
            self._proving = self._reactor.callLater(PROOF_SECONDS, self._look_for_proof)
            self._ping()

    def _look_for_proof(self) -> None:
        self._proving = None
        if not self._proven:
            self._conduit.give_up("nothing came over the link when it was used again")

    def _tick(self) -> None:
        self._ticking = self._reactor.callLater(_TICK, self._tick)
        self._silent += 1
        if self._silent > PING_AFTER:
            self._ping()

    def _ping(self) -> None:
        self._pings += 1
        self._conduit.send(Ping(self._pings), LINK)

    def heard(self) -> None:
        """Hear that something came; called for each packet."""
        self._silent = 0
        self._proven = True
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
        timers, self._ticking, self._proving = (self._ticking, self._proving), None, None
        for timer in timers:
            if timer is not None and timer.active():
                timer.cancel()

    def _stop_giving_up(self) -> None:
        timer, self._giving_up = self._giving_up, None
        if timer is not None and timer.active():
            timer.cancel()
