"""What keeps anybody from altering what is sent in the clear: a counter and a MAC on each datagram and each record.

Theory of operation: the MAC is AES-128-GMAC (NIST SP 800-38D §3, RFC 4543): AES-GCM with nothing to encrypt. Its nonce
is the counter alone, which is safe because a key belongs to one direction of one link and no counter is used twice.
On a stream the counter is not sent, as both sides count: a record that is altered, repeated, left out, moved or
reflected has no valid MAC. A datagram carries its counter, and one whose counter was taken before is refused.

The page ``docs/reference/clear-bearers.md`` draws both.
"""

from __future__ import annotations

import struct
from array import array

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from p2pship.errors import LocalError, RemoteError

MAC_SIZE = 16
"Octets of a MAC: all that GMAC gives, as a shorter one weakens it more than it seems (SP 800-38D, Appendix C)."

HEADER_SIZE = 9
"Octets before the data of a datagram: its kind and its counter."

OVERHEAD = HEADER_SIZE + MAC_SIZE
"Octets that a datagram has more than its data."

WINDOW = 4096
"""Counters whose use is remembered: a datagram that comes after another one with a counter 4096 higher may be refused.
That is 10 s of eight calls; a power of two."""

LAST_COUNTER = (1 << 64) - 1

_MASK = WINDOW - 1
_HEADER = struct.Struct(">BQ")
_NONCE = struct.Struct(">4xQ")
_header = _HEADER.pack
_unpack_header = _HEADER.unpack_from
_nonce = _NONCE.pack


class Forged(RemoteError):
    """What came has no valid MAC: somebody altered or made it, or it is not for this link."""


class Replayed(RemoteError):
    """A datagram came twice, or far too late."""


class Exhausted(LocalError):
    """A key has been used as often as it may be: the link must end, and be dialled again with a new one."""


class DatagramSealer:
    """Puts kind, counter and MAC on the datagrams of one direction."""

    def __init__(self, key: bytes, first: int = 1) -> None:
        """Seal with a key of the exchange, which nothing else seals with; ``first`` is the first counter, at least 1."""
        self._seal = AESGCM(key).encrypt
        self._counter = first - 1

    def seal(self, kind: int, data: bytes) -> bytes:
        """Return a datagram of 25 octets more than its data; ``kind`` is 0 to 255.

        :raises Exhausted: if there is no counter left.
        """
        counter = self._counter = self._counter + 1
        if counter > LAST_COUNTER:
            raise Exhausted()
        sealed = _header(kind, counter) + data
        return sealed + self._seal(_nonce(counter), b"", sealed)


class DatagramOpener:
    """Checks the datagrams of one direction; takes each counter once.

    ``_taken`` has for each remainder of the window the highest counter that was taken: whatever is not above that has
    come before, or is late.
    """

    def __init__(self, key: bytes) -> None:
        self._check = AESGCM(key).decrypt
        self._taken = array("Q", bytes(8 * WINDOW))

    @property
    def newest(self) -> int:
        """The highest counter that was taken; it takes a while to find, so nobody should ask for each datagram."""
        return max(self._taken)

    def open(self, datagram: bytes) -> tuple[int, bytes]:
        """Return kind and data.

        :raises Forged: if it is not from the other side of this link.
        :raises Replayed: if its counter was taken before, or is more than the window behind.
        """
        if len(datagram) < OVERHEAD:
            raise Forged("a datagram is too short to have a MAC")
        kind, counter = _unpack_header(datagram)
        slot = counter & _MASK
        if counter <= self._taken[slot]:
            raise Replayed()
        try:
            self._check(_nonce(counter), datagram[-MAC_SIZE:], datagram[:-MAC_SIZE])
        except InvalidTag:
            raise Forged() from None
        self._taken[slot] = counter
        return kind, datagram[HEADER_SIZE:-MAC_SIZE]


class RecordSealer:
    """Puts a MAC behind each record of one direction of a stream."""

    def __init__(self, key: bytes, first: int = 1) -> None:
        """Seal as :class:`DatagramSealer`."""
        self._seal = AESGCM(key).encrypt
        self._counter = first - 1

    def seal(self, record: bytes) -> bytes:
        """Return a record with its MAC, 16 octets more.

        :raises Exhausted: if there is no counter left.
        """
        counter = self._counter = self._counter + 1
        if counter > LAST_COUNTER:
            raise Exhausted()
        return record + self._seal(_nonce(counter), b"", record)


class RecordOpener:
    """Checks the records of one direction of a stream, which must come in order."""

    def __init__(self, key: bytes, first: int = 1) -> None:
        self._check = AESGCM(key).decrypt
        self._counter = first - 1

    def check(self, record: bytes, mac: bytes) -> None:
        """Take the next record and its MAC.

        :raises Forged: if it is not the next one of the other side; the stream is then of no more use.
        """
        counter = self._counter = self._counter + 1
        if counter > LAST_COUNTER:
            raise Forged("the other side has sent more than one key may seal")
        try:
            self._check(_nonce(counter), mac, record)
        except InvalidTag:
            raise Forged() from None
