"""The two phones of the demo: a pair of baresip, or a pair of the test phones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater

from p2pship.address import HostPort
from p2pship.testing.audio import Comparison, Sound, compare, speech
from p2pship.testing.baresip import Baresip
from p2pship.testing.incomingcall import IncomingCall
from p2pship.testing.phone import Phone
from p2pship.testing.phonecall import Call

Account = tuple[str, HostPort]
"An AOR, and where its phone registers."

RING_TIME = 0.3
"Seconds for which the second phone rings: long enough to hear ringback, short enough to watch."


class Pair(ABC):
    """Two phones, of which the first calls the second."""

    description: ClassVar[str]

    @abstractmethod
    def __init__(self, reactor: Any, folder: Path, first: Account, second: Account) -> None:
        """Describe both; what they write goes below ``folder``."""

    @abstractmethod
    async def start(self) -> None:
        """Start and register both."""

    @abstractmethod
    async def call(self, aor: str) -> None:
        """Let the first call the second, which rings and answers; returns when both talk."""

    @abstractmethod
    async def hang_up(self) -> None:
        """Let the first hang up; returns when the second knows."""

    @abstractmethod
    async def heard(self) -> list[tuple[str, Comparison]]:
        """Say how well each heard the other in the last call, by name."""

    @abstractmethod
    async def stop(self) -> None:
        """End both."""


class BaresipPair(Pair):
    """Two baresip processes, which speak a file and record what they hear."""

    description = "two baresip"

    def __init__(self, reactor: Any, folder: Path, first: Account, second: Account) -> None:
        self._reactor = reactor
        self._first = Baresip(reactor, folder / "phone-1", *first)
        self._second = Baresip(reactor, folder / "phone-2", *second)

    async def start(self) -> None:
        await gatherResults([self._first.start(), self._second.start()])

    async def call(self, aor: str) -> None:
        await self._first.dial(f"sip:{aor}")
        await self._first.when("CALL_RINGING")
        await deferLater(self._reactor, RING_TIME)
        await self._second.accept()
        await gatherResults([phone.when("CALL_ESTABLISHED") for phone in (self._first, self._second)])

    async def hang_up(self) -> None:
        await self._first.hangup()
        await gatherResults([phone.when("CALL_CLOSED") for phone in (self._first, self._second)])

    async def heard(self) -> list[tuple[str, Comparison]]:
        return [
            ("Alice", compare(self._second.voice, await self._first.heard())),
            ("Bob", compare(self._first.voice, await self._second.heard())),
        ]

    async def stop(self) -> None:
        await gatherResults([self._first.stop(), self._second.stop()])


class PhonePair(Pair):
    """Two test phones within this process: real SIP and RTP over sockets."""

    description = "two test phones of p2pship"

    def __init__(self, reactor: Any, folder: Path, first: Account, second: Account) -> None:
        self._reactor = reactor
        self._phones = [Phone(reactor, aor, proxy=proxy) for aor, proxy in (first, second)]
        self._voices: list[Sound] = [speech(60, seed) for seed in (1, 2)]
        self._calls: list[Call] = []
        self._ringing: list[IncomingCall] = []
        self._phones[1].on_call = self._ringing.append

    async def start(self) -> None:
        for phone in self._phones:
            phone.start()
        await gatherResults([phone.register() for phone in self._phones])

    async def call(self, aor: str) -> None:
        call = self._phones[0].call(f"sip:{aor}")
        await call.ringing
        await deferLater(self._reactor, RING_TIME)
        incoming = self._ringing.pop()
        await incoming.answer()
        await call.answered
        self._calls = [call, incoming]
        for side, voice in zip(self._calls, self._voices, strict=True):
            side.media.play(voice.samples)

    async def hang_up(self) -> None:
        await self._calls[0].hang_up()
        await self._calls[1].ended

    async def heard(self) -> list[tuple[str, Comparison]]:
        first, second = (call.media.sound() for call in self._calls)
        return [
            ("Alice", compare(self._voices[1], first)),
            ("Bob", compare(self._voices[0], second)),
        ]

    async def stop(self) -> None:
        await gatherResults([phone.stop() for phone in self._phones])
