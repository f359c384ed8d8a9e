"""Tests of the parameters of NAT traversal (RFC 9028 §5)."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.natparameters import (
    MOST_MODES,
    PeerPermission,
    TransportAddress,
    decode_modes,
    decode_number,
    encode_modes,
    encode_number,
)
from p2pship.bearer.hip.packet import BadPacket

MAPPED = "00000000000000000000ffffc0000201"
IPV6 = "20010db8000000000000000000000001"


class NATParameterTests(TestCase):
    """Their octets, and their limits."""

    def test_layouts(self) -> None:
        """Each field is where its figure has it; reserved octets are not looked at."""
        self.assertEqual(TransportAddress("192.0.2.1", 10500).encode(), bytes.fromhex("2904 11 00" + MAPPED))
        self.assertEqual(
            TransportAddress.decode(bytes.fromhex("0000 00 ff" + IPV6)), TransportAddress("2001:db8::1", 0, 0)
        )
        permission = PeerPermission("192.0.2.1", 1, "2001:db8::1", 2, 17, 0x1000, 0x2000)
        octets = bytes.fromhex("0001 0002 11 000000" + MAPPED + IPV6 + "00001000 00002000")
        self.assertEqual((permission.encode(), len(octets)), (octets, 48))
        self.assertEqual(PeerPermission.decode(octets), permission)
        self.assertEqual((encode_number(50), decode_number(b"\0\0\0\5")), (b"\0\0\0\x32", 5))

    def test_sizes(self) -> None:
        """Anything of another length is refused."""
        for decode, size in ((TransportAddress.decode, 20), (PeerPermission.decode, 48), (decode_number, 4)):
            for wrong in (0, size - 1, size + 1):
                self.assertRaises(BadPacket, decode, bytes(wrong))

    def test_modes(self) -> None:
        """Of more than six modes, the first six count; there is one at least (§5.4)."""
        many = tuple(range(10))
        self.assertEqual(decode_modes(encode_modes(many)), many[:MOST_MODES])
        for contents in (b"", b"\0", b"\0\0", b"\0\0\0"):
            self.assertRaises(BadPacket, decode_modes, contents)
