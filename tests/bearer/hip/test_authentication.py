"""Tests of MACs and signatures, with what other programs have sent."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.authentication import (
    add_mac,
    add_mac_2,
    check_mac,
    check_mac_2,
    check_signature,
    check_signature_2,
)
from p2pship.bearer.hip.numbers import NotifyType, PacketType, ParameterType
from p2pship.bearer.hip.packet import LARGEST, BadPacket, Builder, Packet, parse
from tests.bearer.hip.captures import control
from tests.bearer.hip.recorded import Recorded, all_recorded

PROTECTED = (PacketType.I2, PacketType.UPDATE, PacketType.CLOSE, PacketType.CLOSE_ACK)


class AuthenticationTests(TestCase):
    """What a MAC and a signature cover."""

    def host_id(self, recorded: Recorded) -> bytes:
        """Return the Responder's HOST_ID with type and padding."""
        found = recorded.r1.parameter(ParameterType.HOST_ID)
        assert found is not None
        return recorded.r1.raw[found.start : found.end]

    def test_macs(self) -> None:
        """Every MAC that was recorded is right, and we would have made the same."""
        for recorded in all_recorded():
            for packet in recorded.packets:
                if packet.type not in PROTECTED:
                    continue
                key = recorded.keys(packet.sender).mac
                check_mac(packet, recorded.rhash, key)
                builder = self.beginning(packet, ParameterType.HIP_MAC)
                add_mac(builder, recorded.rhash, key)
                self.assertEqual(
                    parse(builder.octets()).find(ParameterType.HIP_MAC), packet.find(ParameterType.HIP_MAC)
                )

    def test_macs_2(self) -> None:
        """So is the MAC of every R2, which covers the HOST_ID of the R1 as well."""
        for recorded in all_recorded():
            packet, key = recorded.r2, recorded.keys(recorded.r2.sender).mac
            check_mac_2(packet, recorded.rhash, key, self.host_id(recorded))
            builder = self.beginning(packet, ParameterType.HIP_MAC_2)
            add_mac_2(builder, recorded.rhash, key, self.host_id(recorded))
            mac = parse(builder.octets()).find(ParameterType.HIP_MAC_2)
            self.assertEqual(mac, packet.find(ParameterType.HIP_MAC_2))

    def beginning(self, packet: Packet, end: int) -> Builder:
        """Return a packet up to a parameter."""
        builder = Builder(packet.type, packet.sender, packet.receiver, packet.controls)
        for parameter in packet.parameters:
            if parameter.type < end:
                builder.add(parameter.type, parameter.contents)
        return builder

    def test_signatures(self) -> None:
        """Every signature that was recorded is right."""
        for recorded in all_recorded():
            check_signature_2(recorded.r1, recorded.identity(recorded.r1.sender))
            for packet in recorded.packets:
                if packet.type in (*PROTECTED, PacketType.R2):
                    check_signature(packet, recorded.identity(packet.sender))

    def test_r1_without_secret(self) -> None:
        """The R1 of an exchange whose secret is not known proves itself."""
        packet = parse(control("udp-mobility")[1])
        recorded = Recorded("", control("udp-mobility"), b"")
        check_signature_2(packet, recorded.identity(packet.sender))

    def test_altered(self) -> None:
        """An octet that is another one is noticed, wherever it is in what is covered; what is left out may be any."""
        recorded = all_recorded()[0]
        identity = recorded.identity(recorded.r1.sender)
        puzzle = recorded.r1.parameter(ParameterType.PUZZLE)
        signature = recorded.r1.parameter(ParameterType.HIP_SIGNATURE_2)
        assert puzzle is not None and signature is not None
        free = {4, 5, *range(24, 40), *range(puzzle.start + 6, puzzle.end)}
        for at in range(signature.start):
            octets = bytearray(recorded.r1.raw)
            octets[at] ^= 0x10
            altered = recorded.r1._replace(raw=bytes(octets))
            if at in free or at == 1:  # the length is the one up to the signature
                check_signature_2(altered, identity)
            else:
                self.assertRaises(BadPacket, check_signature_2, altered, identity)

    def test_another_key(self) -> None:
        """A MAC by the other side's key is none: nobody's packets come back to them as their peer's."""
        recorded = all_recorded()[0]
        packet = recorded.i2
        error = self.assertRaises(
            BadPacket, check_mac, packet, recorded.rhash, recorded.keys(packet.receiver).mac
        )
        self.assertEqual(error.notify, NotifyType.HIP_MAC_FAILED)

    def test_missing(self) -> None:
        """A packet without MAC or signature is not believed, and neither is a MAC that is cut off."""
        recorded = all_recorded()[0]
        key, identity = recorded.keys(recorded.i2.sender).mac, recorded.identity(recorded.i2.sender)
        self.assertRaises(BadPacket, check_mac, recorded.i1, recorded.rhash, key)
        self.assertRaises(BadPacket, check_mac_2, recorded.i1, recorded.rhash, key, b"")
        self.assertRaises(BadPacket, check_signature, recorded.i1, identity)
        self.assertRaises(BadPacket, check_signature_2, recorded.i1, identity)
        for size in (0, 1, recorded.rhash.size - 1):
            builder = self.beginning(recorded.i2, ParameterType.HIP_MAC)
            mac = recorded.i2.need(ParameterType.HIP_MAC)[:size]
            short = parse(builder.add(ParameterType.HIP_MAC, mac).octets())
            self.assertRaises(BadPacket, check_mac, short, recorded.rhash, key)

    def test_short_puzzle(self) -> None:
        """An R1 whose PUZZLE has no place for what the signature leaves out is refused."""
        recorded = all_recorded()[0]
        for size in range(5):
            builder = Builder(PacketType.R1, recorded.r1.sender, recorded.r1.receiver)
            builder.add(ParameterType.PUZZLE, bytes(size))
            builder.add(ParameterType.HIP_SIGNATURE_2, recorded.r1.need(ParameterType.HIP_SIGNATURE_2))
            identity = recorded.identity(recorded.r1.sender)
            self.assertRaises(BadPacket, check_signature_2, parse(builder.octets()), identity)

    def test_too_long(self) -> None:
        """An R2 that is longer than any packet together with the HOST_ID of the R1 is refused, not choked on."""
        recorded = all_recorded()[0]
        sender, receiver = recorded.r2.sender, recorded.r2.receiver
        builder = Builder(PacketType.R2, sender, receiver).add(ParameterType.CERT, bytes(LARGEST - 160))
        packet = parse(builder.add(ParameterType.HIP_MAC_2, bytes(48)).octets())
        self.assertRaises(BadPacket, check_mac_2, packet, recorded.rhash, b"key", self.host_id(recorded))
