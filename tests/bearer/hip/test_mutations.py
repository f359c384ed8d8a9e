"""Thousands of packets that are not quite as they should be, against both roles: of anybody, and of a peer that has all keys."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from p2pship.bearer.hip.association import State
from p2pship.bearer.hip.authentication import add_mac_2, add_signature
from p2pship.bearer.hip.contest import Contest
from p2pship.bearer.hip.numbers import PacketType, ParameterType
from p2pship.bearer.hip.packet import BadPacket, Builder, Packet, parse
from p2pship.bearer.hip.parameters import DiffieHellman, ESPInfo
from tests.bearer.hip.hosts import TwoHosts
from tests.bearer.hip.mutations import appended, built
from tests.bearer.hip.stages import Stages
from tests.scale import scaled

P = ParameterType

EACH = scaled(1_000, 100_000)
"Packets of each kind, of which there are eleven."

LATER = (PacketType.UPDATE, PacketType.NOTIFY, PacketType.CLOSE, PacketType.CLOSE_ACK)


def core(octets: bytes) -> bytes:
    """Return what is protected in a packet: all up to the end of its signature, but checksum and padding."""
    packet = parse(octets)
    for each in packet.parameters:
        if each.type in (P.HIP_SIGNATURE, P.HIP_SIGNATURE_2):
            return packet.before(each) + each.contents
    return octets


class AnybodyTests(Stages):
    """Packets of people who have no keys: recorded on the way, and changed."""

    def assert_ignored(self, make: Callable[[], tuple[TwoHosts, bytes]], number: int) -> None:
        """Assert that a host takes no packet that differs from the one that it waits for, keeps nothing of any, and takes that one."""
        hosts, octets = make()
        before, state = self.tables(hosts, number), hosts.hosts[number].state(hosts.hosts[1 - number].own.hit)
        for _ in range(EACH):
            changed = self.mutator.raw(octets)
            if self.is_same(changed, octets):
                continue
            self.give(hosts, number, changed)
            self.assertEqual(self.tables(hosts, number), before, changed.hex())
        self.assertIs(hosts.hosts[number].state(hosts.hosts[1 - number].own.hit), state)
        hosts.hosts[number].take()
        hosts.now += 2  # another second: I1s are counted
        hosts.deliver(number, octets)
        hosts.talk()
        self.assertTrue(all(each.stands for each in hosts.associations()))

    def is_same(self, one: bytes, other: bytes) -> bool:
        """Tell whether two packets differ in nothing that is protected."""
        try:
            return core(one) == core(other)
        except BadPacket:
            return False

    def test_i1(self) -> None:
        """I1s leave nothing behind."""

        def i1() -> tuple[TwoHosts, bytes]:
            hosts = self.pair()
            return hosts, self.next(hosts, 0)

        self.assert_ignored(i1, 1)

    def test_i2(self) -> None:
        """Neither do I2s, of any kind of identity."""
        for kinds in (("P-256", "P-256"), ("RSA-2048", "P-384")):
            self.assert_ignored(partial(self.i2, *kinds), 1)

    def test_r2(self) -> None:
        """No R2 is taken but the Responder's."""
        self.assert_ignored(self.r2, 0)

    def test_r1(self) -> None:
        """No R1 is taken but the Responder's: its signature covers all but what differs between two of its R1s."""
        hosts, octets = self.r1()
        dialling = hosts.hosts[0]._exchanges.all[hosts.hosts[1].own.hit]
        for _ in range(EACH):
            dialling.initiator.contest = Contest(0.0)
            changed = self.mutator.raw(octets)
            if self.give(hosts, 0, changed) and dialling.solver is not None:
                self.assert_same_r1(changed, octets)
                hosts, octets = self.r1()
                dialling = hosts.hosts[0]._exchanges.all[hosts.hosts[1].own.hit]
        hosts.deliver(0, octets)
        hosts.talk()
        self.assertTrue(all(each.stands for each in hosts.associations()))

    def assert_same_r1(self, one: bytes, other: bytes) -> None:
        """Assert that two R1s differ in nothing but #I and the opaque octets."""
        found = []
        for packet in (parse(one), parse(other)):
            puzzle = packet.parameter(P.PUZZLE)
            assert puzzle is not None
            covered = bytearray(core(packet.raw))
            covered[puzzle.start + 6 : puzzle.end] = bytes(puzzle.end - puzzle.start - 6)
            found.append(bytes(covered))
        self.assertEqual(*found)

    def test_later(self) -> None:
        """An association that stands is not moved by UPDATE, CLOSE, CLOSE_ACK or NOTIFY of others."""
        hosts = self.established()
        own, peer = hosts.associations()
        protect = self.mac_and_signature(own.agreement)
        sent = [
            built(Packet(b"", type_, 0, own.agreement.own.hit, peer.agreement.own.hit, ()), listed, *protect)
            for type_, listed in (
                (PacketType.UPDATE, [(P.SEQ, bytes(4)), (P.ECHO_REQUEST_SIGNED, b"nonce")]),
                (PacketType.CLOSE, [(P.ECHO_REQUEST_SIGNED, b"nonce")]),
                (PacketType.CLOSE_ACK, [(P.ECHO_RESPONSE_SIGNED, b"nonce")]),
                (PacketType.NOTIFY, [(P.NOTIFICATION, b"\0\0\0\1")]),
            )
        ]
        for _ in range(EACH // 4):
            for octets in sent:
                changed = self.mutator.raw(octets)
                if self.is_same(changed, octets):
                    continue
                self.give(hosts, 1, changed)
        hosts.talk()
        self.assertIs(peer.state, State.R2_SENT)

    def test_appended(self) -> None:
        """What anybody can put behind an R1 does not spoil the I2: an echo request that is too long is refused with its R1."""
        for kind in ("P-256", "RSA-2048"):
            hosts, octets = self.r1(kind, "P-256")
            for size in (300, 700, 1400):
                longer = appended(octets, (P.ECHO_REQUEST_UNSIGNED, bytes(size)))
                self.assertFalse(self.give(hosts, 0, longer))
            hosts.deliver(
                0, appended(octets, (P.ECHO_REQUEST_UNSIGNED, b"one"), (P.ECHO_REQUEST_UNSIGNED, bytes(200)))
            )
            i2 = parse(self.next(hosts, 0))
            self.assertEqual(list(i2.all(P.ECHO_RESPONSE_UNSIGNED)), [b"one", bytes(200)])
            hosts.deliver(1, i2.raw)
            hosts.talk()
            self.assertTrue(all(each.stands for each in hosts.associations()))

    def test_for_others(self) -> None:
        """What is for another host, or from ourselves, is refused."""
        for make, number in ((self.r1, 0), (self.i2, 1), (self.r2, 0)):
            hosts, octets = make()
            for at in (8, 24):
                own = hosts.hosts[number].own.hit if at == 8 else b"\x20\x01\x00\x22" + bytes(12)
                self.assertFalse(self.give(hosts, number, octets[:at] + own + octets[at + 16 :]))
            hosts.deliver(number, octets)


class PeerTests(Stages):
    """Packets of a peer that has all keys, and makes of them what it likes."""

    def test_i2(self) -> None:
        """I2s with parameters changed, and MAC and signature that are right: each is refused, or makes an association."""
        hosts, octets = self.i2()
        packet, taken = parse(octets), 0
        protect = self.mac_and_signature(self.agreement(hosts))
        for _ in range(EACH):
            before = self.tables(hosts, 1)
            if self.give(hosts, 1, built(packet, self.mutator.listed(packet), *protect)):
                taken += 1
                hosts, octets = self.i2()
                packet = parse(octets)
                protect = self.mac_and_signature(self.agreement(hosts))
            else:
                self.assertEqual(self.tables(hosts, 1), before)
        self.assertLess(0, taken)

    def test_r1(self) -> None:
        """R1s with parameters changed and a signature that is right: each is refused, given up, or answered with an I2."""
        answered = 0
        for _ in range(EACH):
            hosts, octets = self.r1()
            packet = parse(octets)
            changed = self.signed_r1(packet, self.mutator.listed(packet))
            if self.give(hosts, 0, changed) and (sent := hosts.work(0)):
                answered += 1
                self.assertLessEqual({parse(each).type for each in sent}, {PacketType.I2, PacketType.I1})
        self.assertLess(0, answered)

    def test_r2(self) -> None:
        """R2s with parameters changed, and MAC and signature that are right."""
        hosts, octets = self.r2()
        taken = 0
        for _ in range(EACH):
            packet, protect = parse(octets), self.r2_protection(hosts)
            if self.give(hosts, 0, built(packet, self.mutator.listed(packet), *protect)):
                taken += 1
                hosts, octets = self.r2()
        self.assertLess(0, taken)

    def r2_protection(self, hosts: TwoHosts) -> tuple[Callable[[Builder], object], ...]:
        (r1,) = (each for each in hosts.hosts[1]._reception._pool._answered.values() if each.host_id)
        agreement = hosts.hosts[1]._associations[hosts.hosts[0].own.hit].agreement
        mac = partial(add_mac_2, rhash=agreement.rhash, key=agreement.own_keys.mac, host_id=r1.host_id)
        return mac, partial(add_signature, own=agreement.own)

    def test_later(self) -> None:
        """UPDATE, NOTIFY, CLOSE and CLOSE_ACK with anything in them, and MAC and signature that are right."""
        hosts = self.established()
        number = 0
        for turn in range(EACH):
            own, peer = hosts.associations()
            if not own.stands or not peer.stands or turn % 50 == 49:
                hosts, number = self.established(), 0
                own, peer = hosts.associations()
            like = Packet(
                b"",
                LATER[turn % 4] if turn % 5 else LATER[0],
                0,
                own.agreement.own.hit,
                peer.agreement.own.hit,
                (),
            )
            listed = self.some(own, peer, number)
            octets = built(like, listed, *self.mac_and_signature(own.agreement))
            number += self.give(hosts, 1, octets)
            hosts.work(1)

    def test_in_between(self) -> None:
        """The same from a Responder whose R2 has not come: it may have closed what the Initiator does not have yet."""
        hosts, octets = self.r2()
        for turn in range(EACH):
            peer = hosts.hosts[1]._associations[hosts.hosts[0].own.hit]
            hits = peer.agreement.own.hit, peer.agreement.peer.hit
            like = Packet(b"", LATER[turn % 4], 0, *hits, ())
            listed = self.some(peer, peer, 0)
            self.give(hosts, 0, built(like, listed, *self.mac_and_signature(peer.agreement)))
            hosts.work(0)
            if not hosts.hosts[0]._exchanges.all or turn % 100 == 99:
                hosts, octets = self.r2()
        hosts.deliver(0, octets)
        hosts.talk()
        self.assertTrue(all(each.stands for each in hosts.associations()))

    def some(self, own: Any, peer: Any, number: int) -> list[tuple[int, bytes]]:
        """Return parameters as an UPDATE may have them, and some that are changed."""
        spi = own.inbound.spi
        sample = [
            (P.ESP_INFO, ESPInfo(0, spi, spi + (number & 1)).encode()),
            (
                P.LOCATOR_SET,
                bytes.fromhex("0001050100000708 00001000 00000000000000000000ffffc0000201".replace(" ", "")),
            ),
            (P.SEQ, number.to_bytes(4, "big")),
            (P.ACK, bytes(4)),
            (P.DIFFIE_HELLMAN, DiffieHellman(7, own.agreement.peer_public).encode()),
            (P.NOTIFICATION, b"\0\0\0\x18data"),
            (P.ECHO_REQUEST_SIGNED, b"nonce"),
            (P.ECHO_RESPONSE_SIGNED, b"nonce"),
        ]
        whole = parse(built(Packet(b"", 16, 0, bytes(16), bytes(16), ()), sample))
        return self.mutator.listed(whole)
