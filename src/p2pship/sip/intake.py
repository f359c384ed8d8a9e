"""What has come from phones and peers and waits to be served: taken from the sockets at once, served in turn.

All phones that use UDP share one socket and its buffer in the kernel. So it is emptied as fast as can be, and what came
is served sender by sender (:mod:`p2pship.sip.turns`), for a few milliseconds at a time, so that media and the other
sockets have their turn, too.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from p2pship.journal import Journal
from p2pship.sip.turns import Turns

SLICE = 0.004
"Seconds of serving before the reactor looks at its sockets again: two or three messages, and a fifth of a packet's 20 ms."


class Intake:
    """Serves each sender in turn."""

    log = Logger()

    def __init__(self, reactor: IReactorTime, journal: Journal) -> None:
        self._reactor = reactor
        self._journal = journal
        self._turns: Turns[Callable[[], object]] = Turns()
        self._call: IDelayedCall | None = None
        self._stopped = False

    def __len__(self) -> int:
        return len(self._turns)

    def take(self, sender: Hashable, octets: int, serve: Callable[[], object]) -> bool:
        """Call ``serve`` when it is the turn of the sender; False if too much of it waits already.

        That is counted as ``sip.flood``; once it is stopped, it takes nothing. ``serve`` is never called from within this call; what one raises is logged and harms nobody else.
        """
        if self._stopped:
            return False
        if not self._turns.put(sender, octets, serve):
            self._journal.count("sip.flood")
            return False
        if self._call is None:
            self._call = self._reactor.callLater(0, self._serve)
        return True

    def forget(self, sender: Hashable) -> None:
        """Drop what waits of a sender that is gone."""
        self._turns.forget(sender)

    def stop(self) -> None:
        """Drop all that waits, and take no more."""
        self._stopped = True
        self._turns.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _serve(self) -> None:
        self._call = None
        until = self._reactor.seconds() + SLICE
        while self._turns:
            self._serve_next()
            if self._reactor.seconds() >= until:
                break
        if self._turns and self._call is None:
            self._call = self._reactor.callLater(0, self._serve)

    def _serve_next(self) -> None:
        serve = self._turns.next()
        try:
            serve()
        except Exception:  # noqa: BLE001 (one message must not keep the others from being served)
            self.log.failure("a message could not be served")
            self._journal.count("sip.user_failed")
