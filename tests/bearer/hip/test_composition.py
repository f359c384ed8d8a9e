"""Tests of which parameters a packet has."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.composition import MOST_ECHOED, check
from p2pship.bearer.hip.numbers import NotifyType, PacketType, ParameterType
from p2pship.bearer.hip.packet import BadPacket, Builder, Packet, UnknownCritical, parse
from tests.bearer.hip.captures import ALL, control

P = ParameterType


def packet(type_: int, *types: int) -> Packet:
    """Return a packet with parameters that hold nothing."""
    builder = Builder(type_, bytes(16), bytes(16))
    for each in sorted(types):
        builder.add(each, b"")
    return parse(builder.octets())


def with_other(octets: bytes, left_out: int | None, added: int | None) -> Packet:
    """Return a packet with one parameter less, and one more."""
    before = parse(octets)
    listed = [(each.type, each.contents) for each in before.parameters if each.type != left_out]
    listed += [(added, b"")] if added else []
    builder = Builder(before.type, before.sender, before.receiver)
    for type_, contents in sorted(listed, key=lambda each: each[0]):
        builder.add(type_, contents)
    return parse(builder.octets())


class CompositionTests(TestCase):
    """RFC 7401 §5.3."""

    def recorded(self) -> list[bytes]:
        """Return one recorded packet of each type."""
        found = {parse(octets).type: octets for name in ALL for octets in control(name)}
        self.assertEqual(set(found), set(PacketType) - {PacketType.NOTIFY})
        return list(found.values())

    def test_captures(self) -> None:
        """What other programs send is taken."""
        for name in ALL:
            for octets in control(name):
                check(parse(octets))

    def test_missing(self) -> None:
        """Without any one of the parameters that a packet has to have, it is refused."""
        free = {P.R1_COUNTER, P.ENCRYPTED, P.HOST_ID, P.SEQ, P.ACK, P.LOCATOR_SET}
        for octets in self.recorded():
            for each in parse(octets).parameters:
                is_free = (
                    each.type in free
                    or each.type > P.HIP_SIGNATURE
                    or parse(octets).type == PacketType.UPDATE
                )
                if not is_free or (each.type == P.HOST_ID and parse(octets).type == PacketType.R1):
                    self.assertRaises(BadPacket, check, with_other(octets, each.type, None))

    def test_twice(self) -> None:
        """With one of them twice, it would not be clear which is meant: two PUZZLEs, two keys, two signatures."""
        for octets in self.recorded():
            for each in parse(octets).parameters:
                if each.type < P.HIP_SIGNATURE:
                    self.assertRaises(BadPacket, check, with_other(octets, None, each.type))

    def test_several(self) -> None:
        """Some may be there several times."""
        check(packet(PacketType.NOTIFY, P.NOTIFICATION, P.NOTIFICATION, P.HIP_SIGNATURE))
        check(packet(PacketType.I1, P.DH_GROUP_LIST, P.CERT, P.CERT, P.FROM, P.FROM))
        check(packet(PacketType.I1, P.DH_GROUP_LIST, *[P.ECHO_REQUEST_UNSIGNED] * 3))

    def test_update(self) -> None:
        """An UPDATE has SEQ or ACK or both, MAC and signature (§5.3.5)."""
        for either in ([P.SEQ], [P.ACK], [P.SEQ, P.ACK]):
            check(packet(PacketType.UPDATE, *either, P.HIP_MAC, P.HIP_SIGNATURE))
            self.assertRaises(BadPacket, check, packet(PacketType.UPDATE, *either, P.HIP_MAC))
            self.assertRaises(BadPacket, check, packet(PacketType.UPDATE, *either, P.HIP_SIGNATURE))
        self.assertRaises(BadPacket, check, packet(PacketType.UPDATE, P.HIP_MAC, P.HIP_SIGNATURE))

    def test_critical(self) -> None:
        """A critical parameter that is not known stops everything, another one nothing (§5.2.1)."""
        for octets in self.recorded():
            for type_ in (1, 131, 4097, 65535):
                error = self.assertRaises(UnknownCritical, check, with_other(octets, None, type_))
                self.assertEqual(
                    (error.type, error.notify), (type_, NotifyType.UNSUPPORTED_CRITICAL_PARAMETER_TYPE)
                )
            for type_ in (0, 132, 4096, 65534):
                check(with_other(octets, None, type_))

    def test_critical_first(self) -> None:
        """It is told of an unknown critical parameter also when others are missing: it may be of a later version."""
        self.assertRaises(UnknownCritical, check, packet(PacketType.R1, 99))

    def test_unknown_type(self) -> None:
        """A packet of a type that is not known is dropped (§5.1)."""
        for type_ in (0, 5, 15, 20, 127):
            self.assertRaises(BadPacket, check, packet(type_))

    def test_echoes(self) -> None:
        """Nobody has us echo more than there is room for."""
        builder = Builder(PacketType.I1, bytes(16), bytes(16)).add(P.DH_GROUP_LIST, b"\7")
        builder.add(P.ECHO_REQUEST_SIGNED, bytes(MOST_ECHOED // 2 - 4))
        builder.add(P.ECHO_REQUEST_UNSIGNED, bytes(MOST_ECHOED // 2 - 4))
        check(parse(builder.octets()))
        builder.add(P.ECHO_REQUEST_UNSIGNED, b"")
        self.assertRaises(BadPacket, check, parse(builder.octets()))
