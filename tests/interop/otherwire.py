"""Packets, keys and ESP of a HIPv2 host that is not ours: written from RFC 7401, 7402 and 8046 alone, and without p2pship.

What it sends can be made to look as that of other programs does; what it gets is checked strictly, as a test is the only reader.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

I1, R1, I2, R2, UPDATE, NOTIFY, CLOSE, CLOSE_ACK = 1, 2, 3, 4, 16, 17, 18, 19

ESP_INFO, R1_COUNTER, LOCATOR_SET, PUZZLE, SOLUTION, SEQ, ACK = 65, 129, 193, 257, 321, 385, 449
DH_GROUP_LIST, DIFFIE_HELLMAN, HIP_CIPHER, NAT_MODE, ENCRYPTED, HOST_ID, HIT_SUITES = (
    511,
    513,
    579,
    608,
    641,
    705,
    715,
)
NOTIFICATION, ECHO_REQUEST, ECHO_RESPONSE, TRANSPORT_FORMATS, ESP_TRANSFORM = 832, 897, 961, 2049, 4095
MAC, MAC_2, SIGNATURE_2, SIGNATURE, ECHO_RESPONSE_UNSIGNED, ECHO_REQUEST_UNSIGNED = (
    61505,
    61569,
    61633,
    61697,
    63425,
    63661,
)

PROTOCOL, ESP_PROTOCOL, ICMPV6, NO_NEXT = 139, 50, 58, 59
RSA, ECDSA = 5, 7
CONTEXT = bytes.fromhex("f0eff02fbff43d0fe7930c3c6e6174ea")
HASHES = {1: "sha256", 2: "sha384"}
"RHASH by the HIT suite, which is in each HIT."
HI_CURVES: dict[int, tuple[Any, int]] = {1: (ec.SECP256R1, 32), 2: (ec.SECP384R1, 48)}
"Curve and octets of a number."
CIPHER_KEYS = {2: 16, 4: 32}
ESP_KEYS = {7: (0, 32), 8: (16, 32), 9: (32, 32), 13: (20, 0)}
"Octets of encryption and authentication key (RFC 7402 §5.1.2); of GCM the key and its salt (RFC 4106)."


class Wrong(Exception):
    """What came is not what the RFC says."""


def check(true: object, what: str) -> None:
    """Raise Wrong unless it is so."""
    if not true:
        raise Wrong(what)


class Parameter(NamedTuple):
    """One of a packet's parameters."""

    kind: int
    value: bytes
    start: int
    "where it begins in the packet"
    raw: bytes
    "all octets, with type, length and padding"


def tlv(kind: int, value: bytes, filler: bytes = b"\0") -> bytes:
    """Encode a parameter; the filler is what some programs leave in its padding."""
    return struct.pack("!HH", kind, len(value)) + value + filler * (-(len(value) + 4) % 8)


def packet(kind: int, sender: bytes, receiver: bytes, body: bytes) -> bytes:
    """Encode a packet, without its checksum."""
    return struct.pack("!BBBBHH", NO_NEXT, 4 + len(body) // 8, kind, 0x21, 0, 0) + sender + receiver + body


def parameters(data: bytes) -> list[Parameter]:
    """Read the parameters of a packet, which has no octet too many."""
    check(len(data) >= 40 and len(data) == (data[1] + 1) * 8, "length")
    check(data[0] == NO_NEXT and data[2] < 128 and data[3] == 0x21, "fixed octets")
    return tlvs(data, 40)


def tlvs(data: bytes, at: int, is_strict: bool = True) -> list[Parameter]:
    """Read parameters, which ascend, up to the end; padding is zero, but for what some programs leave in it."""
    found: list[Parameter] = []
    while at < len(data):
        kind, length = struct.unpack_from("!HH", data, at)
        end = at + 11 + length - (length + 3) % 8
        check(end <= len(data), "a parameter beyond the end")
        check(not found or kind >= found[-1].kind, "order of parameters")
        check(not (is_strict and any(data[at + 4 + length : end])), "padding")
        found.append(Parameter(kind, data[at + 4 : at + 4 + length], at, data[at:end]))
        at = end
    return found


def up_to(data: bytes, end: int, more: bytes = b"") -> bytes:
    """Return what a MAC or signature covers: the start of a packet, its length set right and its checksum to zero."""
    size = end + len(more)
    return bytes((data[0], size // 8 - 1)) + data[2:4] + b"\0\0" + data[6:end] + more


def covered_by_signature_2(data: bytes, read: dict[int, Parameter]) -> bytes:
    """Return what the signature of an R1 covers (RFC 7401 §5.2.15)."""
    puzzle = read[PUZZLE]
    plain = bytearray(up_to(data, read[SIGNATURE_2].start))
    plain[24:40] = bytes(16)
    plain[puzzle.start + 6 : puzzle.start + 4 + len(puzzle.value)] = bytes(len(puzzle.value) - 2)
    return bytes(plain)


def ones_complement(data: bytes) -> int:
    """Return the checksum of the Internet."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo_header(source: str, target: str, length: int) -> bytes:
    """Return what is summed before a packet (RFC 7401 §5.1.1)."""
    ends = ip_address(source).packed + ip_address(target).packed
    if len(ends) == 8:
        return ends + struct.pack("!BBH", 0, PROTOCOL, length)
    return ends + struct.pack("!IHBB", length, 0, 0, PROTOCOL)


def with_checksum(data: bytes, source: str, target: str) -> bytes:
    """Return a packet as it goes in IP itself."""
    value = ones_complement(pseudo_header(source, target, len(data)) + data)
    return data[:4] + struct.pack("!H", value) + data[6:]


def rhash(hit: bytes) -> str:
    """Return the name of the hash that goes with a HIT."""
    return HASHES[hit[3] & 15]


def hit_of(algorithm: int, identity: bytes) -> bytes:
    """Return the HIT of a Host Identity."""
    suite = 1 if algorithm == RSA else 2
    digest = hashlib.new(HASHES[suite], CONTEXT + identity).digest()
    middle = len(digest) // 2 - 6
    return bytes((0x20, 1, 0, 0x20 | suite)) + digest[middle : middle + 12]


class Key:
    """A Host Identity with its private key: ``rsa``, ``p256`` or ``p384``."""

    def __init__(self, kind: str) -> None:
        self._private: Any
        if kind == "rsa":
            self._private = rsa.generate_private_key(65537, 2048)
            numbers = self._private.public_key().public_numbers()
            self.algorithm, self.identity = RSA, b"\x03\1\0\1" + numbers.n.to_bytes(256, "big")
        else:
            label = 1 if kind == "p256" else 2
            curve, size = HI_CURVES[label]
            self._private = ec.generate_private_key(curve())
            self.algorithm, self._size = ECDSA, size
            point = self._private.public_key().public_numbers()
            self.identity = struct.pack("!HB", label, 4) + wide(point.x, size) + wide(point.y, size)
        self.hit = hit_of(self.algorithm, self.identity)

    def host_id(self, domain: bytes, domain_type: int) -> bytes:
        """Return the contents of HOST_ID."""
        types = domain_type << 12 | len(domain) if domain else 0
        head = struct.pack("!HHH", len(self.identity), types, self.algorithm)
        return b"".join((head, self.identity, domain))

    def sign(self, data: bytes) -> bytes:
        """Return the contents of a signature."""
        if self.algorithm == RSA:
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            return b"".join((struct.pack("!H", RSA), self._private.sign(data, pss, hashes.SHA256())))
        r, s = decode_dss_signature(self._private.sign(data, ec.ECDSA(hashes.SHA384())))
        return struct.pack("!H", ECDSA) + wide(r, self._size) + wide(s, self._size)


def wide(number: int, size: int) -> bytes:
    """Return a number of so many octets."""
    return number.to_bytes(size, "big")


def identity_of(host_id: bytes) -> tuple[int, bytes]:
    """Return the algorithm and the Host Identity in a HOST_ID."""
    length, types, algorithm = struct.unpack_from("!HHH", host_id)
    check(len(host_id) == 6 + length + (types & 0xFFF), "length of HOST_ID")
    return algorithm, host_id[6 : 6 + length]


def check_signature(host_id: bytes, data: bytes, signature: bytes) -> None:
    """Raise Wrong if a signature is not of the Host Identity's key."""
    algorithm, identity = identity_of(host_id)
    check(signature[:2] == struct.pack("!H", algorithm), "algorithm of the signature")
    try:
        (_check_rsa if algorithm == RSA else _check_ecdsa)(identity, data, signature[2:])
    except InvalidSignature:
        raise Wrong("signature") from None


def _check_rsa(identity: bytes, data: bytes, signature: bytes) -> None:
    end = 1 + identity[0]
    numbers = rsa.RSAPublicNumbers(int.from_bytes(identity[1:end]), int.from_bytes(identity[end:]))
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
    numbers.public_key().verify(signature, data, pss, hashes.SHA256())


def _check_ecdsa(identity: bytes, data: bytes, signature: bytes) -> None:
    curve, size = HI_CURVES[int.from_bytes(identity[:2])]
    check(len(signature) == 2 * size and identity[2] == 4, "width of the signature")
    key = ec.EllipticCurvePublicKey.from_encoded_point(curve(), identity[2:])
    both = encode_dss_signature(int.from_bytes(signature[:size]), int.from_bytes(signature[size:]))
    key.verify(both, data, ec.ECDSA(hashes.SHA384()))


def mac(name: str, key: bytes, data: bytes) -> bytes:
    """Return a MAC by the hash of that name."""
    return hmac.digest(key, data, name)


def size_of(name: str) -> int:
    """Return how many octets the hash of that name has."""
    return hashlib.new(name).digest_size


def keymat(name: str, secret: bytes, salt: bytes, hits: Sequence[bytes]) -> bytes:
    """Return all of KEYMAT (RFC 7401 §6.5)."""
    extracted = hmac.digest(salt, secret, name)
    block, material = b"", b""
    for number in range(1, 256):
        block = hmac.digest(extracted, block + b"".join(sorted(hits)) + bytes((number,)), name)
        material += block
    return material


def cut(material: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    """Yield keys of these sizes from KEYMAT, one after the other."""
    at = 0
    for size in sizes:
        yield material[at : at + size]
        at += size


def puzzle_solved(name: str, k: int, covered: bytes) -> bool:
    """Tell whether the low K bits are zero."""
    return not int.from_bytes(hashlib.new(name, covered).digest()) & ((1 << k) - 1)


def solve(name: str, k: int, before: bytes) -> bytes:
    """Return a J."""
    size = size_of(name)
    while not puzzle_solved(name, k, before + (found := os.urandom(size))):
        pass
    return found


def cbc(key: bytes, iv: bytes, data: bytes, encrypt: bool) -> bytes:
    """Encrypt or decrypt whole blocks."""
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv))
    context = cipher.encryptor() if encrypt else cipher.decryptor()
    return context.update(data) + context.finalize()


def host_id_in(read: dict[int, Parameter], key: bytes) -> bytes:
    """Return the contents of an I2's HOST_ID, which may be encrypted."""
    if HOST_ID in read:
        return read[HOST_ID].value
    sealed = read[ENCRYPTED].value
    plain = cbc(key, sealed[4:20], sealed[20:], False)
    kind, length = struct.unpack_from("!HH", plain)
    check(kind == HOST_ID, "what is in ENCRYPTED")
    return plain[4 : 4 + length]


class SA:
    """One direction of ESP."""

    def __init__(self, suite: int, spi: int, keys: bytes) -> None:
        self.suite, self.spi, self.sequence, self.seen = suite, spi, 0, 0
        size = ESP_KEYS[suite][0]
        self._encryption, self._authentication = keys[:size], keys[size:]

    def seal(self, payload: bytes, following: int = ICMPV6) -> bytes:
        """Return an ESP packet."""
        self.sequence += 1
        head = struct.pack("!II", self.spi, self.sequence)
        block = 16 if self.suite in (8, 9) else 4
        fill = bytes(range(1, 1 + -(len(payload) + 2) % block))
        inner = payload + fill + bytes((len(fill), following))
        if self.suite == 13:
            iv = os.urandom(8)
            return head + iv + AESGCM(self._encryption[:16]).encrypt(self._encryption[16:] + iv, inner, head)
        if self.suite != 7:
            iv = os.urandom(16)
            inner = iv + cbc(self._encryption, iv, inner, True)
        return head + inner + hmac.digest(self._authentication, head + inner, "sha256")[:16]

    def open(self, data: bytes) -> tuple[int, bytes]:
        """Return next header and payload of an ESP packet."""
        self.seen = max(self.seen, int.from_bytes(data[4:8]))
        if self.suite == 13:
            nonce = self._encryption[16:] + data[8:16]
            inner = AESGCM(self._encryption[:16]).decrypt(nonce, data[16:], data[:8])
        else:
            check(hmac.digest(self._authentication, data[:-16], "sha256")[:16] == data[-16:], "ICV")
            inner = data[8:-16]
            if self.suite != 7:
                inner = cbc(self._encryption, inner[:16], inner[16:], False)
        fill = inner[-2]
        check(inner[-2 - fill : -2] == bytes(range(1, 1 + fill)), "padding of ESP")
        return inner[-1], inner[: -2 - fill]


def icmp(kind: int, body: bytes, source: bytes, target: bytes) -> bytes:
    """Return a message of ICMPv6 between two HITs."""
    message = bytes((kind, 0, 0, 0)) + body
    pseudo = source + target + struct.pack("!IHBB", len(message), 0, 0, ICMPV6)
    return message[:2] + struct.pack("!H", ones_complement(pseudo + message)) + message[4:]


def locator(address: str, spi: int, preferred: bool, lifetime: int = 1800) -> bytes:
    """Return one locator of a LOCATOR_SET, of type 1, as all programs send them (RFC 8046 §4)."""
    at = ip_address(address)
    octets = at.packed if at.version == 6 else bytes(10) + b"\xff\xff" + at.packed
    return struct.pack("!BBBBII", 0, 1, 5, preferred, lifetime, spi) + octets


def locators(value: bytes) -> list[tuple[str, bool, int]]:
    """Read addresses, preferred bits and SPIs of a LOCATOR_SET of types 0 and 1."""
    found, at = [], 0
    while at < len(value):
        _, kind, words, preferred = struct.unpack_from("!BBBB", value, at)
        check((kind, words) in ((0, 4), (1, 5)), "type of locator")
        check(any(value[at + 4 : at + 8]), "lifetime of a locator")
        end = at + 8 + 4 * words
        spi = int.from_bytes(value[at + 8 : at + 12]) if kind else 0
        v6 = ip_address(value[end - 16 : end])
        found.append((str(getattr(v6, "ipv4_mapped", None) or v6), bool(preferred & 1), spi))
        at = end
    return found
