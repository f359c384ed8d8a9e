"""Tests of asking the vouchers, which may take their time."""

from __future__ import annotations

from dataclasses import replace
from typing import cast
from unittest.mock import ANY

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from p2pship.identity.verdict import NameGrade, Verdict
from p2pship.interfaces import IIdentity, IVoucher
from p2pship.trust.policy import EVERYBODY
from p2pship.trust.vouch import Vouch
from p2pship.trust.vouching import MOST_WAITED, ONCE_IN, PATIENCE, Vouching
from tests.trust.people import ALICE, BOB, CAROL, NOW, PolicyCase, papers_of

CA = Vouch("ca:0011223344556677", ("an authority says so",), NOW + 3600)
DOMAIN = Vouch("domain", ("the domain says so",), NOW + 3600)


class PatienceTests(PolicyCase):
    """Vouchers that ask others."""

    def setUp(self) -> None:
        super().setUp()
        self.voucher.waiting = []
        self.changes: list[tuple[str, str]] = []
        self.policy.watch(lambda own, aor: self.changes.append((own, aor)))

    def begin(self) -> Deferred[Verdict]:
        """Begin to judge Bob."""
        return self.policy.judge(papers_of(BOB, self.key), cast(IIdentity, self.own))

    def answer(self, vouch: Vouch) -> None:
        """Let the voucher answer the oldest question."""
        assert self.voucher.waiting is not None
        self.voucher.waiting.pop(0).callback(vouch)

    def test_in_time(self) -> None:
        """An answer that comes in time counts."""
        judging = self.begin()
        self.assertNoResult(judging)
        self.answer(DOMAIN)
        self.assertIs(self.successResultOf(judging).name, NameGrade.VERIFIED)
        self.assertEqual((self.changes, self.clock.getDelayedCalls()), ([], []))

    def test_late(self) -> None:
        """It is not waited for longer than 0.35 s; when it comes afterwards, the watchers hear that it has."""
        judging = self.begin()
        self.clock.advance(PATIENCE)
        self.assertIs(self.successResultOf(judging).name, NameGrade.UNPROVEN)
        self.answer(DOMAIN)
        self.assertEqual(self.changes, [(ALICE, BOB)])

    def test_late_contradiction(self) -> None:
        """That the name is another key's is told when it comes late, too: who is reached already is judged again."""
        judging = self.begin()
        self.clock.advance(PATIENCE)
        self.assertIs(self.successResultOf(judging).name, NameGrade.UNPROVEN)
        self.answer(Vouch(reasons=("the domain names another key",), contradicted=True))
        self.assertEqual(self.changes, [(ALICE, BOB)])

    def test_waited_for_once(self) -> None:
        """A hello that follows a search does not wait for the same again; what is still under way is told all the same."""
        self.begin()
        self.clock.advance(PATIENCE / 2)
        second = self.begin()
        self.assertNoResult(second)
        self.clock.advance(PATIENCE / 2)
        self.assertIs(self.successResultOf(second).name, NameGrade.UNPROVEN)
        self.assertIs(self.successResultOf(self.begin()).name, NameGrade.UNPROVEN)
        self.answer(DOMAIN)
        self.assertEqual(self.changes, [(ALICE, BOB)])
        self.clock.advance(ONCE_IN)
        self.assertNoResult(self.begin())

    def test_waited_for_anew(self) -> None:
        """For an identity with a device of its own it is waited as if nobody else here had asked."""
        self.begin()
        self.clock.advance(PATIENCE)
        apart = cast(IIdentity, self.keyring.create(CAROL, separate=True))
        judging = self.policy.judge(papers_of(BOB, self.key), apart)
        self.clock.advance(PATIENCE * 0.9)
        self.assertNoResult(judging)
        self.clock.advance(PATIENCE * 0.2)
        self.assertIs(self.successResultOf(judging).name, NameGrade.UNPROVEN)

    def test_waited_for_thousands(self) -> None:
        """Who makes up names does not fill the memory."""
        vouching = Vouching([cast(IVoucher, self.voucher)], cast(IReactorTime, self.clock))
        bob = papers_of(BOB, self.key)
        for number in range(MOST_WAITED + 1):
            papers = replace(bob, statement=replace(bob.statement, aor=f"bob{number}@example.org"))
            vouching.ask(papers, cast(IIdentity, self.own), lambda: None)
        self.assertEqual(len(vouching._waited), MOST_WAITED)

    def test_nothing_late(self) -> None:
        """Nobody hears of a late answer that says nothing."""
        self.begin()
        self.clock.advance(PATIENCE)
        self.answer(Vouch())
        self.assertEqual(self.changes, [])

    def test_pinned(self) -> None:
        """Who is known by pin is not kept waiting."""
        self.pin()
        self.assertIs(self.successResultOf(self.begin()).name, NameGrade.KNOWN)

    def test_cancelled(self) -> None:
        """Judging can be given up; nothing is left."""
        judging = self.begin()
        judging.cancel()
        self.failureResultOf(judging)
        self.answer(DOMAIN)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failing(self) -> None:
        """A voucher that fails vouches for nobody, and is logged."""
        judging = self.begin()
        assert self.voucher.waiting is not None
        self.voucher.waiting.pop().errback(RuntimeError("broken"))
        self.assertIs(self.successResultOf(judging).name, NameGrade.UNPROVEN)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_decisions(self) -> None:
        """Whatever the user decides is told to who must judge anew; of a pattern it may concern everybody."""
        self.pin()
        self.policy.contacts.add(ALICE, CAROL)
        self.ledger.put(ALICE, "block", "*@example.net", {})
        self.assertEqual(self.changes, [(ALICE, BOB), (ALICE, CAROL), (ALICE, EVERYBODY)])
        self.assertEqual(self.facts, [ANY])
