"""A witness of HIP exchanges that shares no code with the package: written from the RFCs, with construct, hashlib and cryptography.

It sees all packets of an exchange and knows its Diffie-Hellman secret, and finds whatever is not as RFC 7401 and RFC 7402 have it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any, NamedTuple

from construct import Aligned, Bytes, Const, GreedyBytes, GreedyRange, Int8ub, Int16ub, Prefixed, Struct, Tell
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HEADER = Struct(
    "next" / Const(b"\x3b"),
    "units" / Int8ub,
    "type" / Int8ub,
    "version" / Const(b"\x21"),
    "checksum" / Int16ub,
    "controls" / Bytes(2),
    "sender" / Bytes(16),
    "receiver" / Bytes(16),
    "parameters" / GreedyBytes,
)
PARAMETER = Aligned(
    8, Struct("start" / Tell, "type" / Int16ub, "contents" / Prefixed(Int16ub, GreedyBytes), "end" / Tell)
)
PARAMETERS = GreedyRange(PARAMETER)

CONTEXT = bytes.fromhex("F0EFF02FBFF43D0FE7930C3C6E6174EA")
HASHES = {1: "sha256", 2: "sha384"}
CIPHER_KEYS = {2: 16, 4: 32}
ESP_KEYS = {7: (0, 32), 8: (16, 32), 9: (32, 32), 13: (20, 0)}
CURVES: dict[int, tuple[ec.EllipticCurve, int]] = {1: (ec.SECP256R1(), 32), 2: (ec.SECP384R1(), 48)}

ALLOWED = {
    1: [511],
    2: [129, 257, 511, 513, 579, 608, 705, 715, 897, 2049, 4095, 61633, 63661],
    3: [65, 129, 321, 513, 579, 608, 641, 705, 961, 2049, 4095, 61505, 61697, 63425],
    4: [65, 61569, 61697],
    16: [65, 193, 385, 449, 513, 897, 961, 61505, 61697, 63425, 63661],
    17: [832, 705, 61697],
    18: [897, 61505, 61697],
    19: [961, 61505, 61697],
}
"The parameters that a packet of each type may have (RFC 7401 §5.3, RFC 7402 §5.2, RFC 8046 §4, RFC 9028 §5.4)."


class Read(NamedTuple):
    """A packet that was read."""

    octets: bytes
    type: int
    sender: bytes
    receiver: bytes
    parameters: list[Any]

    def get(self, type_: int) -> Any:
        """Return the only parameter of a type, or None."""
        found = [each for each in self.parameters if each.type == type_]
        assert len(found) < 2, f"{type_} is there twice"
        return found[0] if found else None

    def contents(self, type_: int) -> bytes:
        """Return the contents of the only parameter of a type."""
        found = self.get(type_)
        assert found is not None, f"{type_} is missing"
        return bytes(found.contents)

    def covered(self, type_: int, behind: bytes = b"") -> bytes:
        """Return what a MAC or signature of this type covers, with something appended (RFC 7401 §6.4)."""
        data = bytearray(self.octets[: 40 + self.get(type_).start] + behind)
        data[1], data[4:6] = len(data) // 8 - 1, b"\0\0"
        return bytes(data)


def read(octets: bytes, padded: bool = True) -> Read:
    """Read a packet and check everything that can be checked in it alone; ``padded`` with zeros, as not all programs do."""
    header = HEADER.parse(octets)
    assert (header.units + 1) * 8 == len(octets), "the length is wrong"
    parameters = PARAMETERS.parse(header.parameters)
    types = [each.type for each in parameters]
    assert types == sorted(types), f"out of order: {types}"
    ends = [each.end + -each.end % 8 for each in parameters]
    assert [0, *ends][:-1] == [each.start for each in parameters] and ends[-1] == len(header.parameters)
    for each, end in zip(parameters, ends, strict=True):
        assert not (padded and any(header.parameters[each.end : end])), "the padding is not zero"
    assert set(types) <= set(ALLOWED[header.type]), f"{types} in a packet of type {header.type}"
    assert header.type < 128 and header.controls == b"\0\0"
    return Read(octets, header.type, header.sender, header.receiver, parameters)


def checksum(octets: bytes, source: bytes, destination: bytes) -> int:
    """Return the checksum of a packet between two packed addresses (RFC 7401 §5.1.1), word by word."""
    length = len(octets).to_bytes(4, "big")
    pseudo = source + destination + (length + b"\0\0\0\x8b" if len(source) == 16 else b"\0\x8b" + length[2:])
    data = pseudo + octets[:4] + b"\0\0" + octets[6:]
    total = sum(data[at] << 8 | data[at + 1] for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def identity(host_id: bytes) -> tuple[int, bytes]:
    """Return algorithm and Host Identity of the contents of a HOST_ID."""
    size, domain = int.from_bytes(host_id[:2], "big"), int.from_bytes(host_id[2:4], "big") & 0xFFF
    assert len(host_id) == 6 + size + domain
    return int.from_bytes(host_id[4:6], "big"), host_id[6 : 6 + size]


def hit(host_id: bytes) -> bytes:
    """Return the HIT of the contents of a HOST_ID (RFC 7343 §2, RFC 7401 §3.2)."""
    algorithm, encoded = identity(host_id)
    suite = {5: 1, 7: 2}[algorithm]
    digest = hashlib.new(HASHES[suite], CONTEXT + encoded).digest()
    middle = len(digest) // 2
    return bytes.fromhex(f"2001002{suite}") + digest[middle - 6 : middle + 6]


def verify(host_id: bytes, signature: bytes, data: bytes) -> None:
    """Check the contents of HIP_SIGNATURE or HIP_SIGNATURE_2; raises InvalidSignature (RFC 7401 §5.2.9, §5.2.14)."""
    algorithm, encoded = identity(host_id)
    assert int.from_bytes(signature[:2], "big") == algorithm
    value = signature[2:]
    if algorithm == 7:
        curve, width = CURVES[int.from_bytes(encoded[:2], "big")]
        assert len(value) == 2 * width and encoded[2] == 4
        public = ec.EllipticCurvePublicKey.from_encoded_point(curve, encoded[2:])
        halves = (int.from_bytes(half, "big") for half in (value[:width], value[width:]))
        public.verify(utils.encode_dss_signature(*halves), data, ec.ECDSA(hashes.SHA384()))
        return
    size = encoded[0]
    numbers = (int.from_bytes(part, "big") for part in (encoded[1 : 1 + size], encoded[1 + size :]))
    key = rsa.RSAPublicNumbers(*numbers).public_key()
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    key.verify(value, data, pss, hashes.SHA256())


class Witness:
    """Checks the packets of one exchange, in their order.

    ``secret`` gets the group and the public values of the Responder and the Initiator, and returns the Diffie-Hellman secret. ``padded``
    tells whether padding has to be zero.
    """

    def __init__(self, secret: Callable[[int, bytes, bytes], bytes], padded: bool = True) -> None:
        self._secret = secret
        self._padded = padded
        self._hosts: dict[bytes, bytes] = {}
        self._spis: dict[int, tuple[int, bytes, bytes]] = {}
        self._macs: dict[bytes, bytes] = {}
        self._sealing: dict[bytes, bytes] = {}
        self.sequences: dict[int, int] = {}
        self.seen: list[int] = []

    def see(self, octets: bytes) -> Read:
        """Check one packet; what is wrong is an AssertionError, or InvalidSignature."""
        packet = read(octets, self._padded)
        step = {1: self._i1, 2: self._r1, 3: self._i2, 4: self._r2}.get(packet.type, self._protected)
        step(packet)
        self.seen.append(packet.type)
        return packet

    def _i1(self, packet: Read) -> None:
        self.initiator, self.offered = packet.sender, packet.contents(511)

    def _r1(self, packet: Read) -> None:
        self.responder, self.r1 = packet.sender, packet
        assert packet.receiver == self.initiator
        host_id = packet.contents(705)
        assert hit(host_id) == packet.sender
        self._hosts[packet.sender] = host_id
        self.rhash = HASHES[packet.sender[3] & 15]
        self.size = hashlib.new(self.rhash).digest_size
        assert len(packet.contents(257)) == 4 + self.size
        covered = bytearray(packet.covered(61633))
        covered[24:40] = bytes(16)
        puzzle = 40 + packet.get(257).start + 4
        covered[puzzle + 2 : puzzle + 4 + self.size] = bytes(2 + self.size)
        verify(host_id, packet.contents(61633), bytes(covered))
        group = packet.contents(513)[0]
        best = next(each for each in packet.contents(511) if each in self.offered)
        assert group == best, "the group is not the best"
        assert self.initiator[3] << 4 & 0xF0 in packet.contents(715)

    def _i2(self, packet: Read) -> None:
        assert (packet.sender, packet.receiver) == (self.initiator, self.responder)
        r1 = self.r1
        puzzle, solution = r1.contents(257), packet.contents(321)
        assert (solution[0], solution[2:4]) == (puzzle[0], puzzle[2:4])
        random, number = solution[4 : 4 + self.size], solution[4 + self.size :]
        assert (random, len(number)) == (puzzle[4:], self.size)
        digest = hashlib.new(self.rhash, random + self.initiator + self.responder + number).digest()
        assert int.from_bytes(digest, "big") % 2 ** puzzle[0] == 0, "the puzzle is not solved"
        if r1.get(129) is not None:
            assert packet.contents(129) == r1.contents(129)
        for one, all_, skip in ((579, 579, 0), (2049, 2049, 0), (4095, 4095, 2)):
            chosen, offered = packet.contents(one)[skip:], r1.contents(all_)[skip:]
            assert len(chosen) == 2 and chosen in [offered[at : at + 2] for at in range(0, len(offered), 2)]
        self._derive(packet, random + number)
        self._check_mac(packet, 61505)
        host_id = self._host_id(packet)
        assert hit(host_id) == packet.sender
        self._hosts[packet.sender] = host_id
        verify(host_id, packet.contents(61697), packet.covered(61697))
        self._esp_info(packet)

    def _derive(self, packet: Read, salt: bytes) -> None:
        theirs, ours = self.r1.contents(513), packet.contents(513)
        assert ours[0] == theirs[0]
        for value in (theirs, ours):
            assert int.from_bytes(value[1:3], "big") == len(value) - 3
        secret = self._secret(ours[0], theirs[3:], ours[3:])
        self._salt = salt
        self.renew(secret)
        self.cipher = int.from_bytes(packet.contents(579), "big")
        size = CIPHER_KEYS[self.cipher]
        at = 0
        for host in sorted([self.initiator, self.responder], reverse=True):
            self._sealing[host] = self.keymat[at : at + size]
            self._macs[host] = self.keymat[at + size : at + size + self.size]
            at += size + self.size
        self.index = at
        self.suite = int.from_bytes(packet.contents(4095)[2:4], "big")

    def renew(self, secret: bytes) -> None:
        """Make KEYMAT of a secret: HKDF by hand (RFC 7401 §6.5, RFC 5869 §2)."""
        self.prk = hmac.new(self._salt, secret, self.rhash).digest()
        info = min(self.initiator, self.responder) + max(self.initiator, self.responder)
        self.keymat, block = b"", b""
        for number in range(1, 13):
            block = hmac.new(self.prk, block + info + bytes([number]), self.rhash).digest()
            self.keymat += block

    def _check_mac(self, packet: Read, type_: int, behind: bytes = b"") -> None:
        mac = hmac.new(self._macs[packet.sender], packet.covered(type_, behind), self.rhash).digest()
        assert mac == packet.contents(type_), "the MAC is wrong"

    def _host_id(self, packet: Read) -> bytes:
        if packet.get(641) is None:
            return packet.contents(705)
        hidden = packet.contents(641)
        aes = algorithms.AES(self._sealing[packet.sender])
        decryptor = Cipher(aes, modes.CBC(hidden[4:20])).decryptor()
        plain = decryptor.update(hidden[20:]) + decryptor.finalize()
        extra = plain[-1]
        assert 1 <= extra <= 16 and plain[-extra:] == bytes([extra]) * extra
        (found,) = PARAMETERS.parse(plain[:-extra])
        assert found.type == 705
        return bytes(found.contents)

    def _r2(self, packet: Read) -> None:
        assert (packet.sender, packet.receiver) == (self.responder, self.initiator)
        host_id = self.r1.get(705)
        end = host_id.end + -host_id.end % 8
        self._check_mac(packet, 61569, self.r1.octets[40 + host_id.start : 40 + end])
        verify(self._hosts[packet.sender], packet.contents(61697), packet.covered(61697))
        self._esp_info(packet)

    def _esp_info(self, packet: Read) -> None:
        info = packet.contents(65)
        assert len(info) == 12 and info[:2] == b"\0\0" and info[4:8] == bytes(4)
        assert int.from_bytes(info[2:4], "big") == self.index
        self.arrange(packet.sender, int.from_bytes(info[8:], "big"), self.keymat, self.index)

    def arrange(self, receiver: bytes, spi: int, keymat: bytes, index: int) -> None:
        """Hear that a host takes what comes to an SPI, with keys from a place in KEYMAT (RFC 7402 §7)."""
        assert spi > 255 and spi not in self._spis
        encryption, authentication = ESP_KEYS[self.suite]
        sender = self.initiator if receiver == self.responder else self.responder
        if sender == min(self.initiator, self.responder):
            index += encryption + authentication
        middle = index + encryption
        self._spis[spi] = self.suite, keymat[index:middle], keymat[middle : middle + authentication]

    def _protected(self, packet: Read) -> None:
        """Check an UPDATE, NOTIFY, CLOSE or CLOSE_ACK."""
        assert {packet.sender, packet.receiver} == {self.initiator, self.responder}
        if packet.type != 17:
            self._check_mac(packet, 61505)
        verify(self._hosts[packet.sender], packet.contents(61697), packet.covered(61697))

    def open(self, packet: bytes) -> tuple[int, bytes]:
        """Check an ESP packet, and return its next header and payload (RFC 4303, RFC 7402 App. B)."""
        spi, sequence = (int.from_bytes(packet[at : at + 4], "big") for at in (0, 4))
        suite, key, mac_key = self._spis[spi]
        assert sequence == self.sequences.get(spi, 0) + 1, "the sequence is broken"
        self.sequences[spi] = sequence
        if suite == 13:
            plain = AESGCM(key[:16]).decrypt(key[16:] + packet[8:16], packet[16:], packet[:8])
            block = 4
        else:
            icv = hmac.new(mac_key, packet[:-16], "sha256").digest()[:16]
            assert icv == packet[-16:], "the ICV is wrong"
            plain, block = self._decrypted(key, packet[8:-16]), 16 if key else 4
        assert len(plain) % block == 0
        size, next_header = plain[-2], plain[-1]
        assert plain[len(plain) - 2 - size : -2] == bytes(range(1, size + 1)), "the padding is wrong"
        return next_header, plain[: len(plain) - 2 - size]

    def _decrypted(self, key: bytes, data: bytes) -> bytes:
        """Return what is in IV and ciphertext; without a key, all is there to be read (RFC 2410)."""
        if not key:
            return data
        decryptor = Cipher(algorithms.AES(key), modes.CBC(data[:16])).decryptor()
        return decryptor.update(data[16:]) + decryptor.finalize()
