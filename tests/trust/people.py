"""A node's own decisions about people, in memory, and the papers of others."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from p2pship.identity.device import Device
from p2pship.identity.keyring import SCHEMAS, Keyring
from p2pship.identity.keys import new_p256, sign, spki
from p2pship.identity.papers import Papers
from p2pship.identity.record import sign_record
from p2pship.identity.statement import person_hash, sign_statement
from p2pship.identity.validity import RECORD_LIFETIME, STATEMENT_LIFETIME
from p2pship.identity.verdict import Verdict
from p2pship.identity.verify import papers_from
from p2pship.interfaces import IIdentity, IKeyring, IVoucher
from p2pship.journal import Fact, Journal
from p2pship.storage.database import Database
from p2pship.storage.vault import Vault
from p2pship.trust.ledger import SCHEMA, Ledger
from p2pship.trust.policy import TrustPolicy
from p2pship.trust.vouch import SILENT, Vouch

NOW = 1_750_000_000
ALICE, BOB, CAROL = "alice@example.com", "bob@example.org", "carol@example.net"

DEVICE = Device.new()
"Of everybody else: keys take long to make."

_sequences = itertools.count(1)


def papers_of(
    aor: str,
    key: EllipticCurvePrivateKey,
    *,
    succession: Sequence[bytes] = (),
    device: Device = DEVICE,
    now: int = NOW,
) -> Papers:
    """Return papers that an identity key signs for an AOR."""
    statement = sign_statement(
        lambda data: sign(key, data),
        aor=aor,
        key=spki(key),
        version=1,
        issued=now,
        expires=now + STATEMENT_LIFETIME,
        devices=[device.listed],
        certificate_hash=bytes(32),
        succession=succession,
    )
    record = sign_record(
        device.sign,
        person=person_hash(aor, spki(key)),
        statement_version=1,
        sequence=next(_sequences),
        issued=now,
        expires=now + RECORD_LIFETIME,
        device_key=device.key,
        sealing_key=device.sealing_key,
        locators=(),
    )
    return papers_from(statement, record, now)


@implementer(IVoucher)
class PretendedVoucher:
    """Says what a test has told it of a key; silent about all others."""

    name = "pretended"

    def __init__(self) -> None:
        self.answers: dict[bytes, Vouch] = {}
        self.waiting: list[Deferred[Vouch]] | None = None
        "the questions, if it is to take its time"

    def vouch(self, papers: Papers, own: IIdentity) -> Vouch | Deferred[Vouch]:
        """Answer, or keep the question."""
        if self.waiting is None:
            return self.answers.get(papers.statement.key, SILENT)
        self.waiting.append(Deferred())
        return self.waiting[-1]


class PolicyCase(SynchronousTestCase):
    """One node: Alice's."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        folder = Path(self.mktemp())
        folder.mkdir(mode=0o700)
        database = Database(":memory:", [*SCHEMAS, SCHEMA])
        self.addCleanup(database.close)
        self.facts: list[Fact] = []
        self.journal = Journal(self.clock.seconds)
        self.journal.watch(self.facts.append)
        vault = Vault.open(folder)
        clock = cast(IReactorTime, self.clock)
        self.keyring = Keyring(folder, database, self.journal, clock, vault)
        self.own = self.keyring.create(ALICE)
        self.ledger = Ledger(database, vault, clock, os.urandom)
        self.voucher = PretendedVoucher()
        keyring = cast(IKeyring, self.keyring)
        vouchers = [cast(IVoucher, self.voucher)]
        self.policy = TrustPolicy(
            keyring, self.ledger, vouchers, clock, self.journal, lambda octets: octets == b"trusted!"
        )
        self.key = new_p256()
        "Bob's true key"
        self.facts.clear()

    def judge(self, aor: str = BOB, key: EllipticCurvePrivateKey | None = None) -> Verdict:
        """Return the verdict on somebody who comes by a name with a key; Bob, unless told otherwise."""
        return self.judged(papers_of(aor, key or self.key))

    def judged(self, papers: Papers) -> Verdict:
        """Return the verdict on papers."""
        return self.successResultOf(self.policy.judge(papers, cast(IIdentity, self.own)))

    def pin(self, aor: str = BOB, how: str = "contact", by: str = "") -> None:
        """Pin Bob's true key."""
        self.policy.pin(ALICE, aor, spki(self.key), how, by)
