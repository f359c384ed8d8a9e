"""How often somebody may do something: what is decided about a message by a few of its octets, before it is parsed.

A phone refreshes its registration every few minutes, and a program that registers many names does so once. So REGISTER
is limited tightly, for each address and port, for each name, and in all; other requests are not, because one port may
rightly carry hundreds of calls a second: of those each sender gets its turn (:mod:`p2pship.sip.turns`).

What is over the limit is dropped in silence. An answer would cost more than the drop, 503 would send the phone away from
this node (RFC 3261 §21.5.4) while it is only this phone that asks too much, and no other status code says so.
A phone over UDP sends its request again, and the next one is let through.
"""

from __future__ import annotations

import re
from collections.abc import Hashable

REGISTERS_OF_SOURCE = 100.0
"REGISTERs a second that one address and port may send in the long run: a telephone exchange with its own extensions."
BURST_OF_SOURCE = 200.0
"REGISTERs that one address and port may send at once."
REGISTERS_OF_NAME = 10.0
"REGISTERs a second for one name: more than all phones of a person send even when all of them try again."
BURST_OF_NAME = 50.0
"REGISTERs for one name at once: each of its 16 phones may come with a new one, and be asked for another."
REGISTERS = 1_000.0
"REGISTERs a second in all: below a third of what one core can answer, so that calls keep the rest."
BURST = 2_000.0
"REGISTERs at once in all: as many as names may be registered, each twice."

MOST_KEYS = 8_192
"Senders, or names, that are remembered: a megabyte; while more than those are active, further ones are refused."
SWEEP_EVERY = 0.5
"Seconds between two searches for those that can be forgotten; each takes about a millisecond."

_REGISTER = b"REGISTER "
_NAME = re.compile(rb"\n(?:to|t)[ \t]*:[^\r\n<]*?<?(sips?:[^>;?\r\n]*)", re.IGNORECASE)
_SCANNED = 4_096
"octets in which the To header is looked for: a REGISTER that has it further down shares one allowance with its like"


class Allowance:
    """So many a second for each key, and so many at once. Keeps one number for each key that is active.

    That number is the time at which all that was taken will have been earned (the virtual scheduling of ITU-T I.371,
    which equals a token bucket).
    """

    def __init__(self, rate: float, burst: float, most_keys: int = MOST_KEYS) -> None:
        """``rate`` is a second; ``burst`` how many may come at once."""
        self._cost = 1.0 / rate
        self._credit = burst / rate
        self._most = most_keys
        self._earned: dict[Hashable, float] = {}
        self._swept = float("-inf")

    def __len__(self) -> int:
        return len(self._earned)

    def take(self, key: Hashable, now: float) -> bool:
        """Take one for a key at a time in seconds; False if it has had its share."""
        earned = self._earned.get(key)
        if earned is None:
            if len(self._earned) >= self._most and not self._make_room(now):
                return False
            earned = now
        elif earned < now:
            earned = now
        earned += self._cost
        if earned - now > self._credit:
            return False
        self._earned[key] = earned
        return True

    def _make_room(self, now: float) -> bool:
        if 0 <= now - self._swept < SWEEP_EVERY:
            return False
        self._swept = now
        self._earned = {key: earned for key, earned in self._earned.items() if earned > now}
        return len(self._earned) < self._most


class RegisterAllowance:
    """Decides about a REGISTER by its first octets and its To header alone."""

    def __init__(self) -> None:
        self._sources = Allowance(REGISTERS_OF_SOURCE, BURST_OF_SOURCE)
        self._names = Allowance(REGISTERS_OF_NAME, BURST_OF_NAME)
        self._all = Allowance(REGISTERS, BURST)

    def allows(self, message: bytes, source: Hashable, now: float) -> bool:
        """Tell whether a message may be parsed; whatever is no REGISTER may. ``source`` names address and port."""
        if not message.startswith(_REGISTER):
            return True
        return (
            self._sources.take(source, now)
            and self._names.take(name_in(message), now)
            and self._all.take(None, now)
        )


def name_in(message: bytes) -> bytes:
    """Return what stands in the To header as URI, in lower case and unchecked; empty where none is found."""
    found = _NAME.search(message, 0, _SCANNED)
    return found[1].strip().lower() if found else b""
