"""A device of ours: the three key pairs that are made once and kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from zope.interface import implementer

from p2pship.errors import ConfigError, LocalError
from p2pship.identity.hit import hit_of
from p2pship.identity.keys import (
    new_p256,
    protect_key_file,
    raw_public,
    read_ed25519,
    read_p256,
    read_x25519,
    sign,
    spki,
    to_pem,
)
from p2pship.identity.papers import ListedDevice
from p2pship.identity.statement import host_identity_hash
from p2pship.interfaces import IDevice
from p2pship.storage.files import create_folder
from p2pship.storage.vault import Vault

HOST_FILE = "host-identity.pem"
PUBLICATION_FILE = "publication.pem"
SEALING_FILE = "sealing.pem"

KEY_FILES = (HOST_FILE, PUBLICATION_FILE, SEALING_FILE)


@implementer(IDevice)
class Device:
    """A Host Identity (P-256), the Ed25519 key that it publishes under and the X25519 key that others seal to."""

    def __init__(
        self,
        private_key: EllipticCurvePrivateKey,
        publication_private_key: Ed25519PrivateKey,
        sealing_private_key: X25519PrivateKey,
    ) -> None:
        self.private_key = private_key
        self.publication_private_key = publication_private_key
        "for lookups whose slots are signed"
        self.sealing_private_key = sealing_private_key
        "to open what was sealed to this device"
        self.key = spki(private_key)
        self.hit = hit_of(self.key)
        self.publication_key = raw_public(publication_private_key)
        self.sealing_key = raw_public(sealing_private_key)

    @classmethod
    def new(cls) -> Device:
        """Make a device with new keys, kept nowhere."""
        return cls(new_p256(), Ed25519PrivateKey.generate(), X25519PrivateKey.generate())

    @classmethod
    def open(cls, folder: Path, vault: Vault) -> Device:
        """Read the device from its folder; only where there is no such folder, make a new one.

        :raises ConfigError: if it cannot be read or made; the message names the file and the way out.
        """
        if not folder.exists():
            cls.new()._save(folder, vault)
        return cls.read(folder, vault)

    @classmethod
    def read(cls, folder: Path, vault: Vault) -> Device:
        """Read the device from its folder; raises ConfigError as :meth:`open`, also where there is none."""
        return cls(
            read_p256(folder / HOST_FILE, vault),
            read_ed25519(folder / PUBLICATION_FILE, vault),
            read_x25519(folder / SEALING_FILE, vault),
        )

    @property
    def listed(self) -> ListedDevice:
        """What a statement says of this device."""
        return ListedDevice(host_identity_hash(self.key), self.publication_key)

    def sign(self, data: bytes) -> bytes:
        """Sign with the Host Identity."""
        return sign(self.private_key, data)

    def files(self, vault: Vault) -> Mapping[str, bytes]:
        """Return the files of a folder that holds it, in the form that the vault wants now."""
        pems = {
            HOST_FILE: to_pem(self.private_key),
            PUBLICATION_FILE: to_pem(self.publication_private_key),
            SEALING_FILE: to_pem(self.sealing_private_key),
        }
        return {name: vault.protect(name, pem) for name, pem in pems.items()}

    def _save(self, folder: Path, vault: Vault) -> None:
        try:
            create_folder(folder, self.files(vault))
        except OSError as error:
            raise ConfigError(
                f"the device's keys cannot be kept in {folder} ({error.strerror}); make the folder above it writable"
            ) from error


def protect_device(folder: Path, vault: Vault) -> None:
    """Put the key files of a device into the form that the vault wants now.

    :raises LocalError: if one cannot be written; it can be read in the other form as well.
    """
    try:
        for name in KEY_FILES:
            protect_key_file(folder / name, vault)
    except OSError as error:
        raise LocalError(f"the device's keys cannot be written in {folder}: {error.strerror}") from error
