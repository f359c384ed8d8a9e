"""Which algorithms a phone is offered: all of them, or MD5 alone where the phone gives up at any other.

Theory of operation. RFC 8760 §2.4 has one challenge for each algorithm, of which a phone takes the topmost that it knows.
Some take none if there is one among them that they do not know, or read the topmost alone, and never come back with an
answer. So who was offered all, and a little later tries anew instead of answering, is offered MD5 alone; whoever does not answer
that either is offered all again, and so on: a phone that merely was slow, or whose answer was lost, is not kept at MD5.
A phone that answers MD5 where it stood alone keeps being offered it, so that its calls go out; once a day a REGISTER of
it is offered all, because phones are replaced. One that has proven itself with a better algorithm is always offered all.

Nothing here asks whether a name or a password exists: it is all about what an address has been doing.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from p2pship.sip.digest import MD5
from p2pship.sip.message import Request

T = TypeVar("T")

ALONGSIDE = 2.0
"Seconds after a challenge in which another request is one that a phone sends alongside, such as SUBSCRIBE with REGISTER."

ANEW = 600.0
"Seconds in which a request is a new attempt: phones try again after half a minute, then after twice as long each time."

LEARNT = 86_400.0
"Seconds for which it is remembered what a phone can do: longer than a registration lasts, but phones are replaced."

MOST_KEPT = 10_000
"Names at addresses that are remembered, of each kind: a few megabytes. Of more, the oldest are forgotten."

LONGEST_AGENT = 64
"Characters of a User-Agent that are looked at."


@dataclass(frozen=True, slots=True)
class OldAgent:
    """A kind of phone that is known to need MD5 alone."""

    starts: tuple[str, ...]
    "what its User-Agent starts with"
    reason: str
    "what it does otherwise"


OLD_AGENTS = (
    OldAgent(
        ("baresip v0.", "baresip v1.", "baresip v2.", *(f"baresip v3.{minor}." for minor in range(11))),
        "has nothing but MD5, and stops reading at the first challenge of another algorithm: it tries anew much later",
    ),
)
"They are offered MD5 alone at once. Who writes this in a request weakens nothing but the challenge to that very request."


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A request that was challenged and not answered yet."""

    which: int
    "hash of Call-ID and CSeq, which may be long: a retransmission is no new attempt"
    at: float
    alone: bool
    "whether it was offered MD5 alone"


class _Table(Generic[T]):
    """What was last known of each key, of so many as fit."""

    def __init__(self) -> None:
        self._known: dict[Hashable, T] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: Hashable) -> T | None:
        return self._known.get(key)

    def put(self, key: Hashable, value: T) -> None:
        self._known.pop(key, None)
        if len(self._known) >= MOST_KEPT:
            del self._known[next(iter(self._known))]
        self._known[key] = value

    def forget(self, key: Hashable) -> None:
        self._known.pop(key, None)


class Challenges:
    """Chooses what each phone is offered, from what it has done before."""

    def __init__(self, algorithms: Sequence[str]) -> None:
        """``algorithms`` are those that the settings allow, in their order."""
        self._all = tuple(algorithms)
        self._has_choice = MD5 in self._all and len(self._all) > 1
        # Apart from each other, so that requests without a proof push out nothing that was proven.
        self._attempts: _Table[_Attempt] = _Table()
        self._better: _Table[float] = _Table()
        self._old: _Table[float] = _Table()

    def __len__(self) -> int:
        return len(self._attempts) + len(self._better) + len(self._old)

    def offered(
        self, request: Request, host: str, name: str, answered: str | None, now: float
    ) -> Sequence[str]:
        """Return the algorithms for a challenge to a request from an address that has to prove a name.

        ``answered`` is the algorithm of the answer that it came with, None if it came with none.

        :raises BadMessage: if its Call-ID or CSeq cannot be read.
        """
        if not self._has_choice:
            return self._all
        return (MD5,) if self._is_alone(request, (host, name), answered, now) else self._all

    def proven(self, host: str, name: str, algorithm: str, now: float) -> None:
        """Take it that a phone at an address has proven a name with an algorithm."""
        key = host, name
        if algorithm != MD5:
            self._attempts.forget(key)
            self._old.forget(key)
            self._better.put(key, now)
            return
        attempt = self._attempts.get(key)
        if attempt is not None and attempt.alone:
            self._attempts.forget(key)
            self._old.put(key, now)

    def _is_alone(self, request: Request, key: Hashable, answered: str | None, now: float) -> bool:
        if answered not in (None, MD5):
            self._attempts.forget(key)
            return False
        if is_old(request):
            return True
        if _is_recent(self._better.get(key), now):
            return False
        learnt = self._old.get(key)
        if learnt is None:
            return self._alternates(request, key, answered == MD5, now)
        if _is_recent(learnt, now) or request.method != "REGISTER":
            return True
        return self._alternates(request, key, False, now)

    def _alternates(self, request: Request, key: Hashable, at_once: bool, now: float) -> bool:
        """Tell whether an attempt gets the other offer than the one before; ``at_once``: MD5 alone, whatever that was."""
        last = self._attempts.get(key)
        which = hash((request.call_id, request.cseq))
        alone = at_once
        if last is not None and now - last.at < ANEW and not at_once:
            if which == last.which or now - last.at < ALONGSIDE:
                return last.alone
            alone = not last.alone
        self._attempts.put(key, _Attempt(which, now, alone))
        return alone


def is_old(request: Request) -> bool:
    """Tell whether a request says that it is of a phone that needs MD5 alone."""
    agent = (request.first("User-Agent") or "").strip()[:LONGEST_AGENT]
    return any(agent.startswith(known.starts) for known in OLD_AGENTS)


def _is_recent(at: float | None, now: float) -> bool:
    return at is not None and now - at < LEARNT
