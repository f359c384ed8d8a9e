"""One end of a link over HIP between two machines: it sends a packet every 20 ms, and looks when the other's come."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from twisted.internet.task import LoopingCall, deferLater

from p2pship.address import Locator
from p2pship.bearer.hip.bearer import HIPBearer, make
from p2pship.bearer.hip.link import HIPLink
from p2pship.bearer.hip.settings import HIPSettings
from p2pship.interfaces import ILink, Seek
from p2pship.journal import Journal
from p2pship.network import NetworkWatcher
from p2pship.storage.database import Database
from p2pship.storage.ports import SCHEMA, Ports
from tests.bearer.fakes import FakeDevice, FakeKeyring, Recorder

FRAME_TIME = 0.02
"Seconds between two packets, as a telephone sends them."

STEP = 0.01
"Seconds between looks."

_NUMBER = struct.Struct(">I160x")


def bearer(reactor: Any, **settings: Any) -> tuple[HIPBearer, FakeDevice]:
    """Make a bearer on a machine of its own, and return its device too."""
    device = FakeDevice()
    node = SimpleNamespace(
        keyring=FakeKeyring(device),
        network=NetworkWatcher(reactor),
        journal=Journal(),
        random=os.urandom,
        ports=Ports(Database(":memory:", [SCHEMA])),
    )
    chosen = HIPSettings(**{"listen": ("0.0.0.0", "::"), **settings})
    made = make(reactor, chosen, node)  # type: ignore[arg-type]
    assert isinstance(made, HIPBearer)
    return made, device


class Ear(Recorder):
    """Hears what comes over a link, and when."""

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self._reactor = reactor
        self.heard: list[tuple[float, int]] = []
        "when each packet came (Unix time), and its number"
        self.places: Sequence[Locator] = ()
        "where the other side is found when it is looked for"
        self.found_after = 0.1
        "seconds that looking takes"

    def datagram_received(self, datagram: bytes) -> None:
        self.heard.append((self._reactor.seconds(), _NUMBER.unpack(datagram)[0]))

    def link_astray(self, seek: Seek) -> None:
        super().link_astray(seek)
        self._reactor.callLater(self.found_after, lambda: seek(self.places))

    def gap(self, since: float) -> float:
        """Return the longest time without a packet since a moment, up to now."""
        times: list[float] = [
            since,
            *(time for time, _ in self.heard if time > since),
            self._reactor.seconds(),
        ]
        return max(late - early for early, late in pairwise(times))

    @property
    def missing(self) -> int:
        """How many of the packets between the first and the last did not come."""
        numbers = {number for _, number in self.heard} or {0}
        return max(numbers) - min(numbers) + 1 - len(numbers)

    @property
    def twice(self) -> int:
        """How many came more than once."""
        return len(self.heard) - len({number for _, number in self.heard})


class Talk:
    """One end of a link with a call up."""

    def __init__(self, reactor: Any, link: ILink) -> None:
        self.link = link
        self.ear = Ear(reactor)
        self._reactor = reactor
        self._number = 0
        self._mouth = LoopingCall(self._speak)
        self._mouth.clock = reactor
        link.limit = 65_536
        link.start(self.ear)
        link.watch(True)

    def speak(self) -> None:
        """Begin to send a packet every 20 ms; harmless when that has begun."""
        if not self._mouth.running:
            self._mouth.start(FRAME_TIME)

    def _speak(self) -> None:
        self._number += 1
        self.link.cast(_NUMBER.pack(self._number))

    def rekey(self) -> None:
        """Have the keys changed, as when they are worn out."""
        assert isinstance(self.link, HIPLink)
        self.link._house.tired(self.link.association)

    async def wait(self, seconds: float) -> None:
        """Let them talk."""
        await deferLater(self._reactor, seconds)
