"""The time in which a code is good: a machine that counts tries and minutes.

A try is counted when it begins, not when it fails: who breaks off after the first message has tested nothing, but nothing
that a stranger does may lead to more than three exchanges under one code.
"""

from __future__ import annotations

from enum import Enum

from p2pship.errors import RemoteError
from p2pship.relations.codes import Means, Secret

WINDOW_SECONDS = 600.0
"Ten minutes: enough to walk to the other device."

TRIES = 3
"Exchanges under one code."


class Ending(Enum):
    """Why a window takes nobody, or what was wrong with a try; the value goes over the wire."""

    CLOSED = 0
    "nobody opened one, or it was closed"
    WRONG = 1
    "the code was wrong, and may be tried again"
    EXPIRED = 2
    TRIED = 3
    "too many tries"
    USED = 4
    "it has served its purpose"
    REFUSED = 5
    "the code was right, and what was asked for is not possible"


class WindowClosed(RemoteError):
    """No code is good at the other device now."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(f"the window is {ending.name.lower()}")
        self.ending = ending


class Window:
    """One code and one secret to be scanned, good for ten minutes and three tries."""

    def __init__(self, code: Secret, scanned: Secret, now: float) -> None:
        self._secrets = {Means.CODE: code, Means.SCANNED: scanned}
        self.code = code
        self.scanned = scanned
        self.until = now + WINDOW_SECONDS
        "Unix time"
        self.tries = TRIES
        "how many may still begin"
        self._ending: Ending | None = None

    def ending(self, now: float) -> Ending | None:
        """Return why it takes nobody, or None while it does, or waits for a try under way."""
        if self._ending is None and now >= self.until:
            self._ending = Ending.EXPIRED
        return self._ending

    def begin(self, means: Means, now: float) -> Secret:
        """Begin a try and return the secret for it.

        :raises WindowClosed: if it is closed, or all tries have begun.
        """
        ending = self.ending(now)
        if ending is None and self.tries == 0:
            ending = Ending.TRIED
        if ending is not None:
            raise WindowClosed(ending)
        self.tries -= 1
        return self._secrets[means]

    def failed(self, now: float) -> Ending:
        """Hear that a try was wrong; the last one closes the window."""
        if self.tries == 0:
            self.close(Ending.TRIED)
        return self.ending(now) or Ending.WRONG

    def close(self, ending: Ending) -> None:
        """Take nobody from now on; the first reason stays."""
        self._ending = self._ending or ending
