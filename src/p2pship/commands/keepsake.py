"""What rides along in the backup of an identity: the person's contacts, pins and all else that their ledger holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2pship.errors import RemoteError

if TYPE_CHECKING:
    from p2pship.trust.entry import Entry
    from p2pship.trust.ledger import Ledger

VERSION = 1


class BadKeepsake(RemoteError):
    """The contacts in the backup cannot be read."""


def pack(ledger: Ledger, own: str) -> bytes:
    """Return the whole ledger of an own identity, removed entries included: deterministic CBOR."""
    from p2pship.identity.cbor import encode

    rows = [[entry.kind, entry.name, entry.stamp, entry.value] for entry in ledger.entries(own)]
    return encode([VERSION, rows])


def unpack(ledger: Ledger, own: str, packed: bytes) -> int:
    """Merge into the ledger what :func:`pack` returned, and return how many entries were news.

    :raises RemoteError: if it is not of its form; then nothing was taken.
    """
    from p2pship.identity.cbor import BadCBOR, decode

    if not packed:
        return 0
    try:
        match decode(packed):
            case [int(version), list(rows)] if version == VERSION:
                return len(ledger.merge(own, [_entry(row) for row in rows], whole=True))
    except BadCBOR as error:
        raise BadKeepsake() from error
    raise BadKeepsake()


def _entry(row: object) -> Entry:
    from p2pship.trust.entry import Entry

    match row:
        case [str(kind), str(name), bytes(stamp), bytes() | None as value]:
            return Entry(kind, name, stamp, value)
    raise BadKeepsake()
