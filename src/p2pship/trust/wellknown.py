"""What a domain publishes below ``https://DOMAIN/.well-known/p2pship/`` (RFC 8615): the keys of its names.

A file is called by a hash of the name, so that a listing of the folder shows nobody's name.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from p2pship.errors import RemoteError

FOLDER = ".well-known/p2pship"
AUTHORITIES_FILE = "ca.pem"
REVOCATIONS_FILE = "revocations.pem"

LONGEST_PAGE = 16_384
"Octets of any of the files."

MOST_KEYS = 32
"Keys that a file has, and that it takes back: a person has one, two while it changes."

_VERSION = 1
_CONTEXT = b"p2pship name v1\0"
_NAME_OCTETS = 20
_FINGERPRINT = re.compile("[0-9a-f]{64}")


class BadNameFile(RemoteError):
    """This is not a file about the keys of a name."""


@dataclass(frozen=True, slots=True)
class NameFile:
    """What a domain says of one name."""

    keys: tuple[bytes, ...]
    "the SHA-256 of each identity key (DER SubjectPublicKeyInfo) that the name has"
    revoked: tuple[bytes, ...]
    "those that it no longer has"
    expires: int
    "until when this holds, Unix time"


def name_hash(aor: str) -> str:
    """Return what a canonical AOR is called in a folder and in the DNS: 32 characters of lower-case base32."""
    digest = hashlib.sha256(_CONTEXT + aor.encode("utf-8")).digest()
    return base64.b32encode(digest[:_NAME_OCTETS]).decode("ascii").lower()


def key_hash(key: bytes) -> bytes:
    """Return what a file has of an identity key (DER SubjectPublicKeyInfo): its SHA-256."""
    return hashlib.sha256(key).digest()


def name_file(aor: str, keys: Sequence[bytes], expires: int, revoked: Sequence[bytes] = ()) -> str:
    """Return the file about a canonical AOR; ``keys`` and ``revoked`` are hashes of identity keys."""
    content = {
        "version": _VERSION,
        "name": name_hash(aor),
        "keys": [key.hex() for key in keys],
        "revoked": [key.hex() for key in revoked],
        "expires": expires,
    }
    return json.dumps(content, indent=2) + "\n"


def read_name_file(octets: bytes, aor: str) -> NameFile:
    """Read the file about a canonical AOR; its date is not looked at.

    :raises BadNameFile: if it is none, or one about another name, as a server gives that answers everything alike.
    """
    if len(octets) > LONGEST_PAGE:
        raise BadNameFile(f"a file of {len(octets)} octets is longer than {LONGEST_PAGE}")
    try:
        content = json.loads(octets, object_pairs_hook=_members)
    except (ValueError, RecursionError):
        raise BadNameFile("the file is not JSON") from None
    version = content.get("version") if isinstance(content, dict) else None
    if type(version) is not int or version != _VERSION:
        raise BadNameFile(f"the file is not of version {_VERSION}")
    if content.get("name") != name_hash(aor):
        raise BadNameFile("the file is about another name")
    expires = content.get("expires")
    if type(expires) is not int:
        raise BadNameFile("the file does not say when it expires")
    return NameFile(_hashes(content, "keys"), _hashes(content, "revoked"), expires)


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object; one that names a member twice is refused, as programs differ in which of them counts (RFC 8259 §4)."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a member is there twice")
    return dict(pairs)


def _hashes(content: dict[str, object], name: str) -> tuple[bytes, ...]:
    given = content.get(name, [])
    if not isinstance(given, list) or len(given) > MOST_KEYS:
        raise BadNameFile(f"{name} is not a list of at most {MOST_KEYS}")
    if not all(isinstance(one, str) and _FINGERPRINT.fullmatch(one) for one in given):
        raise BadNameFile(f"{name} has something else than 64 hexadecimal digits")
    return tuple(bytes.fromhex(one) for one in given)
