"""Whole recorded exchanges as our own package reads them: their ESP, and what both sides have agreed on."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.authentication import check_signature
from p2pship.bearer.hip.esp import Forged, Inbound, Replayed, inbound
from p2pship.bearer.hip.inner import ICMPV6, echo
from p2pship.bearer.hip.numbers import PacketType, ParameterType
from p2pship.bearer.hip.packet import parse
from p2pship.bearer.hip.parameters import ESPInfo
from p2pship.bearer.hip.suites import ESP_KEYS
from tests.bearer.hip.captures import ALL, ESP, WITH_SECRET, captured, control, secret
from tests.bearer.hip.recorded import Recorded, all_recorded

OPENED = ("raw-ecdsa384-rekey-close", "raw-rsa2048")
"The captures whose ESP is encrypted: the third has NULL, which we never agree to."

ICMP, ECHO_REQUEST, ECHO_REPLY = 1, 128, 129


class CapturedESPTests(TestCase):
    """Data that other programs have sealed."""

    def security_associations(self, recorded: Recorded) -> dict[int, Inbound]:
        """Return what opens what goes to each SPI."""
        found = {}
        sizes = ESP_KEYS[recorded.suite]  # type: ignore[index]
        for spi, receiver in recorded.spis().items():
            sender = recorded.i2.sender if receiver == recorded.i2.receiver else recorded.i2.receiver
            is_greater = sender > receiver
            pair = (sizes.encryption, sizes.authentication)
            keys = recorded.keymat.draw(recorded.index, pair, is_greater)[0]
            found[spi] = inbound(recorded.suite, spi, keys.encryption + keys.mac)
        return found

    def test_open(self) -> None:
        """Every packet is opened, is an echo between the two HITs with the right checksum, and is taken once."""
        for name in OPENED:
            recorded = Recorded(name, control(name), secret(name))
            associations = self.security_associations(recorded)
            receivers = recorded.spis()
            count = 0
            for each in captured(name):
                if each.protocol != ESP:
                    continue
                spi = int.from_bytes(each.octets[:4], "big")
                spoilt = each.octets[:-1] + bytes([each.octets[-1] ^ 1])
                self.assertRaises(Forged, associations[spi].open, spoilt)
                next_header, inner = associations[spi].open(each.octets)
                self.assertRaises(Replayed, associations[spi].open, each.octets)
                if next_header == ICMPV6:
                    self.assertIn(inner[0], (ECHO_REQUEST, ECHO_REPLY))
                    receiver = receivers[spi]
                    sender = next(hit for hit in receivers.values() if hit != receiver)
                    self.assertEqual(echo(inner[0], sender, receiver, inner[4:]), inner)
                else:
                    self.assertEqual(
                        next_header, ICMP, "one program sends the IPv4 of its applications as it is"
                    )
                count += 1
            self.assertGreater(count, 4)
            self.assertEqual(sum(each.taken for each in associations.values()), count)


class CapturedExchangeTests(TestCase):
    """What both sides have said of themselves."""

    def test_hits(self) -> None:
        """Both HITs are those of the Host Identities, also of the one that was encrypted."""
        for recorded in all_recorded():
            for hit in (recorded.i2.sender, recorded.i2.receiver):
                self.assertEqual(recorded.identity(hit).hit, hit)

    def test_esp_info(self) -> None:
        """Both drew the keys of ESP from where we would have (RFC 7402 §7)."""
        for recorded in all_recorded():
            for packet in (recorded.i2, recorded.r2):
                info = ESPInfo.decode(packet.need(ParameterType.ESP_INFO))
                self.assertEqual((info.keymat_index, info.old_spi), (recorded.index, 0))

    def test_every_type(self) -> None:
        """There is a packet of every type but NOTIFY among them."""
        seen = {parse(octets).type for name in ALL for octets in control(name)}
        self.assertEqual(seen, set(PacketType) - {PacketType.NOTIFY})

    def test_mobility(self) -> None:
        """The three UPDATEs of a host that moves are signed, acknowledge each other, and bring back what was asked."""
        name = "udp-mobility"
        recorded = Recorded(name, control(name), b"")
        updates = [packet for packet in recorded.packets if packet.type == PacketType.UPDATE][:3]
        check_signature(updates[1], recorded.identity(recorded.r1.sender))
        first, second, third = updates
        self.assertEqual(first.find(ParameterType.SEQ), second.find(ParameterType.ACK))
        self.assertEqual(second.find(ParameterType.SEQ), third.find(ParameterType.ACK))
        asked = second.need(ParameterType.ECHO_REQUEST_UNSIGNED)
        self.assertEqual(third.need(ParameterType.ECHO_RESPONSE_UNSIGNED), asked)

    def test_all_have_secrets(self) -> None:
        """The secrets are as long as the curve is wide."""
        self.assertEqual([len(secret(name)) for name in WITH_SECRET], [48] * len(WITH_SECRET))
