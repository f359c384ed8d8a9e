"""How often something that others can have us do is done in a second."""

from __future__ import annotations


class PerSecond:
    """Counts what happens in one second."""

    __slots__ = ("_count", "_most", "_second")

    def __init__(self, most: int) -> None:
        self._most = most
        self._second = 0
        self._count = 0

    def admits(self, now: float, worth: int = 1) -> bool:
        """Tell whether it may happen once more in the second of ``now``, and count it then: as ``worth`` times."""
        if int(now) != self._second:
            self._second, self._count = int(now), 0
        if self._count + worth > self._most:
            return False
        self._count += worth
        return True
