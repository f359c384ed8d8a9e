"""When papers hold: from when they were signed until they expire, give or take what clocks differ."""

from __future__ import annotations

from p2pship.errors import BadPapers

SKEW = 15 * 60
"Seconds by which another machine's clock may differ from ours."

STATEMENT_LIFETIME = 30 * 24 * 3600
"Seconds that a statement may hold: a revoked device is refused after that by those whom no newer one has reached."

RECORD_LIFETIME = 3600
"Seconds that a record may hold: a device that has gone is looked for where it was no longer than that."


class NotNow(BadPapers):
    """A paper does not hold now: it is over, or its time has not come; or our clock is wrong."""

    def __init__(self, words: str, what: str, age: float) -> None:
        super().__init__(words)
        self.what = what
        self.age = age
        "seconds since it was signed, by our clock"


def check_validity(what: str, issued: int, expires: int, lifetime: int, now: float) -> None:
    """Raise NotNow if a paper (``what`` names it) does not hold at ``now``, BadPapers if it is to hold longer than allowed."""
    if issued > now + SKEW:
        raise NotNow(f"the {what} was signed {issued - now:.0f} s in the future", what, now - issued)
    if expires + SKEW < now:
        raise NotNow(f"the {what} expired {now - expires:.0f} s ago", what, now - issued)
    if expires <= issued:
        raise BadPapers(f"the {what} expires before it was signed")
    if expires - issued > lifetime:
        raise BadPapers(f"the {what} is to hold for {expires - issued} s, more than the {lifetime} s allowed")
