"""Tests for p2pship.bearer.channel."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.bearer.channel import (
    LAST_COUNTER,
    OVERHEAD,
    WINDOW,
    DatagramOpener,
    DatagramSealer,
    Exhausted,
    Forged,
    RecordOpener,
    RecordSealer,
    Replayed,
)
from p2pship.errors import RemoteError

KEY, OTHER = bytes(range(16)), bytes(16)


class DatagramTests(SynchronousTestCase):
    """Datagrams, which may be lost, late, and anybody's."""

    def setUp(self) -> None:
        self.sealer = DatagramSealer(KEY)
        self.opener = DatagramOpener(KEY)

    def test_vector(self) -> None:
        """The octets are those of the reference page."""
        header = bytes.fromhex("11 0000000000000001")
        mac = AESGCM(KEY).encrypt(bytes.fromhex("00000000 0000000000000001"), b"", header + b"voice")
        self.assertEqual(self.sealer.seal(17, b"voice"), header + b"voice" + mac)
        self.assertEqual(mac.hex(), "b0e14ee2051b7f54a459a63907dc2ac8")

    @given(st.integers(min_value=0, max_value=255), st.binary(max_size=300))
    def test_round_trip(self, kind: int, data: bytes) -> None:
        """What is sealed is opened, with 25 octets more on the way."""
        datagram = DatagramSealer(KEY).seal(kind, data)
        self.assertEqual(len(datagram), len(data) + OVERHEAD)
        self.assertEqual(DatagramOpener(KEY).open(datagram), (kind, data))

    def test_altered(self) -> None:
        """One octet altered anywhere, and it is refused; the one that was not altered is still taken after it."""
        datagram = self.sealer.seal(17, b"voice")
        for at in range(len(datagram)):
            altered = datagram[:at] + bytes([datagram[at] ^ 0x80]) + datagram[at + 1 :]
            self.assertRaises(Forged, self.opener.open, altered)
        for length in range(len(datagram)):
            self.assertRaises(Forged, self.opener.open, datagram[:length])
        self.assertRaises(Forged, self.opener.open, datagram + b"\0")
        self.assertEqual(self.opener.open(datagram), (17, b"voice"))

    @given(st.binary(max_size=100))
    def test_garbage(self, garbage: bytes) -> None:
        """Garbage is refused, and nothing but a RemoteError comes out."""
        self.assertRaises(RemoteError, self.opener.open, garbage)

    def test_reflected(self) -> None:
        """What a side sent itself is not taken from the other: each direction has its key."""
        self.assertRaises(Forged, DatagramOpener(OTHER).open, self.sealer.seal(17, b"voice"))

    def test_replayed(self) -> None:
        """A datagram is taken once, also after others, however often it comes."""
        datagrams = [self.sealer.seal(17, b"%d" % number) for number in range(3 * WINDOW)]
        for datagram in datagrams[: WINDOW // 2]:
            self.opener.open(datagram)
            self.assertRaises(Replayed, self.opener.open, datagram)
        for datagram in datagrams[WINDOW // 2 :]:
            self.opener.open(datagram)
        for datagram in datagrams:
            self.assertRaises(Replayed, self.opener.open, datagram)

    def test_reordered(self) -> None:
        """What overtook others is taken, and so are those, in any order, once each."""
        datagrams = [self.sealer.seal(17, b"%d" % number) for number in range(WINDOW)]
        for datagram in reversed(datagrams):
            self.opener.open(datagram)
        for datagram in datagrams:
            self.assertRaises(Replayed, self.opener.open, datagram)

    def test_far_behind(self) -> None:
        """A late one is refused when its place in the window has been taken since."""
        datagrams = [self.sealer.seal(17, b"") for _ in range(2 * WINDOW)]
        self.opener.open(datagrams[WINDOW + 5])
        self.assertRaises(Replayed, self.opener.open, datagrams[5])
        self.opener.open(datagrams[6])

    def test_forged_counter(self) -> None:
        """A made-up counter that is far ahead does not keep the true ones out."""
        ahead = DatagramSealer(OTHER, first=LAST_COUNTER).seal(17, b"x")
        self.assertRaises(Forged, self.opener.open, ahead)
        self.opener.open(self.sealer.seal(17, b"voice"))

    @given(st.lists(st.integers(min_value=0, max_value=3 * WINDOW), max_size=60))
    def test_each_once(self, order: list[int]) -> None:
        """Whatever comes in whatever order, nothing is taken twice, and within the window nothing is refused once."""
        opener, taken = DatagramOpener(KEY), set[int]()
        for number in order:
            try:
                opener.open(DatagramSealer(KEY, first=number + 1).seal(17, b""))
            except Replayed:
                self.assertTrue(number in taken or number <= max(taken) - WINDOW)
                continue
            self.assertNotIn(number, taken)
            taken.add(number)

    def test_last(self) -> None:
        """The last counter is used, and none after it, as it would be one that was used before."""
        sealer = DatagramSealer(KEY, first=LAST_COUNTER)
        self.opener.open(sealer.seal(17, b"last"))
        self.assertRaises(Exhausted, sealer.seal, 17, b"one more")
        self.assertRaises(Exhausted, sealer.seal, 17, b"and again")


class RecordTests(SynchronousTestCase):
    """Records on a stream, where each must be the next."""

    def setUp(self) -> None:
        sealer = RecordSealer(KEY)
        self.sealed = [sealer.seal(b"record %d" % number) for number in range(4)]

    def take(self, opener: RecordOpener, sealed: bytes) -> None:
        """Let an opener check a record with its MAC."""
        opener.check(sealed[:-16], sealed[-16:])

    def test_vector(self) -> None:
        """The octets are those of the reference page."""
        mac = AESGCM(KEY).encrypt(bytes.fromhex("00000000 0000000000000001"), b"", b"record 0")
        self.assertEqual(self.sealed[0], b"record 0" + mac)

    def test_in_order(self) -> None:
        """Records that come in order are taken."""
        opener = RecordOpener(KEY)
        for sealed in self.sealed:
            self.take(opener, sealed)

    def test_out_of_order(self) -> None:
        """One that is repeated, left out, moved or altered is not."""
        first, second, third, _ = self.sealed
        for order in ((first, first), (first, third), (second,), (first, second, b"\0" + third[1:])):
            opener = RecordOpener(KEY)
            for sealed in order[:-1]:
                self.take(opener, sealed)
            self.assertRaises(Forged, self.take, opener, order[-1])

    def test_short_mac(self) -> None:
        """A shorter MAC is none."""
        for length in range(16):
            self.assertRaises(Forged, RecordOpener(KEY).check, b"record 0", self.sealed[0][-16:][:length])

    def test_reflected(self) -> None:
        """What a side sent itself is not taken from the other."""
        self.assertRaises(Forged, self.take, RecordOpener(OTHER), self.sealed[0])

    def test_last(self) -> None:
        """When the counters are used up, no more is sealed, nor taken."""
        sealer, opener = RecordSealer(KEY, LAST_COUNTER), RecordOpener(KEY, LAST_COUNTER)
        sealed = sealer.seal(b"last")
        self.take(opener, sealed)
        self.assertRaises(Exhausted, sealer.seal, b"one more")
        self.assertRaises(Forged, self.take, opener, sealed)
