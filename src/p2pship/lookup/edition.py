"""What is published of one of our own identities at a time: one record, in its full form and in its public one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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

    Both forms have the same sequence number: they are one statement about one moment, of which the world is told less.
    Whoever found or was handed one thus never takes the other for an older one.
    """

    aor: str
    statement: bytes
    "the signed statement that it belongs to"
    locators: tuple[Locator, ...]
    "those that were to be named"
    full: bytes
    "the signed record with all of them, for our own networks and for hellos"
    public: bytes | None
    "the signed record with those that mean the same everywhere; None if there is none"
    made: float
    "Unix time"

    def is_current(self, identity: IIdentity, locators: Sequence[Locator], now: float) -> bool:
        """Tell whether it still says what is to be said, and will for another half-life."""
        return (
            self.statement == identity.statement
            and self.locators == tuple(locators)
            and 0 <= now - self.made < HALF_LIFE / 2
        )


def new_edition(keyring: IKeyring, identity: IIdentity, locators: Sequence[Locator], now: float) -> Edition:
    """Sign a new edition.

    :raises LocalError: if it cannot be signed, or its sequence number not be kept.
    """
    statement = identity.statement
    full = keyring.record_for(identity, locators, now)
    public = _public_form(keyring.device, full, now)
    return Edition(identity.aor, statement, tuple(locators), full, public, now)


def _public_form(device: IDevice, full: bytes, now: float) -> bytes | None:
    """Return a record that differs in having only the public locators; None if there are none."""
    record = verify_record(full, now)
    public = [locator for locator in record.locators if is_public(locator)]
    if len(public) == len(record.locators):
        return full if public else None
    if not public:
        return None
    return sign_record(
        device.sign,
        person=record.person,
        statement_version=record.statement_version,
        sequence=record.sequence,
        issued=record.issued,
        expires=record.expires,
        device_key=record.device_key,
        sealing_key=record.sealing_key,
        locators=public,
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
