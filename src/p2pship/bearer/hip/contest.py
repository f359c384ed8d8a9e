"""Which of the R1s that come are looked at, when there are others than the Responder's among them: those that come again.

Theory of operation. Nothing in an R1 shows that its sender has seen our I1, and #I is not covered by the signature. So anybody who has forged the
Responder's address can send R1s without end: with wrong signatures, each of which costs a verification, or the Responder's own one with another
#I, to which an I2 is in vain. But an honest Responder answers every I1, and answers each the same: its R1s are made beforehand, and #I is a keyed hash.
So time is cut into rounds, which begin with our I1s. What has come in an earlier round already is counted apart from what is new, and only
that may take the place of an R1 that is being answered. Who wants to be heard as well has to repeat itself, and is judged once for that.
"""

from __future__ import annotations

from hashlib import blake2b

from p2pship.bearer.hip.packet import Packet
from p2pship.bearer.hip.persecond import PerSecond

MOST_NEW = 64
"R1s that are verified in a second when they come for the first time."

MOST_AGAIN = 256
"R1s that are verified in a second when they come again: with P-384 a fifth of a second's work."

MOST_NOTED = 4096
"R1s that are remembered, of one attempt: 0.5 MB. The first one after them is the first of a new memory."

ROUNDS = 32
"For so many of our I1s it is remembered that an R1 came: some go to other addresses, and are answered otherwise."


class Contest:
    """The R1s of one attempt. Those from where an I1 went are counted apart from others, as who cannot forge addresses sends only these."""

    def __init__(self, phase: float) -> None:
        """``phase`` is less than a second, and not known to others: nobody can be the first in every second."""
        self._phase = phase
        self._round = 0
        self._rounds: dict[bytes, int] = {}
        self._judged: set[bytes] = set()
        self._paces = {
            (is_new, is_expected): PerSecond(MOST_NEW if is_new else MOST_AGAIN)
            for is_new in (True, False)
            for is_expected in (True, False)
        }
        self._r1s = 0
        self.may_be_slow = False
        "whether R1s that differ may all be the Responder's, late ones to I1s that were sent again"
        self.is_on = False
        "whether more has come than one Responder says: I1s are then sent more often"

    def begin_round(self) -> None:
        """Hear that an I1 leaves."""
        self._round += 1
        old = self._round - ROUNDS
        if not self._round % ROUNDS:
            self._rounds = {key: first for key, first in self._rounds.items() if first > old}

    def r1_came(self) -> None:
        """Hear that an R1 came, whichever."""
        self._r1s += 1

    def look(self) -> None:
        """Hear of an R1 that is not answered; of a slow Responder there is one for each I1."""
        self.is_on = self.is_on or not self.may_be_slow or self._r1s > self._round

    def came_before(self, key: bytes) -> bool:
        """Note that an R1 came; returns whether it has come after an earlier I1 as well."""
        if len(self._rounds) >= MOST_NOTED and key not in self._rounds:
            self._rounds.clear()
        return self._rounds.setdefault(key, self._round) < self._round

    def admits(self, is_new: bool, is_expected: bool, now: float) -> bool:
        """Tell whether one more R1 may be verified."""
        return self._paces[is_new, is_expected].admits(now + self._phase)

    def is_judged(self, key: bytes) -> bool:
        """Tell whether an R1 is not to be looked at again."""
        return key in self._judged

    def judge(self, key: bytes) -> None:
        """Hear that an R1 was answered, or is none."""
        if len(self._judged) >= MOST_NOTED:
            self._judged.clear()
        self._judged.add(key)

    def forgive(self) -> None:
        """Look at all again: what was answered has led nowhere, and I2s may be lost."""
        self._judged.clear()


def key_of(r1: Packet) -> bytes:
    """Return what an R1 is known again by."""
    return blake2b(r1.raw, digest_size=16).digest()
