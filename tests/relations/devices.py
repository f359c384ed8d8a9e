"""The ground of the tests of devices and friends: nodes of the overlay's tests, each with a ledger and what keeps devices in step."""

from __future__ import annotations

import os
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from p2pship.identity.papers import Papers
from p2pship.identity.statement import read_statement
from p2pship.identity.verdict import Verdict
from p2pship.interfaces import IIdentity, ITrustPolicy
from p2pship.overlay.peer import Peer
from p2pship.relations.gathering import Gathering
from p2pship.relations.introductions import Introductions
from p2pship.relations.secrets import PairSecrets
from p2pship.relations.statements import Statements
from p2pship.relations.sync import Sync
from p2pship.storage.database import Database
from p2pship.storage.vault import Vault
from p2pship.trust.contacts import Contacts
from p2pship.trust.introductions import Introductions as Vouches
from p2pship.trust.ledger import SCHEMA, Ledger
from p2pship.trust.pins import BY_CONTACT, Pins
from p2pship.trust.policy import TrustPolicy
from tests.overlay.nodes import ALICE, BOB, Node, OverlayCase
from tests.scale import SEED


@implementer(ITrustPolicy)
class LateTrust:
    """A trust policy that is made after the overlay that uses it."""

    policy: TrustPolicy

    def judge(self, papers: Papers, own: IIdentity) -> Deferred[Verdict]:
        """Judge as the policy does."""
        return self.policy.judge(papers, own)

    def wants_chain(self, authority: bytes) -> bool:
        """Tell what the policy does."""
        return self.policy.wants_chain(authority)


class Device(Node):
    """A node that keeps in step with the other devices of its people."""

    def __init__(self, case: OverlayCase, *aors: str, **options: Any) -> None:
        trust = LateTrust()
        super().__init__(case, *aors, trust=trust, **options)
        self.ledger = Ledger(
            Database(":memory:", [SCHEMA]), Vault.open(self.state), IReactorTime(self.clock), os.urandom
        )
        clock = IReactorTime(self.clock)
        trust.policy = TrustPolicy(self.keyring, self.ledger, [], clock, self.journal, lambda _: False)
        self.contacts, self.pins = Contacts(self.ledger, clock), Pins(self.ledger, clock)
        self.vouches = Vouches(self.ledger, self.contacts, self.pins, clock)
        self.introductions = Introductions(
            clock,
            self.keyring,
            self.ledger,
            self.contacts,
            self.pins,
            self.vouches,
            self.overlay,
            self.journal,
            Random(SEED + len(case.directory.nodes)).randbytes,
        )
        self.statements = Statements(
            self.clock, self.keyring, self.overlay, self.journal, self.overlay.statement_received
        )
        self.sync = Sync(self.clock, self.keyring, self.ledger, self.overlay, self.journal)
        self.gathering = Gathering(
            self.clock,
            self.keyring,
            self.ledger,
            case.directory,
            self.overlay,
            self.sync.meet,
            Random(SEED + len(case.directory.nodes)).randbytes,
            PairSecrets(self.ledger, clock, lambda _: []),
        )
        self.overlay.offer(self.statements)
        self.overlay.offer(self.sync)
        self.overlay.offer(self.introductions)
        self.statements.start()
        self.sync.start()
        self.gathering.start()
        self.introductions.start()

    def befriend(self, *others: Device) -> None:
        """Enter other people as contacts, with their keys."""
        for other in others:
            self.contacts.add(self.own.aor, other.own.aor)
            self.pins.make(self.own.aor, other.own.aor, other.own.key, BY_CONTACT)

    def peer_on(self, device: Device) -> Peer:
        """Return the peer that another device is."""
        (peer,) = [peer for peer in self.overlay.peers() if peer.hit == device.hit]
        return peer

    def entries(self, own: str) -> dict[tuple[str, str], bytes | None]:
        """Return everything in its ledger of an own identity but the secrets of its devices."""
        everything = {entry.key: entry.value for entry in self.ledger.entries(own)}
        return {key: value for key, value in everything.items() if not key[1].startswith(f"{own} ")}

    def listed(self, aor: str) -> set[bytes]:
        """Return the SHA-256 of the Host Identities that its statement of an own identity lists."""
        identity = self.keyring.identity(aor)
        assert identity is not None
        return {one.host_identity_hash for one in read_statement(identity.statement).devices}

    @property
    def digest(self) -> bytes:
        """The SHA-256 of its Host Identity."""
        return self.keyring.device.listed.host_identity_hash


class DevicesCase(OverlayCase):
    """A test with devices of one person."""

    def device(self, *aors: str, **options: Any) -> Device:
        """Return a new node with these identities."""
        return Device(self, *aors, **options)

    def another(self, first: Device, aor: str, owner: bool = False) -> Device:
        """Return another device of the person whose device is ``first``; with the identity key if it is an owner's."""
        second = self.device()
        first.keyring.add_device(aor, second.keyring.device.listed)
        bundle = first.keyring.bundle(aor, owner)
        second.keyring.adopt_identity(
            aor,
            bundle.raw,
            bundle.chain,
            bundle.revocations,
            bundle.private_key or None,
            second.keyring.device,
        )
        return second

    def apart(self, *devices: Device) -> None:
        """Cut each of these devices off from all others."""
        for device in devices:
            others = [node.bearer for node in self.directory.nodes if node is not device]
            self.network.partition([device.bearer], others)
        self.clock.pass_time(20)

    def joined(self) -> None:
        """Let all devices reach each other again, and give them time to meet."""
        self.network.heal()
        self.clock.pass_time(600)

    def alice_and_bobs(self) -> tuple[Device, Device, Device]:
        """Return Alice's device and two of Bob's, which have met."""
        alice, first = self.device(ALICE), self.device(BOB)
        second = self.another(first, BOB)
        self.clock.pass_time(5)
        return alice, first, second
