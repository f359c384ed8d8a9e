"""What happens between the devices of one person, and what is heard of other people's devices, for the journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from p2pship.journal import REFUSAL_LINES, Fact


@dataclass(frozen=True, slots=True)
class StatementHeard(Fact):
    """A person whom we have a link with has a newer statement."""

    own: str
    aor: str
    devices: int
    "how many it lists"

    def __str__(self) -> str:
        return f"{self.aor} told {self.own} of a new list of devices: {self.devices}"


@dataclass(frozen=True, slots=True)
class DeviceInStep(Fact):
    """Another of our own devices was asked for what it has, and this device has all of it now."""

    aor: str
    hit: str
    "the other device's HIT, as an IPv6 address"
    taken: int
    "entries that were newer there"

    def __str__(self) -> str:
        return f"took {self.taken} changes of {self.aor} from the device {self.hit}"


@dataclass(frozen=True, slots=True)
class SyncRefused(Fact):
    """What another device of our own sent could not be taken."""

    lines: ClassVar[int] = REFUSAL_LINES
    aor: str
    hit: str
    "the other device's HIT, as an IPv6 address"
    reason: str

    def __str__(self) -> str:
        return f"the device {self.hit} of {self.aor} could not be brought into step: {self.reason}"
