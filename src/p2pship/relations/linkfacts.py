"""What happens when devices are linked and contacts paired, for the journal."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.journal import Fact, printable
from p2pship.relations.linkwire import LONGEST_NAME


@dataclass(frozen=True, slots=True)
class LinkingOpened(Fact):
    """A window for a new device was opened."""

    aor: str
    owner: bool
    "whether the new device will get the identity key"

    def __str__(self) -> str:
        also = ", which gets the identity key, too" if self.owner else ""
        return f"waits ten minutes for a new device of {self.aor}{also}"


@dataclass(frozen=True, slots=True)
class LinkingEnded(Fact):
    """A window for a new device was closed without one."""

    aor: str
    reason: str

    def __str__(self) -> str:
        return f"no new device of {self.aor}: {self.reason}"


@dataclass(frozen=True, slots=True)
class DeviceLinked(Fact):
    """A device was made one of a person's."""

    aor: str
    name: str
    "what the device says it is called"
    owner: bool
    "whether it has the identity key"

    def __str__(self) -> str:
        key = "with" if self.owner else "without"
        return f"{printable(self.name, LONGEST_NAME)} is a device of {self.aor} now, {key} the identity key"


@dataclass(frozen=True, slots=True)
class Paired(Fact):
    """A new pair secret was agreed with a contact."""

    own: str
    aor: str

    def __str__(self) -> str:
        return f"{self.own} and {self.aor} have a new pair secret"


@dataclass(frozen=True, slots=True)
class PairingEnded(Fact):
    """A window for a contact was closed without a pair secret."""

    own: str
    aor: str
    reason: str

    def __str__(self) -> str:
        return f"{self.own} and {self.aor} have no new pair secret: {self.reason}"
