"""R1s and I2s of hosts that have keys, and take liberties."""

from __future__ import annotations

import contextlib
import os

from p2pship.bearer.hip.composition import MOST_ECHOED
from p2pship.bearer.hip.contest import MOST_NEW
from p2pship.bearer.hip.encrypted import encrypt
from p2pship.bearer.hip.initiator import MOST_DIFFICULT
from p2pship.bearer.hip.numbers import DHGroup, PacketType, ParameterType
from p2pship.bearer.hip.packet import LARGEST, BadPacket, parse, tlv
from p2pship.bearer.hip.parameters import DiffieHellman, ESPInfo, Puzzle, encode_counter
from tests.bearer.hip.hosts import TwoHosts, host, identity, path
from tests.bearer.hip.mutations import appended, built
from tests.bearer.hip.stages import Stages, replaced

P = ParameterType


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

    def test_largest(self) -> None:
        """The largest I2 that we make has room for all that it may have to echo."""
        groups = (DHGroup.MODP_3072,)
        one, other = (host(identity(kind, "big"), os.urandom, groups) for kind in ("RSA-4096", "P-384"))
        hosts = TwoHosts(one, other)
        hosts.dial()
        hosts.deliver(1, self.next(hosts, 0))
        r1 = appended(self.next(hosts, 1), (P.ECHO_REQUEST_UNSIGNED, bytes(MOST_ECHOED - 4)))
        hosts.deliver(0, r1)
        i2 = self.next(hosts, 0)
        self.assertLess(LARGEST - MOST_ECHOED, len(i2))
        hosts.deliver(1, i2)
        hosts.talk()
        self.assertTrue(all(each.stands for each in hosts.associations()))

    def test_difficulty(self) -> None:
        """No puzzle is begun that is more difficult than is sensible."""
        for difficulty in (MOST_DIFFICULT + 1, 32, 64, 255):
            hosts = self.offer(PUZZLE=self.puzzle(difficulty))
            self.assertEqual([each.solver for each in hosts.hosts[0]._exchanges.all.values()], [None])
            self.assert_unanswered(hosts)
        (dialling,) = self.offer(PUZZLE=self.puzzle(18)).hosts[0]._exchanges.all.values()
        self.assertIsNotNone(dialling.solver)
        self.assert_answered(self.offer(PUZZLE=self.puzzle(0)))

    def test_no_agreement(self) -> None:
        """Attack: an R1 that the Responder made once, when we could not have agreed: its present one is answered, else the dial ends soon."""
        for is_answered in (True, False):
            hosts, octets = self.r1()
            packet = parse(octets)
            self.give(hosts, 0, self.signed_r1(packet, replaced(packet, HIP_CIPHER=b"\0\1")))
            hosts.now += 0.1
            if is_answered:
                hosts.deliver(0, octets)
                self.assert_answered(hosts)
                listed = replaced(packet, HIP_CIPHER=b"\0\1", R1_COUNTER=encode_counter(1 << 62))
                self.give(hosts, 0, self.signed_r1(packet, listed))
            hosts.now += 1
            hosts.hosts[0].timer_fired(hosts.now)
            self.assertEqual(bool(hosts.hosts[0]._exchanges.all), is_answered)

    def test_lifetimes(self) -> None:
        """A puzzle may last for an instant or for ever: it is worked on no longer, and the exchange ends in time anyway."""
        for lifetime in range(256):
            hosts = self.offer(PUZZLE=self.puzzle(MOST_DIFFICULT, lifetime))
            (dialling,) = hosts.hosts[0]._exchanges.all.values()
            self.assertIsNotNone(dialling.solver)
            for seconds in (min(2.0 ** (lifetime - 32), 10), 11):
                hosts.now += seconds
                hosts.hosts[0].timer_fired(hosts.now)
                self.assertIsNone(dialling.solver)
            self.assertEqual(hosts.hosts[0]._exchanges.all, {})

    def test_flood(self) -> None:
        """Any number of forged R1s costs no more than so many verifications a second, and does not end the attempt."""
        hosts, octets = self.r1()
        forged = [octets[:-8] + number.to_bytes(8, "big") for number in range(10 * MOST_NEW)]
        refused = [self.give(hosts, 0, each) for each in [*forged, forged[0]]].count(False)
        self.assertEqual(refused, MOST_NEW)
        hosts.now += 1
        hosts.deliver(0, octets)
        self.assert_answered(hosts)

    def test_flood_from_elsewhere(self) -> None:
        """Attack: R1s by who cannot forge addresses, as many as they like: the Responder's own is looked at in the same second."""
        hosts, octets = self.r1()
        elsewhere = path(1)._replace(host="198.51.100.1")
        for number in range(10 * MOST_NEW):
            with contextlib.suppress(BadPacket):
                forged = parse(octets[:-8] + number.to_bytes(8, "big"))
                hosts.hosts[0].received(forged, elsewhere, hosts.now)
        hosts.deliver(0, octets)
        self.assert_answered(hosts)

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

    def test_as_others(self) -> None:
        """An R1 as other programs make it is answered: no counter, no mode, ciphers that we do not know, a domain."""
        host_id = identity("P-256", "other").host_id._replace(domain_type=2, domain=b"somebody@example.com")
        self.assert_answered(
            self.offer(
                R1_COUNTER=None,
                NAT_TRAVERSAL_MODE=None,
                HIP_CIPHER=b"\0\4\0\2\0\6\0\7",
                ESP_TRANSFORM=b"\0\0\0\x09\0\x08\0\7\0\1",
                HIT_SUITE_LIST=b"\x10\x20\x30",
                HOST_ID=host_id.encode(),
                PUZZLE=self.puzzle(10, 39),
            )
        )

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

    def test_as_others(self) -> None:
        """One as other programs make it is taken: no mode, a domain, and something where SOLUTION has nothing."""
        hosts, octets = self.i2()
        packet = parse(octets)
        solution = bytearray(packet.need(P.SOLUTION))
        solution[1] = 39
        host_id = identity("P-256", "one").host_id._replace(domain_type=1, domain=b"example").encode()
        changed = {
            "SOLUTION": bytes(solution),
            "HOST_ID": host_id,
            "ENCRYPTED": None,
            "NAT_TRAVERSAL_MODE": None,
        }
        protect = self.mac_and_signature(self.agreement(hosts))
        self.assertTrue(self.give(hosts, 1, built(packet, replaced(packet, **changed), *protect)))

    def test_choices(self) -> None:
        """It chooses one of each that was offered, not two, nor another one."""
        for name, values in (
            ("HIP_CIPHER", (b"\0\1", b"\0\3", b"\0\2\0\4", b"\0\2\0\2", b"", b"\0")),
            ("ESP_TRANSFORM", (b"\0\0\0\7", b"\0\0\0\1", b"\0\0\0\x0d\0\x08", b"\0\0", b"", b"\0\0\0\x0d\0")),
            ("TRANSPORT_FORMAT_LIST", (b"\x08\x02", b"\x0f\xff\x08\x02", b"", b"\x0f\xff\x0f\xff")),
            ("NAT_TRAVERSAL_MODE", (b"\0\0\0\1\0\2", b"\0\0\0\2", b"\0\0\0\3", b"\0\0", b"", b"\0\0\0\0")),
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

    def test_silent(self) -> None:
        """A public value that is no value of its group is not even told of (RFC 7401 §5.3.2); one of another group is."""
        for public, types in (
            (DiffieHellman(7, b"\xff" * 64), []),
            (DiffieHellman(8, bytes(96)), [PacketType.NOTIFY]),
        ):
            hosts, octets = self.i2()
            packet = parse(octets)
            protect = self.mac_and_signature(self.agreement(hosts))
            self.give(hosts, 1, built(packet, replaced(packet, DIFFIE_HELLMAN=public.encode()), *protect))
            self.assertEqual([parse(each).type for each in hosts.work(1)], types)

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
        (r2,) = hosts.work(1)
        hosts.deliver(1, built(packet, replaced(packet), *protect))  # as some programs do: signed anew
        self.assertEqual(hosts.work(1), [r2])
        again = built(packet, replaced(packet, ESP_INFO=ESPInfo(128, 0, 0x4242).encode()), *protect)
        self.assertRaises(BadPacket, hosts.deliver, 1, again)

    def test_counter(self) -> None:
        """The R1's counter is echoed, all eight octets."""
        for wrong in (None, b"", bytes(12), b"\xff" * 12, bytes(11), bytes(13)):
            self.assertFalse(self.offer(R1_COUNTER=wrong))
