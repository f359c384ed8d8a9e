"""Packets of others in the name of a host that is dialled, or with which an association stands; and what relays would add."""

from __future__ import annotations

import os

from p2pship.bearer.hip import association, initiator, updates
from p2pship.bearer.hip.authentication import check_signature
from p2pship.bearer.hip.hostidentity import HostIdentity
from p2pship.bearer.hip.natparameters import TransportAddress
from p2pship.bearer.hip.numbers import NotifyType, PacketType, ParameterType
from p2pship.bearer.hip.packet import Builder, Packet
from p2pship.bearer.hip.parameters import ESPInfo, Notification
from p2pship.bearer.hip.registration import encode_hosts
from tests.bearer.hip.hosts import TwoHosts, path
from tests.bearer.hip.mutations import appended
from tests.bearer.hip.stages import Stages

P = ParameterType


class ForgedTests(Stages):
    """Attack: packets in the name of the other side, from its address, by who has no keys: none of them is worth a verification."""

    FLOOD = 300

    def setUp(self) -> None:
        super().setUp()
        self.verified = 0
        for module in (association, initiator, updates):
            self.patch(module, "check_signature", self.verify)

    def verify(self, packet: Packet, peer: HostIdentity) -> None:
        self.verified += 1
        check_signature(packet, peer)

    def forged(self, hosts: TwoHosts, type_: PacketType, *contents: tuple[int, bytes]) -> bytes:
        """Return a packet from the second to the first that is right in all but MAC and signature."""
        builder = Builder(type_, hosts.hosts[1].own.hit, hosts.hosts[0].own.hit)
        mac = P.HIP_MAC_2 if type_ == PacketType.R2 else P.HIP_MAC
        for each in (*contents, (mac, os.urandom(48)), (P.HIP_SIGNATURE, b"\0\7" + os.urandom(64))):
            if type_ != PacketType.NOTIFY or each[0] != mac:
                builder.add(*each)
        return builder.octets()

    def test_r2(self) -> None:
        """R2s: the true one is taken after any number."""
        hosts, octets = self.r2()
        info = (P.ESP_INFO, ESPInfo(128, 0, 0x4242).encode())
        for _ in range(self.FLOOD):
            self.assertFalse(self.give(hosts, 0, self.forged(hosts, PacketType.R2, info)))
        self.assertEqual(self.verified, 0)
        self.assertTrue(self.give(hosts, 0, octets))
        hosts.talk()
        self.assertTrue(all(each.stands for each in hosts.associations()))

    def test_others(self) -> None:
        """UPDATE, CLOSE, CLOSE_ACK, and NOTIFY, which has no MAC: true ones are taken after them."""
        hosts = self.established()
        one, other = hosts.associations()
        self.verified = 0
        echoed = (P.ECHO_REQUEST_SIGNED, bytes(16))
        for type_, contents in (
            (PacketType.UPDATE, (P.SEQ, bytes(4))),
            (PacketType.CLOSE, echoed),
            (PacketType.CLOSE_ACK, (P.ECHO_RESPONSE_SIGNED, bytes(16))),
        ):
            for _ in range(self.FLOOD):
                self.assertFalse(self.give(hosts, 0, self.forged(hosts, type_, contents)))
        self.assertEqual(self.verified, 0)
        notification = (P.NOTIFICATION, Notification(NotifyType.INVALID_HIT, b"").encode())
        for _ in range(self.FLOOD):
            self.give(hosts, 0, self.forged(hosts, PacketType.NOTIFY, notification))
        self.assertLessEqual(self.verified, association.MOST_NOTICES)
        hosts.hosts[1].rekey(other, hosts.now)
        hosts.talk()
        self.assertEqual((one.rekey.count, other.rekey.count), (1, 1))
        hosts.hosts[1].close(other, hosts.now, "enough")
        hosts.talk()
        self.assertFalse(one.stands)

    def test_relays(self) -> None:
        """What a rendezvous server or relay would have added, which anybody can, changes nothing: answers go to where the packet came from."""
        elsewhere = encode_hosts(["203.0.113.9"])
        hosts = self.pair()
        (i1,) = hosts.work(0)
        hosts.deliver(1, appended(i1, (P.FROM, elsewhere), (P.RVS_HMAC, os.urandom(32))))
        (send,) = hosts.hosts[1].take()
        self.assertEqual(send.path, path(0))  # type: ignore[attr-defined]
        relayed = TransportAddress("203.0.113.9", 9).encode()
        hosts.deliver(0, appended(send.octets, (P.RELAY_TO, relayed), (P.VIA_RVS, elsewhere)))  # type: ignore[attr-defined]
        (i2,) = hosts.work(0)
        hosts.deliver(1, appended(i2, (P.RELAY_FROM, relayed), (P.RELAY_HMAC, os.urandom(32))))
        hosts.talk()
        for each, where in zip(hosts.associations(), (path(1), path(0)), strict=True):
            self.assertTrue(each.stands)
            self.assertEqual([one.host for one in each.paths.locators()], [where.host])
