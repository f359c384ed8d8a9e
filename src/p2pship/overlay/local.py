"""Links of a node with itself: two of its phones talk to each other as they would to anybody else."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from p2pship.address import Locator
from p2pship.errors import LocalError, NotReached
from p2pship.interfaces import IBearer, IDevice, ILink, ILinkReceiver

LARGEST = 65_600
"Octets of a frame or datagram."

WINDOW = 1 << 20
"Octets of frames that may wait to be delivered before the link is not writable."

MAX_DATAGRAMS = 512
"Datagrams that wait to be delivered: what a turn of the reactor brings from the phones."


@implementer(ILink)
class LocalLink:
    """One end of a link within this process; what is sent is delivered in the next turn of the reactor."""

    encrypted = True
    locator = None
    remote = None
    path = "local"
    largest_datagram = LARGEST
    limit = LARGEST
    other: LocalLink

    def __init__(self, reactor: IReactorTime, own: bytes, proof: bytes, dialled: bool) -> None:
        self.own = own
        self.proof = proof
        self.dialled = dialled
        self._reactor = reactor
        self._receiver: ILinkReceiver | None = None
        self._frames: deque[bytes] = deque()
        self._frame_octets = 0
        self._datagrams: deque[bytes] = deque(maxlen=MAX_DATAGRAMS)
        self._turn: IDelayedCall | None = None
        self._lost_because: str | None = None

    @property
    def writable(self) -> bool:
        return self.other._frame_octets < WINDOW

    @property
    def far_receiver(self) -> ILinkReceiver | None:
        """Who takes what is sent here; None before the other end was started, and when the link is lost."""
        return self.other._receiver if self._lost_because is None else None

    def start(self, receiver: ILinkReceiver) -> None:
        self._receiver = receiver
        self._deliver_soon()

    def send(self, frame: bytes) -> None:
        _check(frame)
        if self._lost_because is None:
            self.other._frame_octets += len(frame)
            self.other._frames.append(frame)
            self.other._deliver_soon()

    def cast(self, datagram: bytes) -> None:
        _check(datagram)
        if self._lost_because is None:
            self.other._datagrams.append(datagram)
            self.other._deliver_soon()

    def _deliver_soon(self) -> None:
        if self._turn is None and self._receiver is not None:
            self._turn = self._reactor.callLater(0, self._deliver)

    def _deliver(self) -> None:
        """Deliver what had come when the turn began, media first: what that causes waits for the next."""
        self._turn, receiver = None, self._receiver
        if receiver is None:  # it was closed by what came in the last turn, and has heard of the end
            return
        was_full = not self.other.writable
        for _ in range(len(self._datagrams)):
            receiver.datagram_received(self._datagrams.popleft())
        for _ in range(len(self._frames)):
            frame = self._frames.popleft()
            self._frame_octets -= len(frame)
            receiver.frame_received(frame)
        if was_full and self.other.writable and self.other._receiver is not None:
            self.other._receiver.link_writable()
        if self._lost_because is not None:
            self._tell_lost(self._lost_because)

    def _tell_lost(self, reason: str) -> None:
        receiver, self._receiver = self._receiver, None
        self._frames.clear()
        self._datagrams.clear()
        if receiver is not None:
            receiver.link_lost(reason)

    def watch(self, closely: bool) -> None:
        """Nothing is to be watched: what is sent arrives."""

    def close(self, reason: str) -> None:
        for end in (self, self.other):
            if end._lost_because is None:
                end._lost_because = reason
                end._deliver_soon()


def _check(data: bytes) -> None:
    if len(data) > LARGEST:
        raise LocalError(f"{len(data)} octets are too long for a link: the most is {LARGEST}")


@implementer(IBearer)
class LocalBearer:
    """Makes links between this node's own devices, also of one to itself; it has no locators, for nobody else can use them."""

    name = "local"
    encrypted = True
    several = True

    def __init__(self, reactor: IReactorTime, devices: Callable[[], Sequence[IDevice]]) -> None:
        """Make links between what ``devices`` returns."""
        self._reactor = reactor
        self._devices = devices
        self._link_made: Callable[[ILink], None] | None = None

    def locators(self) -> Sequence[Locator]:
        return ()

    def listen(
        self, link_made: Callable[[ILink], None], locators_changed: Callable[[], None]
    ) -> Deferred[None]:
        self._link_made = link_made
        return succeed(None)

    def dial(self, device_key: bytes, locators: Sequence[Locator], own: IDevice) -> Deferred[ILink]:
        if self._link_made is None:
            raise LocalError("there are local links only while the node listens")
        if not {own.key, device_key} <= {one.key for one in self._devices()}:
            return fail(
                NotReached("a local link is between this node's own devices, and one of the two is none")
            )
        dialled = LocalLink(self._reactor, own.key, device_key, dialled=True)
        accepted = LocalLink(self._reactor, device_key, own.key, dialled=False)
        dialled.other, accepted.other = accepted, dialled
        self._link_made(accepted)
        return succeed(dialled)

    def stop(self) -> Deferred[None]:
        self._link_made = None
        return succeed(None)
