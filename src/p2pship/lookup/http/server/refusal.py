"""Why a request is refused: the status of the answer, and a word and a text in it."""

from __future__ import annotations

import json
from math import ceil

from p2pship.errors import RemoteError
from p2pship.lookup.http.server.store import Outcome


class Refused(RemoteError):
    """The request is refused."""

    def __init__(
        self,
        status: int,
        word: str,
        text: str,
        *,
        retry_after: float = 0.0,
        sequence: int = 0,
        allowed: str = "",
    ) -> None:
        """``retry_after`` is in seconds; ``sequence`` is that of what is kept already. Both may be 0: there is none.

        ``allowed`` names the methods that would not be refused.
        """
        super().__init__(text)
        self.status = status
        self.word = word
        self.allowed = allowed
        self.retry_after = ceil(retry_after)
        self._sequence = sequence

    def body(self) -> bytes:
        """Return the JSON of the answer."""
        said: dict[str, object] = {"error": self.word, "text": str(self)}
        if self._sequence:
            said["sequence"] = self._sequence
        return json.dumps(said).encode("ascii") + b"\n"


def malformed(text: str) -> Refused:
    """Return what refuses a request that is not of its form."""
    return Refused(400, "malformed", text)


def wrong_clock(seconds: float) -> Refused:
    """Return what refuses a slot that was signed so many seconds away from now."""
    way = "ahead of" if seconds > 0 else "behind"
    return Refused(400, "clock", f"the slot was signed {abs(seconds):.0f} s {way} this server's clock")


def too_long(length: int) -> Refused:
    """Return what refuses a body."""
    return Refused(413, "too-long", f"a body has at most {length} octets")


def too_often(seconds: float) -> Refused:
    """Return what refuses a request that came too soon."""
    return Refused(429, "too-often", "too many requests came from this address", retry_after=seconds)


def unknown() -> Refused:
    """Return what refuses a request for what is not here."""
    return Refused(404, "unknown", "there is nothing here")


def wrong_method(allowed: str) -> Refused:
    """Return what refuses a method; ``allowed`` names those that are taken."""
    return Refused(405, "method", f"this is for {allowed}", allowed=allowed)


def unavailable() -> Refused:
    """Return what refuses a request while the store does not work."""
    return Refused(503, "unavailable", "the server cannot keep or read slots now", retry_after=10)


def no_place() -> Refused:
    """Return what refuses a subscription."""
    return Refused(503, "busy", "too many subscriptions are open, here or from this address", retry_after=60)


OF_PUT: dict[Outcome, tuple[int, str]] = {
    Outcome.STALE: (409, "the slot that is kept has this sequence or a higher one"),
    Outcome.WITHDRAWN: (410, "the slot was withdrawn with this sequence or a higher one"),
    Outcome.QUOTA: (507, "too many slots are kept from this address"),
    Outcome.FULL: (507, "this server has no room for more slots"),
}
"The outcomes of a put that refuse it."
