"""What the folder of one own identity holds: the identity key, certificates, the statement, and what we noted about them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from p2pship.errors import BadPapers, ConfigError
from p2pship.identity.cbor import BadCBOR, decode, encode
from p2pship.identity.certificate import BadCertificate, read_certificate
from p2pship.identity.device import Device
from p2pship.identity.keys import from_der, key_file, p256_from_pem, spki, to_der, to_pem
from p2pship.identity.ownchain import split_chain
from p2pship.identity.papers import Statement
from p2pship.identity.statement import read_statement
from p2pship.identity.validity import SKEW
from p2pship.storage.files import read_private
from p2pship.storage.vault import Vault

KEY_FILE = "key.pem"
CERTIFICATE_FILE = "certificate.der"
REVOCATIONS_FILE = "revocations.crl"
STATEMENT_FILE = "statement.cose"
ABOUT_FILE = "about.cbor"
DEVICE_FOLDER = "device"

HELD_ELSEWHERE = b"# The identity key is held by another device of the person.\n"
"In place of the key on a device that was linked without it. A file that is empty or missing is an error, never this."

_WAY_OUT = "restore the folder from a backup, or move it away to begin with a new identity"


@dataclass(frozen=True, slots=True)
class About:
    """What is noted about an identity, and nobody else is told."""

    created: int
    "when it came to be, Unix time"
    exported: int = 0
    "when this key was last written to a backup, Unix time; 0: never"
    status: str = ""
    "what the person says of themselves at the moment"
    revoked: tuple[bytes, ...] = ()
    "revoked devices, newest first, each by the SHA-256 of its Host Identity: also those that no statement names any more"


@dataclass(frozen=True, slots=True)
class Holdings:
    """All of a folder; parts that do not belong together are never read as one."""

    private_key: bytes = field(repr=False)
    "the identity key, DER (PKCS #8); empty where another device holds it"
    chain: tuple[bytes, ...]
    "certificates, DER, end entity first; empty where they are not known"
    revocations: bytes
    "the newest revocation list of who issued the certificate, DER, or empty"
    raw: bytes
    "the signed statement"
    about: About
    device: Device | None = None
    "what the identity is used on here, if it has a device of its own"

    @property
    def statement(self) -> Statement:
        """What the statement says; it was checked when it was read or made."""
        return read_statement(self.raw)


def read_holdings(folder: Path, vault: Vault) -> Holdings:
    """Read a folder, also one of an earlier version.

    :raises ConfigError: if it cannot be read, others may read it, or its parts do not belong together; the message names the
        file and the way out.
    """
    private_key = _private_key(folder / KEY_FILE, vault)
    statement = _read(folder / STATEMENT_FILE, read_statement)
    if private_key and spki(from_der(private_key)) != statement.key:
        raise ConfigError(f"{folder / STATEMENT_FILE} is not a statement of the key beside it; {_WAY_OUT}")
    chain = _read(folder / CERTIFICATE_FILE, split_chain)
    begins = _begins(folder / CERTIFICATE_FILE, chain, statement)
    revocations = _optional(folder / REVOCATIONS_FILE) or b""
    about, separate = _read_about(folder / ABOUT_FILE, int(begins + SKEW))
    device = _read_device(folder / DEVICE_FOLDER, vault, separate)
    return Holdings(private_key, chain, revocations, statement.raw, about, device)


def files_of(holdings: Holdings, vault: Vault) -> Mapping[str, bytes]:
    """Return the files of a folder that holds these."""
    key = HELD_ELSEWHERE
    if holdings.private_key:
        key = vault.protect(KEY_FILE, to_pem(from_der(holdings.private_key)))
    files = {
        KEY_FILE: key,
        CERTIFICATE_FILE: b"".join(holdings.chain),
        STATEMENT_FILE: holdings.raw,
        ABOUT_FILE: encode_about(holdings.about, holdings.device is not None),
    }
    if holdings.revocations:
        files[REVOCATIONS_FILE] = holdings.revocations
    keys = {} if holdings.device is None else holdings.device.files(vault)
    return files | {f"{DEVICE_FOLDER}/{name}": octets for name, octets in keys.items()}


def encode_about(about: About, separate: bool) -> bytes:
    """Return the file of what is noted, and whether the identity has a device of its own."""
    fields: dict[str, object] = {"created": about.created, "exported": about.exported, "status": about.status}
    fields |= {"separate": True} if separate else {}
    return encode(fields | ({"revoked": list(about.revoked)} if about.revoked else {}))


def _read_device(folder: Path, vault: Vault, separate: bool) -> Device | None:
    """Read the device of its own; one that was moved away is made anew, and never quietly the node's taken in its place."""
    return Device.open(folder, vault) if separate or os.path.lexists(folder) else None


def _private_key(path: Path, vault: Vault) -> bytes:
    pem = key_file(path, vault)
    return b"" if pem == HELD_ELSEWHERE else to_der(p256_from_pem(path, pem))


def _begins(path: Path, chain: tuple[bytes, ...], statement: Statement) -> float:
    """Return when the certificate begins to hold, after a look whether it is the person's."""
    if not chain:
        return statement.issued - SKEW
    try:
        certified = read_certificate(chain[0])
    except BadCertificate as error:
        raise ConfigError(f"{path} cannot be used ({error}); {_WAY_OUT}") from error
    if (certified.aor, certified.key) != (statement.aor, statement.key):
        raise ConfigError(f"{path} is not the certificate of what is stated beside it; {_WAY_OUT}")
    return certified.begins


def _read_about(path: Path, created: int) -> tuple[About, bool]:
    octets = _optional(path)
    if octets is None:
        return About(created), False  # an earlier version wrote none
    try:
        match decode(octets):
            case {"created": int(created), "exported": int(exported), "status": str(status), **others}:
                about = About(created, exported, status, _digests(others.get("revoked", [])))
                return about, others.get("separate") is True
    except BadCBOR as error:
        raise ConfigError(f"{path} cannot be used ({error}); delete it") from error
    raise ConfigError(f"{path} is damaged; delete it")


def _digests(value: Any) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not all(isinstance(one, bytes) for one in value):
        raise BadCBOR("its revoked devices are no list of digests")
    return tuple(value)


def _read(path: Path, parse: Callable[[bytes], Any]) -> Any:
    octets = _optional(path)
    if octets is None:
        raise ConfigError(f"{path} cannot be read (No such file or directory); {_WAY_OUT}")
    try:
        return parse(octets)
    except (BadPapers, BadCertificate) as error:
        raise ConfigError(f"{path} cannot be used ({error}); {_WAY_OUT}") from error


def _optional(path: Path) -> bytes | None:
    try:
        return read_private(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); {_WAY_OUT}") from error
