"""Packets that are not as they should be, against both roles: those of anybody, and those of a peer that has all keys."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.association import State
from p2pship.bearer.hip.authentication import add_mac, add_mac_2, add_signature
from p2pship.bearer.hip.encrypted import encrypt
from p2pship.bearer.hip.initiator import MOST_DIFFICULT
from p2pship.bearer.hip.numbers import DHGroup, PacketType, ParameterType
from p2pship.bearer.hip.packet import BadPacket, Builder, Packet, parse, tlv
from p2pship.bearer.hip.parameters import DiffieHellman, ESPInfo, Puzzle
from tests.bearer.hip.hosts import TwoHosts, host, identity, path
from tests.bearer.hip.mutations import Mutator, appended, built
from tests.scale import SEED, scaled

P = ParameterType
EACH = scaled(1_000, 100_000)
"Packets of each kind: there are ten."

GROUPS = (DHGroup.P256, DHGroup.P384)


def core(octets: bytes) -> bytes:
    """Return what is protected in a packet: all up to the end of its signature, but checksum and padding."""
    packet = parse(octets)
    for each in packet.parameters:
        if each.type in (P.HIP_SIGNATURE, P.HIP_SIGNATURE_2):
            return packet.before(each) + each.contents
    return octets


def replaced(packet: Packet, **contents: bytes | None) -> list[tuple[int, bytes]]:
    """Return the parameters of a packet before its MAC, some replaced, added, or None for left out."""
    listed = {each.type: each.contents for each in packet.parameters if each.type < P.HIP_MAC}
    for name, value in contents.items():
        listed.pop(P[name], None)
        if value is not None:
            listed[P[name]] = value
    return sorted(listed.items())


class Stages(TestCase):
    """Two hosts, stopped where it is wanted."""

    def setUp(self) -> None:
        self.mutator = Mutator(SEED)

    def pair(self, one: str = "P-256", other: str = "P-256") -> TwoHosts:
        """Return two hosts, the first of which has sent its I1."""
        hosts = TwoHosts(host(identity(one, "one"), os.urandom, GROUPS), host(identity(other, "other"), os.urandom, GROUPS))
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
        return hosts.hosts[0]._diallings[hosts.hosts[1].own.hit].initiator.agreement

    def tables(self, hosts: TwoHosts, number: int) -> dict[str, int]:
        """Return the sizes of everything that a host keeps of others."""
        each = hosts.hosts[number]
        kept = ("_diallings", "_associations", "_answered", "_incarnations")
        return {name: len(getattr(each, name)) for name in kept}

    def give(self, hosts: TwoHosts, number: int, octets: bytes) -> bool:
        """Give a host a packet; returns whether it was not refused. Whatever else goes wrong is an error of the test."""
        try:
            hosts.deliver(number, octets)
        except BadPacket:
            return False
        finally:
            for pool in (each._pool for each in hosts.hosts):
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
        dialling = hosts.hosts[0]._diallings[hosts.hosts[1].own.hit]
        for _ in range(EACH):
            dialling.initiator._left = 16
            changed = self.mutator.raw(octets)
            if self.give(hosts, 0, changed) and dialling.solver is not None:
                self.assert_same_r1(changed, octets)
                hosts, octets = self.r1()
                dialling = hosts.hosts[0]._diallings[hosts.hosts[1].own.hit]
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
            hosts.deliver(0, appended(octets, (P.ECHO_REQUEST_UNSIGNED, b"one"), (P.ECHO_REQUEST_UNSIGNED, bytes(200))))
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
        for _ in range(EACH // 2):
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
        for _ in range(EACH // 2):
            packet, protect = parse(octets), self.r2_protection(hosts)
            if self.give(hosts, 0, built(packet, self.mutator.listed(packet), *protect)):
                taken += 1
                hosts, octets = self.r2()
        self.assertLess(0, taken)

    def r2_protection(self, hosts: TwoHosts) -> tuple[Callable[[Builder], object], ...]:
        (r1,) = (each for each in hosts.hosts[1]._pool._answered.values() if each.host_id)
        agreement = hosts.hosts[1]._associations[hosts.hosts[0].own.hit].agreement
        mac = partial(add_mac_2, rhash=agreement.rhash, key=agreement.own_keys.mac, host_id=r1.host_id)
        return mac, partial(add_signature, own=agreement.own)

    def test_later(self) -> None:
        """UPDATE, NOTIFY, CLOSE and CLOSE_ACK with anything in them, and MAC and signature that are right."""
        types = PacketType.UPDATE, PacketType.NOTIFY, PacketType.CLOSE, PacketType.CLOSE_ACK
        hosts = self.established()
        number = 0
        for turn in range(EACH):
            own, peer = hosts.associations()
            if not own.stands or not peer.stands or turn % 50 == 49:
                hosts, number = self.established(), 0
                own, peer = hosts.associations()
            like = Packet(b"", types[turn % 4] if turn % 5 else types[0], 0, own.agreement.own.hit, peer.agreement.own.hit, ())
            listed = self.some(own, peer, number)
            octets = built(like, listed, *self.mac_and_signature(own.agreement))
            number += self.give(hosts, 1, octets)
            hosts.work(1)

    def some(self, own: Any, peer: Any, number: int) -> list[tuple[int, bytes]]:
        """Return parameters as an UPDATE may have them, and some that are changed."""
        spi = own.inbound.spi
        sample = [
            (P.ESP_INFO, ESPInfo(0, spi, spi + (number & 1)).encode()),
            (P.LOCATOR_SET, bytes.fromhex("0001050100000708 00001000 00000000000000000000ffffc0000201".replace(" ", ""))),
            (P.SEQ, number.to_bytes(4, "big")),
            (P.ACK, bytes(4)),
            (P.DIFFIE_HELLMAN, DiffieHellman(7, own.agreement.peer_public).encode()),
            (P.NOTIFICATION, b"\0\0\0\x18data"),
            (P.ECHO_REQUEST_SIGNED, b"nonce"),
            (P.ECHO_RESPONSE_SIGNED, b"nonce"),
        ]
        whole = parse(built(Packet(b"", 16, 0, bytes(16), bytes(16), ()), sample))
        return self.mutator.listed(whole)


class R1Tests(Stages):
    """R1s of a Responder that wants to keep an Initiator busy, or to have it agree on less."""

    def offer(self, **contents: bytes | None) -> TwoHosts:
        """Have the Initiator get an R1 with other parameters, signed by the Responder."""
        hosts, octets = self.r1()
        packet = parse(octets)
        self.give(hosts, 0, self.signed_r1(packet, replaced(packet, **contents)))
        return hosts

    def puzzle(self, difficulty: int, lifetime: int = 37, size: int = 48) -> bytes:
        return Puzzle(difficulty, lifetime, 1, os.urandom(size)).encode()

    def assert_unanswered(self, hosts: TwoHosts) -> None:
        """Assert that no I2 is sent, now or when time has passed."""
        sent = hosts.work(0)
        hosts.now += 0.3
        hosts.hosts[0].timer_fired(hosts.now)
        self.assertNotIn(PacketType.I2, [parse(octets).type for octets in [*sent, *hosts.work(0)]])

    def assert_answered(self, hosts: TwoHosts) -> None:
        self.assertIn(PacketType.I2, [parse(octets).type for octets in hosts.work(0)])

    def test_difficulty(self) -> None:
        """No puzzle is begun that is more difficult than is sensible."""
        for difficulty in (MOST_DIFFICULT + 1, 32, 64, 255):
            hosts = self.offer(PUZZLE=self.puzzle(difficulty))
            self.assertEqual([dialling.solver for dialling in hosts.hosts[0]._diallings.values()], [])
            self.assert_unanswered(hosts)
        self.assert_answered(self.offer(PUZZLE=self.puzzle(0)))

    def test_lifetimes(self) -> None:
        """A puzzle may last for an instant or for ever: the exchange ends in time anyway."""
        for lifetime in range(256):
            hosts = self.offer(PUZZLE=self.puzzle(1, lifetime))
            (dialling,) = hosts.hosts[0]._diallings.values()
            self.assertLessEqual(dialling.initiator.solve_until, hosts.now + 256)
            hosts.now += 11
            hosts.hosts[0].timer_fired(hosts.now)
            self.assertEqual(hosts.hosts[0]._diallings, {})

    def test_sizes(self) -> None:
        """#I is as long as the Responder's hash."""
        for size in (1, 20, 32, 47):
            self.assert_unanswered(self.offer(PUZZLE=self.puzzle(1, 37, size)))

    def test_lists(self) -> None:
        """Lists that are empty, or have nothing in common with ours, end it; NULL is not taken though nothing else is offered."""
        for name, value in (
            ("HIP_CIPHER", b"\0\1"),
            ("HIP_CIPHER", b"\0\3\0\5"),
            ("HIP_CIPHER", b""),
            ("HIP_CIPHER", b"\0\1" * 6 + b"\0\2"),
            ("ESP_TRANSFORM", b"\0\0\0\7"),
            ("ESP_TRANSFORM", b"\0\0\0\1"),
            ("ESP_TRANSFORM", b"\0\0"),
            ("ESP_TRANSFORM", b"\0\0" + b"\0\7" * 6 + b"\0\x0d"),
            ("TRANSPORT_FORMAT_LIST", b"\x08\x02"),
            ("TRANSPORT_FORMAT_LIST", b""),
            ("HIT_SUITE_LIST", b"\x10"),
            ("HIT_SUITE_LIST", b"\x30\x50"),
            ("HIT_SUITE_LIST", b"\x20\x21"),
            ("DH_GROUP_LIST", b"\3\4"),
            ("DH_GROUP_LIST", b""),
        ):
            self.assert_unanswered(self.offer(**{name: value}))
            self.assert_unanswered(self.offer(**{name: None}))
        self.assert_answered(self.offer(HIP_CIPHER=b"\0\1\0\2", ESP_TRANSFORM=b"\0\0\0\7\0\x08"))

    def test_downgrade(self) -> None:
        """A group that is not the first of the Responder's list that we have says that somebody has changed our I1."""
        self.assert_unanswered(self.offer(DH_GROUP_LIST=b"\x08\7"))
        self.assert_answered(self.offer(DH_GROUP_LIST=b"\x0b\7\x08"))

    def test_public_values(self) -> None:
        """A public value that is none of its group ends it."""
        good = bytes.fromhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")
        for public in (bytes(64), b"\xff" * 64, good * 2, good, b"\4" + good * 2, good + bytes(32), b"\0"):
            self.assert_unanswered(self.offer(DIFFIE_HELLMAN=DiffieHellman(7, public).encode()))
        self.assert_unanswered(self.offer(DIFFIE_HELLMAN=b"\7\0\0"))

    def test_twice(self) -> None:
        """Two PUZZLEs, two keys or two lists are refused."""
        hosts, octets = self.r1()
        packet = parse(octets)
        for type_ in (P.PUZZLE, P.DIFFIE_HELLMAN, P.HOST_ID, P.DH_GROUP_LIST, P.HIP_CIPHER):
            listed = sorted([*replaced(packet), (type_, packet.need(type_))], key=lambda each: each[0])
            self.assertFalse(self.give(hosts, 0, self.signed_r1(packet, listed)))
        self.assert_unanswered(hosts)


class I2Tests(Stages):
    """I2s of an Initiator that has solved its puzzle, and has keys, and takes liberties."""

    def offer(self, **contents: bytes | None) -> bool:
        """Have the Responder get an I2 with other parameters, by the Initiator, and return whether it was taken."""
        hosts, octets = self.i2()
        packet = parse(octets)
        protect = self.mac_and_signature(self.agreement(hosts))
        before = self.tables(hosts, 1)
        taken = self.give(hosts, 1, built(packet, replaced(packet, **contents), *protect))
        self.assertEqual(taken, self.tables(hosts, 1) != before)
        return taken

    def test_honest(self) -> None:
        """One that is made anew and not changed is taken, so the others are refused for what is in them."""
        self.assertTrue(self.offer())
        self.assertTrue(self.offer(NAT_TRAVERSAL_MODE=None))

    def test_choices(self) -> None:
        """It chooses one of each that was offered, not two, nor another one."""
        for name, values in (
            ("HIP_CIPHER", (b"\0\1", b"\0\3", b"\0\2\0\4", b"\0\2\0\2", b"", b"\0")),
            ("ESP_TRANSFORM", (b"\0\0\0\7", b"\0\0\0\1", b"\0\0\0\x0d\0\x08", b"\0\0", b"", b"\0\0\0\x0d\0")),
            ("TRANSPORT_FORMAT_LIST", (b"\x08\x02", b"\x0f\xff\x08\x02", b"", b"\x0f\xff\x0f\xff")),
            ("NAT_TRAVERSAL_MODE", (b"\0\0\0\2", b"\0\0\0\3", b"\0\0", b"", b"\0\0\0\0")),
        ):
            for value in values:
                self.assertFalse(self.offer(**{name: value}), (name, value))

    def test_esp_info(self) -> None:
        """ESP_INFO is that of a new association, with an SPI that may be used."""
        index = 2 * (16 + 48)
        self.assertTrue(self.offer(ESP_INFO=ESPInfo(index, 0, 256).encode()))
        for wrong in (
            ESPInfo(index, 0, 0),
            ESPInfo(index, 0, 255),
            ESPInfo(index, 0x1000, 0x2000),
            ESPInfo(0, 0, 0x2000),
            ESPInfo(index - 1, 0, 0x2000),
            ESPInfo(0xFFFF, 0, 0x2000),
        ):
            self.assertFalse(self.offer(ESP_INFO=wrong.encode()))
        for octets in (b"", bytes(11), bytes(13)):
            self.assertFalse(self.offer(ESP_INFO=octets))

    def test_public_values(self) -> None:
        """A public value of another group, or none of its group, is refused."""
        good = bytes.fromhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")
        for public in (
            DiffieHellman(7, bytes(64)),
            DiffieHellman(7, good * 2),
            DiffieHellman(7, b"\xff" * 64),
            DiffieHellman(7, good),
            DiffieHellman(8, bytes(96)),
            DiffieHellman(3, b"\2"),
            DiffieHellman(0, b"\2"),
        ):
            self.assertFalse(self.offer(DIFFIE_HELLMAN=public.encode()))

    def test_identities(self) -> None:
        """The HOST_ID is the Initiator's: hidden or not, nobody may use another's, and no other parameter of it is taken."""
        other = identity("P-384", "third").host_id.encode()
        own = identity("P-256", "one").host_id.encode()
        self.assertTrue(self.offer(ENCRYPTED=None, HOST_ID=own))
        self.assertFalse(self.offer(ENCRYPTED=None, HOST_ID=other))
        self.assertFalse(self.offer(ENCRYPTED=None))
        self.assertFalse(self.offer(ENCRYPTED=None, HOST_ID=own[:-1]))
        for inner, is_taken in (
            (tlv(P.HOST_ID, own), True),
            (tlv(P.HOST_ID, other), False),
            (b"", False),
            (tlv(P.SEQ, bytes(4)), False),
            (tlv(P.HOST_ID, own)[:-8], False),
            (tlv(641, b"") + tlv(P.HOST_ID, own), True),
            (tlv(643, b"") + tlv(P.HOST_ID, own), False),
            (tlv(P.HOST_ID, own) + tlv(1, b""), False),
            (os.urandom(64), False),
        ):
            self.assertEqual(self.offer_hidden(inner), is_taken, inner)

    def offer_hidden(self, inner: bytes) -> bool:
        """Have the Responder get an I2 with other hidden parameters."""
        hosts, octets = self.i2()
        packet, agreement = parse(octets), self.agreement(hosts)
        hidden = encrypt(agreement.own_keys.encryption, inner, os.urandom)
        listed = replaced(packet, ENCRYPTED=hidden)
        return self.give(hosts, 1, built(packet, listed, *self.mac_and_signature(agreement)))

    def test_hidden_garbage(self) -> None:
        """What cannot be decrypted is refused."""
        for hidden in (b"", bytes(4), bytes(20), bytes(21), bytes(36), os.urandom(52), os.urandom(53)):
            self.assertFalse(self.offer(ENCRYPTED=hidden))

    def test_solutions(self) -> None:
        """A solution is for the puzzle that was given, to who it was given to, and not used before."""
        hosts, octets = self.i2()
        packet = parse(octets)
        solution, protect = packet.need(P.SOLUTION), self.mac_and_signature(self.agreement(hosts))
        for at in (0, 2, 3, 4, 51, 52, 99):
            changed = bytearray(solution)
            changed[at] ^= 1
            wrong = built(packet, replaced(packet, SOLUTION=bytes(changed)), *protect)
            self.assertFalse(self.give(hosts, 1, wrong), at)
        for octets_ in (b"", solution[:-2], solution[:52], solution + b"\0\0"):
            self.assertFalse(self.give(hosts, 1, built(packet, replaced(packet, SOLUTION=octets_), *protect)))
        with self.assertRaises(BadPacket):
            elsewhere = path(0)._replace(host="198.51.100.1")
            hosts.hosts[1].received(packet, elsewhere, hosts.now)
        hosts.deliver(1, octets)
        again = built(packet, replaced(packet, ESP_INFO=ESPInfo(128, 0, 0x4242).encode()), *protect)
        self.assertRaises(BadPacket, hosts.deliver, 1, again)

    def test_counter(self) -> None:
        """The R1's counter is echoed, all eight octets."""
        for wrong in (None, b"", bytes(12), b"\xff" * 12, bytes(11), bytes(13)):
            self.assertFalse(self.offer(R1_COUNTER=wrong))
