"""What a fork asks of each of its branches, and of who knows whom else to ask."""

from __future__ import annotations

from typing import Protocol

from p2pship.interfaces import ISIPHop
from p2pship.journal import CallSetUp
from p2pship.sip.message import Request, Response

FOR_ALL = frozenset({"MESSAGE"})
"Methods whose requests are not for the first who takes them, but for every phone and device (RFC 3428 §8)."


class Leg(Protocol):
    """One branch's side of the work: what it sends, and what its responses mean on the other side of the node."""

    hop: ISIPHop
    patience: float | None
    "seconds after which a hop that has said nothing at all counts as gone; None to wait as long as RFC 3261 says"

    def request(self) -> Request:
        """Return the request to send.

        :raises RemoteError: if the request cannot be read so far as this needs.
        :raises LocalError: if this node has no room for it.
        """

    def passed(self, response: Response) -> Response:
        """Return a response, other than 100, as the other side is to see it; raises as :meth:`request`."""

    def ended(self, answered: bool) -> None:
        """Hear that the branch has had its final response, or none will come."""


class Onward(Protocol):
    """Who else is asked when those who were called point to others."""

    def taken(self, response: Response) -> Response | None:
        """Take a failure of a branch; returns what is to count for the answer, None if others are asked instead."""

    def next(self) -> bool:
        """Ask the next of those who wait, after it has said so to the fork; False if nobody waits."""

    def cancel(self) -> None:
        """Ask nobody any more."""

    def stages(self, call_id: str, caller: str, callee: str) -> CallSetUp:
        """Return how long each stage of the set-up took."""
