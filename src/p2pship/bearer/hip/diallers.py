"""Who waits for a link of one of our devices to which host: for a base exchange, or for a sign that the other side of an association is there.

Theory of operation. There is one association with a host, so a dial to one whose association stands ends with its link. But whoever
dials has a reason: the other side may have been restarted, and know nothing of it. So it is asked along every path that there may be;
if no answer comes in time, a base exchange begins beside the association, and takes its place if it succeeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pship.address import Locator
from p2pship.bearer.hip.association import Association, State
from p2pship.bearer.hip.host import Host
from p2pship.bearer.hip.path import Path
from p2pship.errors import NotReached
from p2pship.interfaces import ILink

DOUBT_TIME = 0.5
"Seconds for a sign of life before a base exchange begins: on most ways there is time for a second question."

ASTRAY_DOUBT_TIME = 0.25
"The same where nothing has come for a while, and it was asked along every known path already."


class Diallers:
    """Those who wait, by the HIT of whom they dialled."""

    def __init__(
        self,
        clock: IReactorTime,
        host: Host,
        act: Callable[[], None],
        is_pinged: Callable[[bytes, bytes], bool],
    ) -> None:
        """Dial with ``host``; ``act`` does what it wants done. ``is_pinged`` tells whether a ping waits for a base exchange from one HIT, ours, to another."""
        self._clock = clock
        self.host = host
        self._act = act
        self._is_pinged = is_pinged
        self._waiting: dict[bytes, list[Deferred[ILink]]] = {}
        self._locators: dict[bytes, tuple[Locator, ...]] = {}
        self._doubts: dict[bytes, IDelayedCall] = {}
        self._paths: dict[bytes, list[Path]] = {}

    def dial(self, peer: bytes, locators: Sequence[Locator], paths: Sequence[Path]) -> Deferred[ILink]:
        """Begin a base exchange with a host, or try further paths for one that was begun."""
        waiting = self._wait(peer, locators)
        self.host.dial(peer, paths, self._clock.seconds())
        self._act()
        return waiting

    def doubt(
        self,
        association: Association,
        locators: Sequence[Locator],
        paths: Sequence[Path],
        patience: float = DOUBT_TIME,
    ) -> Deferred[ILink]:
        """Find out whether the other side of an association is there, also at these locators; if not, dial it anew."""
        peer = association.agreement.peer.hit
        waiting = self._wait(peer, locators)
        now = self._clock.seconds()
        self.host.learn(association, [(one.host, one.port) for one in locators], now)
        self.host.silent(association, now)
        self._paths.setdefault(peer, []).extend(paths)
        if peer not in self._doubts:
            self._doubts[peer] = self._clock.callLater(patience, self._dial_anew, peer)
        self._act()
        return waiting

    def _dial_anew(self, peer: bytes) -> None:
        del self._doubts[peer]
        paths = list(dict.fromkeys(self._paths.pop(peer, ())))
        if paths:
            self.host.dial(peer, paths, self._clock.seconds())
        else:
            self.failed(peer, "it does not answer where it was")
        self._act()

    def _wait(self, peer: bytes, locators: Sequence[Locator]) -> Deferred[ILink]:
        waiting: Deferred[ILink] = Deferred(partial(self._cancelled, peer))
        self._waiting.setdefault(peer, []).append(waiting)
        self._locators[peer] = (*self._locators.get(peer, ()), *locators)
        return waiting

    def _cancelled(self, peer: bytes, waiting: Deferred[ILink]) -> None:
        left = [each for each in self._waiting.get(peer, ()) if each is not waiting]
        if left:
            self._waiting[peer] = left
        elif peer in self._waiting:
            self._take(peer)
            if not self._is_pinged(self.host.own.hit, peer):
                self.host.give_up(peer, "it is not wanted any longer")
                self._act()

    def _take(self, peer: bytes) -> list[Deferred[ILink]]:
        """Return those who wait, and have nobody wait any longer."""
        doubt = self._doubts.pop(peer, None)
        if doubt is not None:
            doubt.cancel()
        self._paths.pop(peer, None)
        self._locators.pop(peer, None)
        return self._waiting.pop(peer, [])

    def waits(self, peer: bytes) -> bool:
        """Tell whether somebody waits for a link to a host."""
        return peer in self._waiting

    # what becomes of it

    def locator(self, peer: bytes, path: Path) -> Locator | None:
        """Return the locator of a host that was dialled and is at the end of a path."""
        at = path.host, path.port
        return next((one for one in self._locators.get(peer, ()) if (one.host, one.port) == at), None)

    def made(self, peer: bytes, link: ILink) -> bool:
        """Give a link to those who wait for it; False if nobody does."""
        waiting = self._take(peer)
        for each in waiting:
            each.callback(link)
        return bool(waiting)

    def is_there(self, peer: bytes, link: ILink) -> None:
        """Hear that the other side of a link has given a sign of life.

        If an I2 has left already, that exchange goes on: the other side may have taken it, and forgotten the link.
        """
        if peer not in self._waiting or self.host.state(peer) is State.I2_SENT:
            return
        waiting = self._take(peer)
        self.host.give_up(peer, "it is there")
        self._act()  # so that nobody who dials because of this link hears that this dial has ended
        for each in waiting:
            each.callback(link)

    def ended(self, peer: bytes) -> None:
        """Hear that an association has ended: there is nothing to doubt any more."""
        if peer in self._doubts:
            self._doubts[peer].reset(0)

    def failed(self, peer: bytes, reason: str) -> None:
        """Hear that a base exchange has failed."""
        tried = ", ".join(map(str, dict.fromkeys(self._locators.get(peer, ()))))
        for waiting in self._take(peer):
            waiting.errback(NotReached(f"{tried}: {reason}" if tried else reason))

    def stop(self, reason: str) -> None:
        """Let everybody hear that nobody is dialled any more."""
        for peer in tuple(self._waiting):
            self.host.give_up(peer, reason)
            self.failed(peer, reason)
