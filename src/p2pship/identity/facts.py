"""What happened to our own identities, for the journal."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.identity.hit import format_hit
from p2pship.journal import Fact


@dataclass(frozen=True, slots=True)
class IdentityCameAlong(Fact):
    """An identity came from a backup, or from another device of the person."""

    aor: str
    owner: bool
    "whether its key came along"

    def __str__(self) -> str:
        return f"this device now is one of {self.aor}{', and holds the identity key' if self.owner else ''}"


@dataclass(frozen=True, slots=True)
class IdentityRemoved(Fact):
    """An identity was deleted here."""

    aor: str

    def __str__(self) -> str:
        return f"deleted the identity of {self.aor} from this device"


@dataclass(frozen=True, slots=True)
class IdentityRotated(Fact):
    """An identity has a new key."""

    aor: str
    fingerprint: str
    "of the new key"

    def __str__(self) -> str:
        return f"{self.aor} has a new key, {self.fingerprint}; make a new backup"


@dataclass(frozen=True, slots=True)
class IdentitySeparated(Fact):
    """An identity has a device of its own in place of the node's."""

    aor: str
    device: bytes
    "the HIT of the new one, 16 octets"

    def __str__(self) -> str:
        return f"{self.aor} has a device of its own now, {format_hit(self.device)}"


@dataclass(frozen=True, slots=True)
class IdentityCertified(Fact):
    """A CA's certificate was installed."""

    aor: str
    authority: str
    "by which statements name it, hexadecimal"

    def __str__(self) -> str:
        return f"installed a certificate for {self.aor} from the CA {self.authority}"


@dataclass(frozen=True, slots=True)
class DeviceListed(Fact):
    """Another device was added to an identity."""

    aor: str
    device: str
    "SHA-256 of the Host Identity, hexadecimal"

    def __str__(self) -> str:
        return f"{self.aor} has one more device, {self.device[:16]}"


@dataclass(frozen=True, slots=True)
class DeviceRevoked(Fact):
    """A device was taken out of an identity."""

    aor: str
    device: str
    "SHA-256 of the Host Identity, hexadecimal"

    def __str__(self) -> str:
        return f"{self.aor} has revoked the device {self.device[:16]}"


@dataclass(frozen=True, slots=True)
class StatementAdopted(Fact):
    """Another device of the person has signed a newer statement."""

    aor: str
    version: int

    def __str__(self) -> str:
        return f"took over version {self.version} of the statement of {self.aor} from another device"


@dataclass(frozen=True, slots=True)
class RevokedHere(Fact):
    """The person has revoked this device."""

    aor: str

    def __str__(self) -> str:
        return f"{self.aor} has revoked this device: the identity is no longer used here"
