"""A desk with everything that its node tells others, and people on made-up links who say what a test likes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from twisted.internet.defer import Deferred, fail
from zope.interface import implementer
from zope.interface.verify import verifyObject

from p2pship.circle import Circle
from p2pship.config import load
from p2pship.desk import Desk
from p2pship.errors import NotReached
from p2pship.identity.device import Device
from p2pship.identity.keys import new_p256, spki
from p2pship.identity.papers import Papers, Statement
from p2pship.identity.record import sign_record
from p2pship.identity.statement import person_hash, read_statement
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.identity.verify import papers_from
from p2pship.interfaces import (
    IFinder,
    IFinding,
    IFindReceiver,
    IIdentity,
    IOverlay,
    IPeer,
    IPeopleReceiver,
    IReaching,
    ISubprotocol,
)
from p2pship.lookup.candidate import FindOutcome
from p2pship.overlay.reach import ReachOutcome
from p2pship.overlay.switchboard import Switchboard
from p2pship.sections import sections
from tests.commands.desks import NOW, DeskTestCase
from tests.trust.people import papers_of

ALICE, BOB, MALLORY = "alice@example.com", "bob@example.com", "mallory@example.com"
STRANGER = Verdict(NameGrade.UNPROVEN, Acquaintance.STRANGER)
PROVEN = Verdict(NameGrade.VERIFIED, Acquaintance.STRANGER)
FRIEND = Verdict(NameGrade.KNOWN, Acquaintance.CONTACT)
OWN = Verdict(NameGrade.KNOWN, Acquaintance.OWN)


@implementer(IFinding)
class NothingFound:
    """A search that finds nothing."""

    def so_far(self) -> FindOutcome:
        """Say so."""
        return FindOutcome((), 0)

    def cancel(self) -> None:
        """Do nothing."""


@implementer(IReaching)
class NobodyReached:
    """A search that reaches nobody."""

    def so_far(self) -> ReachOutcome:
        """Say so."""
        return ReachOutcome(None, (), False)

    def cancel(self) -> None:
        """Do nothing."""


@implementer(IOverlay, IFinder)
class Nowhere:
    """An overlay that reaches nobody, and keeps what is offered."""

    def __init__(self) -> None:
        self.offered: dict[str, ISubprotocol] = {}
        self.statements: list[Statement] = []

    def people(self, aor: str, identity: IIdentity, receiver: IPeopleReceiver) -> IReaching:
        """Reach nobody."""
        return IReaching(NobodyReached())

    def peer(self, aor: str, identity: IIdentity, hit: bytes) -> Deferred[IPeer]:
        """Reach nobody."""
        return fail(NotReached("nobody is here"))

    def peers(self) -> tuple[IPeer, ...]:
        """Know nobody."""
        return ()

    def offer(self, subprotocol: ISubprotocol) -> None:
        """Keep it."""
        self.offered[subprotocol.name] = subprotocol

    def statement_received(self, own: str, statement: Statement) -> None:
        """Keep it."""
        self.statements.append(statement)

    def judge_again(self, own: str, aor: str) -> None:
        """Judge nobody."""

    def find(self, aor: str, own: IIdentity, receiver: IFindReceiver) -> IFinding:
        """Find nobody."""
        return IFinding(NothingFound())

    def forget(self, aor: str, device_key: bytes) -> None:
        """Forget nobody."""


@dataclass(eq=False)
class Somebody:
    """A peer: who they are as the overlay has found, by a hello that has passed."""

    papers: Papers
    verdict: Verdict
    identity: IIdentity
    own_hit: bytes
    encrypted: bool = True
    path: str = "memory"

    @property
    def aor(self) -> str:
        """The name in the papers."""
        return self.papers.statement.aor

    @property
    def hit(self) -> bytes:
        """The device's HIT."""
        return self.papers.hit

    @property
    def device_key(self) -> bytes:
        """The device's Host Identity."""
        return self.papers.record.device_key

    def send(self, subprotocol: str, payload: bytes) -> Deferred[bytes]:
        """Answer nothing that is asked back."""
        return fail(NotReached("it does not answer"))


class HostileCase(DeskTestCase):
    """Alice's node, which has an authority, and those who talk to it."""

    def setUp(self) -> None:
        super().setUp()
        self.own = self.desk.keyring.create(ALICE)
        self.overlay = Nowhere()
        verifyObject(IFinder, self.overlay)
        overlay: Any = self.overlay
        self.circle: Any = Circle(self.clock, self.desk, cast(Switchboard, overlay), cast(IFinder, overlay))
        self.circle.start()
        self.addCleanup(self.stop)
        self.authority = self.desk.authorities.create("family", "example.com", ALICE)
        self.keys = {name: new_p256() for name in (BOB, MALLORY)}
        self.device = Device.new()
        "that of whoever talks"
        self.desk.trust.contacts.add(ALICE, BOB)
        self.desk.trust.pin(ALICE, BOB, spki(self.keys[BOB]), "contact")

    def stop(self) -> None:
        """Stop the node's relations; harmless when that was done."""
        circle, self.circle = self.circle, None
        if circle is not None:
            circle.stop()

    def open_desk(self, name: str) -> Desk:
        """Open a desk that asks no domain."""
        options = ["trust.domains=false", "trust.dnssec=false"]
        desk = Desk(self.clock, load(None, sections(), options), self.folder / name)
        self.addCleanup(desk.close)
        return desk

    def papers(self, aor: str, key: EllipticCurvePrivateKey) -> Papers:
        """Return papers of the device of who talks."""
        return papers_of(aor, key, device=self.device, now=int(NOW))

    def somebody(self, aor: str, verdict: Verdict) -> Somebody:
        """Return somebody else who has said hello to Alice."""
        return Somebody(
            self.papers(aor, self.keys[aor]), verdict, cast(IIdentity, self.own), self.desk.keyring.device.hit
        )

    def own_device(self, listed: bool = True) -> Somebody:
        """Return another device of Alice's; one that she has revoked if it is not listed."""
        desk = self.desk.keyring
        desk.add_device(ALICE, self.device.listed)
        statement, identity = self.own.statement, cast(IIdentity, self.own)
        record = self._record(statement)
        if not listed:
            desk.revoke_device(ALICE, self.device.listed.host_identity_hash)
        return Somebody(papers_from(statement, record, NOW), OWN, identity, desk.device.hit)

    def _record(self, statement: bytes) -> bytes:
        read = read_statement(statement)
        return sign_record(
            self.device.sign,
            person=person_hash(ALICE, read.key),
            statement_version=read.version,
            sequence=1,
            issued=int(NOW),
            expires=int(NOW) + 3600,
            device_key=self.device.key,
            sealing_key=self.device.sealing_key,
            locators=(),
        )

    def stored(self, without: str = "") -> str:
        """Return a digest of every table; of the ledger without the entries of a kind."""
        digest = hashlib.sha256()
        for row in self._rows():
            if not without or without not in row:
                digest.update(repr(row).encode())
        return digest.hexdigest()

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        database = self.desk.database
        for (table,) in sorted(database.query("SELECT name FROM sqlite_master WHERE type = 'table'")):
            yield from sorted(database.query(f"SELECT '{table}', * FROM {table}"), key=repr)
