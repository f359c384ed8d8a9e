"""The place of one peer on one link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2pship.errors import RemoteError
from p2pship.overlay.machine import Numbered, Priority
from p2pship.overlay.wire import Ending, Frame

if TYPE_CHECKING:
    from p2pship.overlay.conduit import Conduit
    from p2pship.overlay.peer import Peer


class Berth:
    """A peer's number on a link, while it uses that link.

    On the side that answered a hello it is *corked* until the other side's first frame: that one may still be looking
    at our papers, and would not know what to do with anything else.
    """

    def __init__(self, conduit: Conduit, number: int, peer: Peer, corked: bool) -> None:
        self.link = conduit.link
        self.number = number
        self.peer = peer
        self.cast = conduit.link.cast
        self._conduit = conduit
        self._corked = corked

    def frame_received(self, number: int, frame: Frame) -> None:
        """Take a frame; one that breaks the rules ends the peer."""
        try:
            self.peer.frame_received(number, frame)
        except RemoteError as error:
            self._broken(error)
            return
        if self._corked:
            self._corked = False
            self._conduit.settle()
            self.stir()

    def pull(self, priority: Priority) -> Numbered | None:
        """Return the peer's next frame of a priority to send now."""
        if self._corked:
            return None
        try:
            return self.peer.pull(priority)
        except RemoteError as error:
            self._broken(error)
            return None

    def _broken(self, error: RemoteError) -> None:
        reason = f"the other node broke a rule: {error}"
        self._conduit.tell_refused(reason)
        self.peer.end(reason)

    def send(self, frame: Frame) -> None:
        """Send a frame that is not counted, at once."""
        self._conduit.send(frame, self.number)

    def hand_over(self, subprotocol: str, thing: object, octets: int) -> bool:
        """Give the peer at the other end a thing itself, where that is this very node; False if it has to be sent.

        A corked end is not used before a frame has uncorked it, for both sides must have looked at each other's papers.
        """
        there = self._conduit.other_end(self.number)
        if there is None or self._corked or there._corked:
            return False
        self._conduit.touch()
        there._conduit.touch()
        return there.peer.taken_over(subprotocol, thing, octets)

    def stir(self) -> None:
        """Send what waits, as far as the link takes it."""
        self._conduit.pump()

    def watch_changed(self) -> None:
        """Say that a call has begun or ended with the peer."""
        self._conduit.watch_changed()

    def leave(self, ending: Ending, reason: str) -> None:
        """Give the place back, and tell the other side."""
        self._conduit.leave(self.number, ending, reason)

    def closed(self, reason: str, ending: Ending | None) -> None:
        """Hear that the place is gone."""
        self.peer.detached(self, reason, ending)
