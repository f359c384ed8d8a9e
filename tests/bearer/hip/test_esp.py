"""Tests for p2pship.bearer.hip.esp: what packets are made of, and what is refused."""

from __future__ import annotations

import os
from random import Random

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from p2pship.bearer.hip.esp import Forged, Replayed, inbound, outbound, overhead
from p2pship.bearer.hip.numbers import ESPSuite
from p2pship.bearer.hip.suites import ESP_KEYS, OFFERED_ESP
from p2pship.errors import RemoteError
from tests.bearer.hip.espbook import (
    CBC,
    KEYS,
    LARGEST,
    SPI,
    ESPPair,
    by_the_book,
    icv,
    made_by_the_book,
    padded,
)
from tests.scale import SEED, scaled

GCM_VECTOR = bytes.fromhex(
    """0000a5f80000000afacedbaddecaf888
    deb22cd9b07c72c16e3a65beeb8df304a5a5897d33ae530f1ba76d5d114d2a5c
    3de81827c10e9a4f51330d0eec416642cfbb85a5b47e48a4ec3b9ba95d918bd1
    83b70d3aa8bc6ee4c309e9d85a41ad4a"""
)
"draft-mcgrew-gcm-test-01, case 3: the nonce is cafebabe facedbaddecaf888."

GCM_PAYLOAD = bytes.fromhex(
    """4500003e698f000080114dccc0a80102c0a801010a980035002a2343b2d00100
    000100000000000003736970096379626572636974790264 6b0000010001"""
)

CBC_VECTORS = (
    (
        "90d382b410eeba7ad938c46cec1a82bf",
        """0000432100000001e96e8c08ab465763fd098d45dd3ff893f663c25d325c18c6a9453e194e120849
        a4870b66cc6b9965330013b4898dc856a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c
        538ab50c551b874aa269add047ad2d5913ac19b7cfbad4a6""",
        1,
        """08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
        202122232425262728292a2b2c2d2e2f3031323334353637""",
    ),
    (
        "90d382b410eeba7ad938c46cec1a82bf",
        """000043210000000869d08df7d203329db093fc4924e5bd80f51995881ec4e0c4488987ce742e8109
        689bb379d2d750c0d915dca346a89f75""",
        1,
        "0800b5e8a80a0500a69c083d0b660e00777777777777777777777777",
    ),
    (
        "0123456789abcdef0123456789abcdef",
        """0000876500000002f4e765244f6407adf13dc1380f673f37773b5241a4c449225e4f3ce5ed611b0c
        237ca96cf74a93013c1b0ea1a0cf70f8e4ecaec78ac53aad7a0f022b859243c647752e94a859352b
        8a4d4d2decd136e5c177f132ad3fbfb2201ac9904c74ee0a109e0ca1e4dfe9d5a100b842f1c22f0d""",
        4,
        """45000054090400004001f988c0a87b03c0a87bc808009f76a90a0100b49c083d02a2040008090a0b
        0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637""",
    ),
    (
        "0123456789abcdef0123456789abcdef",
        """000087650000000585d47224b5f3dd5d2101d4ea8dffab2215b92683819596a8047232cc00f7048f
        e45318e11f8a0f62ede3c3fc61203bb50f980a08c9843fd3a1b06d5c07ff9639b7eb7dfb3512e5de
        435e7207ed971ef3d2726d9b5ef6affc6d17a0decbb13892""",
        4,
        """45000044090c00004001f990c0a87b03c0a87bc80800d63caa0a0200c69c083da3de0300ffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffff""",
    ),
)
"RFC 3602 §4, cases 5 to 8, which have no ICV: key, packet, next header, payload."


class VectorTests(ESPPair):
    """Packets that others have made."""

    def test_gcm(self) -> None:
        """A packet of draft-mcgrew-gcm-test-01."""
        keys = bytes.fromhex("feffe9928665731c6d6a8f9467308308cafebabe")
        opens = inbound(ESPSuite.AES_GCM_16, 0xA5F8, keys)
        self.assertEqual(opens.open(GCM_VECTOR), (1, GCM_PAYLOAD))
        self.assertEqual((opens.newest, opens.taken), (10, 1))

    def test_cbc(self) -> None:
        """Packets of RFC 3602, to which an ICV was added, are opened, and made when the IV is theirs."""
        for key, packet, next_header, payload in CBC_VECTORS:
            keys = bytes.fromhex(key) + KEYS[ESPSuite.AES_128_CBC_HMAC_SHA256][16:]
            octets, inside = bytes.fromhex(packet), bytes.fromhex(payload)
            octets += icv(keys[16:], octets)
            opens = inbound(ESPSuite.AES_128_CBC_HMAC_SHA256, SPI, keys)
            self.assertEqual(opens.open(octets), (next_header, inside))
            self.assertEqual(self.sealed(keys, octets, next_header, inside), octets)

    def sealed(self, keys: bytes, like: bytes, next_header: int, payload: bytes) -> bytes:
        """Seal with the number and the IV of another packet, by the random octets that make that IV."""
        cipher = Cipher(algorithms.AES(keys[:16]), modes.ECB()).decryptor()
        randoms = [bytes(16), cipher.update(like[8:24])]
        spi, sequence = (int.from_bytes(like[at : at + 4], "big") for at in (0, 4))
        seals = outbound(ESPSuite.AES_128_CBC_HMAC_SHA256, spi, keys, lambda size: randoms.pop(0))
        seals.sequence = sequence - 1
        return seals.seal(next_header, payload)


class RoundTripTests(ESPPair):
    """What one side seals the other opens, and so does the library by its ordinary means."""

    def test_every_length(self) -> None:
        """Payloads of every length, with every suite, in order: the shared cipher object does what one for each packet does."""
        random = Random(SEED)
        for suite in OFFERED_ESP:
            seals, opens = self.pair(suite)
            for length in range(LARGEST + 1):
                payload = random.randbytes(length)
                packet = seals.seal(17, payload)
                self.assertEqual(by_the_book(suite, KEYS[suite], packet), padded(suite, payload))
                self.assertEqual(opens.open(packet), (17, payload))
                self.assertLessEqual(len(packet), length + overhead(suite))
            self.assertEqual((seals.sequence, opens.newest, opens.taken), (LARGEST + 1,) * 3)

    def test_ordinary_packets(self) -> None:
        """Packets that were encrypted one by one are opened, whatever was opened before them."""
        random = Random(SEED)
        for suite in OFFERED_ESP:
            opens = inbound(suite, SPI, KEYS[suite])
            for sequence in random.sample(range(1, 1000), scaled(100, 900)):
                payload = random.randbytes(random.randrange(LARGEST))
                packet = made_by_the_book(
                    suite, KEYS[suite], sequence, padded(suite, payload, sequence & 255)
                )
                self.assertEqual(opens.open(packet), (sequence & 255, payload))

    def test_two_pieces(self) -> None:
        """A head and what follows it make the same as both in one."""
        for suite in OFFERED_ESP:
            (seals, opens), payload = self.pair(suite), bytes(range(60))
            for at in range(len(payload)):
                self.assertEqual(opens.open(seals.seal(58, payload[at:], payload[:at])), (58, payload))

    @given(st.sampled_from(OFFERED_ESP), st.integers(0, 255), st.binary(max_size=100), st.binary(max_size=50))
    def test_any(self, suite: ESPSuite, next_header: int, payload: bytes, head: bytes) -> None:
        """Any next header and any payload."""
        seals, opens = self.pair(suite)
        self.assertEqual(opens.open(seals.seal(next_header, payload, head)), (next_header, head + payload))

    def test_lost_ones(self) -> None:
        """What is lost between packets disturbs nothing: CBC is not chained from one packet to the next."""
        random = Random(SEED)
        for suite in OFFERED_ESP:
            seals, opens = self.pair(suite)
            for number in range(300):
                packet = seals.seal(17, b"%d" % number)
                if random.random() < 0.5:
                    self.assertEqual(opens.open(packet), (17, b"%d" % number))

    def test_overhead(self) -> None:
        """No packet is longer than its payload and the overhead, and some length needs all of it."""
        for suite in OFFERED_ESP:
            seals, _ = self.pair(suite)
            more = {len(seals.seal(17, bytes(length))) - length for length in range(64)}
            self.assertEqual(max(more), overhead(suite))


class IVTests(ESPPair):
    """What makes two packets with one key differ."""

    def test_gcm(self) -> None:
        """With GCM it is the whole number, which no packet shares with another (RFC 4106 §3.1)."""
        seals, _ = self.pair(ESPSuite.AES_GCM_16)
        for sequence in (1, 2, 0x7FFF_FFFE, 0x7FFF_FFFF, 0x8000_0000):
            seals.sequence = sequence - 1
            packet = seals.seal(17, b"")
            self.assertEqual(
                packet[4:8] + packet[8:16], sequence.to_bytes(4, "big") + sequence.to_bytes(8, "big")
            )

    def test_cbc_differ(self) -> None:
        """With CBC no IV comes twice, also when all payloads are the same."""
        for suite in CBC:
            seals, _ = self.pair(suite)
            packets = [seals.seal(17, bytes(32)) for _ in range(5000)]
            self.assertEqual(len({packet[8:24] for packet in packets}), len(packets))
            self.assertEqual(len({packet[24:40] for packet in packets}), len(packets))

    def test_cbc_unforeseen(self) -> None:
        """Nobody who knows all packets until now foresees the next IV: it is random octets, encrypted, and nothing else tells it.

        Two that are alike in key, payloads and history, and differ in the last random octets alone, differ in the IV.
        """
        for suite in CBC:
            fixed = [bytes(16), *([bytes(16)] * 5)]
            ivs = set()
            for last in (b"\1", b"\2"):
                randoms = [*fixed, last * 16]
                seals = outbound(suite, SPI, KEYS[suite], lambda size, left=randoms: left.pop(0))  # type: ignore[misc]
                for _ in range(5):
                    seals.seal(17, b"known")
                packet = seals.seal(17, b"known")
                ivs.add(packet[8:24])
                self.assertEqual(randoms, [], "each IV takes 16 random octets of its own")
            self.assertEqual(len(ivs), 2)

    def test_cbc_even(self) -> None:
        """The IVs look like random octets: each bit is set in about half of them."""
        seals, _ = self.pair(ESPSuite.AES_128_CBC_HMAC_SHA256)
        ivs = [int.from_bytes(seals.seal(17, b"same")[8:24], "big") for _ in range(2000)]
        for bit in range(128):
            self.assertIn(sum(iv >> bit & 1 for iv in ivs), range(800, 1200))


class ForgedTests(ESPPair):
    """What is not from the other side."""

    def test_truncated(self) -> None:
        """A packet that was cut at any length, or has more, is refused; after that the whole one is taken."""
        for suite in OFFERED_ESP:
            seals, opens = self.pair(suite)
            packet = seals.seal(17, bytes(100))
            for length in range(len(packet)):
                self.assertRaises(Forged, opens.open, packet[:length])
            for more in (b"\0", bytes(16), packet):
                self.assertRaises(Forged, opens.open, packet + more)
            self.assertEqual(opens.open(packet), (17, bytes(100)))

    def test_altered(self) -> None:
        """One octet altered anywhere, also in SPI and number, and it is refused; nothing is remembered of it."""
        for suite in OFFERED_ESP:
            seals, opens = self.pair(suite)
            opens.open(seals.seal(17, b"first"))
            packet = seals.seal(17, b"voice")
            for at in range(len(packet)):
                for bit in (1, 0x80):
                    altered = packet[:at] + bytes([packet[at] ^ bit]) + packet[at + 1 :]
                    self.assertRaises((Forged, Replayed), opens.open, altered)
            self.assertEqual((opens.newest, opens.taken), (1, 1))
            self.assertEqual(opens.open(packet), (17, b"voice"))

    @given(st.sampled_from(OFFERED_ESP), st.binary(max_size=120))
    def test_garbage(self, suite: ESPSuite, garbage: bytes) -> None:
        """Garbage is refused, and nothing but a RemoteError comes out."""
        self.assertRaises(RemoteError, self.pair(suite)[1].open, garbage)

    def test_other_keys(self) -> None:
        """What was sealed with any other key, one bit of which is enough, is refused."""
        for suite in OFFERED_ESP:
            packet = outbound(suite, SPI, KEYS[suite], os.urandom).seal(17, b"voice")
            authentic = ESP_KEYS[suite].encryption if suite in CBC else 0
            for at in range(authentic, len(KEYS[suite])):
                other = bytearray(KEYS[suite])
                other[at] ^= 1
                self.assertRaises(Forged, inbound(suite, SPI, bytes(other)).open, packet)

    def test_bad_padding(self) -> None:
        """Who has the keys and pads by more octets than there are is refused."""
        for suite in OFFERED_ESP:
            opens = inbound(suite, SPI, KEYS[suite])
            packet = made_by_the_book(suite, KEYS[suite], 1, bytes(14) + b"\xff\x11")
            self.assertRaises(Forged, opens.open, packet)
            packet = made_by_the_book(suite, KEYS[suite], 2, bytes(14) + b"\x0e\x11")
            self.assertEqual(opens.open(packet), (17, b""))
