"""How many branches a request may still have, here and beyond (RFC 5393 §5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from p2pship.sip.message import BadMessage, Request
from p2pship.sip.scalars import read_number
from p2pship.sip.uri import BadURI

MOST = 60
"Branches that one request may have in all, over all proxies (RFC 5393 §5.3.3)."

T = TypeVar("T")


def breadth_of(request: Request) -> int:
    """Return the Max-Breadth of a request.

    :raises BadMessage: if it cannot be read, or with status 440 if it allows no branch at all.
    """
    if "Max-Breadth" not in request:
        return MOST
    try:
        breadth = read_number(request.first("Max-Breadth") or "")
    except BadURI:
        raise BadMessage(400, "bad Max-Breadth", request) from None
    if breadth < 1:
        raise BadMessage(440, "Max-Breadth Exceeded", request)
    return min(breadth, MOST)


class Breadth:
    """What is left of a request's breadth while some of its branches are active."""

    def __init__(self, whole: int) -> None:
        self._left = whole

    def take(self, expected: int = 1) -> int:
        """Take the share of one branch when so many more are expected at the same time; 0 if nothing is left."""
        share = min(self._left, max(1, self._left // (expected + 1)))
        self._left -= share
        return share

    def give_back(self, share: int) -> None:
        """Take back the share of a branch that has had its final response (§5.3.3.1)."""
        self._left += share


def serial(groups: Sequence[Sequence[T]], most: int) -> list[Sequence[T]]:
    """Cut groups to what may be tried side by side; the rest is tried after it (§5.3.3)."""
    return [group[at : at + most] for group in groups for at in range(0, len(group), most)]
