"""A base exchange in a time of its own."""

from __future__ import annotations

import os

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.dialling import Failed
from p2pship.bearer.hip.numbers import PacketType
from p2pship.bearer.hip.packet import parse
from p2pship.bearer.hip.path import Path, Send
from tests.bearer.hip.hosts import BEGIN, TwoHosts, host, identity, path


class DiallingCase(TestCase):
    """One base exchange, of which as much arrives as the test wants."""

    def setUp(self) -> None:
        both = sorted((identity("P-256", name) for name in ("one", "other")), key=lambda each: each.hit)
        self.two = TwoHosts(host(both[0], os.urandom), host(both[1], os.urandom))
        self.one, self.other = self.two.hosts
        self.sent: list[tuple[float, PacketType, Path]] = []
        self.failed: list[Failed] = []

    def pass_time(self, seconds: float) -> None:
        """Let time pass for the first one, and note what it sends when."""
        until = self.two.now + seconds
        while True:
            self.note()
            due = self.one.due()
            if due is None or due > until:
                break
            self.two.now = max(self.two.now, due)
            self.one.timer_fired(self.two.now)
        self.two.now = until

    def note(self) -> None:
        for thing in self.one.take():
            if isinstance(thing, Send):
                sent = PacketType(parse(thing.octets).type)
                self.sent.append((round(self.two.now - BEGIN, 3), sent, thing.path))
            elif isinstance(thing, Failed):
                self.failed.append(thing)

    def times(self, type_: PacketType) -> list[float]:
        return [time for time, sent, _ in self.sent if sent == type_]

    def dial(self, *paths: Path) -> None:
        self.one.dial(self.other.own.hit, paths or [path(1)], self.two.now)

    def begin(self) -> bytes:
        """Get as far as the I2, and return the R1."""
        self.dial()
        self.two.deliver(1, self.two.work(0)[0])
        (r1,) = self.two.work(1)
        self.two.deliver(0, r1)
        self.two.work(0)
        return r1
