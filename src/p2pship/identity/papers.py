"""A person's statement and one device's record, together: what a hello carries and a lookup finds."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.address import Locator


@dataclass(frozen=True, slots=True)
class ListedDevice:
    """A device as a statement lists it."""

    host_identity_hash: bytes
    "SHA-256 of the Host Identity (DER SubjectPublicKeyInfo)"
    publication_key: bytes
    "the Ed25519 key under which it publishes, 32 octets"


@dataclass(frozen=True, slots=True)
class Statement:
    """What an identity signs about itself and its devices; its signature and dates have been checked."""

    aor: str
    "the canonical AOR"
    key: bytes
    "the identity key, DER SubjectPublicKeyInfo"
    version: int
    "only the identity key raises it"
    issued: int
    "Unix time in seconds"
    expires: int
    "Unix time in seconds"
    devices: tuple[ListedDevice, ...]
    "the person's devices"
    revoked: tuple[bytes, ...]
    "SHA-256 of the Host Identities that the person has revoked"
    mail_holders: tuple[str, ...]
    "canonical AORs of those who may keep the person's mail"
    certificate_hash: bytes
    "SHA-256 of the certificate chain, DER, end entity first"
    authority: bytes
    "the first 8 octets of the SHA-256 of the root's key (DER SubjectPublicKeyInfo); empty if self-signed"
    succession: tuple[bytes, ...]
    "the keys that this one replaces, newest first: each a compressed point and its signature, 97 octets"
    raw: bytes
    "the signed bytes, as they came"


@dataclass(frozen=True, slots=True)
class Record:
    """What a device signs: reachable at these locators until then; its signature and dates have been checked."""

    person: bytes
    "SHA-256 over the person's canonical AOR and identity key"
    statement_version: int
    "the version of the statement that it belongs to"
    sequence: int
    "rises with each record of the device"
    issued: int
    "Unix time in seconds"
    expires: int
    "Unix time in seconds"
    device_key: bytes
    "the Host Identity, DER SubjectPublicKeyInfo"
    sealing_key: bytes
    "the X25519 key to which others can seal, 32 octets"
    locators: tuple[Locator, ...]
    "most preferred first"
    parameters: tuple[tuple[str, str], ...]
    "service parameters, by name"
    raw: bytes
    "the signed bytes, as they came"


@dataclass(frozen=True, slots=True)
class Papers:
    """A statement and a record that belong together: same person, and the device is listed and not revoked."""

    statement: Statement
    record: Record
    hit: bytes
    "the device's HIT (RFC 7343), 16 octets"
    chain: tuple[bytes, ...] = ()
    "the certificates, DER, end entity first, of which the statement has the hash; none where they did not come along"
    revocations: bytes = b""
    "the newest revocation list (RFC 5280 §5, DER) of who issued them that came along; nothing of it has been checked"

    @property
    def aor(self) -> str:
        """The person's canonical AOR."""
        return self.statement.aor
