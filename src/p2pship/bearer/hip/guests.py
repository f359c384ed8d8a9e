"""Associations that carry no link: of other implementations, which never say hello, and those that were made for a ping.

Theory of operation. A link on which no hello comes is closed by who keeps the links, and its association with it. But the other side may be
a program that knows nothing of hellos, and that its user wants to ping us with. So an association outlives its link as a *guest*, if the
other side made it, and has never sent anything that a link carries, or if an ICMPv6 echo has come in the last minute. It goes a minute
after the last echo, or when there are too many from one place, or in all. One that was made for a ping of ours goes when that ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pship.bearer.admission import Admission
from p2pship.bearer.hip.association import Association
from p2pship.bearer.hip.link import HIPLink

GUEST_TIME = 60.0
"Seconds after the last echo for which an association is kept that carries no link."

MOST = 32
"Guests that others made: 20 kB each."

MOST_FROM_ONE_SOURCE = 4
"Of these, from one address or IPv6 /64."


class Guests:
    """The links that are over, and whose associations are not."""

    def __init__(self, clock: IReactorTime, close: Callable[[Association, str], None]) -> None:
        """``close`` closes an association."""
        self._clock = clock
        self._close = close
        self._since: dict[Association, float] = {}
        self._links: dict[Association, HIPLink] = {}
        self._timers: dict[Association, IDelayedCall] = {}
        self._held: Counter[Association] = Counter()
        self._door: Admission[Association] = Admission(MOST_FROM_ONE_SOURCE, MOST)
        self._stopped = False

    def __contains__(self, association: Association) -> bool:
        return association in self._links

    def keeps(self, link: HIPLink) -> bool:
        """Hear that a link is over; returns whether its association is kept as a guest."""
        if self._stopped or not self._is_foreign(link):
            return False
        self.take(link)
        return True

    def _is_foreign(self, link: HIPLink) -> bool:
        association = link.association
        if association in self._links or self._held[association]:
            return True
        last = link.echoes.last
        pinged = last is not None and self._clock.seconds() - last < GUEST_TIME
        return pinged or not (link.dialled or link.has_spoken)

    def take(self, link: HIPLink) -> None:
        """Keep an association as a guest; its link carries nothing but echoes from now on."""
        association = link.association
        link.retire()
        if association in self._links:
            return
        self._links[association] = link
        self._since[association] = self._clock.seconds()
        if not link.dialled:
            surplus = self._door.enter(association, association.path.host)
            if surplus is not None:
                self._close(surplus, "others came")
        if association in self._links:
            self._look_in(association, GUEST_TIME)

    def _look_in(self, association: Association, seconds: float) -> None:
        self._timers[association] = self._clock.callLater(seconds, partial(self._look, association))

    def _look(self, association: Association) -> None:
        last = self._links[association].echoes.last or 0.0
        left = max(last, self._since[association]) + GUEST_TIME - self._clock.seconds()
        if self._held[association]:
            left = GUEST_TIME
        if left > 0:
            self._look_in(association, left)
        else:
            self._close(association, "no echo came for a while")

    def hold(self, association: Association) -> None:
        """Keep an association as long as somebody pings over it."""
        self._held[association] += 1

    def release(self, association: Association) -> None:
        """Hear that somebody has done so; what was made for that alone is closed."""
        self._held[association] -= 1
        if self._held[association] > 0:
            return
        del self._held[association]
        link = self._links.get(association)
        if link is not None and link.dialled:
            self._close(association, "the ping is over")

    def ended(self, association: Association) -> None:
        """Hear that an association has ended."""
        if self._links.pop(association, None) is not None:
            del self._since[association]
            self._door.leave(association)
            timer = self._timers.pop(association, None)
            if timer is not None and timer.active():
                timer.cancel()

    def stop(self) -> None:
        """Close them all, and keep none any more."""
        self._stopped = True
        for association in tuple(self._links):
            self._close(association, "the node is stopping")
