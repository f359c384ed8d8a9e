"""What is said of one of our own identities at a time: one record, in full and in forms that show fewer locators."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pship.address import Locator
from p2pship.identity.annex import by_reference
from p2pship.identity.keys import raw_public
from p2pship.identity.place import Place, day_of
from p2pship.identity.record import sign_record, verify_record
from p2pship.identity.seal import annex_of, seal, seal_piece
from p2pship.identity.statement import read_statement
from p2pship.identity.validity import RECORD_LIFETIME
from p2pship.interfaces import IDevice, IIdentity, IKeyring
from p2pship.lookup.candidate import Slot
from p2pship.lookup.dialable import is_public

ANNOUNCING_TIME = RECORD_LIFETIME / 4
"Seconds between two publications: two may fail before the record expires, and who kept it for us may have gone away."


@dataclass(frozen=True, slots=True)
class Edition:
    """A record of our device as a device of one identity, and what else is published with it.

    All forms have the same sequence number: they are one statement about one moment, of which some are told less.
    Whoever found or was handed one thus never takes another for an older one.
    """

    aor: str
    device: IDevice
    "the device of ours that signs it, and under whose keys it is published"
    statement: bytes
    "the signed statement that it belongs to"
    locators: tuple[Locator, ...]
    "those that were to be named"
    full: bytes
    "the signed record with all of them, for our own networks"
    public: bytes
    "the signed record with those that mean the same everywhere, of which there may be none"
    made: float
    "when it was signed, Unix time"
    chain: bytes = b""
    "the certificates, DER, one after the other, if anybody vouches for the name"
    revocations: bytes = b""
    "the newest revocation list of who vouches, DER"
    forms: dict[frozenset[Locator], bytes] = field(default_factory=dict, compare=False, repr=False)
    "the signed records for hellos, by the locators that may be shown: those to a stranger show fewer"

    def says(self, identity: IIdentity, locators: Sequence[Locator]) -> bool:
        """Tell whether it still says what is to be said."""
        return self.statement == identity.statement and self.locators == tuple(locators)

    def says_less(self, newer: Edition) -> bool:
        """Tell whether a newer edition has something to say that this one has not."""
        said = (self.statement, self.locators, self.revocations)
        return said != (newer.statement, newer.locators, newer.revocations)

    def is_fresh(self, now: float, oldest: float = ANNOUNCING_TIME / 2) -> bool:
        """Tell whether it was signed no longer than ``oldest`` seconds ago."""
        return 0 <= now - self.made < oldest


def new_edition(
    keyring: IKeyring, identity: IIdentity, locators: Sequence[Locator], now: float, back: float = 0.0
) -> Edition:
    """Sign a new edition, dated ``back`` by so many seconds.

    :raises LocalError: if it cannot be signed, or its sequence number not be kept.
    """
    statement = identity.statement
    full = keyring.record_for(identity, locators, now - back)
    shown = frozenset(filter(is_public, locators))
    public = _form(identity.device, full, shown, now)
    certified = identity.chain if read_statement(statement).authority else ()
    chain = b"".join(certified)
    revocations = identity.revocations if chain else b""
    device, named = identity.device, tuple(locators)
    return Edition(identity.aor, device, statement, named, full, public, now, chain, revocations)


def renewed(edition: Edition, now: float, back: float = 0.0) -> Edition:
    """Return an edition that says the same and holds for longer, dated ``back`` by so many seconds.

    Its sequence number stays: who has the one does not take the other for stale, so that what is kept in many places can be
    replaced in each at its own time.
    """
    full = _form(edition.device, edition.full, None, edition.made, now - back)
    shown = frozenset(filter(is_public, edition.locators))
    public = _form(edition.device, full, shown, now)
    return replace(edition, full=full, public=public, made=now, forms={})


def record_showing(edition: Edition, shown: Iterable[Locator], now: float) -> bytes:
    """Return the record of a current edition with those of its locators that may be shown; it is signed once."""
    locators = frozenset(shown)
    if locators not in edition.forms:
        edition.forms[locators] = _form(edition.device, edition.full, locators, now)
    return edition.forms[locators]


def _form(
    device: IDevice, raw: bytes, shown: frozenset[Locator] | None, now: float, anew: float | None = None
) -> bytes:
    """Return a record with those of its locators that are shown, all of them if None; signed ``anew`` if that is a time."""
    record = verify_record(raw, now)
    locators = [locator for locator in record.locators if shown is None or locator in shown]
    if len(locators) == len(record.locators) and anew is None:
        return raw
    begins = record.issued if anew is None else int(anew)
    return sign_record(
        device.sign,
        person=record.person,
        statement_version=record.statement_version,
        sequence=record.sequence,
        issued=begins,
        expires=begins + RECORD_LIFETIME,
        device_key=record.device_key,
        sealing_key=record.sealing_key,
        locators=locators,
        parameters=record.parameters,
    )


def sealed(edition: Edition, wide_area: bool, now: float, place: Place | None = None) -> dict[Slot, bytes]:
    """Return what a lookup is to hold of an edition at a place, the open one unless said, for three days (UTC).

    Whoever searches asks with its own today only; its clock, or midnight, may put that a day off ours. Today comes first,
    as that is what most ask for. A lookup of the wide area gets the public form, even if that names no locator: who is behind a
    router is found, and not said to be unknown. Nothing is published of a device that cannot be dialled from anywhere.
    """
    record = edition.public if wide_area else edition.full
    if not edition.locators:
        return {}
    place = place or Place.of_name(edition.aor)
    today = day_of(now)
    items: dict[Slot, bytes] = {}
    for day in (today, today + 1, today - 1):
        if day >= 0:  # a clock that was never set says 1970
            items.update(_of_day(edition, record, place, day))
    return items


def _of_day(edition: Edition, record: bytes, place: Place, day: int) -> dict[Slot, bytes]:
    """Return the item of a day, and those of the pieces that it refers to."""
    device = edition.device.publication_private_key
    statement, chain, revocations = edition.statement, edition.chain, edition.revocations
    slot = _slot(place, day, device)
    item = seal(place, day, slot.publication_key, statement, record, chain=chain, revocations=revocations)
    items = {slot: item}
    wanted = annex_of(statement, record, chain, revocations).references
    pieces = by_reference(statement, chain, revocations) if wanted else {}
    for reference in wanted:
        slot = _slot(place, day, device, reference)
        items[slot] = seal_piece(place, day, slot.publication_key, pieces[reference])
    return items


def _slot(place: Place, day: int, device: Ed25519PrivateKey, piece: bytes = b"") -> Slot:
    """Return where a device publishes at a place, itself or a piece."""
    key = place.publication_private_key(day, device, piece)
    return Slot(place.lookup_key(day, piece), raw_public(key), key)
