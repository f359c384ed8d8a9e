"""A Responder with a host that dials it, for tests."""

from __future__ import annotations

import os

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.association import State
from p2pship.bearer.hip.numbers import PacketType, ParameterType
from p2pship.bearer.hip.packet import Builder, parse
from p2pship.bearer.hip.path import Path
from tests.bearer.hip.hosts import BEGIN, TwoHosts, host, identity, path


def away(number: int) -> Path:
    """Return a path to somewhere else."""
    address = f"198.51.{number >> 8 & 255}.{number & 255}"
    return Path("socket", (address, 10500), "192.0.2.1", address, 10500)


class ResponderCase(TestCase):
    """One that answers, and another one that dials it as often as it likes."""

    def setUp(self) -> None:
        self.responder = host(identity("P-256", "other"), os.urandom)
        self.now = BEGIN
        self.asked: dict[TwoHosts, bytes] = {}

    def i1(self, groups: bytes = bytes((7, 8)), sender: bytes = b"") -> bytes:
        sender = sender or bytes.fromhex("20010022") + os.urandom(12)
        builder = Builder(PacketType.I1, sender, self.responder.own.hit)
        return builder.add(ParameterType.DH_GROUP_LIST, groups).octets()

    def answer(self, octets: bytes, by: Path | None = None) -> list[bytes]:
        """Give the Responder a packet, and return what it sends."""
        self.responder.received(parse(octets), by or path(0), self.now)
        return [thing.octets for thing in self.responder.take() if hasattr(thing, "octets")]

    def initiator(self, name: str = "one") -> TwoHosts:
        """Return one that has sent its I1, and the Responder."""
        two = TwoHosts(host(identity("P-256", name), os.urandom), self.responder, self.now)
        two.dial()
        (self.asked[two],) = two.work(0)
        return two

    def i2(self, two: TwoHosts) -> bytes:
        """Have it get an R1, and return its I2."""
        two.deliver(1, self.asked[two])
        two.deliver(0, two.work(1)[0])
        (octets,) = two.work(0)
        return octets

    def state(self, two: TwoHosts) -> State:
        return self.responder.state(two.hosts[0].own.hit)
