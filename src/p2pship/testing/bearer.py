"""A bearer within one process: nodes in one test or demo have links whose latency, loss and breaks are chosen.

It keeps the whole contract of IBearer and ILink. All happens through ``reactor.callLater``, so with a
:class:`twisted.internet.task.Clock` every run is the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from p2pship.address import HostPort, Locator
from p2pship.bearer.framing import LARGEST_FRAME
from p2pship.bearer.race import race
from p2pship.bearer.sendqueue import MOST_DATAGRAMS, WINDOW
from p2pship.bearer.silence import SilenceWatch
from p2pship.bearer.streamlink import CLOSE_TIME
from p2pship.errors import LocalError, NotReached
from p2pship.interfaces import IBearer, IDevice, ILink, ILinkReceiver

FIRST_PORT = 5566
"The port number of the first bearer in a network; the next have the next ones."

DIAL_TIME = 5.0
"Seconds until a dial that nobody answers fails."


class MemoryNetwork:
    """What the bearers of one test have in common: who is where, and how well they reach each other."""

    def __init__(self, latency: float = 0.0) -> None:
        self.latency = latency
        "seconds that a frame or datagram takes; may be changed at any time, and order is kept"
        self.loses: Callable[[bytes], bool] = lambda _datagram: False
        "tells of each datagram whether it is lost on the way"
        self.links: list[MemoryLink] = []
        "both ends of every link that is up, the dialled one before the other"
        self._bearers: dict[int, MemoryBearer] = {}
        self._ports = count(FIRST_PORT)
        self._parted: set[frozenset[bytes]] = set()

    def join(self, bearer: MemoryBearer) -> int:
        """Give a bearer a port number, at which it is found."""
        port = next(self._ports)
        self._bearers[port] = bearer
        return port

    def leave(self, port: int) -> None:
        """Take a port number back, for ever."""
        self._bearers.pop(port, None)

    def at(self, port: int) -> MemoryBearer | None:
        """Return the bearer that has this port number."""
        return self._bearers.get(port)

    def partition(self, one: Iterable[MemoryBearer], other: Iterable[MemoryBearer]) -> None:
        """Part two groups: links between them fall silent, and dials are not answered."""
        others = list(other)
        self._parted |= {frozenset((a.device.key, b.device.key)) for a in one for b in others}
        for link in self.links:
            if self.is_parted(link.bearer, link.other.bearer):
                link.cut()

    def heal(self) -> None:
        """End every partition, and mend every link."""
        self._parted.clear()
        for link in tuple(self.links):
            link.mend()

    def is_parted(self, one: MemoryBearer, other: MemoryBearer) -> bool:
        """Tell whether two bearers are in groups that cannot reach each other: it is the nodes that are parted."""
        return frozenset((one.device.key, other.device.key)) in self._parted


@implementer(ILink)
class MemoryLink:
    """One end of a link; ``other`` is the other end."""

    encrypted = True
    largest_datagram = LARGEST_FRAME
    other: MemoryLink

    def __init__(
        self, bearer: MemoryBearer, own: bytes, proof: bytes, remote: HostPort, locator: Locator | None
    ) -> None:
        self.bearer = bearer
        self.own = own
        self.proof = proof
        self.remote = remote
        self.locator = locator
        self.dialled = locator is not None
        self.path = f"{bearer.name} {remote}"
        self.limit = LARGEST_FRAME
        "the most octets of a frame that is taken; a longer one ends the link"
        self._network = bearer.network
        self._clock = bearer.reactor
        self._way: deque[tuple[str, bytes]] = deque()
        self._arrivals: list[IDelayedCall] = []
        self._inbox: deque[tuple[str, bytes]] = deque()
        self._receiver: ILinkReceiver | None = None
        self._begun = False
        self._cut = False
        self._waiting = 0
        self._told_full = False
        self._last_due = 0.0
        self._closing = False
        self._reason = ""
        self._lost_because: str | None = None
        self._abort_timer: IDelayedCall | None = None
        self._silence = SilenceWatch(self._clock, self._stalled)

    @property
    def writable(self) -> bool:
        return self._waiting < WINDOW

    def start(self, receiver: ILinkReceiver) -> None:
        self._receiver = receiver
        self._clock.callLater(0, self._begin)

    def _begin(self) -> None:
        self._begun = True
        while self._inbox and not self._closing:
            self._take(*self._inbox.popleft())
        if self._lost_because is not None:
            self._tell_lost()

    def send(self, frame: bytes) -> None:
        self._put("frame", _checked(frame))

    def cast(self, datagram: bytes) -> None:
        if not self._cut and not self._network.loses(_checked(datagram)):
            self._put("datagram", datagram)

    def _put(self, kind: str, data: bytes) -> None:
        if self._closing or self._lost_because is not None:
            return
        if kind == "frame":
            self._waiting += len(data)
            self._told_full = self._told_full or not self.writable
        self._queue(kind, data)

    def _queue(self, kind: str, data: bytes) -> None:
        now = self._clock.seconds()
        self._last_due = max(now + self._network.latency, self._last_due)
        self._way.append((kind, data))
        self._arrives_in(self._last_due - now)

    def _arrives_in(self, seconds: float) -> None:
        self._arrivals = [call for call in self._arrivals if call.active()]
        self._arrivals.append(self._clock.callLater(seconds, self._arrive))

    def _arrive(self) -> None:
        """Hand the eldest thing on the way to the other end: a reactor may call in another order what is due at once."""
        if not self._cut and self._way:
            self.other._come(*self._way.popleft())

    def _come(self, kind: str, data: bytes) -> None:
        self._silence.heard()
        if kind == "end":
            self.other._lost("")
            self._lost("the other side closed the connection")
        elif self._begun:
            self._take(kind, data)
        elif kind == "frame" or len(self._inbox) < MOST_DATAGRAMS:
            self._inbox.append((kind, data))

    def _take(self, kind: str, data: bytes) -> None:
        if kind == "frame":
            self.other._taken(len(data))
        if self._receiver is None or self._closing:
            return
        if len(data) > self.limit:
            self.lose(f"a frame of {len(data)} octets is too long: the most now is {self.limit}")
        elif kind == "frame":
            self._receiver.frame_received(data)
        else:
            self._receiver.datagram_received(data)

    def _taken(self, octets: int) -> None:
        self._waiting -= octets
        if self._told_full and self._waiting <= WINDOW // 2:
            self._told_full = False
            self._clock.callLater(0, self._tell_writable)

    def _tell_writable(self) -> None:
        if self._receiver is not None and not self._closing:
            self._receiver.link_writable()

    def watch(self, closely: bool) -> None:
        self._silence.watch(closely and not self._closing and self._lost_because is None)

    def _stalled(self) -> None:
        if self._receiver is not None:
            self._receiver.link_stalled()

    def close(self, reason: str) -> None:
        if self._closing or self._lost_because is not None:
            return
        self._closing = True
        self._silence.watch(False)
        self._reason = reason
        self._abort_timer = self._clock.callLater(CLOSE_TIME, self._lost, reason)
        self._queue("end", b"")

    def cut(self) -> None:
        """Let both ends fall silent: frames wait, datagrams are lost, and nobody is told."""
        self._cut = self.other._cut = True

    def mend(self) -> None:
        """End the silence: what waited arrives."""
        if not self._cut:
            return
        self._cut = self.other._cut = False
        for end in (self, self.other):
            for _ in tuple(end._way):
                self._clock.callLater(self._network.latency, end._arrive)
            if end._lost_because is not None:
                end.other._clock.callLater(self._network.latency, end.other._lost, "the connection was lost")

    def lose(self, reason: str = "the connection was lost") -> None:
        """Break the link; both ends are told in the next turn."""
        for end in (self, self.other):
            end._clock.callLater(0, end._lost, reason)

    def _lost(self, reason: str) -> None:
        if self._lost_because is not None:
            return
        self._lost_because = self._reason if self._closing else reason
        self._silence.watch(False)
        if self._abort_timer is not None and self._abort_timer.active():
            self._abort_timer.cancel()
        self.bearer.link_ended(self)
        if self.other._lost_because is not None:
            self._drop_arrivals()
            self.other._drop_arrivals()
        if self._begun:
            self._tell_lost()

    def _drop_arrivals(self) -> None:
        """Forget what is on the way: nobody is there to take it."""
        for call in self._arrivals:
            if call.active():
                call.cancel()

    def _tell_lost(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.link_lost(self._lost_because or "")


@implementer(IBearer)
class MemoryBearer:
    """A node's place in a :class:`MemoryNetwork`."""

    name = "memory"
    encrypted = True
    several = True

    def __init__(
        self,
        reactor: IReactorTime,
        network: MemoryNetwork,
        device: IDevice,
        host: str = "127.0.0.1",
        devices: Callable[[], Sequence[IDevice]] | None = None,
    ) -> None:
        """Make a bearer that says it is at the address ``host``.

        ``device`` is the node's own, ``devices`` returns all that it can be reached as now: by default that one.
        """
        self.reactor = reactor
        self.network = network
        self.device = device
        self._devices = devices or (lambda: (device,))
        self._host = host
        self._port = 0
        self._link_made: Callable[[ILink], None] | None = None
        self._locators_changed: Callable[[], None] = lambda: None
        self._when_stopped: Deferred[None] | None = None

    def locators(self) -> list[Locator]:
        return [Locator(self.name, self._host, self._port)] if self._port else []

    def listen(
        self, link_made: Callable[[ILink], None], locators_changed: Callable[[], None]
    ) -> Deferred[None]:
        self._link_made = link_made
        self._locators_changed = locators_changed
        self._port = self.network.join(self)
        return succeed(None)

    def move(self) -> None:
        """Get another port number: dials to the old one fail from now on, links that are up stay."""
        self.network.leave(self._port)
        self._port = self.network.join(self)
        self._locators_changed()

    def dial(self, device_key: bytes, locators: Sequence[Locator], own: IDevice) -> Deferred[ILink]:
        if device_key == own.key:
            return fail(NotReached("that is this device itself"))
        if not self._is_ours(own.key):
            return fail(NotReached("that is dialled as no device of this node"))
        attempt = partial(self._attempt, own.key, device_key)
        return race(self.reactor, [partial(attempt, locator) for locator in locators])

    def _is_ours(self, key: bytes) -> bool:
        return any(device.key == key for device in self._devices())

    def _attempt(self, own: bytes, device_key: bytes, locator: Locator) -> Deferred[ILink]:
        call: list[Any] = []
        result: Deferred[ILink] = Deferred(lambda _: call[0].cancel())
        there = self.network.at(locator.port)
        if there is not None and self.network.is_parted(self, there):
            gone = NotReached(f"{locator}: no answer")
            call.append(self.reactor.callLater(DIAL_TIME, result.errback, gone))
        else:
            latency = 2 * self.network.latency
            connect = partial(self._connect, own, device_key, locator, result)
            call.append(self.reactor.callLater(latency, connect))
        return result

    def _connect(self, own: bytes, device_key: bytes, locator: Locator, result: Deferred[ILink]) -> None:
        bearer = self.network.at(locator.port)
        if bearer is None or bearer._link_made is None:
            result.errback(NotReached(f"{locator}: nobody listens there"))
        elif not bearer._is_ours(device_key):
            result.errback(NotReached(f"{locator}: another device answered"))
        else:
            dialled, accepted = self._pair(own, device_key, bearer, locator)
            bearer._link_made(accepted)
            result.callback(dialled)

    def _pair(
        self, own: bytes, device_key: bytes, bearer: MemoryBearer, locator: Locator
    ) -> tuple[MemoryLink, MemoryLink]:
        at = HostPort(locator.host, locator.port)
        dialled = MemoryLink(self, own, device_key, at, locator)
        accepted = MemoryLink(bearer, device_key, own, HostPort(self._host, self._port), None)
        dialled.other, accepted.other = accepted, dialled
        self.network.links += [dialled, accepted]
        return dialled, accepted

    def link_ended(self, link: MemoryLink) -> None:
        """Forget a link that is lost."""
        self.network.links.remove(link)
        self._look_stopped()

    def stop(self) -> Deferred[None]:
        self.network.leave(self._port)
        self._port = 0
        self._link_made = None
        stopped: Deferred[None] = Deferred()
        self._when_stopped = stopped
        for link in self._own_links():
            link.close("the node is stopping")
        self._look_stopped()
        return stopped

    def _own_links(self) -> list[MemoryLink]:
        return [link for link in self.network.links if link.bearer is self]

    def _look_stopped(self) -> None:
        if self._when_stopped is not None and not self._own_links():
            stopped, self._when_stopped = self._when_stopped, None
            stopped.callback(None)


def _checked(data: bytes) -> bytes:
    if len(data) > LARGEST_FRAME:
        raise LocalError(f"a frame or datagram of {len(data)} octets is too long")
    return data
