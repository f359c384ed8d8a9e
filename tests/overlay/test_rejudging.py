"""Tests of peers whose verdict, device list or own identity changes while they are up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from p2pship.errors import NotReached
from p2pship.identity.device import Device
from p2pship.identity.papers import Papers
from p2pship.identity.statement import host_identity_hash, read_statement
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.interfaces import IIdentity, ITrustPolicy
from p2pship.overlay.conduit import HELLO_SECONDS
from p2pship.overlay.switchboard import TIDY_SECONDS
from tests.overlay.nodes import ALICE, BOB, OverlayCase

CAROL = "carol@example.com"


@implementer(ITrustPolicy)
class TellableTrust:
    """Thinks of everybody what it was told."""

    def __init__(self) -> None:
        self.verdict = STRANGER
        self.waiting: Deferred[Verdict] | None = None

    def judge(self, papers: Papers, own: IIdentity) -> Deferred[Verdict]:
        """Return it, or what is to come."""
        return self.waiting or succeed(self.verdict)

    def wants_chain(self, authority: bytes) -> bool:
        """Want none."""
        return False


KNOWN = Verdict(NameGrade.KNOWN, Acquaintance.CONTACT)
STRANGER = Verdict(NameGrade.UNPROVEN, Acquaintance.STRANGER)
CHANGED = Verdict(NameGrade.CHANGED, Acquaintance.STRANGER)


class JudgedAgainTests(OverlayCase):
    """Bob thinks otherwise of Alice than he did when her hello came."""

    def setUp(self) -> None:
        super().setUp()
        self.admitted = True
        self.trust = TellableTrust()
        self.alice = self.node(ALICE)
        self.bob = self.node(BOB, trust=self.trust, admit=lambda *_: self.admitted)

    def judge_again(self, own: str = BOB, aor: str = ALICE) -> None:
        """Have Bob's node judge again, and let it act."""
        self.bob.overlay.judge_again(own, aor)
        self.clock.pass_time(0.1)

    def test_promoted(self) -> None:
        """Who has become a contact is one at once, on the link that is up; nobody else is touched."""
        self.alice.reach(BOB)
        peer, self.trust.verdict = self.bob.peer(ALICE), KNOWN
        for own, aor in ((BOB, CAROL), (ALICE, ALICE)):
            self.judge_again(own, aor)
            self.assertEqual(peer.verdict.acquaintance, Acquaintance.STRANGER)
        self.judge_again()
        self.assertEqual((peer.verdict, peer.over), (KNOWN, ""))

    def test_everybody(self) -> None:
        """No name means everybody."""
        self.alice.reach(BOB)
        self.trust.verdict = KNOWN
        self.judge_again("", "")
        self.assertEqual(self.bob.peer(ALICE).verdict, KNOWN)

    def test_blocked(self) -> None:
        """Who was blocked loses the link they have."""
        peer = self.alice.reach(BOB)
        self.admitted = False
        self.judge_again()
        self.assertEqual(self.bob.overlay.peers(), ())
        self.assertNotEqual(peer.over, "")

    def test_changed(self) -> None:
        """So does whoever turns out to have another key than the confirmed one, also if we called them."""
        peer = self.bob.reach(ALICE)
        self.trust.verdict = CHANGED
        self.judge_again()
        self.assertIn("not the one that was confirmed", peer.over)

    def test_called_stranger(self) -> None:
        """A stranger whom we called ourselves stays, though strangers are not let in; blocked afterwards they go."""
        self.admitted = False
        peer = self.bob.reach(ALICE)
        self.judge_again()
        self.assertEqual(peer.over, "")
        self.admitted = True
        self.judge_again()
        self.admitted = False
        self.judge_again()
        self.assertIn("not let in", peer.over)

    def test_expired(self) -> None:
        """When a certificate's time is over, who was verified by it is judged again, on the link that is up, and may stay on it."""
        self.trust.verdict = replace(KNOWN, until=self.clock.seconds() + 100)
        self.alice.reach(BOB)
        peer, self.trust.verdict, self.admitted = self.bob.peer(ALICE), STRANGER, False
        self.clock.pass_time(50)
        self.assertTrue(peer.verdict.proven)
        self.clock.pass_time(50 + TIDY_SECONDS)
        self.assertEqual((peer.verdict, peer.over), (STRANGER, ""))

    def test_statement_expired(self) -> None:
        """No link outlives the statement that lists its device: it may have been revoked, and nobody been able to say so."""
        self.alice.reach(BOB)
        peer = self.bob.peer(ALICE)
        assert peer.papers is not None
        statement = peer.papers.statement
        peer.papers = replace(
            peer.papers, statement=replace(statement, expires=int(self.clock.seconds()) + 30)
        )
        peer.newer = None
        self.clock.pass_time(TIDY_SECONDS)
        self.assertIn("expired", peer.over)

    def test_gone_meanwhile(self) -> None:
        """A verdict that comes when the peer is over does nothing."""
        self.alice.reach(BOB)
        peer, self.trust.waiting = self.bob.peer(ALICE), Deferred()
        self.judge_again()
        peer.end("it was closed")
        self.trust.waiting.callback(CHANGED)
        self.assertEqual((peer.over, peer.verdict.name), ("it was closed", NameGrade.UNPROVEN))

    def test_answer_with_another_key(self) -> None:
        """Whoever answers our hello with another key than the confirmed one is not reached."""
        self.trust.verdict = CHANGED
        reached = self.bob.people(ALICE)
        self.clock.pass_time(6)
        self.assertEqual(reached.peers, [])
        self.assertIn("not the one that was confirmed", reached.outcomes[0].tried[0].reason)

    def test_outcome_says_so(self) -> None:
        """The outcome says that the key has changed when the search does and nobody was reached."""
        reached = self.bob.people(CAROL)
        self.clock.pass_time(6)
        (outcome,) = reached.outcomes
        assert outcome.find is not None
        self.assertFalse(outcome.changed)
        self.assertTrue(replace(outcome, find=replace(outcome.find, changed=True)).changed)


class StatementTests(OverlayCase):
    """A newer statement of somebody with whom there is a link."""

    def statement(self, **changes: Any) -> Any:
        """Return Alice's next statement, in which something is different."""
        now = read_statement(self.alice.own.statement)
        return replace(now, version=now.version + 1, **changes)

    def test_revoked(self) -> None:
        """The link of a device that is revoked, or listed no longer, is closed at once."""
        for what in ("revoked", "devices"):
            self.setUp()
            self.alice, bob = self.two()
            self.alice.reach(BOB)
            digest = host_identity_hash(self.alice.keyring.device.key)
            changes = {"revoked": (digest,)} if what == "revoked" else {"devices": (Device.new().listed,)}
            bob.overlay.statement_received(BOB, self.statement(**changes))
            self.clock.pass_time(0.1)
            self.assertEqual((bob.overlay.peers(), bob.greeted()), ((), []), what)

    def test_household(self) -> None:
        """A link that carries somebody else of the same device stays for them."""
        self.alice, bob = self.node(ALICE, CAROL), self.node(BOB)
        carol = self.alice.keyring.identity(CAROL)
        assert carol is not None
        self.alice.reach(BOB)
        self.alice.reach(BOB, carol)
        digest = host_identity_hash(self.alice.keyring.device.key)
        bob.overlay.statement_received(BOB, self.statement(revoked=(digest,)))
        self.clock.pass_time(HELLO_SECONDS + 1)
        self.assertEqual([peer.aor for peer in bob.overlay.peers()], [CAROL])
        self.assertEqual(len(bob.greeted()), 1)

    def test_older(self) -> None:
        """A statement of before ends nothing: it may be a replay."""
        self.alice, bob = self.two()
        self.alice.reach(BOB)
        older = replace(self.statement(devices=()), version=1)
        bob.overlay.statement_received(BOB, older)
        self.assertEqual(len(bob.overlay.peers()), 1)


class OwnIdentityTests(OverlayCase):
    """An own identity that is removed."""

    def test_removed(self) -> None:
        """Its peers end, and it is not called any more."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        bob.keyring.remove(BOB)
        self.clock.pass_time(0.1)
        self.assertEqual(bob.overlay.peers(), ())
        self.assertIn("removed", peer.over)
        failed = self.watch(alice.overlay.peer(BOB, alice.own, bob.hit))
        self.clock.pass_time(10)
        self.assertIsInstance(failed[0], NotReached)
