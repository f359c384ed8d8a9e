"""What is wrong with a server, and since when."""

from __future__ import annotations

from collections.abc import Callable


class Trouble:
    """In words that may change while it lasts; none while there is no trouble."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        """``seconds`` tells the Unix time."""
        self._seconds = seconds
        self.words = ""
        self.since = 0.0
        "when it began, Unix time; 0: there is none"

    def tell(self, words: str) -> None:
        """Hear what is wrong now; empty: nothing."""
        self.since = (self.since or self._seconds()) if words else 0.0
        self.words = words
