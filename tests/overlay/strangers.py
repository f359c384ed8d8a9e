"""Somebody who dials a node by hand and says what a test likes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from p2pship.interfaces import IDevice, ILink, ILinkReceiver
from p2pship.overlay.hello import HelloBody
from p2pship.overlay.wire import Frame, Hello, Parcel, encode, parse
from tests.overlay.nodes import DeafReceiver, Node, OverlayCase


@implementer(ILinkReceiver)
class Stranger:
    """One end of a link to a node, in the hands of a test."""

    def __init__(self, case: OverlayCase, node: Node, home: Node, device: IDevice | None = None) -> None:
        """Dial ``node``, or a device of it, from the device of ``home``, whose own overlay knows nothing of it."""
        self.clock = case.clock
        self.node = node
        self.home = home
        self.parcels: list[Parcel] = []
        self.raw: list[bytes] = []
        self.times: list[float] = []
        self.datagrams: list[bytes] = []
        self.lost: list[str] = []
        links: list[ILink] = []
        dialled = device or node.keyring.device
        dial = home.bearer.dial(dialled.key, node.locators(), home.keyring.device)
        dial.addCallback(links.append)
        case.clock.pass_time(0.01)
        self.link = links[0]
        self.link.start(self)
        case.clock.settle()

    def body(self, called: str, **changes: Any) -> HelloBody:
        """Return an honest hello, but for the changes."""
        identity = self.home.own
        values: dict[str, Any] = {
            "called": called,
            "statement": identity.statement,
            "record": self.home.keyring.record_for(identity, self.home.locators(), self.clock.seconds()),
            "session": 7,
            "known": 0,
            "received": 0,
            "subprotocols": ("sip", "test"),
        }
        return HelloBody(**(values | changes))

    def greet(self, called: str, number: int = 1, **changes: Any) -> None:
        """Send a hello."""
        self.send(Hello(self.body(called, **changes).encode()), number)

    def send(self, frame: Frame, peer: int = 1, number: int = 0) -> None:
        """Send a frame."""
        self.link.send(encode(frame, peer, number))

    @property
    def frames(self) -> list[Frame]:
        """The frames that came."""
        return [parcel.frame for parcel in self.parcels]

    def frame_received(self, frame: bytes) -> None:
        """Keep it."""
        self.raw.append(frame)
        self.parcels.append(parse(frame))
        self.times.append(self.clock.seconds())

    def datagram_received(self, datagram: bytes) -> None:
        """Keep it."""
        self.datagrams.append(datagram)

    def link_writable(self) -> None:
        """Do nothing."""

    def path_changed(self, path: str) -> None:
        """Do nothing."""

    def link_stalled(self) -> None:
        """Do nothing."""

    def link_astray(self, seek: Any) -> None:
        """Take no notice."""

    def link_lost(self, reason: str) -> None:
        """Keep why."""
        self.lost.append(reason)


class Answerer(DeafReceiver):
    """Answers every hello that comes to a node's bearer in the node's place."""

    def __init__(self, node: Node, answer: Callable[[int], bytes]) -> None:
        """Answer a hello that opened a peer number with this frame."""
        self.got: list[Frame] = []
        self._answer = answer
        node.bearer.listen(self._take, lambda: None)

    def _take(self, link: ILink) -> None:
        self._link = link
        link.start(self)

    def frame_received(self, frame: bytes) -> None:
        """Keep it; answer a hello."""
        parcel = parse(frame)
        self.got.append(parcel.frame)
        if isinstance(parcel.frame, Hello):
            self._link.send(self._answer(parcel.peer))
