"""Papers, places, sealed items and questions of another implementation, written from docs/reference alone; it imports nothing of p2pship."""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
import time
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ES256 = bytes.fromhex("a10126")
STATEMENT, RECORD = b"p2pship identity statement v1", b"p2pship device record v1"
CURVE, ECDSA = ec.SECP256R1(), ec.ECDSA(SHA256())
Fields = dict[int, Any]


def sha256(octets: bytes) -> bytes:
    """Hash."""
    return hashlib.sha256(octets).digest()


class Place:
    """Where everybody who knows a name finds its items, on one day."""

    def __init__(self, name: str) -> None:
        self.name = name
        secret = hmac.digest(b"p2pship open mode v1", name.encode("ascii"), "sha256")
        tail = struct.pack(">BI", 0, int(time.time()) // 86400)
        self.lookup_key, sealing_key = (
            HKDFExpand(SHA256(), 32, label + tail).derive(secret) for label in (b"lookup key", b"sealing key")
        )
        self._cipher = AESGCM(sealing_key)
        self.handle = sha256(b"p2pship handle v1\0" + self.lookup_key)[:20]
        self.salt = sha256(b"p2pship mutable item v1\0" + self.lookup_key)[:20]
        self._question_secret = HKDFExpand(SHA256(), 32, b"p2pship question v1").derive(self.lookup_key)

    def seal(self, statement: bytes, record: bytes, publication_key: bytes) -> bytes:
        """Make an item."""
        inside = struct.pack(">HH3x", len(statement), len(record)) + statement + record
        nonce, data = os.urandom(12), b"\2" + self.lookup_key + publication_key
        return b"\2" + publication_key + nonce + self._cipher.encrypt(nonce, inside.ljust(899, b"\0"), data)

    def open(self, item: bytes) -> tuple[bytes, Fields, Fields]:
        """Return its publication key, and what statement and record say, which hold now."""
        assert len(item) == 960 and item[0] == 2
        key, nonce, ciphertext = item[1:33], item[33:45], item[45:]
        inside = self._cipher.decrypt(nonce, ciphertext, b"\2" + self.lookup_key + key)
        first, second, *references = struct.unpack(">HHBBB", inside[:7])
        at = 7 + 16 * sum(references)
        statement = verified(inside[at : at + first], 2, STATEMENT)
        record = verified(inside[at + first : at + first + second], 6, RECORD)
        assert (statement[1], record[2]) == (self.name, statement[3])
        assert record[1] == sha256(self.name.encode() + b"\0" + spki(statement[2]))
        assert sha256(spki(record[6])) + key in statement[6]
        return key, statement, record

    def question(self, asked: bytes) -> bytes:
        """Ask for the item at an IPv4 address of 4 octets."""
        head = b"P2PQ\1\1\0\0" + os.urandom(16) + self.handle + bytes(10) + b"\xff\xff" + asked
        start = head + struct.pack(">I", int(time.time()))
        return (start + self._mac(start)).ljust(1000, b"\0")

    def answer(self, question: bytes, item: bytes) -> bytes:
        """Answer one who knows the place."""
        assert len(question) == 1000 and question[:8] == b"P2PQ\1\1\0\0" and question[24:44] == self.handle
        assert question[64:80] == self._mac(question[:64])
        return b"P2PQ\1\2\1\0" + question[8:24] + struct.pack(">H", len(item)) + item

    def _mac(self, start: bytes) -> bytes:
        return hmac.digest(self._question_secret, start, "sha256")[:16]


def spki(point: bytes) -> bytes:
    """Return a key as hashes are over it."""
    key = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, point)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def signed(payload: Fields, key: ec.EllipticCurvePrivateKey, context: bytes) -> bytes:
    """Make a COSE_Sign1 (RFC 9052)."""
    inner = cbor2.dumps(payload, canonical=True)
    r, s = decode_dss_signature(key.sign(cbor2.dumps(["Signature1", ES256, context, inner]), ECDSA))
    return cbor2.dumps(cbor2.CBORTag(18, [ES256, {}, inner, r.to_bytes(32) + s.to_bytes(32)]))


def verified(paper: bytes, key_field: int, context: bytes) -> Fields:
    """Return what a paper says that holds now, and that the key in one of its fields signed."""
    tag = cbor2.loads(paper)
    protected, unprotected, inner, signature = tag.value
    assert (tag.tag, protected, unprotected) == (18, ES256, {})
    fields: Fields = cbor2.loads(inner)
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    key = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, fields[key_field])
    key.verify(encode_dss_signature(r, s), cbor2.dumps(["Signature1", ES256, context, inner]), ECDSA)
    assert fields[0] == 1 and fields[4] - 900 <= time.time() <= fields[5] + 900
    return fields


class Person:
    """Somebody with one device; ``item`` is what it publishes today."""

    def __init__(self, name: str) -> None:
        self.place, self.signer, now = Place(name), Ed25519PrivateKey.generate(), int(time.time())
        keys = [ec.generate_private_key(CURVE) for _ in range(2)]
        ours, host = (k.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint) for k in keys)
        publication_key = self.signer.public_key().public_bytes_raw()
        says = {0: 1, 1: name, 2: ours, 3: now, 4: now, 5: now + 86400, 9: bytes(32)}
        says[6] = sha256(spki(host)) + publication_key
        own = {0: 1, 1: sha256(name.encode() + b"\0" + spki(ours)), 2: now, 3: now * 1000, 4: now}
        own |= {
            5: now + 3600,
            6: host,
            7: bytes(32),
            8: bytes.fromhex("42 08080808 15be"),
        }  # tls:8.8.8.8:5566
        papers = signed(says, keys[0], STATEMENT), signed(own, keys[1], RECORD)
        self.item = self.place.seal(*papers, publication_key)
