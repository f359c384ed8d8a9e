"""Pair secrets between contacts: made on meeting and by a code, replaced, and attacked."""

from __future__ import annotations

import os
from dataclasses import replace
from hashlib import sha256
from random import Random
from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from p2pship.errors import PayloadRefused, RemoteError
from p2pship.identity.papers import Papers
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.interfaces import IIdentity, ISubprotocol, ITrustPolicy
from p2pship.lookup.rendezvous import Rendezvous
from p2pship.relations.agreement import Agreement, Party
from p2pship.relations.codes import Invitation, Means, Secret
from p2pship.relations.linkfacts import PairingEnded
from p2pship.relations.pairing import AT_ONCE, LOOK_SECONDS, NotPaired, Pairing
from p2pship.relations.pairwire import Accept, Confirm, Offer, PairMessage, read_pairing, write_pairing
from p2pship.relations.pake import WrongSecret
from p2pship.relations.pakewire import BadMessage
from p2pship.relations.secrets import OVERLAP, PairSecrets
from p2pship.storage.database import Database
from p2pship.storage.vault import Vault
from p2pship.trust.ledger import SCHEMA, Ledger
from tests.overlay.nodes import ALICE, BOB, Node, OverlayCase
from tests.scale import SEED
from tests.trust.test_ledger import NOW, clock_at, ledger

CAROL = "carol@example.com"
CONTACT = Verdict(NameGrade.KNOWN, Acquaintance.CONTACT)
ALICES = Party(ALICE, b"alice's identity key", b"alice's device")
BOBS = Party(BOB, b"bob's identity key", b"bob's device")


@implementer(ITrustPolicy)
class Friendly:
    """Takes everybody for what it is told."""

    def __init__(self) -> None:
        self.verdict = CONTACT

    def judge(self, papers: Papers, own: IIdentity) -> Deferred[Verdict]:
        """Return what is thought of everybody."""
        return succeed(self.verdict)

    def wants_chain(self, authority: bytes) -> bool:
        """Ask for no certificates."""
        return False


class Friend(Node):
    """A node with a ledger whose people are everybody's contacts."""

    def __init__(self, case: OverlayCase, *aors: str) -> None:
        self.trust = Friendly()
        super().__init__(case, *aors, trust=self.trust)
        vault = Vault.open(self.state)
        self.ledger = Ledger(Database(":memory:", [SCHEMA]), vault, IReactorTime(self.clock), os.urandom)

    def secrets(self) -> PairSecrets:
        """Return the pair secrets in the ledger."""
        return PairSecrets(self.ledger, self.clock, self.keyring.revoked)


class AgreementTests(SynchronousTestCase):
    """The exchange of ephemeral keys."""

    def agree(self, seen_by_bob: Party = ALICES, seen_by_alice: Party = BOBS) -> tuple[Agreement, Agreement]:
        """Return both sides, each of which has the other's key."""
        octets = Random(SEED).randbytes
        alice = Agreement(ALICES, seen_by_alice, True, octets)
        bob = Agreement(seen_by_bob, BOBS, False, octets)
        bob.take(alice.ephemeral)
        alice.take(bob.ephemeral)
        return alice, bob

    def test_same(self) -> None:
        """Both come to the same secret and believe each other's proof."""
        alice, bob = self.agree()
        alice.check(bob.proof())
        bob.check(alice.proof())
        self.assertEqual(alice.secret, bob.secret)
        self.assertEqual(len(alice.secret), 32)

    def test_bound_to_who_they_are(self) -> None:
        """If one sees another name, identity key or device than the other has, the proofs do not hold."""
        for changed in ({"aor": CAROL}, {"person": b"mallory's"}, {"device": b"the device between"}):
            alice, bob = self.agree(seen_by_alice=replace(BOBS, **changed))
            self.assertRaises(WrongSecret, alice.check, bob.proof())
            self.assertRaises(WrongSecret, bob.check, alice.proof())

    def test_bad_keys(self) -> None:
        """Keys of small order, which make a secret that everybody knows, and one's own key are refused."""
        alice, _ = self.agree()
        one = (1).to_bytes(32, "little")
        order_8 = bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")
        for key in (bytes(32), one, order_8, alice.ephemeral):
            self.assertRaises(BadMessage, alice.take, key)

    def test_reflected_proof(self) -> None:
        """One's own proof that comes back proves nothing."""
        alice, _ = self.agree()
        self.assertRaises(WrongSecret, alice.check, alice.proof())


class PairingCase(OverlayCase):
    """Alice and Bob, who are contacts."""

    def setUp(self) -> None:
        super().setUp()
        self.pairings: dict[Friend, Pairing] = {}
        self.rendezvous = Rendezvous()
        self.alice, self.bob = self.friend(ALICE), self.friend(BOB)

    def friend(self, *aors: str) -> Friend:
        """Return a node whose people are everybody's contacts."""
        device = Friend(self, *aors)
        pairing = Pairing(
            device.clock,
            device.keyring,
            device.overlay,
            device.secrets(),
            device.journal,
            Random(SEED + len(self.pairings)).randbytes,
            self.rendezvous,
        )
        device.overlay.offer(pairing)
        pairing.start()
        self.pairings[device] = pairing
        return device

    def secrets(self, device: Friend) -> list[bytes]:
        """Return the secrets that a device shares with the other of the two, newest first."""
        own, other = (ALICE, BOB) if device is self.alice else (BOB, ALICE)
        return [one.secret for one in device.secrets().of(own, other)]

    def meet(self) -> None:
        """Let the two meet and have time."""
        self.alice.reach(BOB)
        self.clock.pass_time(2 * LOOK_SECONDS + 1)


class PairingTests(PairingCase):
    """What contacts do when they meet."""

    def test_on_meeting(self) -> None:
        """They agree on one secret, and keep it at the next meetings."""
        self.meet()
        first = self.secrets(self.alice)
        self.assertEqual(len(first), 1)
        self.assertEqual(first, self.secrets(self.bob))
        self.clock.pass_time(600)
        self.assertEqual(self.secrets(self.alice), first)

    def test_strangers(self) -> None:
        """Who is no contact of the other gets no secret: both must have entered each other."""
        self.bob.trust.verdict = Verdict(NameGrade.KNOWN, Acquaintance.STRANGER)
        self.meet()
        self.assertEqual((self.secrets(self.alice), self.secrets(self.bob)), ([], []))

    def test_unsure_names(self) -> None:
        """A contact's name with a key that nobody has confirmed gets none either."""
        self.alice.trust.verdict = Verdict(NameGrade.UNPROVEN, Acquaintance.CONTACT)
        self.meet()
        self.assertEqual((self.secrets(self.alice), self.secrets(self.bob)), ([], []))

    def test_replaced(self) -> None:
        """After a revocation each side can have it made anew; the old one is gone there then, and in two days at the other side."""
        both = (self.alice, ALICE), (self.bob, BOB)
        for (device, own), (other, _) in (both, both[::-1]):
            self.meet()
            (before,) = self.secrets(device)
            device.keyring.revoke_device(own, bytes([len(device.keyring.revoked(own))]) * 32)
            self.assertEqual(self.secrets(device), [before])  # there is no better one yet
            self.clock.pass_time(3 * LOOK_SECONDS)
            (new,) = self.secrets(device)
            self.assertNotEqual(new, before)
            self.assertEqual(self.secrets(other), [new, before])
            self.clock.rightNow += OVERLAP
            self.assertEqual(self.secrets(other), [new])

    def test_forgotten(self) -> None:
        """A contact that was forgotten shares nothing any more."""
        self.meet()
        self.alice.trust.verdict = Verdict(NameGrade.UNPROVEN, Acquaintance.STRANGER)
        self.alice.secrets().forget(ALICE, BOB)
        self.assertEqual(self.secrets(self.alice), [])

    def test_one_side_lost_all(self) -> None:
        """Who has lost the secrets gets a new one at the next meeting."""
        self.meet()
        self.bob.secrets().forget(BOB, ALICE)
        self.clock.pass_time(3 * LOOK_SECONDS)
        self.assertEqual(self.secrets(self.bob)[0], self.secrets(self.alice)[0])

    def test_forged_messages(self) -> None:
        """A confirmation without an offer, one with a wrong proof, and an offer of who may not offer are refused."""
        peer = self.alice.reach(BOB)
        offer = write_pairing(Offer(Random(SEED).randbytes(32), (), True))
        for payload in (write_pairing(Confirm(bytes(32))), b"", b"\xa1\x00\x18\x63"):
            self.refused(peer, payload)
        sent = peer.send("pair", offer)
        self.clock.pass_time(1)
        self.successResultOf(sent)
        self.refused(peer, write_pairing(Confirm(bytes(32))))
        self.refused(self.bob.reach(ALICE), offer)
        self.assertEqual(self.secrets(self.bob), [])

    def refused(self, peer: Any, payload: bytes) -> None:
        """Send a payload that is refused."""
        sent = peer.send("pair", payload)
        self.clock.pass_time(1)
        self.failureResultOf(sent, PayloadRefused)

    def test_offers_without_end(self) -> None:
        """A contact gone bad who offers without end does not fill the ledger, which keeps a trace of each secret."""
        peer = self.alice.reach(BOB)
        for number in range(2 * AT_ONCE):
            agreement = Agreement(
                Party(ALICE, self.alice.own.key, self.alice.keyring.device.key),
                Party(BOB, self.bob.own.key, self.bob.keyring.device.key),
                True,
                Random(number).randbytes,
            )
            answer = self.sent(peer, Offer(agreement.ephemeral, (), True))
            if number >= AT_ONCE:
                self.failureResultOf(answer, PayloadRefused)
                continue
            accept = cast(Accept, read_pairing(self.successResultOf(answer)))
            agreement.take(accept.ephemeral)
            self.successResultOf(self.sent(peer, Confirm(agreement.proof())))
        self.assertEqual(len(self.bob.ledger.stamps(BOB)), AT_ONCE)

    def sent(self, peer: Any, message: PairMessage) -> Deferred[bytes]:
        """Send a message, and return its answer when that has had time to come."""
        sent: Deferred[bytes] = peer.send("pair", write_pairing(message))
        self.clock.pass_time(0.1)
        return sent

    def test_asked_without_end(self) -> None:
        """Nor does one who asks for offers without end."""
        self.meet()
        for _ in range(2 * AT_ONCE):
            self.bob.secrets().forget(BOB, ALICE)
            self.clock.pass_time(2 * LOOK_SECONDS)
        self.assertLessEqual(len(self.alice.ledger.stamps(ALICE)), AT_ONCE)

    def test_kept_by_identity_key(self) -> None:
        """A secret that was agreed with another identity key of the same name is replaced."""
        self.meet()
        secrets = self.alice.secrets()
        old = secrets.of(ALICE, BOB)[0]
        secrets.forget(ALICE, BOB)
        secrets.keep(ALICE, BOB, sha256(b"another key").digest(), old.secret, sure=True)
        self.clock.pass_time(3 * LOOK_SECONDS)
        self.assertEqual(len(self.secrets(self.alice)), 2)

    def test_interface(self) -> None:
        """It is a subprotocol."""
        verifyObject(ISubprotocol, self.pairings[self.alice])


class RevocationTests(SynchronousTestCase):
    """Two devices of a person of which one has revoked a third, and the other has not heard of it."""

    def setUp(self) -> None:
        self.clock = clock_at(NOW)
        self.ledgers = [ledger(self.clock, device) for device in (1, 2)]
        self.revoked: list[list[bytes]] = [[], []]
        clock = cast(IReactorTime, self.clock)
        self.phone, self.laptop = (
            PairSecrets(one, clock, lambda own, gone=gone: gone)  # type: ignore[misc]
            for one, gone in zip(self.ledgers, self.revoked, strict=True)
        )

    def stale(self) -> list[bool]:
        """Let both have heard of everything, and tell of each secret, the newest first, whether it is to be replaced."""
        self.revoked[1][:] = self.revoked[0]
        one, other = self.ledgers
        one.merge(ALICE, other.entries(ALICE))
        other.merge(ALICE, one.entries(ALICE))
        self.assertEqual(self.phone.of(ALICE), self.laptop.of(ALICE))
        return [each.stale for each in self.phone.of(ALICE)]

    def test_written_meanwhile(self) -> None:
        """That the other device writes to a secret later does not hide that somebody else knows it."""
        secret = self.phone.keep(ALICE, BOB, bytes(32), b"s" * 32, sure=False)
        self.assertEqual(self.stale(), [False])
        self.revoked[0].append(b"r" * 32)
        self.clock.advance(1)
        self.laptop.known_there(ALICE, BOB, [secret.version])
        self.assertEqual(self.stale(), [True])

    def test_clock_was_ahead(self) -> None:
        """A stale secret that was made while the clock was a year ahead is good for nothing as soon as there is another."""
        self.clock.advance(365 * 24 * 3600)
        self.phone.keep(ALICE, BOB, bytes(32), b"s" * 32, sure=True)
        self.clock.rightNow = NOW
        self.revoked[0].append(b"r" * 32)
        self.phone.keep(ALICE, BOB, bytes(32), b"t" * 32, sure=True)
        self.assertEqual([one.secret for one in self.phone.of(ALICE)], [b"t" * 32])

    def test_agreed_meanwhile(self) -> None:
        """A secret that the other device agreed on may have come to the revoked one; one that this device did has not."""
        self.revoked[0].append(b"r" * 32)
        self.laptop.keep(ALICE, BOB, bytes(32), b"s" * 32, sure=False)
        self.clock.advance(1)
        self.phone.keep(ALICE, BOB, bytes(32), b"t" * 32, sure=False)
        self.assertEqual(self.stale(), [False, True])


class CodeTests(PairingCase):
    """What contacts do who cannot find each other by their secrets any more."""

    def join(self, code: str) -> Deferred[None]:
        """Give Bob's node a code."""
        joining = self.pairings[self.bob].join(BOB, ALICE, Secret.typed(code), None)
        self.clock.pass_time(6)
        return joining

    def test_code(self) -> None:
        """The code makes a secret that both have."""
        self.successResultOf(self.join(self.pairings[self.alice].open(ALICE, BOB).code))
        self.assertEqual(self.secrets(self.alice)[0], self.secrets(self.bob)[0])

    def test_scanned(self) -> None:
        """So does the QR code."""
        invitation = Invitation.read(self.pairings[self.alice].open(ALICE, BOB).uri)
        self.assertEqual((invitation.aor, invitation.contact), (ALICE, BOB))
        joining = self.pairings[self.bob].join(BOB, ALICE, invitation.secret, invitation.hit)
        self.clock.pass_time(6)
        self.successResultOf(joining)
        self.assertEqual(self.secrets(self.alice)[0], self.secrets(self.bob)[0])

    def test_guessing(self) -> None:
        """After three wrong codes the right one is refused, too, and the journal says so."""
        window = self.pairings[self.alice].open(ALICE, BOB)
        self.assertTrue(self.rendezvous.shows(ALICE))
        for digit in (b"1", b"2", b"3"):
            failed = self.failureResultOf(self.join(str(Secret(Means.CODE, digit * 8))), NotPaired)
            self.assertIn("wrong", str(failed.value))
        self.assertFalse(self.rendezvous.shows(ALICE) or self.rendezvous.seeks(BOB, ALICE))
        self.failureResultOf(self.join(window.code), NotPaired)
        self.assertTrue(any(isinstance(fact, PairingEnded) for fact in self.alice.facts))

    def test_for_another(self) -> None:
        """A code for Bob is of no use to Carol, and costs Bob no try."""
        carol = self.friend(CAROL)
        window = self.pairings[self.alice].open(ALICE, BOB)
        for _ in range(3):
            joining = self.pairings[carol].join(CAROL, ALICE, Secret.typed(window.code), None)
            self.clock.pass_time(6)
            self.failureResultOf(joining, NotPaired)
        self.successResultOf(self.join(window.code))

    def test_unknown_key(self) -> None:
        """Nobody proves a code to a person whose key is not sure."""
        self.bob.trust.verdict = Verdict(NameGrade.UNPROVEN, Acquaintance.CONTACT)
        window = self.pairings[self.alice].open(ALICE, BOB)
        self.failureResultOf(self.join(window.code), RemoteError)
