"""One entry of a ledger, and its stamp: when it was written, and by which device.

A stamp is the reading of a hybrid logical clock: milliseconds of Unix time, 8 octets; a counter, 2; 8 random octets that
stand for the writer. Stamps are compared as octets. The milliseconds never go back on a device, and are never behind those of any
entry that it has seen, so who writes after having read is newer, whatever the clocks say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from p2pship.errors import RemoteError
from p2pship.identity.cbor import BadCBOR, decode

STAMP_OCTETS = 18
WRITER_OCTETS = 8

DRIFT = 3_600_000
"""Milliseconds that a stamp may be ahead of our clock: four times what the clocks of two devices may differ at a hello. One
that is further ahead was written by a clock that was wrong, and would be the newest until that day."""

LONGEST_KIND = 32

LONGEST_NAME = 512
"Octets of a name in UTF-8: two AORs, and what stands between them."

LONGEST_VALUE = 8_192
"Octets of a value."

MOST_ITEMS = 64
"""Texts, numbers, arrays and the like in a value, three times what any has. They are kept as the program reads them, and an octet
that stands for an empty array takes 60 then: a stolen device must not be able to fill the memory of the others."""

_MOST_COUNTED = 0xFFFF
_LAST_MOMENT = 0xFFFF_FFFF_FFFF_FFFF


class BadEntry(RemoteError):
    """What another device sent is no entry of a ledger."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a ledger, as own devices tell it each other."""

    kind: str
    "what it is: ``contact``, ``pin``, ``block`` ..."
    name: str
    "of whom or what, mostly a canonical AOR"
    stamp: bytes
    "when it was written and by which device, 18 octets; the greater one is the newer"
    value: bytes | None
    "its value as deterministic CBOR; None where it was removed"

    @property
    def key(self) -> tuple[str, str]:
        """Kind and name."""
        return self.kind, self.name

    @property
    def moment(self) -> int:
        """The milliseconds of its stamp."""
        return int.from_bytes(self.stamp[:8], "big")

    def newer_than(self, other: Entry) -> bool:
        """Tell whether it takes the place of another of the same kind and name.

        Two of one stamp, which only a device makes that was put back to an earlier state, are told apart by their values.
        """
        return (self.stamp, self.value or b"") > (other.stamp, other.value or b"")

    def check(self) -> None:
        """Raise BadEntry if it is not of its form."""
        if not self.kind.isascii() or not 0 < len(self.kind) <= LONGEST_KIND:
            raise BadEntry(f"an entry of the kind {self.kind!r:.40}")
        if not 0 < len(self.name.encode("utf-8", "replace")) <= LONGEST_NAME or not self.name.isprintable():
            raise BadEntry(f"the name of an entry has not 1 to {LONGEST_NAME} octets, all of them printable")
        if len(self.stamp) != STAMP_OCTETS:
            raise BadEntry(f"the stamp of an entry has {len(self.stamp)} octets instead of {STAMP_OCTETS}")
        if self.value is None:
            return
        if len(self.value) > LONGEST_VALUE:
            raise BadEntry(f"the value of an entry has {len(self.value)} octets, more than {LONGEST_VALUE}")
        try:
            items = _items(decode(self.value))
        except BadCBOR as error:
            raise BadEntry(f"the value of an entry: {error}") from None
        if items > MOST_ITEMS:
            raise BadEntry(f"the value of an entry has {items} items, more than {MOST_ITEMS}")

    @property
    def size(self) -> int:
        """The octets that it counts as."""
        return len(self.kind) + len(self.name.encode("utf-8", "replace")) + len(self.value or b"")


class StampClock:
    """The hybrid logical clock of one device."""

    def __init__(self, seconds: Callable[[], float], writer: bytes) -> None:
        """``writer`` are 8 octets that tell two writers of one moment apart."""
        self._seconds = seconds
        self._writer = writer
        self._moment = 0
        self._count = 0

    def too_far(self, entry: Entry) -> bool:
        """Tell whether an entry was written so far ahead of our clock that the writer's, or ours, is wrong."""
        return entry.moment > self._now() + DRIFT

    def seen(self, entry: Entry) -> None:
        """Be behind no entry from now on but those that are too far ahead."""
        count = int.from_bytes(entry.stamp[8:10], "big")
        if not self.too_far(entry) and (entry.moment, count) > (self._moment, self._count):
            self._moment, self._count = entry.moment, count

    def stamp(self) -> bytes:
        """Return a stamp that is newer than any of this clock, and than any entry seen."""
        now = self._now()
        if now > self._moment or self._moment > now + DRIFT:  # the latter: our own clock was put right
            self._moment, self._count = now, 0
        elif self._count == _MOST_COUNTED:
            self._moment, self._count = self._moment + 1, 0
        else:
            self._count += 1
        return self._moment.to_bytes(8, "big") + self._count.to_bytes(2, "big") + self._writer

    def _now(self) -> int:
        return min(max(0, int(self._seconds() * 1000)), _LAST_MOMENT - DRIFT)


def _items(value: Any) -> int:
    """Return how many items of CBOR a value is made of."""
    if isinstance(value, dict):
        return 1 + sum(1 + _items(each) for each in value.values())
    return 1 + sum(map(_items, value)) if isinstance(value, list) else 1
