"""The backup of one identity: a text file to keep in a safe place (docs/reference/backup.md)."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime

from p2pship.errors import BadPapers, LocalError
from p2pship.identity.bundle import Bundle, decode_bundle, encode_bundle
from p2pship.identity.fingerprint import fingerprint
from p2pship.storage.wrapping import WrongPassphrase, unwrap, wrap

LONGEST_BACKUP = 6_200_000
"Octets of the file: what rides along in a bundle, in base64."

_BEGIN = "-----BEGIN P2PSHIP IDENTITY-----"
_END = "-----END P2PSHIP IDENTITY-----"
_PLAIN, _ENCRYPTED = b"\x01", b"\x02"
_PURPOSE = "backup"
_CHECK_LENGTH = 8
_WIDTH = 64


class BadBackup(BadPapers):
    """This is not the backup of an identity, or it is damaged."""


def write_backup(
    bundle: Bundle, passphrase: bytes | None, now: float, random: Callable[[int], bytes] = os.urandom
) -> bytes:
    """Return the file that :func:`read_backup` reads; who has it, and the passphrase if there is one, is that person.

    :raises LocalError: if the bundle has no key, which is all that matters.
    """
    if not bundle.private_key:
        raise LocalError(f"another device holds the identity key of {bundle.aor}; make the backup there")
    octets = encode_bundle(bundle)
    if passphrase is None:
        body = _PLAIN + hashlib.sha256(octets).digest()[:_CHECK_LENGTH] + octets
    else:
        body = _ENCRYPTED + wrap(passphrase, _PURPOSE, octets, random)
    lines = [*_heading(bundle, passphrase is not None, now), "", *_base64(body), _END, ""]
    return "\n".join(lines).encode("utf-8")


def read_backup(data: bytes, passphrase: bytes | None = None) -> Bundle:
    """Return what a backup holds.

    :raises BadPapers: if it is not a backup, or damaged.
    :raises WrongPassphrase: if it is encrypted, and under another passphrase.
    """
    body = _body(data)
    if body[:1] == _ENCRYPTED:
        if passphrase is None:
            raise WrongPassphrase("the backup is encrypted; its passphrase is needed")
        octets = unwrap(passphrase, _PURPOSE, body[1:])
    else:
        octets = _checked(body)
    bundle = decode_bundle(octets)
    if not bundle.private_key:
        raise BadBackup("there is no identity key in the backup")
    return bundle


def _heading(bundle: Bundle, encrypted: bool, now: float) -> list[str]:
    """Return the lines for people; nothing is read from them."""
    statement = bundle.statement
    protection = "with a passphrase" if encrypted else "no: who reads this file can speak as you"
    return [
        _BEGIN,
        f"Name: {statement.aor}",
        f"Key: {fingerprint(statement.key)}",
        f"Written: {datetime.fromtimestamp(int(now), UTC):%Y-%m-%d}",
        f"Encrypted: {protection}",
    ]


def _base64(body: bytes) -> list[str]:
    text = base64.b64encode(body).decode("ascii")
    return [text[place : place + _WIDTH] for place in range(0, len(text), _WIDTH)]


def _body(data: bytes) -> bytes:
    """Return the octets between the lines; what mail programs do to line ends and around the text does no harm."""
    if len(data) > LONGEST_BACKUP:
        raise BadBackup(f"a file of {len(data)} octets is no backup of an identity")
    _, begin, rest = data.decode("utf-8", "replace").replace("\r\n", "\n").partition(_BEGIN)
    inside, end, _ = rest.partition(_END)
    _, blank, text = inside.partition("\n\n")
    if not begin or not end or not blank:
        raise BadBackup("this is not the backup of an identity, or a part of it is missing")
    try:
        body = base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise BadBackup("the backup is damaged: its text is not base64") from None
    if body[:1] not in (_PLAIN, _ENCRYPTED):
        raise BadBackup("the backup was written by a newer version of p2pship, or is damaged")
    return body


def _checked(body: bytes) -> bytes:
    check, octets = body[1 : 1 + _CHECK_LENGTH], body[1 + _CHECK_LENGTH :]
    if hashlib.sha256(octets).digest()[:_CHECK_LENGTH] != check:
        raise BadBackup("the backup is damaged: its octets are not those that were written")
    return octets
