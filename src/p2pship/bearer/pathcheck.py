"""Asks a new address whether the other side of a link is really there, before anything is sent to it.

Whoever has the keys of a link can write any source address on a datagram. Without this, a peer could have a stream sent to
somebody who never asked for it (RFC 9000 §8.2 and §9.3 tell the same of QUIC).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TOKEN_SIZE = 8
"Octets that nobody guesses who does not receive them."

PAUSE = 0.25
"Seconds between two questions: what an address that is not the peer's can be made to receive is a small datagram now and then."


class PathCheck:
    """One link's question under way: the latest address from which something new came."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._asked: Any = None
        self._token = b""
        self._again_at = 0.0

    def pauses(self, now: float) -> bool:
        """Tell whether something was asked just now."""
        return now < self._again_at

    def question(self, source: Any, now: float) -> bytes:
        """Return what to ask at a new address: the same each time, as on a long way an answer comes after the next question."""
        self._again_at = now + PAUSE
        if source != self._asked:
            self._asked, self._token = source, self._random(TOKEN_SIZE)
        return self._token

    def holds(self, answer: bytes, source: Any) -> bool:
        """Tell whether an answer that came from this address is right; then the question is closed."""
        right = len(answer) == TOKEN_SIZE and answer == self._token and source == self._asked
        if right:
            self._asked, self._token = None, b""
        return right
