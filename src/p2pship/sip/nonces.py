"""The nonces of challenges: made without remembering them, and each answer taken once.

Theory of operation. A nonce is its time, some random octets and a MAC over both and over who was challenged, so that
challenges cost no memory, and an answer is of no use from another address (RFC 7616 §5.5). Only one that was answered
rightly is remembered, with the counts that have been used: a phone counts its answers (``nc``), and over UDP
they may come in another order, so that a window of the latest ones tells which have been. Where too many would have to
be remembered, the oldest are forgotten and count as stale from then on, so that none can be used twice.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

LIFETIME = 300.0
"Seconds for which a nonce may be used: what was captured is worth little, and a phone asks for another without its user."

WINDOW = 64
"Counts, from the highest seen down, that may still come."

MOST = 10_000
"Nonces that are remembered: a thousand names, each with some phones, in five minutes; 2 MB."

FAILURES = 3
"Wrong answers to a nonce that was answered rightly before, after which it is stale: somebody else has seen it."

_TIME, _SALT, _MAC = 5, 8, 16
_OCTETS = _TIME + _SALT + _MAC
_TICKS = 10


@dataclass(slots=True)
class _Use:
    """A nonce that was answered rightly."""

    made: float
    name: str
    "whose password it was that was right"
    highest: int = 0
    seen: int = 0
    "bit n: the count that is n below the highest has been used"
    failures: int = 0

    def take(self, count: int) -> bool:
        ahead = count - self.highest
        if ahead > 0:
            self.seen = ((self.seen << min(ahead, WINDOW)) | 1) & ((1 << WINDOW) - 1)
            self.highest = count
            return True
        bit = 1 << -ahead if -ahead < WINDOW else 0
        if not bit or self.seen & bit:
            return False
        self.seen |= bit
        return True


class Nonces:
    """Makes nonces and knows which answers to them are fresh."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._key = random(32)
        self._uses: dict[str, _Use] = {}
        self._not_before = 0.0
        self.opaque = random(_SALT).hex()
        "what phones send back unread; it is the same in all challenges of a run"

    def __len__(self) -> int:
        return len(self._uses)

    def make(self, asked: str, now: float) -> str:
        """Return a nonce for a challenge to whoever is at the address ``asked``, at a Unix time."""
        head = int(now * _TICKS).to_bytes(_TIME, "big") + self._random(_SALT)
        return (head + self._mac(head, asked)).hex()

    def is_fresh(self, nonce: str, asked: str, now: float) -> bool:
        """Tell whether a nonce is one of ours for this address, and not too old; else it is stale."""
        use = self._uses.get(nonce)
        if use is not None and use.failures >= FAILURES:
            return False
        made = self._made(nonce, asked)
        return made is not None and self._not_before < made and -1.0 <= now - made < LIFETIME

    def is_proven(self, nonce: str, name: str) -> bool:
        """Tell whether a fresh nonce has been answered rightly before, for this very name.

        Who has a password of their own could make nonces for guesses at others' as they like, if any name did.
        """
        use = self._uses.get(nonce)
        return use is not None and use.name == name

    def take(self, nonce: str, name: str, count: int, now: float) -> bool:
        """Take the right answer for a name to a fresh nonce; False if the answer of that count was taken before, or it is 0."""
        use = self._uses.get(nonce)
        if use is None:
            self._make_room(now)
            use = self._uses[nonce] = _Use(_time(bytes.fromhex(nonce)), name)
        return count > 0 and use.take(count)

    def failed(self, nonce: str) -> None:
        """Take it that a fresh nonce was answered wrongly."""
        use = self._uses.get(nonce)
        if use is not None:
            use.failures += 1

    def _make_room(self, now: float) -> None:
        """Forget what has run out, and if need be the oldest: whatever is as old is stale then, as nobody would know which
        answers to it were taken."""
        if len(self._uses) < MOST:
            return
        self._uses = {nonce: use for nonce, use in self._uses.items() if now - use.made < LIFETIME}
        for nonce in list(self._uses)[: max(0, len(self._uses) - MOST + MOST // 10)]:
            self._not_before = max(self._not_before, self._uses.pop(nonce).made)

    def _made(self, nonce: str, asked: str) -> float | None:
        try:
            octets = bytes.fromhex(nonce)
        except ValueError:
            return None
        head, mac = octets[:-_MAC], octets[-_MAC:]
        if (
            len(octets) != _OCTETS
            or nonce != octets.hex()
            or not hmac.compare_digest(mac, self._mac(head, asked))
        ):
            return None
        return _time(head)

    def _mac(self, head: bytes, asked: str) -> bytes:
        return hmac.digest(self._key, head + asked.encode(), "sha256")[:_MAC]


def _time(octets: bytes) -> float:
    """Return when a nonce was made, of which these are the octets."""
    return int.from_bytes(octets[:_TIME], "big") / _TICKS
