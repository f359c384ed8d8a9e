"""Puzzles: work that an Initiator does before a Responder keeps anything of it (RFC 7401 §4.1.2, §6.3, Appendix A).

The Responder finds #I again from a secret, the addresses and the HITs, so that it need not remember whom it asked what. The work
is to find a #J such that the last #K bits of RHASH(#I | HIT-I | HIT-R | #J) are zero.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from p2pship.bearer.hip.suites import RHash

SECRET_SIZE = 32

_COUNTER_SIZE = 8
"Octets of #J that are counted up; the others are random."


def is_solved(rhash: RHash, puzzle: tuple[bytes, bytes, bytes], solution: bytes, difficulty: int) -> bool:
    """Tell whether #J solves a puzzle, which is #I, the Initiator's HIT and the Responder's."""
    digest = rhash.new(b"".join(puzzle) + solution).digest()
    return not int.from_bytes(digest, "big") & ((1 << difficulty) - 1)


def random_of(secret: bytes, said: bytes, rhash: RHash) -> bytes:
    """Return the #I for what a Responder is able to say again later: HITs, addresses, generation and difficulty."""
    return blake2b(said, digest_size=rhash.size, key=secret).digest()


class Solver:
    """Looks for the solution of a puzzle, some tries at a time."""

    def __init__(
        self,
        rhash: RHash,
        puzzle: tuple[bytes, bytes, bytes],
        difficulty: int,
        random: Callable[[int], bytes],
    ) -> None:
        """Begin with #I, the Initiator's HIT and the Responder's, and #K."""
        self._start = random(rhash.size - _COUNTER_SIZE)
        self._hash = rhash.new(b"".join(puzzle) + self._start)
        self._mask = (1 << difficulty) - 1
        self._next = 0

    def work(self, tries: int) -> bytes | None:
        """Try so many more #J, and return the first that solves the puzzle; None if none of them does."""
        copy, mask = self._hash.copy, self._mask
        first, self._next = self._next, self._next + tries
        for number in range(first, first + tries):
            tail = number.to_bytes(_COUNTER_SIZE, "big")
            tried = copy()
            tried.update(tail)
            if not int.from_bytes(tried.digest()[-4:], "big") & mask:
                return self._start + tail
        return None
