"""Clients of rendezvous servers and of the Mainline DHT that are not ours: written from docs/reference, BEP 5 and BEP 44, with blocking sockets.

They import nothing of p2pship.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlencode

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SLOT = b"p2pship rendezvous slot v1\0"
At = tuple[str, int]


class Rendezvous:
    """A server, asked on connections of its own."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> HTTPResponse:
        """Ask; the answer is not read yet."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=5)
        connection.request(
            method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        return connection.getresponse()

    def put(
        self, lookup_key: bytes, signer: Ed25519PrivateKey, sealed: bytes, later: int = 0
    ) -> HTTPResponse:
        """Put a slot, or with nothing sealed withdraw it."""
        publication_key, now = signer.public_key().public_bytes_raw(), time.time()
        fields = [1, lookup_key, publication_key, int(now * 1000) + later, int(now) + 3600, sealed]
        slot = [*fields, signer.sign(SLOT + cbor2.dumps(fields, canonical=True))]
        path = f"/v1/slots/{lookup_key.hex()}/{publication_key.hex()}"
        return self.ask("PUT", path, cbor2.dumps(slot, canonical=True), Content_Type="application/cbor")

    def slots(self, lookup_key: bytes) -> list[bytes]:
        """Return what is sealed in the listed slots."""
        answer = self.ask("GET", f"/v1/slots/{lookup_key.hex()}")
        return [checked(slot, lookup_key) for slot in cbor2.loads(answer.read())]

    def events(self, path: str) -> Iterator[tuple[str, bytes]]:
        """Follow: yield each event and its data."""
        answer = self.ask("GET", f"/v1/slots/{path}/events")
        event, data = "", b""
        for line in answer:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                event = value
            elif name == "data":
                data += base64.b64decode(value)
            elif not name and event:
                yield event, data
                event, data = "", b""

    def form(self, call: str, **values: Any) -> HTTPResponse:
        """Call as the original program does."""
        return self.ask(
            "POST", call, urlencode(values).encode(), Content_Type="application/x-www-form-urlencoded"
        )


def checked(slot: list[Any], lookup_key: bytes) -> bytes:
    """Return what is sealed in a slot whose signature is right."""
    *fields, signature = slot
    version, key, publication_key, _, expiry, sealed = fields
    assert (version, key) == (1, lookup_key) and time.time() < expiry <= time.time() + 30 * 86400
    signed = SLOT + cbor2.dumps(fields, canonical=True)
    Ed25519PublicKey.from_public_bytes(publication_key).verify(signature, signed)
    found: bytes = sealed
    return found


def bencode(value: Any) -> bytes:
    """Encode (BEP 3)."""
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"


def bdecode(octets: bytes, at: int = 0) -> tuple[Any, int]:
    """Decode (BEP 3): return a value, and where it ends."""
    kind = octets[at : at + 1]
    if kind == b"i":
        end = octets.index(b"e", at)
        return int(octets[at + 1 : end]), end + 1
    if kind in (b"l", b"d"):
        values, at = [], at + 1
        while octets[at : at + 1] != b"e":
            value, at = bdecode(octets, at)
            values.append(value)
        return (values if kind == b"l" else dict(zip(values[::2], values[1::2], strict=True))), at + 1
    colon = octets.index(b":", at)
    end = colon + 1 + int(octets[at:colon])
    return octets[colon + 1 : end], end


class KRPC:
    """Somebody who asks nodes of the DHT, and is none."""

    def __init__(self, host: str, first: At) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.settimeout(0.3)
        self._id, self._first = os.urandom(20), first

    def near(self, target: bytes, query: bytes, name: bytes) -> list[tuple[At, dict[bytes, Any]]]:
        """Ask nodes that are nearer and nearer, until the eight nearest have answered; return their answers, the nearest first."""
        seen, known = {self._first}, [(1 << 160, self._first)]
        answers: list[tuple[int, At, dict[bytes, Any]]] = []
        while known:
            distance, at = known.pop(0)
            if len(answers) >= 8 and distance > sorted(each[0] for each in answers)[7]:
                break
            said = self.ask(at, query, {name: target})
            if said is None:
                continue
            answers.append((distance, at, said))
            nodes = said.get(b"nodes", b"")
            for each in (nodes[start : start + 26] for start in range(0, len(nodes), 26)):
                contact = socket.inet_ntoa(each[20:24]), int.from_bytes(each[24:])
                if contact not in seen:
                    seen.add(contact)
                    known.append((int.from_bytes(each[:20]) ^ int.from_bytes(target), contact))
            known.sort()
        return [(at, said) for _, at, said in sorted(answers, key=lambda each: each[0])[:8]]

    def ask(self, at: At, query: bytes, values: dict[bytes, Any]) -> dict[bytes, Any] | None:
        """Ask one node (BEP 5); return what it says, or None."""
        transaction = os.urandom(4)
        message = {b"t": transaction, b"y": b"q", b"q": query, b"a": {b"id": self._id, **values}, b"ro": 1}
        self._socket.sendto(bencode(message), at)
        last = time.monotonic() + 0.3
        while time.monotonic() < last:
            try:
                said, _ = bdecode(self._socket.recv(4096))
            except TimeoutError:
                return None
            if said[b"t"] == transaction:
                return said.get(b"r")
        return None

    def peers(self, infohash: bytes) -> set[At]:
        """Return the addresses that are announced."""
        found = [
            peer
            for _, said in self.near(infohash, b"get_peers", b"info_hash")
            for peer in said.get(b"values", [])
        ]
        return {(socket.inet_ntoa(peer[:4]), int.from_bytes(peer[4:])) for peer in found}

    def announce(self, infohash: bytes, port: int) -> None:
        """Announce this address with a port."""
        for at, said in self.near(infohash, b"get_peers", b"info_hash"):
            self.ask(at, b"announce_peer", {b"info_hash": infohash, b"port": port, b"token": said[b"token"]})

    def get(self, key: bytes, salt: bytes) -> tuple[int, bytes]:
        """Return the number and value of a mutable item (BEP 44) with the highest number."""
        found = [(0, b"")]
        for _, said in self.near(hashlib.sha1(key + salt).digest(), b"get", b"target"):
            if b"v" in said:
                Ed25519PublicKey.from_public_bytes(key).verify(
                    said[b"sig"], mutable(salt, said[b"seq"], said[b"v"])
                )
                found.append((said[b"seq"], said[b"v"]))
        return max(found)

    def put(self, signer: Ed25519PrivateKey, salt: bytes, number: int, value: bytes) -> None:
        """Put a mutable item."""
        key = signer.public_key().public_bytes_raw()
        put = {
            b"k": key,
            b"salt": salt,
            b"seq": number,
            b"v": value,
            b"sig": signer.sign(mutable(salt, number, value)),
        }
        for at, said in self.near(hashlib.sha1(key + salt).digest(), b"get", b"target"):
            self.ask(at, b"put", {**put, b"token": said[b"token"]})


def mutable(salt: bytes, number: int, value: bytes) -> bytes:
    """Return what is signed of a mutable item (BEP 44)."""
    return b"4:salt%s3:seqi%de1:v%s" % (bencode(salt), number, bencode(value))
