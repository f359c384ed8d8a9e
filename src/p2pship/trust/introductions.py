"""Introductions: what a friend signs about a third person, that a name is a key's; given to one person, expiring, revocable.

A vouch is a COSE_Sign1 by the friend's identity key. It names who vouches, for whom (AOR and SHA-256 of the identity key), to
whom, when, until when, and has a serial by which it can be taken back. It counts only to whom it was given, while the friend
is a contact of theirs whose key is pinned, and is the one that signed it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IReactorTime

from p2pship.errors import BadPapers, LocalError
from p2pship.identity.cbor import BadCBOR, encode
from p2pship.identity.cose import parse_sign1, sign1
from p2pship.identity.fields import FORMAT_VERSION, Fields
from p2pship.identity.keys import compressed
from p2pship.identity.validity import SKEW, check_validity
from p2pship.trust.contacts import Contacts
from p2pship.trust.ledger import REVOKED, VOUCH, Ledger
from p2pship.trust.pins import Pins

CONTEXT = "p2pship introduction v1"
"What its signature is made for."

LIFETIME = 365 * 24 * 3600
"Seconds that a vouch may hold at most."

LONGEST = 1_024
"Octets: three names of 254 characters, key, hash, dates and signature are fewer."

SERIAL_OCTETS = 8

_VOUCHER, _KEY, _SUBJECT, _SUBJECT_KEY, _AUDIENCE, _ISSUED, _EXPIRES, _SERIAL = range(1, 9)


class BadIntroduction(BadPapers):
    """This vouch for a third person is not valid."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """What somebody vouches for; its form and signature have been checked."""

    voucher: str
    "the canonical AOR of who vouches"
    key: bytes
    "the identity key that signed it, DER SubjectPublicKeyInfo"
    subject: str
    "the canonical AOR of the third person"
    subject_key: bytes
    "SHA-256 of the third person's identity key (DER SubjectPublicKeyInfo)"
    audience: str
    "the canonical AOR of who was told"
    issued: int
    "Unix time"
    expires: int
    "Unix time"
    serial: bytes
    "8 octets that the voucher gives each vouch"
    raw: bytes
    "the signed bytes"


def sign_introduction(
    sign: Callable[[bytes], bytes],
    *,
    voucher: str,
    key: bytes,
    subject: str,
    subject_key: bytes,
    audience: str,
    issued: int,
    expires: int,
    serial: bytes,
) -> bytes:
    """Return the vouch that an identity signs for a third person whose identity key is ``subject_key`` (DER).

    :raises LocalError: if it would not be believed.
    """
    fields = {
        0: FORMAT_VERSION,
        _VOUCHER: voucher,
        _KEY: compressed(key),
        _SUBJECT: subject,
        _SUBJECT_KEY: hashlib.sha256(subject_key).digest(),
        _AUDIENCE: audience,
        _ISSUED: issued,
        _EXPIRES: expires,
        _SERIAL: serial,
    }
    raw = sign1(encode(fields), CONTEXT, sign)
    try:
        verify_introduction(raw, issued)
    except BadPapers as error:
        raise LocalError(f"a vouch that nobody would believe: {error}") from error
    return raw


def read_introduction(raw: bytes) -> Introduction:
    """Check a vouch's form and signature, not its dates, and return it.

    :raises BadPapers: if one of them is wrong; the message says which.
    """
    if len(raw) > LONGEST:
        raise BadIntroduction(f"the vouch has {len(raw)} octets, more than {LONGEST}")
    try:
        signed = parse_sign1(raw)
    except BadCBOR as error:
        raise BadIntroduction(f"the vouch cannot be read: {error}") from None
    fields = Fields("vouch", signed.payload)
    key = fields.key(_KEY, "identity key")
    if not signed.signed_by(key, CONTEXT):
        raise BadIntroduction("the vouch's signature is not that of its identity key")
    found = Introduction(
        voucher=fields.aor(_VOUCHER, "voucher"),
        key=key,
        subject=fields.aor(_SUBJECT, "subject"),
        subject_key=fields.octets(_SUBJECT_KEY, "key hash", 32),
        audience=fields.aor(_AUDIENCE, "audience"),
        issued=fields.unsigned(_ISSUED, "date"),
        expires=fields.unsigned(_EXPIRES, "end"),
        serial=fields.octets(_SERIAL, "serial", SERIAL_OCTETS),
        raw=raw,
    )
    if found.voucher == found.subject:
        raise BadIntroduction(f"{found.voucher} vouches for their own name")
    return found


def verify_introduction(raw: bytes, now: float) -> Introduction:
    """Check a vouch's form, signature and dates at ``now``, and return it.

    :raises BadPapers: if one of them is wrong; the message says which.
    """
    found = read_introduction(raw)
    check_validity("vouch", found.issued, found.expires, LIFETIME, now)
    return found


class Introductions:
    """The vouches that our own identities were given, in the ledger, and which of them count."""

    def __init__(self, ledger: Ledger, contacts: Contacts, pins: Pins, clock: IReactorTime) -> None:
        self._ledger = ledger
        self._contacts = contacts
        self._pins = pins
        self._clock = clock

    def keep(self, own: str, raw: bytes) -> Introduction:
        """Take a vouch that was given to one of our own; the last one of a voucher for a subject counts.

        :raises BadPapers: if it is not valid, was given to somebody else, is by nobody whom we know by that key, or was
            taken back.
        :raises LocalError: if it cannot be written.
        """
        found = verify_introduction(raw, self._clock.seconds())
        wrong = self._wrong(own, found)
        if wrong:
            raise BadIntroduction(wrong)
        self._ledger.put(own, VOUCH, _name(found.subject, found.voucher), {"vouch": raw})
        return found

    def all(self, own: str) -> list[Introduction]:
        """Return the vouches that are kept, whether they still count or not."""
        found = (_read(value) for value in self._ledger.items(own, VOUCH).values())
        return [each for each in found if each is not None]

    def subjects(self, own: str, voucher: str) -> list[str]:
        """Return of whom vouches of somebody are kept; by their entries' names alone, as each signature costs a check."""
        names = (name.partition(" ") for name in self._ledger.items(own, VOUCH))
        return [subject for subject, _, by in names if by == voucher]

    def of(self, own: str, aor: str, key: bytes) -> list[Introduction]:
        """Return the vouches that count now for a person's canonical AOR and identity key (DER)."""
        digest = hashlib.sha256(key).digest()
        now = self._clock.seconds()
        return [
            each
            for each in self.about(own, aor)
            if each.subject_key == digest
            and each.issued - SKEW <= now <= each.expires
            and not self._wrong(own, each)
        ]

    def forget(self, own: str, aor: str) -> None:
        """Forget every vouch for a person.

        :raises LocalError: if it cannot be written.
        """
        for each in self.about(own, aor):
            self._ledger.remove(own, VOUCH, _name(each.subject, each.voucher))

    def revoke(self, own: str, voucher: str, serial: bytes) -> bool:
        """Hear that who vouched takes a vouch back, for good; False if that was known.

        The caller has made sure that it is ``voucher`` who says so.

        :raises LocalError: if it cannot be written.
        """
        name = _revocation(voucher, serial)
        known = self._ledger.get(own, REVOKED, name) is not None
        if not known:
            self._ledger.put(own, REVOKED, name, int(self._clock.seconds()))
        for each in self.all(own):
            if each.voucher == voucher and each.serial == serial:
                self._ledger.remove(own, VOUCH, _name(each.subject, voucher))
        return not known

    def about(self, own: str, aor: str) -> list[Introduction]:
        """Return every vouch for a person, whether it counts or not."""
        items = self._ledger.items(own, VOUCH).items()
        found = (_read(value) for name, value in items if name.partition(" ")[0] == aor)
        return [each for each in found if each is not None and each.subject == aor]

    def _wrong(self, own: str, found: Introduction) -> str:
        """Say why a vouch does not count for one of our own; empty if it does."""
        if found.audience != own:
            return f"the vouch was given to {found.audience}, not to {own}"
        if self._ledger.get(own, REVOKED, _revocation(found.voucher, found.serial)) is not None:
            return f"{found.voucher} has taken the vouch back"
        pin = self._pins.get(own, found.voucher)
        if pin is None or self._contacts.get(own, found.voucher) is None:
            return f"{found.voucher} is no contact of {own} whose key is known"
        return "" if pin.key == found.key else f"the vouch is not signed with the key of {found.voucher}"


def _read(value: Any) -> Introduction | None:
    raw = value.get("vouch") if isinstance(value, dict) else None
    try:
        return read_introduction(raw) if isinstance(raw, bytes) else None
    except BadPapers:
        return None


def _name(subject: str, voucher: str) -> str:
    return f"{subject} {voucher}"


def _revocation(voucher: str, serial: bytes) -> str:
    return f"vouch {voucher} {serial.hex()}"
