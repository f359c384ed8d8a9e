"""The identity statement: what a person's identity key signs about the person and their devices."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from p2pship.errors import BadPapers, LocalError
from p2pship.identity.cbor import BadCBOR, encode
from p2pship.identity.cose import parse_sign1, sign1
from p2pship.identity.fields import FORMAT_VERSION, Fields
from p2pship.identity.keys import SIGNATURE_LENGTH, BadKey, compressed
from p2pship.identity.papers import ListedDevice, Statement
from p2pship.identity.validity import STATEMENT_LIFETIME, check_validity

CONTEXT = "p2pship identity statement v1"
"What its signature is made for."

LONGEST_STATEMENT = 2_560
"Octets: with a record and what else a hello says, it has to fit the one frame of 4,096 octets before a hello."

MOST_DEVICES = 16
"Devices of one person: each costs 64 octets, and everybody who calls dials all of them."

MOST_REVOKED = 32
"Revoked devices that a statement names; one that is not listed is refused anyway by those who have the statement."

MOST_MAIL_HOLDERS = 8

HASH_LENGTH = 32
_DEVICE_LENGTH = HASH_LENGTH + 32

AUTHORITY_LENGTH = 8
"Octets that name a CA to those who trust it: only a hint to fetch the certificates, which are checked as a whole."

MOST_SUCCEEDED = 3
"Keys that a statement says it replaces: who has not heard of a person for three changes has to ask."

SUCCEEDED_LENGTH = 33 + SIGNATURE_LENGTH
"Octets of each: the compressed point of the old key, and its signature."

_AOR, _KEY, _VERSION, _ISSUED, _EXPIRES, _DEVICES, _REVOKED, _MAIL_HOLDERS, _CERTIFICATE_HASH = range(1, 10)
_AUTHORITY, _SUCCESSION = 10, 11


def sign_statement(
    sign: Callable[[bytes], bytes],
    *,
    aor: str,
    key: bytes,
    version: int,
    issued: int,
    expires: int,
    devices: Sequence[ListedDevice],
    certificate_hash: bytes,
    revoked: Sequence[bytes] = (),
    mail_holders: Sequence[str] = (),
    authority: bytes = b"",
    succession: Sequence[bytes] = (),
) -> bytes:
    """Return the signed statement of a canonical AOR; ``sign`` signs with the identity key, whose public half is ``key``.

    :raises LocalError: if it would not be believed: too many of anything, or a value that is not of its form.
    """
    try:
        fields: dict[int, object] = {
            0: FORMAT_VERSION,
            _AOR: aor,
            _KEY: compressed(key),
            _VERSION: version,
            _ISSUED: issued,
            _EXPIRES: expires,
            _DEVICES: b"".join(device.host_identity_hash + device.publication_key for device in devices),
            _CERTIFICATE_HASH: certificate_hash,
        }
        if revoked:
            fields[_REVOKED] = b"".join(revoked)
        if mail_holders:
            fields[_MAIL_HOLDERS] = list(mail_holders)
        if authority:
            fields[_AUTHORITY] = authority
        if succession:
            fields[_SUCCESSION] = b"".join(succession)
        raw = sign1(encode(fields), CONTEXT, sign)
        verify_statement(raw, issued)
    except (BadPapers, BadKey) as error:
        raise LocalError(f"a statement that nobody would believe: {error}") from error
    return raw


def verify_statement(raw: bytes, now: float) -> Statement:
    """Check a statement's form, signature and dates at ``now``, and return it.

    :raises BadPapers: if one of them is wrong; the message says which.
    """
    statement = read_statement(raw)
    check_validity("statement", statement.issued, statement.expires, STATEMENT_LIFETIME, now)
    return statement


def read_statement(raw: bytes) -> Statement:
    """Check a statement's form and signature, not its dates, and return it.

    :raises BadPapers: if one of them is wrong; the message says which.
    """
    if len(raw) > LONGEST_STATEMENT:
        raise BadPapers(f"the statement has {len(raw)} octets, more than {LONGEST_STATEMENT}")
    try:
        signed = parse_sign1(raw)
    except BadCBOR as error:
        raise BadPapers(f"the statement cannot be read: {error}") from None
    fields = Fields("statement", signed.payload)
    key = fields.key(_KEY, "identity key")
    if not signed.signed_by(key, CONTEXT):
        raise BadPapers("the statement's signature is not that of its identity key")
    devices = fields.pieces(_DEVICES, "devices", _DEVICE_LENGTH, MOST_DEVICES)
    return Statement(
        aor=fields.aor(_AOR, "name"),
        key=key,
        version=fields.unsigned(_VERSION, "version"),
        issued=fields.unsigned(_ISSUED, "date"),
        expires=fields.unsigned(_EXPIRES, "end"),
        devices=tuple(ListedDevice(device[:HASH_LENGTH], device[HASH_LENGTH:]) for device in devices),
        revoked=fields.pieces(_REVOKED, "revoked devices", HASH_LENGTH, MOST_REVOKED),
        mail_holders=fields.aors(_MAIL_HOLDERS, "mail holders", MOST_MAIL_HOLDERS),
        certificate_hash=fields.octets(_CERTIFICATE_HASH, "certificate hash", HASH_LENGTH),
        authority=b"".join(fields.pieces(_AUTHORITY, "authority", AUTHORITY_LENGTH, 1)),
        succession=fields.pieces(_SUCCESSION, "former keys", SUCCEEDED_LENGTH, MOST_SUCCEEDED),
        raw=raw,
    )


def host_identity_hash(device_key: bytes) -> bytes:
    """Return what a statement lists of a Host Identity (DER SubjectPublicKeyInfo): its SHA-256."""
    return hashlib.sha256(device_key).digest()


def person_hash(aor: str, key: bytes) -> bytes:
    """Return what a record says of its person: SHA-256 over canonical AOR, a zero octet, DER SubjectPublicKeyInfo."""
    return hashlib.sha256(aor.encode("utf-8") + b"\0" + key).digest()
