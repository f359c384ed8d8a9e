"""What rides along in the backup of an identity: all that the person's ledger holds, and the authorities that they run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from p2pship.errors import LocalError, RemoteError

if TYPE_CHECKING:
    from p2pship.desk import Desk
    from p2pship.trust.authority import Authority
    from p2pship.trust.authoritycopy import AuthorityCopy
    from p2pship.trust.entry import Entry

VERSION = 1


class BadKeepsake(RemoteError):
    """The contacts in the backup cannot be read."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came of it."""

    entries: int
    "those of the ledger that were news"
    authorities: list[str]
    "the names of the authorities"


def run_by(desk: Desk, own: str) -> Iterator[Authority]:
    """Yield the authorities of this node that an own identity runs; those of nobody here are run by the default one."""
    from p2pship.trust.certificates import operator_of

    default = desk.keyring.default
    for authority in desk.authorities.owned():
        operator = operator_of(authority.certificate)
        if desk.keyring.identity(operator) is None and default is not None:
            operator = default.aor
        if operator == own:
            yield authority


def pack(desk: Desk, own: str) -> bytes:
    """Return the ledger of an own identity, removed entries included, and its authorities: deterministic CBOR.

    :raises LocalError: if that is more than a backup has room for.
    """
    from p2pship.identity.bundle import LONGEST_EXTRA
    from p2pship.identity.cbor import encode

    rows = [[entry.kind, entry.name, entry.stamp, entry.value] for entry in desk.ledger.entries(own)]
    authorities = [desk.authorities.copy(one).encode() for one in run_by(desk, own)]
    packed = encode([VERSION, rows, authorities])
    if len(packed) > LONGEST_EXTRA:
        raise LocalError(
            f"contacts and certificates issued have {len(packed):,} octets, and a backup has room for {LONGEST_EXTRA:,}: "
            "take away contacts or blocks"
        )
    return packed


def unpack(desk: Desk, own: str, packed: bytes) -> Unpacked:
    """Merge into the ledger and the authorities what :func:`pack` returned.

    :raises RemoteError: if it is not of its form; then nothing was taken.
    """
    entries, copies = _read(packed) if packed else ([], [])
    news = desk.ledger.merge(own, entries, whole=True)
    brought = [desk.authorities.bring(one).name for one in copies]
    return Unpacked(len(news), brought)


def _read(packed: bytes) -> tuple[list[Entry], list[AuthorityCopy]]:
    from p2pship.identity.cbor import BadCBOR, decode
    from p2pship.trust.authoritycopy import AuthorityCopy

    try:
        match decode(packed):
            case [int(version), list(rows), list(copies)] if version == VERSION:
                return [_entry(row) for row in rows], [AuthorityCopy.read(one) for one in copies]
    except BadCBOR as error:
        raise BadKeepsake() from error
    raise BadKeepsake()


def _entry(row: object) -> Entry:
    from p2pship.trust.entry import Entry

    match row:
        case [str(kind), str(name), bytes(stamp), bytes() | None as value]:
            return Entry(kind, name, stamp, value)
    raise BadKeepsake()
