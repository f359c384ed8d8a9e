"""Tests for p2pship.bearer.hip.inner; checksums are checked by a sum of 16-bit words, as RFC 1071 has it."""

from __future__ import annotations

import os
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.bearer.hip.inner import (
    ECHO_REPLY,
    ECHO_REQUEST,
    FRAMES_PORT,
    ICMPV6,
    MEDIA_PORT,
    UDP,
    UDP_HEADER,
    BadInner,
    InnerUDP,
    echo,
    echo_answer,
    unwrap,
)
from p2pship.errors import RemoteError
from tests.scale import SEED

OWN, THEIR = bytes.fromhex("2001002a" + "11" * 12), bytes.fromhex("20010021" + "fe" * 12)
HITS = st.binary(min_size=16, max_size=16)


def summed(own: bytes, their: bytes, protocol: int, message: bytes) -> int:
    """Return the one's complement sum over the IPv6 pseudo header and a message (RFC 8200 §8.1); 0xFFFF if the checksum is right."""
    octets = own + their + len(message).to_bytes(4, "big") + bytes(3) + bytes([protocol]) + message
    octets += bytes(len(octets) & 1)
    total = 0
    for at in range(0, len(octets), 2):
        total += octets[at] << 8 | octets[at + 1]
        total = (total & 0xFFFF) + (total >> 16)
    return total


class UDPTests(SynchronousTestCase):
    """UDP between two HITs."""

    def assert_right(self, own: bytes, their: bytes, port: int, data: bytes) -> None:
        """Assert that a header is what RFC 768 wants, and that what it heads is read."""
        header = InnerUDP(own, their, port).header(data)
        fields = [int.from_bytes(header[at : at + 2], "big") for at in (0, 2, 4, 6)]
        self.assertEqual((len(header), fields[:3]), (UDP_HEADER, [port, port, UDP_HEADER + len(data)]))
        self.assertNotEqual(fields[3], 0, "with IPv6 a checksum is never left out")
        self.assertEqual(summed(own, their, UDP, header + data), 0xFFFF)
        self.assertEqual(unwrap(header + data), (port, data))

    def test_every_length(self) -> None:
        """Data of every length has the right checksum."""
        random = Random(SEED)
        for length in range(1601):
            self.assert_right(OWN, THEIR, MEDIA_PORT, random.randbytes(length))

    @given(HITS, HITS, st.sampled_from((MEDIA_PORT, FRAMES_PORT)), st.binary(max_size=200))
    def test_any(self, own: bytes, their: bytes, port: int, data: bytes) -> None:
        """Any HITs and any data."""
        self.assert_right(own, their, port, data)

    def test_edges(self) -> None:
        """Data of zeros and of ones, and data whose checksum would be 0, which is sent as 0xFFFF (RFC 768)."""
        for length in (0, 1, 2, 3, 1459, 1460):
            self.assert_right(OWN, THEIR, MEDIA_PORT, bytes(length))
            self.assert_right(OWN, THEIR, MEDIA_PORT, b"\xff" * length)
        checksum = InnerUDP(OWN, THEIR, MEDIA_PORT).header(bytes(2))[6:]
        self.assertEqual(InnerUDP(OWN, THEIR, MEDIA_PORT).header(checksum)[6:], b"\xff\xff")
        self.assert_right(OWN, THEIR, MEDIA_PORT, checksum)

    def test_truncated(self) -> None:
        """A datagram cut at any length, or with more behind it, is refused."""
        data = b"voice"
        datagram = InnerUDP(OWN, THEIR, MEDIA_PORT).header(data) + data
        for length in range(len(datagram)):
            self.assertRaises(BadInner, unwrap, datagram[:length])
        self.assertRaises(BadInner, unwrap, datagram + b"\0")

    @given(st.binary(max_size=40))
    def test_garbage(self, garbage: bytes) -> None:
        """Garbage is read if its length is right, and otherwise refused by a RemoteError."""
        fits = len(garbage) >= UDP_HEADER and int.from_bytes(garbage[4:6], "big") == len(garbage)
        if fits:
            self.assertEqual(unwrap(garbage), (int.from_bytes(garbage[2:4], "big"), garbage[8:]))
        else:
            self.assertRaises(RemoteError, unwrap, garbage)

    def test_right_length(self) -> None:
        """Whatever has the right length is read: the ICV vouches for it."""
        for length in range(UDP_HEADER, 100):
            garbage = os.urandom(4) + length.to_bytes(2, "big") + os.urandom(length - 6)
            self.assertEqual(unwrap(garbage), (int.from_bytes(garbage[2:4], "big"), garbage[8:]))


class EchoTests(SynchronousTestCase):
    """ICMPv6."""

    @given(HITS, HITS, st.binary(min_size=4, max_size=100))
    def test_answered(self, own: bytes, their: bytes, rest: bytes) -> None:
        """An echo request is answered with the same identifier, number and data; both checksums are right."""
        request = echo(ECHO_REQUEST, their, own, rest)
        self.assertEqual(summed(their, own, ICMPV6, request), 0xFFFF)
        answer = echo_answer(request, own, their)
        assert answer is not None
        self.assertEqual((answer[:2], answer[4:]), (bytes([ECHO_REPLY, 0]), rest))
        self.assertEqual(summed(own, their, ICMPV6, answer), 0xFFFF)

    def test_every_length(self) -> None:
        """Data of every length is answered."""
        for length in range(1500):
            rest = os.urandom(4 + length)
            answer = echo_answer(echo(ECHO_REQUEST, THEIR, OWN, rest), OWN, THEIR)
            assert answer is not None
            self.assertEqual(answer, echo(ECHO_REPLY, OWN, THEIR, rest))
            self.assertEqual(summed(OWN, THEIR, ICMPV6, answer), 0xFFFF)

    def test_others(self) -> None:
        """No other message is answered, least of all a reply."""
        for type_ in set(range(256)) - {ECHO_REQUEST}:
            self.assertIsNone(echo_answer(echo(type_, THEIR, OWN, bytes(8)), OWN, THEIR))

    def test_bad(self) -> None:
        """A message that was cut or altered, or is between other HITs, is refused."""
        request = echo(ECHO_REQUEST, THEIR, OWN, b"\0\1\0\2 data")
        for length in range(len(request)):
            self.assertRaises(BadInner, echo_answer, request[:length], OWN, THEIR)
        for at in range(len(request)):
            altered = request[:at] + bytes([request[at] ^ 1]) + request[at + 1 :]
            self.assertRaises(BadInner, echo_answer, altered, OWN, THEIR)
        self.assertRaises(BadInner, echo_answer, request, OWN, OWN)
