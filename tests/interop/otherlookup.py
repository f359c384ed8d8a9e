"""Clients of a rendezvous server and of the Mainline DHT that are not ours: from docs/reference, BEP 5 and BEP 44; they import nothing of p2pship."""

from __future__ import annotations

import base64
import os
import socket
import struct
import time
from collections.abc import Iterator
from hashlib import sha1
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import cbor2
import libtorrent
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

bencode: Any = libtorrent.bencode
bdecode: Any = libtorrent.bdecode
SLOT = b"p2pship rendezvous slot v1\0"
BASE, ask = "http://127.0.0.1:{}/v1/slots/", build_opener(ProxyHandler({})).open
At = tuple[str, int]


def put(port: int, lookup_key: bytes, signer: Ed25519PrivateKey, sealed: bytes) -> int:
    """Put a slot, or with nothing sealed withdraw it; return the status."""
    publication_key, now = signer.public_key().public_bytes_raw(), time.time()
    fields = [1, lookup_key, publication_key, int(now * 1000), int(now) + 3600, sealed]
    slot = cbor2.dumps([*fields, signer.sign(SLOT + cbor2.dumps(fields))])
    path = f"{lookup_key.hex()}/{publication_key.hex()}"
    return int(ask(Request(BASE.format(port) + path, slot, method="PUT"), timeout=10).status)


def sealed_in(slot: list[Any], lookup_key: bytes) -> bytes:
    """Return what is sealed in a slot whose signature is right."""
    *fields, signature = slot
    version, key, publication_key, _, expiry, sealed = fields
    assert (version, key) == (1, lookup_key) and time.time() < expiry
    Ed25519PublicKey.from_public_bytes(publication_key).verify(signature, SLOT + cbor2.dumps(fields))
    return bytes(sealed)


def follow(port: int, lookup_key: bytes) -> Iterator[bytes | None]:
    """Yield what is sealed in each slot, as it comes; None when all that was there has."""
    for line in ask(f"{BASE.format(port)}{lookup_key.hex()}/events", timeout=60):
        name, _, value = line.strip().partition(b": ")
        if name == b"event" and value == b"live":
            yield None
        elif name == b"data" and value:
            yield sealed_in(cbor2.loads(base64.b64decode(value)), lookup_key)


class KRPC:
    """Somebody who asks nodes of the DHT, and is none."""

    def __init__(self, host: str, first: At) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.settimeout(0.3)
        self.id, self._first = os.urandom(20), first

    def ask(self, at: At, query: bytes, **values: Any) -> dict[bytes, Any]:
        """Ask one node (BEP 5), and return what it says; nothing, if it is silent."""
        about = {name.encode(): value for name, value in values.items()}
        message: Any = {
            b"t": os.urandom(4),
            b"y": b"q",
            b"q": query,
            b"a": {b"id": self.id, **about},
            b"ro": 1,
        }
        self.socket.sendto(bencode(message), at)
        said: Any = {}
        while said.get(b"t") != message[b"t"]:
            try:
                said = bdecode(self.socket.recv(4096))
            except TimeoutError:
                return {}
        return dict(said.get(b"r", {}))

    def near(self, query: bytes, name: str, target: bytes) -> list[tuple[At, dict[bytes, Any]]]:
        """Ask nodes nearer and nearer to a target, and return what those said that know it best."""
        seen, known = {self._first}, [(1 << 160, self._first)]
        answers: list[tuple[int, At, dict[bytes, Any]]] = []
        while known and (len(answers) < 8 or known[0][0] < sorted(answers)[7][0]):
            _, at = known.pop(0)
            said = self.ask(at, query, **{name: target})
            if not said:
                continue
            answers.append((int.from_bytes(said[b"id"]) ^ int.from_bytes(target), at, said))
            for node, host, port in struct.iter_unpack(">20s4sH", said.get(b"nodes", b"")):
                contact = socket.inet_ntoa(host), port
                if contact not in seen:
                    seen.add(contact)
                    known.append((int.from_bytes(node) ^ int.from_bytes(target), contact))
            known.sort()
        return [(at, said) for _, at, said in answers]

    def peers(self, infohash: bytes) -> set[At]:
        """Return the addresses that are announced."""
        answers = self.near(b"get_peers", "info_hash", infohash)
        packed = (peer for _, said in answers for peer in said.get(b"values", []))
        return {(socket.inet_ntoa(peer[:4]), int.from_bytes(peer[4:])) for peer in packed}

    def announce(self, infohash: bytes) -> None:
        """Announce this socket."""
        port = self.socket.getsockname()[1]
        for at, said in self.near(b"get_peers", "info_hash", infohash):
            self.ask(at, b"announce_peer", info_hash=infohash, port=port, token=said[b"token"])

    def get(self, key: bytes, salt: bytes) -> bytes:
        """Return a mutable item (BEP 44) of the highest number; nothing, if there is none."""
        found = [(0, b"")]
        for _, said in self.near(b"get", "target", sha1(key + salt).digest()):
            if b"v" in said:
                to_sign = b"4:salt%d:%s3:seqi%de1:v%d:%s" % (
                    len(salt),
                    salt,
                    said[b"seq"],
                    len(said[b"v"]),
                    said[b"v"],
                )
                Ed25519PublicKey.from_public_bytes(key).verify(said[b"sig"], to_sign)
                found.append((said[b"seq"], said[b"v"]))
        return max(found)[1]
