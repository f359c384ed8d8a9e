"""What a benchmark measures: figures with a unit, and what a peer did in the same run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Figure:
    """One number."""

    name: str
    "such as ``listening_s``"
    value: float
    unit: str
    better: Literal["higher", "lower"]
    peer: str | None = None
    "whom it is compared with"
    peer_value: float | None = None
    "the same measured of the peer, in the same run"

    @property
    def ratio(self) -> float | None:
        """How many times better than the peer this is: above 1 is better, whichever way the figure counts."""
        if self.peer_value is None or not self.value or not self.peer_value:
            return None
        return self.value / self.peer_value if self.better == "higher" else self.peer_value / self.value

    def as_json(self) -> dict[str, Any]:
        """Return what the JSON line has of it."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "better": self.better,
            "peer": self.peer,
            "peer_value": self.peer_value,
            "ratio": None if self.ratio is None else round(self.ratio, 3),
        }

    def __str__(self) -> str:
        own = f"{self.name:24} {self.value:12.4g} {self.unit:6} ({self.better} is better)"
        if self.ratio is None or self.peer_value is None:
            return own
        return f"{own}   {self.peer} {self.peer_value:.4g}: {self.ratio:.2f} times as good"


def median(values: Sequence[float]) -> float:
    """Return the middle value: on a busy machine one run in five is slow."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
