"""What the bearers' tests share: devices, a network that says what it is told, and a reactor whose time is ours."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.task import Clock, deferLater
from zope.interface import implementer

from p2pship.address import Locator
from p2pship.identity.hit import hit_of
from p2pship.identity.hostkeys import HostKey
from p2pship.identity.keys import sign
from p2pship.interfaces import IDevice, IHostKeys, ILinkReceiver, INetwork, INode
from p2pship.journal import Journal
from p2pship.lookup.clockdoubt import ClockDoubt
from p2pship.network import Interface
from p2pship.storage.database import Database
from p2pship.storage.ports import SCHEMA, Ports

MOST_WAITING = 60.0
"Real seconds after which nothing is waited for any more: trial's own timeout of 120 s does not reach what is cleaned up."


@implementer(IDevice)
class FakeDevice:
    """A device that has nothing but a key."""

    publication_key = b""
    publication_private_key: Any = None
    sealing_key = b""

    def __init__(self) -> None:
        self.private_key = ec.generate_private_key(ec.SECP256R1())
        self.key = self.private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.hit = hit_of(self.key)

    def sign(self, data: bytes) -> bytes:
        return sign(self.private_key, data)


@cache
def device(name: str) -> FakeDevice:
    """Return the device of this name, the same each time."""
    return FakeDevice()


@implementer(INetwork)
class FakeNetwork:
    """The interfaces that it is given."""

    def __init__(self, *hosts: str) -> None:
        self.watchers: list[Callable[[], None]] = []
        self._hosts = hosts

    def interfaces(self) -> Sequence[Interface]:
        return [
            Interface("net0", 2, tuple((host, 24) for host in self._hosts), loopback=False, multicast=True)
        ]

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        self.watchers.append(changed)
        return lambda: self.watchers.remove(changed)

    def become(self, *hosts: str) -> None:
        """Change the addresses, and tell."""
        self._hosts = hosts
        for changed in tuple(self.watchers):
            changed()


@implementer(IHostKeys)
class FakeHostKeys:
    """Those that it is given."""

    def __init__(self, *keys: HostKey) -> None:
        self.keys = list(keys)
        self.watchers: list[Callable[[], None]] = []

    def all(self) -> Sequence[HostKey]:
        return tuple(self.keys)

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        self.watchers.append(changed)
        return lambda: self.watchers.remove(changed)

    def become(self, *keys: HostKey) -> None:
        """Have others, and tell."""
        self.keys = list(keys)
        for changed in tuple(self.watchers):
            changed()


class FakeKeyring:
    """What a bearer asks of a keyring: the node's own device, others, and further Host Identities."""

    def __init__(self, own: FakeDevice, *separate: FakeDevice) -> None:
        self.device = own
        self.separate = list(separate)
        self.host_keys = FakeHostKeys()
        self.watchers: list[Callable[[str], None]] = []

    def devices(self) -> Sequence[FakeDevice]:
        return (self.device, *self.separate)

    def watch(self, changed: Callable[[str], None]) -> Callable[[], None]:
        self.watchers.append(changed)
        return lambda: self.watchers.remove(changed)

    def become(self, *separate: FakeDevice) -> None:
        """Have other separate devices, and tell."""
        self.separate = list(separate)
        for changed in tuple(self.watchers):
            changed("somebody@example.com")


@implementer(INode)
class FakeNode:
    """What a bearer asks of a node."""

    def __init__(self, journal: Journal) -> None:
        self.keyring = FakeKeyring(device("alice"))
        self.network = FakeNetwork("127.0.0.1")
        self.clock_doubt = ClockDoubt()
        self.ports = Ports(Database(":memory:", [SCHEMA]))
        self.journal = journal
        self.random = os.urandom
        self.state = Path()


class ClockedReactor(Clock):
    """Real sockets, but time passes only when the test says so."""

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    async def until(self, condition: Callable[[], object], step: float) -> None:
        """Let the sockets work until the condition holds; so many seconds pass at each turn in which it does not."""
        began, last = self.seconds(), time.monotonic() + MOST_WAITING
        while not condition():
            if time.monotonic() > last:
                passed = self.seconds() - began
                raise AssertionError(
                    f"waited in vain for {MOST_WAITING} s, in which {passed:.0f} s of the test's time passed"
                )
            self.advance(step)
            await deferLater(self._reactor, 0, lambda: None)


@implementer(ILinkReceiver)
class Recorder:
    """Writes down what a link tells."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.frames: list[bytes] = []
        self.datagrams: list[bytes] = []
        self.losses: list[str] = []
        self.writable = 0
        self.stalls = 0
        self.paths: list[str] = []
        self.seeks: list[Callable[[Sequence[Locator]], None]] = []

    def frame_received(self, frame: bytes) -> None:
        self.events.append("frame")
        self.frames.append(frame)

    def datagram_received(self, datagram: bytes) -> None:
        self.events.append("datagram")
        self.datagrams.append(datagram)

    def link_writable(self) -> None:
        self.writable += 1

    def path_changed(self, path: str) -> None:
        self.paths.append(path)

    def link_stalled(self) -> None:
        self.stalls += 1

    def link_astray(self, seek: Callable[[Sequence[Locator]], None]) -> None:
        self.seeks.append(seek)

    def link_lost(self, reason: str) -> None:
        self.losses.append(reason)


def has_ipv6() -> bool:
    """Tell whether this machine has an IPv6 loopback address."""
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True
