"""The data of HIP resource records, with which the DNS names a host's identity and its rendezvous servers (RFC 8005 §5)."""

from __future__ import annotations

import base64
import re
import struct
from dataclasses import dataclass

from p2pship.errors import LocalError, RemoteError
from p2pship.identity.hit import ECDSA_ALGORITHM, RSA_ALGORITHM, hit_of_host_identity

TYPE = 55
"The number of the record type (RFC 8005 §9)."

HIT_LENGTH = 16
"Octets of a HIT: no other length can be one (RFC 7343 §2)."

RSA_KEY, ECDSA_KEY = 2, 3
"The numbers of PK algorithms that can be Host Identities (RFC 8005 §9); DSA, 1, has no HIT in HIPv2."

LONGEST_KEY = 520
"Octets of a public key: an RSA key of 4096 bits with the longest exponent that is in use."

MOST_SERVERS = 8
"Rendezvous servers in one record: each is a question to the DNS, and who writes records may be anybody."

LONGEST_NAME = 255
"Octets of a name as it travels (RFC 1035 §2.3.4)."

_HEAD = struct.Struct("!BBH")
_LABEL = re.compile(rb"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
"Of a host's name, the underscore allowed: all other octets could be mistaken for something else where a name is shown."

_CURVES = {64: 1, 96: 2}
"The number of the curve in a Host Identity (RFC 7401 §5.2.9), by the length of the key in the DNS (RFC 6605 §4)."


class BadHIPRecord(RemoteError):
    """This is not the data of a HIP resource record, or not of a host that HIPv2 can reach."""


@dataclass(frozen=True, slots=True)
class HIPRecord:
    """The data of a HIP resource record."""

    algorithm: int
    "of the public key: 2 for RSA, 3 for ECDSA, any other from 0 to 255 is read and has no HIT"
    hit: bytes
    "16 octets, as the record says: see :meth:`check`"
    key: bytes
    "the public key as the DNS has keys: RFC 3110 for RSA, RFC 6605 for ECDSA"
    servers: tuple[str, ...] = ()
    "the names of its rendezvous servers in lower case and with the last dot, most preferred first"

    @classmethod
    def parse(cls, data: bytes) -> HIPRecord:
        """Read the data of a record.

        :raises BadHIPRecord: if it is none.
        """
        if len(data) < _HEAD.size:
            raise BadHIPRecord("the HIP record is cut off")
        hit_length, algorithm, key_length = _HEAD.unpack_from(data)
        if hit_length != HIT_LENGTH or not 0 < key_length <= LONGEST_KEY:
            raise BadHIPRecord(f"the HIP record has a HIT of {hit_length} octets and a key of {key_length}")
        key_at, names_at = _HEAD.size + HIT_LENGTH, _HEAD.size + HIT_LENGTH + key_length
        if len(data) < names_at:
            raise BadHIPRecord("the HIP record is cut off")
        return cls(algorithm, data[_HEAD.size : key_at], data[key_at:names_at], _names(data, names_at))

    def print(self) -> bytes:
        """Return the data of the record; the names are not compressed (RFC 8005 §5.6).

        :raises LocalError: if a part is not of its form.
        """
        if not 0 <= self.algorithm <= 0xFF or len(self.hit) != HIT_LENGTH or len(self.servers) > MOST_SERVERS:
            raise LocalError("a HIP record has an algorithm of one octet, a HIT of 16 and at most 8 servers")
        if not 0 < len(self.key) <= LONGEST_KEY:
            raise LocalError(f"the key of a HIP record has 1 to {LONGEST_KEY} octets")
        head = _HEAD.pack(HIT_LENGTH, self.algorithm, len(self.key))
        return b"".join((head, self.hit, self.key, *map(_printed_name, self.servers)))

    def text(self) -> str:
        """Return the data as it is written in a zone file (RFC 8005 §6)."""
        key = base64.b64encode(self.key).decode("ascii")
        return " ".join((str(self.algorithm), self.hit.hex().upper(), key, *self.servers))

    def check(self) -> None:
        """Pass a record whose HIT is that of its key: it MUST always be calculated (RFC 8005 §4.1).

        :raises BadHIPRecord: if it is another, or there is no HIT of such a key.
        """
        if self._calculated() != self.hit:
            raise BadHIPRecord("the HIT of the HIP record is not that of its key")

    def _calculated(self) -> bytes:
        if self.algorithm == RSA_KEY:
            return hit_of_host_identity(RSA_ALGORITHM, self.key)
        if self.algorithm == ECDSA_KEY and len(self.key) in _CURVES:
            point = _CURVES[len(self.key)].to_bytes(2, "big") + b"\x04" + self.key
            return hit_of_host_identity(ECDSA_ALGORITHM, point)
        raise BadHIPRecord(f"there is no HIT of {len(self.key)} octets of a key of type {self.algorithm}")


def hip_record(hit: bytes, key: bytes, servers: tuple[str, ...] = ()) -> HIPRecord:
    """Return the record of a host by its HIT and its P-256 key, given as DER SubjectPublicKeyInfo."""
    return HIPRecord(ECDSA_KEY, hit, key[-64:], servers)  # a named curve's point ends in x and y


def _names(data: bytes, at: int) -> tuple[str, ...]:
    names: list[str] = []
    while at < len(data):
        if len(names) == MOST_SERVERS:
            raise BadHIPRecord(f"the HIP record has more than {MOST_SERVERS} rendezvous servers")
        name, at = _name(data, at)
        names.append(name)
    return tuple(names)


def _name(data: bytes, at: int) -> tuple[str, int]:
    """Return the uncompressed name that begins at an offset, and where it ends."""
    begun, labels = at, []
    while True:
        length = data[at] if at < len(data) else -1
        label = data[at + 1 : at + 1 + length]
        if length < 0 or len(label) < length or at + 1 + length - begun > LONGEST_NAME:
            raise BadHIPRecord("a name in the HIP record is cut off or too long")
        at += 1 + length
        if not length:
            break
        if not _LABEL.fullmatch(label):  # a compressed name too: its length has the two highest bits set
            raise BadHIPRecord("a name in the HIP record is no host's")
        labels.append(label)
    if not labels:
        raise BadHIPRecord("the root is no rendezvous server")
    return b".".join(labels).decode("ascii").lower() + ".", at


def _printed_name(name: str) -> bytes:
    labels = name.encode("utf-8").removesuffix(b".").split(b".")
    printed = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    if not all(map(_LABEL.fullmatch, labels)) or len(printed) > LONGEST_NAME:
        raise LocalError(f"{name!r} is no name of a rendezvous server")
    return printed
