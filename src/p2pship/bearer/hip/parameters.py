"""The parameters of the base exchange, of UPDATE, NOTIFY and CLOSE (RFC 7401 §5.2, RFC 7402 §5.1).

``decode`` takes the contents of a parameter, without type, length and padding, and raises BadPacket for what is none;
``encode`` gives them back. Lists that are no more than a list, and octets that are only echoed, have no class:
:data:`LISTS` has the size of their numbers.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from p2pship.bearer.hip.fields import numbers, octets, split, unpack
from p2pship.bearer.hip.numbers import DomainIdentifier, NotifyType, ParameterType
from p2pship.bearer.hip.packet import BadPacket

MOST_CIPHERS = 6
"Entries of HIP_CIPHER and ESP_TRANSFORM; a receiver drops the rest (RFC 7401 §5.2.8, RFC 7402 §5.1.2)."

LONGEST_DOMAIN_IDENTIFIER = 0x0FFF
"Its length has 12 bits (RFC 7401 §5.2.9)."

FIRST_STATUS = 16_384
"Notifications from this number on are no errors (RFC 7401 §5.2.19)."

LONGEST_RHASH = 48
"Octets of the longest hash that a puzzle is made with (SHA-384)."

LISTS = {
    ParameterType.ACK: 4,
    ParameterType.DH_GROUP_LIST: 1,
    ParameterType.HIP_CIPHER: 2,
    ParameterType.HIT_SUITE_LIST: 1,
    ParameterType.TRANSPORT_FORMAT_LIST: 2,
}
"Octets of each number, by the type of the list."

_ESP_INFO = struct.Struct(">2xHII")
_COUNTER = struct.Struct(">4xQ")
_PUZZLE = struct.Struct(">BBH")
_SOLUTION = struct.Struct(">BxH")
_SEQ = struct.Struct(">I")
_DIFFIE_HELLMAN = struct.Struct(">BH")
_HOST_ID = struct.Struct(">HHH")
_NOTIFICATION = struct.Struct(">2xH")
_SIGNATURE = struct.Struct(">H")


def decode_list(type_: ParameterType, contents: bytes) -> tuple[int, ...]:
    """Return the numbers of one of :data:`LISTS`, in their order.

    :raises BadPacket: if there is none, or not all of one.
    """
    return numbers(contents, LISTS[type_], type_.name)


def encode_list(type_: ParameterType, listed: tuple[int, ...]) -> bytes:
    """Return the contents of one of :data:`LISTS`."""
    return octets(listed, LISTS[type_])


def decode_hit_suites(contents: bytes) -> tuple[int, ...]:
    """Return the HIT suites of HIT_SUITE_LIST, which has each in the higher half of an octet (RFC 7401 §5.2.10).

    :raises BadPacket: if there is none, or one has something in the lower half.
    """
    listed = decode_list(ParameterType.HIT_SUITE_LIST, contents)
    if any(number & 0x0F for number in listed):
        raise BadPacket("a HIT suite has another half", NotifyType.UNSUPPORTED_HIT_SUITE)
    return tuple(number >> 4 for number in listed)


def encode_hit_suites(suites: tuple[int, ...]) -> bytes:
    """Return the contents of HIT_SUITE_LIST."""
    return encode_list(ParameterType.HIT_SUITE_LIST, tuple(suite << 4 for suite in suites))


class ESPInfo(NamedTuple):
    """Which SPI to send to, and where in KEYMAT its keys are (RFC 7402 §5.1.1)."""

    keymat_index: int
    old_spi: int
    new_spi: int

    @classmethod
    def decode(cls, contents: bytes) -> ESPInfo:
        """Read it."""
        return cls(*unpack(_ESP_INFO, contents, "ESP_INFO"))

    def encode(self) -> bytes:
        """Return the contents."""
        return _ESP_INFO.pack(*self)


def decode_counter(contents: bytes) -> int:
    """Return the generation of R1_COUNTER (RFC 7401 §5.2.3); it is echoed as it came, reserved octets and all."""
    return unpack(_COUNTER, contents, "R1_COUNTER")[0]


def encode_counter(generation: int) -> bytes:
    """Return the contents of R1_COUNTER."""
    return _COUNTER.pack(generation)


class Puzzle(NamedTuple):
    """A task for the Initiator (RFC 7401 §5.2.4)."""

    difficulty: int
    "#K: the bits that have to be zero"
    lifetime: int
    "it lasts 2^(lifetime - 32) s"
    opaque: int
    "two octets that come back in the solution"
    random: bytes
    "#I, as long as the Responder's RHASH"

    @classmethod
    def decode(cls, contents: bytes) -> Puzzle:
        """Read it."""
        (difficulty, lifetime, opaque), random = split(_PUZZLE, contents, "PUZZLE")
        if not 0 < len(random) <= LONGEST_RHASH:
            raise BadPacket(f"the #I of a PUZZLE has {len(random)} octets")
        return cls(difficulty, lifetime, opaque, random)

    def encode(self) -> bytes:
        """Return the contents."""
        return _PUZZLE.pack(self.difficulty, self.lifetime, self.opaque) + self.random

    @property
    def seconds(self) -> float:
        """How long the solution is taken."""
        return float(2.0 ** (self.lifetime - 32))


class Solution(NamedTuple):
    """The solved task (RFC 7401 §5.2.5)."""

    difficulty: int
    opaque: int
    random: bytes
    "#I of the puzzle"
    solution: bytes
    "#J, as long as #I"

    @classmethod
    def decode(cls, contents: bytes) -> Solution:
        """Read it."""
        (difficulty, opaque), rest = split(_SOLUTION, contents, "SOLUTION")
        half = len(rest) // 2
        if len(rest) % 2 or not 0 < half <= LONGEST_RHASH:
            raise BadPacket(f"#I and #J of a SOLUTION have {len(rest)} octets")
        return cls(difficulty, opaque, rest[:half], rest[half:])

    def encode(self) -> bytes:
        """Return the contents."""
        return _SOLUTION.pack(self.difficulty, self.opaque) + self.random + self.solution


def decode_seq(contents: bytes) -> int:
    """Return the Update ID of SEQ (RFC 7401 §5.2.16)."""
    return unpack(_SEQ, contents, "SEQ")[0]


def encode_seq(update_id: int) -> bytes:
    """Return the contents of SEQ."""
    return _SEQ.pack(update_id)


class DiffieHellman(NamedTuple):
    """A public value (RFC 7401 §5.2.7)."""

    group: int
    public: bytes

    @classmethod
    def decode(cls, contents: bytes) -> DiffieHellman:
        """Read it."""
        (group, length), public = split(_DIFFIE_HELLMAN, contents, "DIFFIE_HELLMAN")
        if length != len(public) or not public:
            raise BadPacket(f"a public value of {length} octets was said and {len(public)} came")
        return cls(group, public)

    def encode(self) -> bytes:
        """Return the contents."""
        return _DIFFIE_HELLMAN.pack(self.group, len(self.public)) + self.public


class HostID(NamedTuple):
    """A Host Identity, and perhaps a name of its host, which proves nothing (RFC 7401 §5.2.9)."""

    algorithm: int
    identity: bytes
    domain_type: int = DomainIdentifier.NONE
    domain: bytes = b""

    @classmethod
    def decode(cls, contents: bytes) -> HostID:
        """Read it."""
        (length, domain, algorithm), rest = split(_HOST_ID, contents, "HOST_ID")
        domain_type, domain_length = domain >> 12, domain & LONGEST_DOMAIN_IDENTIFIER
        if length + domain_length != len(rest) or not length:
            raise BadPacket(f"HOST_ID says {length} and {domain_length} octets, and has {len(rest)}")
        return cls(algorithm, rest[:length], domain_type, rest[length:])

    def encode(self) -> bytes:
        """Return the contents."""
        domain = self.domain_type << 12 | len(self.domain)
        return _HOST_ID.pack(len(self.identity), domain, self.algorithm) + self.identity + self.domain


class Notification(NamedTuple):
    """What NOTIFY tells (RFC 7401 §5.2.19)."""

    type: int
    data: bytes = b""

    @property
    def is_error(self) -> bool:
        """Whether it tells of an error, not of a state."""
        return self.type < FIRST_STATUS

    @property
    def name(self) -> str:
        """What it tells, as the RFCs call it."""
        return NotifyType(self.type).name if self.type in set(NotifyType) else f"error {self.type}"

    @classmethod
    def decode(cls, contents: bytes) -> Notification:
        """Read it."""
        (type_,), data = split(_NOTIFICATION, contents, "NOTIFICATION")
        return cls(type_, data)

    def encode(self) -> bytes:
        """Return the contents."""
        return _NOTIFICATION.pack(self.type) + self.data


class Signature(NamedTuple):
    """HIP_SIGNATURE and HIP_SIGNATURE_2 (RFC 7401 §5.2.14)."""

    algorithm: int
    signature: bytes

    @classmethod
    def decode(cls, contents: bytes) -> Signature:
        """Read it."""
        (algorithm,), signature = split(_SIGNATURE, contents, "HIP_SIGNATURE")
        return cls(algorithm, signature)

    def encode(self) -> bytes:
        """Return the contents."""
        return _SIGNATURE.pack(self.algorithm) + self.signature


def decode_esp_transform(contents: bytes) -> tuple[int, ...]:
    """Return the suites of ESP_TRANSFORM, at most six (RFC 7402 §5.1.2)."""
    if len(contents) < 2:
        raise BadPacket(f"ESP_TRANSFORM has {len(contents)} octets")
    return numbers(contents[2:], 2, "ESP_TRANSFORM")[:MOST_CIPHERS]


def encode_esp_transform(suites: tuple[int, ...]) -> bytes:
    """Return the contents of ESP_TRANSFORM."""
    return b"\0\0" + octets(suites, 2)


def decode_ciphers(contents: bytes) -> tuple[int, ...]:
    """Return the ciphers of HIP_CIPHER, at most six (RFC 7401 §5.2.8)."""
    return decode_list(ParameterType.HIP_CIPHER, contents)[:MOST_CIPHERS]
