"""Exchanges before a witness that shares no code with the package: recorded ones, and those of our own hosts."""

from __future__ import annotations

import os
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Any

from construct import ConstructError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.trial.unittest import TestCase

from p2pship.bearer.hip import r1pool
from p2pship.bearer.hip.association import notify_packet
from p2pship.bearer.hip.diffiehellman import OFFERED_GROUPS, EllipticKeyPair, ModularKeyPair
from p2pship.bearer.hip.numbers import Cipher, DHGroup, ESPSuite, NotifyType, PacketType, ParameterType
from p2pship.bearer.hip.suites import OFFERED_CIPHERS, OFFERED_ESP
from tests.bearer.hip.captures import ESP, HIP, WITH_SECRET, captured, exchanges, secret
from tests.bearer.hip.hosts import KINDS, TwoHosts, host, identity
from tests.bearer.hip.otherdecoder import Witness

ICMP, ICMPV6 = 1, 58

Secret = Callable[[int, bytes, bytes], bytes]


def known(octets: bytes) -> Secret:
    """Return what says a secret that was written down."""
    return lambda _group, _responder, _initiator: octets


class CapturedTests(TestCase):
    """What other programs have said: if the witness did not believe them, it would be no witness."""

    def test_captures(self) -> None:
        """Every packet of the captures whose secret is known is right, ESP included."""
        for name in WITH_SECRET:
            witness = Witness(known(secret(name)), padded=name.startswith("raw"))
            opened = [
                witness.open(each.octets)[0] if each.protocol == ESP else witness.see(each.octets).type
                for each in captured(name)
            ]
            self.assertEqual(opened[:4], [1, 2, 3, 4], name)
            self.assertTrue({ICMP, ICMPV6} & set(opened), name)

    def test_exchanges(self) -> None:
        """So are those of the exchanges whose KEYMAT is known, which it finds."""
        for each in exchanges():
            witness = Witness(known(bytes.fromhex(each["kij"])), padded=False)
            for octets in each["packets"].values():
                witness.see(bytes.fromhex(octets))
            self.assertEqual(witness.prk.hex(), each["prk"])
            self.assertEqual(witness.keymat[:288].hex(), each["keymat_288"])

    def test_notices(self) -> None:
        """It notices when one bit is another one, wherever that is."""
        name = "raw-ecdsa384-rekey-close"
        packets = [each.octets for each in captured(name) if each.protocol == HIP]
        for number in (1, 2, 3, 4):
            for at in range(8, len(packets[number]), 29):
                spoilt = bytearray(packets[number])
                spoilt[at] ^= 1
                self.assert_refused([*packets[:number], bytes(spoilt), *packets[number + 1 :]], secret(name))

    def assert_refused(self, packets: list[bytes], known_secret: bytes) -> None:
        """Assert that an exchange is not believed."""
        witness = Witness(known(known_secret))
        with self.assertRaises(
            (AssertionError, InvalidSignature, ValueError, KeyError, StopIteration, ConstructError)
        ):
            for octets in packets:
                witness.see(octets)


class OwnTests(TestCase):
    """What our own hosts say, in both roles."""

    def exchange(self, one: str, other: str, groups: tuple[DHGroup, ...]) -> tuple[TwoHosts, Witness]:
        """Run a base exchange, and return the hosts, and the witness of all that was said."""
        hosts = TwoHosts(
            host(identity(one, "one"), os.urandom, groups), host(identity(other, "other"), os.urandom, groups)
        )
        hosts.dial()
        hosts.talk()
        witness = Witness(lambda group, responder, initiator: self.secret(hosts, group, responder, initiator))
        self.heard = 0
        self.hear(hosts, witness)
        self.assertEqual(witness.seen, [1, 2, 3, 4])
        return hosts, witness

    def hear(self, hosts: TwoHosts, witness: Witness) -> None:
        """Have the witness check what was said since it was asked last; it is never who we are, but in ENCRYPTED and in R1."""
        for _, octets in hosts.said[self.heard :]:
            packet = witness.see(octets)
            self.assertIsNone(packet.get(ParameterType.CERT))
            self.assertEqual(packet.get(ParameterType.HOST_ID) is not None, packet.type == PacketType.R1)
            self.assertEqual(packet.get(ParameterType.ENCRYPTED) is not None, packet.type == PacketType.I2)
        self.heard = len(hosts.said)

    def secret(self, hosts: TwoHosts, group: int, responder: bytes, initiator: bytes) -> bytes:
        """Return the secret of the Responder's private key and the Initiator's public value, by the library alone."""
        (pair,) = {
            id(each.key_pair): each.key_pair
            for each in hosts.hosts[1]._reception._pool._answered.values()
            if each.key_pair.public == responder
        }.values()
        if isinstance(pair, ModularKeyPair):
            return pow(int.from_bytes(initiator, "big"), pair._exponent, pair._prime).to_bytes(
                len(responder), "big"
            )
        assert isinstance(pair, EllipticKeyPair)
        curve: ec.EllipticCurve = {7: ec.SECP256R1(), 8: ec.SECP384R1()}[group]
        point = ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\4" + initiator)
        return pair._private_key.exchange(ec.ECDH(), point)

    def assert_data(self, hosts: TwoHosts, witness: Witness) -> None:
        """Assert that the witness opens what either host seals, and so does the other host."""
        near, far = hosts.associations()
        for sender, receiver in ((near, far), (far, near)):
            for payload in (b"", b"a", bytes(3), bytes(range(160)), bytes(1400)):
                packet = sender.outbound.seal(17, payload)
                self.assertEqual(witness.open(packet), (17, payload))
                self.assertEqual(receiver.inbound.open(packet), (17, payload))

    def test_identities(self) -> None:
        """Every kind of Host Identity, with every other one, in both roles."""
        for one in KINDS:
            for other in KINDS:
                self.assert_data(*self.exchange(one, other, (DHGroup.P256,)))

    def test_groups(self) -> None:
        """Every Diffie-Hellman group."""
        for group in (DHGroup.P256, DHGroup.P384, DHGroup.MODP_1536, DHGroup.MODP_3072):
            self.assert_data(*self.exchange("P-256", "P-256", (group,)))

    def test_offered(self) -> None:
        """AES-GCM first, then AES-CBC; never NULL, nor HITs of EdDSA."""
        _, witness = self.exchange("P-256", "P-256", OFFERED_GROUPS)
        for type_, offered in ((511, "0708"), (579, "00020004"), (715, "2010"), (4095, "0000000d00080009")):
            self.assertEqual(witness.r1.contents(type_).hex(), offered)
        self.assertEqual(witness.offered, bytes(OFFERED_GROUPS))

    def test_suites(self) -> None:
        """Every cipher with every suite of ESP."""
        for cipher in OFFERED_CIPHERS:
            for suite in OFFERED_ESP:
                self.offer(cipher, suite)
                hosts, witness = self.exchange("P-256", "RSA-2048", (DHGroup.P256,))
                self.assertEqual((witness.cipher, witness.suite), (cipher, suite))
                self.assert_data(hosts, witness)

    def offer(self, cipher: Cipher, suite: ESPSuite) -> None:
        self.patch(r1pool, "OFFERED_CIPHERS", (cipher,))
        self.patch(r1pool, "OFFERED_ESP", (suite,))

    def test_rest(self) -> None:
        """NOTIFY, the UPDATEs of new keys, CLOSE and CLOSE_ACK, from both sides."""
        for kind in KINDS:
            for closer in (0, 1):
                hosts, witness = self.exchange(kind, "P-384", (DHGroup.P256,))
                ends = hosts.associations()
                own, peer = ends[closer].agreement.own, ends[closer].agreement.peer
                witness.see(notify_packet(own, peer.hit, NotifyType.RESPONDER_BUSY_PLEASE_RETRY, b"later"))
                hosts.hosts[closer].rekey(ends[closer], hosts.now)
                hosts.talk()
                self.assertEqual([end.rekey.count for end in ends], [1, 1])
                hosts.hosts[closer].close(ends[closer], hosts.now, "enough")
                hosts.talk()
                self.hear(hosts, witness)
                wanted = [PacketType.NOTIFY, *[PacketType.UPDATE] * 3, PacketType.CLOSE, PacketType.CLOSE_ACK]
                self.assertEqual(witness.seen[4:], wanted)

    def test_moves(self) -> None:
        """The UPDATEs of a host that has other addresses, and of one that verifies them, with the locators as RFC 8046 §4 has them."""
        hosts, witness = self.exchange("P-384", "P-256", (DHGroup.P256,))
        near, _ = hosts.associations()
        near.paths.confides = True
        hosts.hosts[0].own_changed(["192.0.2.1", "2001:db8::7"], hosts.now)
        hosts.talk()
        updates = [witness.see(octets) for _, octets in hosts.said[4:]]
        locators = updates[0].contents(193)
        spi = near.inbound.spi.to_bytes(4, "big")
        self.assertEqual(len(locators), 2 * 28)
        for at, wanted in ((0, "192.0.2.1"), (28, "2001:db8::7")):
            address = IPv6Address(wanted if ":" in wanted else f"::ffff:{wanted}").packed
            self.assertEqual(
                (locators[at + 1 : at + 3], locators[at + 8 : at + 28]), (b"\1\5", spi + address)
            )
        self.assertEqual(updates[0].contents(65)[4:], spi + spi, "the same SPI: no new keys")
        self.assertEqual(updates[0].contents(385), updates[1].contents(449))

    def test_new_keys(self) -> None:
        """After a change of keys with new Diffie-Hellman values, data are sealed by what the witness derives from them."""
        hosts, witness = self.exchange("P-384", "P-256", (DHGroup.P384,))
        ends = hosts.associations()
        before = [end.outbound for end in ends]
        hosts.hosts[0].rekey(ends[0], hosts.now)
        pair = self.pair(ends[0])
        hosts.talk()
        updates = [witness.see(octets) for _, octets in hosts.said[4:]]
        asked, answered = (each for each in updates if each.get(513) is not None)
        curve = ec.SECP384R1()
        point = ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\4" + answered.contents(513)[3:])
        witness.renew(pair._private_key.exchange(ec.ECDH(), point))
        for each in (asked, answered):
            info = each.contents(65)
            self.assertEqual(info[:4], bytes(4), "reserved, and a KEYMAT index of 0")
            witness.arrange(each.sender, int.from_bytes(info[8:], "big"), witness.keymat, 0)
        self.assertNotIn(ends[0].outbound, before)
        self.assert_data(hosts, witness)

    def pair(self, association: Any) -> Any:
        """Return the key pair that a change of keys has begun with."""
        return association.rekey._own[1]
