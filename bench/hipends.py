"""Two bearers in one process, without a reactor: a benchmark reads their sockets, and lets time pass, as it likes."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from twisted.internet.task import Clock

from p2pship.bearer.hip.bearer import HIPBearer
from p2pship.bearer.hip.hostidentity import OwnHostIdentity
from p2pship.bearer.hip.settings import HIPSettings
from p2pship.bearer.udp import UDPBearer, UDPSettings
from p2pship.identity.keys import sign
from p2pship.journal import Journal
from p2pship.storage.database import Database
from p2pship.storage.ports import SCHEMA, Ports
from p2pship.testing.network import StaticNetwork, loopback

HOST = "127.0.0.1"

TURNS = 100_000
"Looks at the sockets until something that does not happen counts as broken."

CLOSED = 30.0
"Seconds in which a link that was closed is forgotten, with all its timers."

_PORTS = Ports(Database(":memory:", [SCHEMA]))


class Sockets(Clock):
    """What a bearer takes for its reactor: keeps what is to be read, and time that passes when it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        """Keep a socket."""
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        """Forget a socket."""
        self.readers.remove(reader)


class Device:
    """A device that has nothing but a key pair."""

    publication_key = sealing_key = b""

    def __init__(self, private_key: ec.EllipticCurvePrivateKey | RSAPrivateKey) -> None:
        identity = OwnHostIdentity(private_key)
        self.private_key: Any = private_key
        self.key, self.hit = identity.key, identity.hit

    def sign(self, data: bytes) -> bytes:
        """Sign with the key."""
        return sign(self.private_key, data)


class Keyring:
    """A keyring that has one device."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.host_keys = self

    def devices(self) -> tuple[Device, ...]:
        """Return the device."""
        return (self.device,)

    def all(self) -> tuple[()]:
        """Return the further Host Identities: there are none."""
        return ()

    def watch(self, _changed: Callable[..., None]) -> Callable[[], None]:
        """Nothing changes."""
        return lambda: None


class Receiver:
    """Counts what a link brings."""

    def __init__(self) -> None:
        self.frames = self.datagrams = 0

    def frame_received(self, _frame: bytes) -> None:
        """Count a frame."""
        self.frames += 1

    def datagram_received(self, _datagram: bytes) -> None:
        """Count a datagram."""
        self.datagrams += 1

    def hear(self, *_: object) -> None:
        """Take anything else that a link tells."""

    link_writable = link_stalled = link_astray = path_changed = link_lost = hear


class End:
    """One bearer."""

    def __init__(self, device: Device, kind: str = "hip") -> None:
        """Make a bearer, ``hip`` or ``udp``."""
        self.sockets = Sockets()
        self.device = device
        self.links: list[Any] = []
        self.cpu = 0.0
        "seconds of processor time that it has taken"
        made: Callable[..., Any] = HIPBearer if kind == "hip" else UDPBearer
        settings: Any = (HIPSettings if kind == "hip" else UDPSettings)(listen=(HOST,), port=0)
        whose = Keyring(device) if kind == "hip" else device
        network = StaticNetwork(loopback())
        self.bearer = made(self.sockets, settings, whose, network, _PORTS, Journal(), os.urandom)

    def listen(self) -> None:
        """Accept links from now on."""
        self.bearer.listen(self.links.append, lambda: None)

    def dial(self, other: End) -> None:
        """Have a link made, which will be in :attr:`links`."""
        began = time.process_time()
        self.bearer.dial(other.device.key, other.bearer.locators(), self.device).addCallback(
            self.links.append
        )
        self.cpu += time.process_time() - began

    def turn(self, seconds: float = 0.0) -> None:
        """Take what has come, and let so much time pass."""
        began = time.process_time()
        for reader in tuple(self.sockets.readers):
            reader.doRead()
        self.sockets.advance(seconds)
        self.cpu += time.process_time() - began

    def close(self) -> None:
        """Close the sockets, without a word to anybody."""
        for reader in tuple(self.sockets.readers):
            reader.close()


def until(condition: Callable[[], Any], *ends: End, seconds: float = 0.0) -> None:
    """Serve the ends until a condition holds."""
    for _ in range(TURNS):
        if condition():
            return
        for end in ends:
            end.turn(seconds)
    raise SystemExit("a link over loopback was not made")


@dataclass(frozen=True)
class Exchange:
    """One base exchange."""

    wall: float
    "seconds from the dialling until both ends have their link"
    dialler_cpu: float
    listener_cpu: float


def exchange(near: End, far: End) -> Exchange:
    """Make a link, measured, and close it again."""
    gc.collect()
    near.cpu = far.cpu = 0.0
    began = time.perf_counter()
    near.dial(far)
    until(lambda: near.links and far.links, far, near)
    measured = Exchange(time.perf_counter() - began, near.cpu, far.cpu)
    near.links.pop().close("measured")
    far.links.pop()
    for _ in range(int(CLOSED)):
        far.turn(1.0)
        near.turn(1.0)
    return measured


def talking(kind: str) -> tuple[End, End, Any, Receiver]:
    """Return two ends with a link, the dialler's side of it, and who counts what it brings to the other."""
    near, far = (End(Device(ec.generate_private_key(ec.SECP256R1())), kind) for _ in range(2))
    far.listen()
    near.dial(far)
    until(lambda: near.links and far.links, far, near)
    counts = Receiver()
    for end, receiver in ((near, Receiver()), (far, counts)):
        end.links[0].start(receiver)
    near.links[0].send(b"hello")
    until(lambda: counts.frames, near, far, seconds=0.001)
    return near, far, near.links[0], counts
