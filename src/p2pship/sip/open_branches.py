"""The branches of one request that wait for their final response, each with its share of the request's breadth."""

from __future__ import annotations

from collections.abc import Iterator

from p2pship.sip.breadth import Breadth
from p2pship.sip.leg import Leg
from p2pship.sip.transactions import ClientTransaction

MAX_BRANCHES = 32
"Branches of one request: more phones and devices than a person has, few enough not to amplify (RFC 5393 §5)."


class OpenBranches:
    """Iterates over the client transactions, as they were when that began; true while there is any."""

    def __init__(self, breadth: int) -> None:
        """``breadth`` is how many may be open at the same time, here and beyond."""
        self._breadth = Breadth(breadth)
        self._open: dict[ClientTransaction, tuple[Leg, int]] = {}
        self._begun = 0

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[ClientTransaction]:
        return iter(tuple(self._open))

    @property
    def legs(self) -> list[Leg]:
        """Those of the open branches, the first one first."""
        return [leg for leg, _ in self._open.values()]

    def take(self, more: int) -> int:
        """Take the share of a branch, beside which ``more`` are expected; 0 if there may be no other."""
        share = self._breadth.take(more) if self._begun < MAX_BRANCHES else 0
        self._begun += bool(share)
        return share

    def give_back(self, share: int) -> None:
        """Take back the share of a branch that was not begun after all."""
        self._breadth.give_back(share)

    def add(self, client: ClientTransaction, leg: Leg, share: int) -> None:
        """Add a branch that was begun."""
        self._open[client] = leg, share

    def leg(self, client: ClientTransaction) -> Leg | None:
        """Return the leg of an open branch; None if it is none."""
        return self._open[client][0] if client in self._open else None

    def end(self, client: ClientTransaction) -> Leg | None:
        """End a branch, and return its leg; None if it was none, or has ended."""
        leg, share = self._open.pop(client, (None, 0))
        self._breadth.give_back(share)
        return leg

    def end_all(self) -> list[Leg]:
        """End them all, and return their legs."""
        return [leg for client in self if (leg := self.end(client)) is not None]
