"""Papers, places, sealed items and questions that are not ours: written from docs/reference alone, importing nothing of p2pship."""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
import time
from typing import Any

import cbor2
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

ES256 = bytes.fromhex("a10126")
STATEMENT, RECORD = b"p2pship identity statement v1", b"p2pship device record v1"
QUESTION, ITEM = 1000, 960


def sha256(octets: bytes) -> bytes:
    """Hash."""
    return hashlib.sha256(octets).digest()


def expand(secret: bytes, info: bytes) -> bytes:
    """Derive 32 octets (RFC 5869)."""
    return HKDFExpand(SHA256(), 32, info).derive(secret)


class Place:
    """Where everybody finds a person who knows the name, on one day."""

    def __init__(self, name: str, day: int | None = None) -> None:
        secret = hmac.digest(b"p2pship open mode v1", name.encode("ascii"), "sha256")
        tail = b"\0" + struct.pack(">I", int(time.time()) // 86400 if day is None else day)
        self.lookup_key, self._sealing_key = (
            expand(secret, label + tail) for label in (b"lookup key", b"sealing key")
        )
        self.handle = sha256(b"p2pship handle v1\0" + self.lookup_key)[:20]
        self.salt = sha256(b"p2pship mutable item v1\0" + self.lookup_key)[:20]
        self._question_secret = expand(self.lookup_key, b"p2pship question v1")

    def seal(self, statement: bytes, record: bytes, publication_key: bytes) -> bytes:
        """Seal papers of a device."""
        head, nonce = b"\2" + publication_key, os.urandom(12)
        inside = struct.pack(">H5s", len(statement), bytes([len(record) >> 8, len(record) & 255, 0, 0, 0]))
        inside = (inside + statement + record).ljust(899, b"\0")
        data = b"\2" + self.lookup_key + publication_key
        return head + nonce + AESGCM(self._sealing_key).encrypt(nonce, inside, data)

    def open(self, item: bytes) -> tuple[bytes, bytes, bytes]:
        """Return a statement, a record and the publication key."""
        assert len(item) == ITEM and item[0] == 2
        data = b"\2" + self.lookup_key + item[1:33]
        inside = AESGCM(self._sealing_key).decrypt(item[33:45], item[45:], data)
        first, second, *references = struct.unpack(">HHBBB", inside[:7])
        at = 7 + 16 * sum(references)
        return inside[at : at + first], inside[at + first : at + first + second], item[1:33]

    def question(self, asked: bytes) -> bytes:
        """Ask for the item at an address of 16 octets."""
        start = b"P2PQ\1\1\0\0" + os.urandom(16) + self.handle + asked + struct.pack(">I", int(time.time()))
        return (start + self._mac(start)).ljust(QUESTION, b"\0")

    def answer(self, question: bytes, item: bytes) -> bytes | None:
        """Answer a question that somebody asked who knows the place."""
        right = (
            len(question) == QUESTION and question[:8] == b"P2PQ\1\1\0\0" and question[24:44] == self.handle
        )
        if not right or question[64:80] != self._mac(question[:64]):
            return None
        return b"P2PQ\1\2\1\0" + question[8:24] + struct.pack(">H", len(item)) + item

    def _mac(self, start: bytes) -> bytes:
        return hmac.digest(self._question_secret, start, "sha256")[:16]


def answered(question: bytes, answer: bytes) -> bytes:
    """Return the item in an answer."""
    assert answer[:6] == b"P2PQ\1\2" and answer[8:24] == question[8:24]
    (length,) = struct.unpack(">H", answer[24:26])
    return answer[26 : 26 + length]


def sign(payload: dict[int, Any], key: ec.EllipticCurvePrivateKey, context: bytes) -> bytes:
    """Make a COSE_Sign1 (RFC 9052)."""
    inner = cbor2.dumps(payload, canonical=True)
    to_sign = cbor2.dumps(["Signature1", ES256, context, inner])
    numbers = decode_dss_signature(key.sign(to_sign, ec.ECDSA(SHA256())))
    signature = b"".join(number.to_bytes(32, "big") for number in numbers)
    return cbor2.dumps(cbor2.CBORTag(18, [ES256, {}, inner, signature]))


def verify(paper: bytes, key_field: int, context: bytes) -> dict[int, Any]:
    """Return the fields of a paper that the key in one of them signed."""
    tag = cbor2.loads(paper)
    protected, unprotected, inner, signature = tag.value
    assert tag.tag == 18 and protected == ES256 and not unprotected
    fields: dict[int, Any] = cbor2.loads(inner)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), fields[key_field])
    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    key.verify(der, cbor2.dumps(["Signature1", ES256, context, inner]), ec.ECDSA(SHA256()))
    return fields


def papers(
    statement: bytes, record: bytes, publication_key: bytes, name: str
) -> tuple[dict[int, Any], dict[int, Any]]:
    """Verify both as the page says when papers hold, and return their fields."""
    said, own = verify(statement, 2, STATEMENT), verify(record, 6, RECORD)
    key, host = (
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point) for point in (said[2], own[6])
    )
    assert (said[0], own[0], said[1], own[2]) == (1, 1, name, said[3])
    assert own[1] == sha256(name.encode() + b"\0" + spki(key))
    assert sha256(spki(host)) + publication_key in said[6]
    for paper in (said, own):
        assert paper[4] - 900 <= time.time() <= paper[5] + 900
    assert said[5] - said[4] <= 30 * 86400 and own[5] - own[4] <= 3600
    return said, own


def spki(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a key as hashes are over it."""
    return key.public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a key as papers have it."""
    return key.public_bytes(s.Encoding.X962, s.PublicFormat.CompressedPoint)


class Person:
    """Somebody with one device."""

    def __init__(self, name: str) -> None:
        self.name, now = name, int(time.time())
        identity, host = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.signer = Ed25519PrivateKey.generate()
        self.publication_key = self.signer.public_key().public_bytes_raw()
        device = sha256(spki(host.public_key())) + self.publication_key
        key = identity.public_key()
        said = {0: 1, 1: name, 2: point(key), 3: now, 4: now, 5: now + 86400, 6: device, 9: bytes(32)}
        self.statement = sign(said, identity, STATEMENT)
        own = {
            0: 1,
            1: sha256(name.encode() + b"\0" + spki(key)),
            2: now,
            3: now * 1000,
            4: now,
            5: now + 3600,
            6: point(host.public_key()),
            7: os.urandom(32),
            8: bytes.fromhex("42 c6336401 15be"),  # tls:198.51.100.1:5566
        }
        self.record = sign(own, host, RECORD)

    def item(self) -> bytes:
        """Seal it for today."""
        return Place(self.name).seal(self.statement, self.record, self.publication_key)
