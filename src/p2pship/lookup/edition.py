"""What is said of one of our own identities at a time: one record, in full and in forms that show fewer locators."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from p2pship.address import Locator
from p2pship.identity.record import sign_record, verify_record
from p2pship.identity.seal import day_of, lookup_key, seal
from p2pship.identity.validity import RECORD_LIFETIME
from p2pship.interfaces import IDevice, IIdentity, IKeyring
from p2pship.lookup.candidate import Slot
from p2pship.lookup.dialable import is_public

HALF_LIFE = RECORD_LIFETIME / 2
"Seconds between two publications: if one fails there is time for another before the record expires."


@dataclass(frozen=True, slots=True)
class Edition:
    """A record of this device as a device of one identity.

    All forms have the same sequence number: they are one statement about one moment, of which some are told less.
    Whoever found or was handed one thus never takes another for an older one.
    """

    aor: str
    statement: bytes
    "the signed statement that it belongs to"
    locators: tuple[Locator, ...]
    "those that were to be named"
    full: bytes
    "the signed record with all of them, for our own networks"
    public: bytes | None
    "the signed record with those that mean the same everywhere; None if there is none"
    made: float
    "Unix time"
    forms: dict[frozenset[Locator], bytes] = field(default_factory=dict, compare=False, repr=False)
    "the signed records for hellos, by the locators that may be shown: those to a stranger show fewer"

    def is_current(
        self, identity: IIdentity, locators: Sequence[Locator], now: float, oldest: float = HALF_LIFE / 2
    ) -> bool:
        """Tell whether it still says what is to be said, and was made no longer than ``oldest`` seconds ago."""
        return (
            self.statement == identity.statement
            and self.locators == tuple(locators)
            and 0 <= now - self.made < oldest
        )


def new_edition(keyring: IKeyring, identity: IIdentity, locators: Sequence[Locator], now: float) -> Edition:
    """Sign a new edition.

    :raises LocalError: if it cannot be signed, or its sequence number not be kept.
    """
    statement = identity.statement
    full = keyring.record_for(identity, locators, now)
    shown = frozenset(filter(is_public, locators))
    public = _form(keyring.device, full, shown, now) if shown else None
    return Edition(identity.aor, statement, tuple(locators), full, public, now)


def record_showing(edition: Edition, device: IDevice, shown: Iterable[Locator], now: float) -> bytes:
    """Return the record of a current edition with those of its locators that may be shown; it is signed once."""
    locators = frozenset(shown)
    if locators not in edition.forms:
        edition.forms[locators] = _form(device, edition.full, locators, now)
    return edition.forms[locators]


def _form(device: IDevice, full: bytes, shown: frozenset[Locator], now: float) -> bytes:
    record = verify_record(full, now)
    locators = [locator for locator in record.locators if locator in shown]
    if len(locators) == len(record.locators):
        return full
    return sign_record(
        device.sign,
        person=record.person,
        statement_version=record.statement_version,
        sequence=record.sequence,
        issued=record.issued,
        expires=record.expires,
        device_key=record.device_key,
        sealing_key=record.sealing_key,
        locators=locators,
        parameters=record.parameters,
    )


def sealed(edition: Edition, device: IDevice, wide_area: bool, now: float) -> dict[Slot, bytes]:
    """Return what a lookup is to hold of an edition, for yesterday, today and tomorrow (UTC).

    Whoever searches asks with its own today only; its clock, or midnight, may put that a day off ours. Today comes first,
    as that is what most ask for. A lookup of the wide area gets the public form. What names no locator is not published.
    """
    record = edition.public if wide_area else edition.full
    if record is None or not edition.locators:
        return {}
    key = device.publication_key
    today = day_of(now)
    return {
        Slot(lookup_key(edition.aor, day), key): seal(edition.aor, day, key, edition.statement, record)
        for day in (today, today + 1, today - 1)
        if day >= 0  # a clock that was never set says 1970
    }
