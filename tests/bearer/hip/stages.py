"""Two hosts that are stopped in the middle of what they do, and a third party that has a word."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.authentication import add_mac, add_signature
from p2pship.bearer.hip.numbers import DHGroup, ParameterType
from p2pship.bearer.hip.packet import BadPacket, Builder, Packet, parse
from tests.bearer.hip.hosts import TwoHosts, host, identity
from tests.bearer.hip.mutations import Mutator, built
from tests.scale import SEED

P = ParameterType

GROUPS = (DHGroup.P256, DHGroup.P384)


def replaced(packet: Packet, **contents: bytes | None) -> list[tuple[int, bytes]]:
    """Return the parameters of a packet before its MAC, some replaced, added, or None for left out."""
    listed = {each.type: each.contents for each in packet.parameters if each.type < P.HIP_MAC}
    for name, value in contents.items():
        listed.pop(ParameterType[name], None)
        if value is not None:
            listed[ParameterType[name]] = value
    return sorted(listed.items())


class Stages(TestCase):
    """Two hosts, stopped where it is wanted."""

    def setUp(self) -> None:
        self.mutator = Mutator(SEED)

    def pair(self, one: str = "P-256", other: str = "P-256") -> TwoHosts:
        """Return two hosts, the first of which has sent its I1."""
        hosts = TwoHosts(
            host(identity(one, "one"), os.urandom, GROUPS), host(identity(other, "other"), os.urandom, GROUPS)
        )
        hosts.dial()
        return hosts

    def next(self, hosts: TwoHosts, number: int) -> bytes:
        """Return the only packet that a host sends now."""
        (octets,) = hosts.work(number)
        return octets

    def r1(self, *kinds: str) -> tuple[TwoHosts, bytes]:
        """Return hosts and an R1 that was not delivered."""
        hosts = self.pair(*kinds)
        hosts.deliver(1, self.next(hosts, 0))
        return hosts, self.next(hosts, 1)

    def i2(self, *kinds: str) -> tuple[TwoHosts, bytes]:
        hosts, octets = self.r1(*kinds)
        hosts.deliver(0, octets)
        return hosts, self.next(hosts, 0)

    def r2(self, *kinds: str) -> tuple[TwoHosts, bytes]:
        hosts, octets = self.i2(*kinds)
        hosts.deliver(1, octets)
        return hosts, self.next(hosts, 1)

    def established(self, *kinds: str) -> TwoHosts:
        hosts = self.pair(*kinds)
        hosts.talk()
        return hosts

    def agreement(self, hosts: TwoHosts) -> Any:
        """Return what the Initiator has agreed on with its I2."""
        return hosts.hosts[0]._exchanges.all[hosts.hosts[1].own.hit].initiator.agreement

    def tables(self, hosts: TwoHosts, number: int) -> dict[str, int]:
        """Return the sizes of everything that a host keeps of others."""
        host = hosts.hosts[number]
        kept = host, host._exchanges, host._reception._answers, host._reception._incarnations
        return {
            f"{type(thing).__name__}.{name}": len(each)
            for thing in kept
            for name, each in vars(thing).items()
            if isinstance(each, dict | list | set | deque) and name != "_out"
        }

    def give(self, hosts: TwoHosts, number: int, octets: bytes) -> bool:
        """Give a host a packet; returns whether it was not refused. Whatever else goes wrong is an error of the test."""
        try:
            hosts.deliver(number, octets)
        except BadPacket:
            return False
        finally:
            for pool in (each._reception._pool for each in hosts.hosts):
                for r1 in pool._answered.values():
                    r1.wrong.clear()  # otherwise only the first few with one #I would be looked at
            hosts.said.clear()
        return True

    def mac_and_signature(self, agreement: Any) -> tuple[Callable[[Builder], object], ...]:
        """Return what protects a packet of the host whose agreement it is."""
        mac = partial(add_mac, rhash=agreement.rhash, key=agreement.own_keys.mac)
        return mac, partial(add_signature, own=agreement.own)

    def signed_r1(self, packet: Packet, listed: list[tuple[int, bytes]]) -> bytes:
        """Return an R1 with these parameters, signed by the host whose HOST_ID the tests use."""
        blank = packet._replace(receiver=bytes(16))
        zeroed = [
            (type_, value[:2] + bytes(len(value) - 2) if type_ == P.PUZZLE and len(value) > 2 else value)
            for type_, value in listed
        ]
        signed = parse(built(blank, zeroed, partial(self.sign_2, own=identity("P-256", "other"))))
        signature = signed.need(P.HIP_SIGNATURE_2)
        return built(packet, [*listed, (P.HIP_SIGNATURE_2, signature)])

    def sign_2(self, builder: Builder, own: Any) -> None:
        builder.add(P.HIP_SIGNATURE_2, own.sign(builder.octets()))
