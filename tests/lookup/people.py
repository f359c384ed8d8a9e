"""People of the tests of the search: keys, papers and sealed items, and a trust policy that thinks what it is told."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from p2pship.address import Locator
from p2pship.identity.annex import by_reference
from p2pship.identity.device import Device
from p2pship.identity.keys import new_p256, sign, spki
from p2pship.identity.papers import Papers
from p2pship.identity.place import Place, day_of
from p2pship.identity.record import sign_record
from p2pship.identity.seal import seal, seal_piece
from p2pship.identity.statement import person_hash, sign_statement
from p2pship.identity.validity import RECORD_LIFETIME, STATEMENT_LIFETIME
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.interfaces import IFindReceiver, IIdentity, ITrustPolicy
from p2pship.lookup.candidate import FindOutcome, Found, Slot
from p2pship.testing.lookup import unsigned_slot

NOW = 1_800_000_000.0
DAY = day_of(NOW)
BOB = "bob@example.com"
PUBLIC = Locator.parse("tls:198.51.99.7:5566")
PRIVATE = Locator.parse("tls:10.1.2.3:5566")
LOOPBACK = Locator.parse("tls:127.0.0.1:5566")


class Person:
    """Somebody with a name, an identity key and devices."""

    def __init__(self, aor: str = BOB, devices: int = 1) -> None:
        self.aor = aor
        self.identity_key = new_p256()
        self.key = spki(self.identity_key)
        self.devices = [Device.new() for _ in range(devices)]
        self.chain = b""
        "the certificates, DER, if an authority vouches"
        self.authority = b""
        self._statements: dict[object, bytes] = {}

    def statement(self, version: int = 1) -> bytes:
        """Return the signed statement that lists all devices; the same one when it says the same."""
        says = version, len(self.devices), self.chain, self.authority
        if says not in self._statements:
            self._statements[says] = self._signed(version)
        return self._statements[says]

    def _signed(self, version: int) -> bytes:
        return sign_statement(
            lambda data: sign(self.identity_key, data),
            aor=self.aor,
            key=self.key,
            version=version,
            issued=int(NOW),
            expires=int(NOW) + STATEMENT_LIFETIME,
            devices=[device.listed for device in self.devices],
            certificate_hash=hashlib.sha256(self.chain).digest(),
            authority=self.authority,
        )

    def record(
        self,
        locators: Sequence[Locator] = (PUBLIC,),
        sequence: int = 1,
        device: int = 0,
        version: int = 1,
        issued: float = NOW,
    ) -> bytes:
        """Return the signed record of one device."""
        signer = self.devices[device]
        return sign_record(
            signer.sign,
            person=person_hash(self.aor, self.key),
            statement_version=version,
            sequence=sequence,
            issued=int(issued),
            expires=int(issued) + RECORD_LIFETIME,
            device_key=signer.key,
            sealing_key=signer.sealing_key,
            locators=locators,
        )

    def item(
        self,
        locators: Sequence[Locator] = (PUBLIC,),
        sequence: int = 1,
        device: int = 0,
        issued: float = NOW,
    ) -> bytes:
        """Return the papers of one device, sealed for today."""
        record = self.record(locators, sequence, device, issued=issued)
        return seal(
            Place.of_name(self.aor), DAY, self.devices[device].publication_key, self.statement(), record
        )

    def items(
        self, device: int = 0, place: Place | None = None, version: int = 1, **record: Any
    ) -> dict[Slot, bytes]:
        """Return what one device publishes today at a place, the open one unless said, pieces included."""
        place = place or Place.of_name(self.aor)
        statement, signed = self.statement(version), self.record(device=device, version=version, **record)
        key = place.publication_key(DAY, self.devices[device].publication_key)
        item = seal(place, DAY, key, statement, signed, chain=self.chain)
        items = {unsigned_slot(place.lookup_key(DAY), key): item}
        for reference, piece in by_reference(statement, self.chain).items():
            slot = unsigned_slot(place.lookup_key(DAY, reference), key)
            items[slot] = seal_piece(place, DAY, key, piece)
        return items

    def slot(self, device: int = 0) -> Slot:
        """Return today's slot of one device."""
        return unsigned_slot(Place.of_name(self.aor).lookup_key(DAY), self.devices[device].publication_key)


@implementer(ITrustPolicy)
class TellableTrust:
    """Thinks of each identity key what it was told, and nothing of others; may be made to wait or to fail."""

    def __init__(self) -> None:
        self.grades: dict[bytes, NameGrade] = {}
        self.waiting: dict[bytes, Deferred[Verdict]] = {}
        "judgements by identity key that are to come from here"
        self.judged: list[bytes] = []
        "the identity keys judged"
        self.chains: list[tuple[bytes, ...]] = []
        "the certificates that came with each"
        self.authorities: set[bytes] = set()
        "those whose certificates prove a name"

    def judge(self, papers: Papers, own: IIdentity) -> Deferred[Verdict]:
        """Return what was told of the identity key."""
        key = papers.statement.key
        self.judged.append(key)
        self.chains.append(papers.chain)
        if key in self.waiting:
            return self.waiting[key]
        grade = self.grades.get(key, NameGrade.UNPROVEN)
        if papers.chain and papers.statement.authority in self.authorities:
            grade = NameGrade.VERIFIED
        return succeed(Verdict(grade, Acquaintance.STRANGER))

    def wants_chain(self, authority: bytes) -> bool:
        """Want those of the authorities."""
        return authority in self.authorities


@implementer(IFindReceiver)
class RecordingFindReceiver:
    """Keeps what a search for a person tells."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self.outcomes: list[FindOutcome] = []

    def device_found(self, found: Found) -> None:
        """Keep it."""
        self.found.append(found)

    def find_ended(self, outcome: FindOutcome) -> None:
        """Keep it."""
        self.outcomes.append(outcome)

    @property
    def outcome(self) -> FindOutcome:
        """The one outcome."""
        (outcome,) = self.outcomes
        return outcome

    @property
    def device_keys(self) -> list[bytes]:
        """The Host Identities found, in order."""
        return [found.papers.record.device_key for found in self.found]
