"""Tests of screening: who may reach us, and which rule says so."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer
from zope.interface.verify import verifyObject

from p2pship.errors import LocalError
from p2pship.identity.fingerprint import own_proof_aor
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.interfaces import IScreening, IScreenRule
from p2pship.trust.blocks import Blocks, canonical_pattern, matching
from p2pship.trust.facts import AttemptRefused
from p2pship.trust.offers import Offer
from p2pship.trust.screening import Screening, usual_rules
from p2pship.trust.screensettings import ScreenSettings
from p2pship.trust.wish import Asked, Decision, Wish
from tests.trust.people import ALICE, BOB, NOW, PolicyCase, papers_of

OWN_DEVICE = Verdict(NameGrade.KNOWN, Acquaintance.OWN)
CONTACT = Verdict(NameGrade.KNOWN, Acquaintance.CONTACT)
INTRODUCED = Verdict(NameGrade.UNPROVEN, Acquaintance.INTRODUCED)
STRANGER = Verdict(NameGrade.UNPROVEN, Acquaintance.STRANGER)
VERIFIED = Verdict(NameGrade.VERIFIED, Acquaintance.STRANGER, by="ca:0011223344556677")
CHANGED = Verdict(NameGrade.CHANGED, Acquaintance.STRANGER, ("another key",))
CALL, MESSAGE, PRESENCE = Wish.CALL, Wish.MESSAGE, Wish.PRESENCE


@implementer(IScreenRule)
class Pretended:
    """A rule that answers what it is told to."""

    name = "pretended"

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def screen(self, asked: Asked) -> Any:
        """Answer, or fail."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class ScreeningTests(PolicyCase):
    """The rules, and their order."""

    def setUp(self) -> None:
        super().setUp()
        self.blocks = Blocks(self.ledger, cast(IReactorTime, self.clock))

    def screening(self, *first: IScreenRule, **options: Any) -> Screening:
        """Return screening with some options, and rules before the usual ones."""
        settings = ScreenSettings(**options)
        rules = [*first, *usual_rules(settings, self.blocks)]
        return Screening(settings, self.blocks, self.journal, rules)

    def decide(self, verdict: Verdict, wish: Wish = CALL, aor: str = BOB, **options: Any) -> Decision:
        """Return what is decided about somebody."""
        decision = self.screening(**options).decide(ALICE, aor, verdict, wish)
        assert isinstance(decision, Decision)
        return decision

    def assert_rule(self, decision: Decision, allowed: bool, rule: str) -> None:
        """Check a decision and who took it, and that a reason is given."""
        self.assertEqual((decision.allowed, decision.rule), (allowed, rule))
        self.assertTrue(decision.reason)

    def test_interfaces(self) -> None:
        """Screening and its rules are what they say."""
        verifyObject(IScreening, self.screening())
        for rule in usual_rules(ScreenSettings(), self.blocks):
            verifyObject(IScreenRule, rule)

    def test_defaults(self) -> None:
        """Everybody may call and write unless they are refused; strangers do not see whether we are there."""
        for verdict in (OWN_DEVICE, CONTACT, INTRODUCED, STRANGER, VERIFIED):
            self.assertTrue(self.decide(verdict, CALL).allowed and self.decide(verdict, MESSAGE).allowed)
        self.assertTrue(self.decide(INTRODUCED, PRESENCE).allowed)
        self.assert_rule(self.decide(STRANGER, PRESENCE), False, "acquaintance")
        self.assertIn("calls and messages", self.screening().summary())

    def test_strangers(self) -> None:
        """Strangers may do no more than the option says, however true their names are; contacts may all the same."""
        for verdict in (STRANGER, VERIFIED):
            self.assert_rule(self.decide(verdict, CALL, strangers="messages"), False, "strangers")
            self.assertTrue(self.decide(verdict, MESSAGE, strangers="messages").allowed)
            self.assert_rule(self.decide(verdict, MESSAGE, strangers="refuse"), False, "strangers")
        self.assertTrue(self.decide(CONTACT, CALL, strangers="refuse").allowed)
        self.assertTrue(self.decide(INTRODUCED, CALL, strangers="refuse").allowed)
        self.assertIn("refused", self.screening(strangers="refuse").summary())
        self.assertNotIn("calls", self.screening(strangers="messages").summary())

    def test_blocked(self) -> None:
        """Who is blocked may nothing, even a contact of verified name; an own device cannot be."""
        self.blocks.block(ALICE, "*@example.org")
        self.assert_rule(self.decide(CONTACT), False, "block list")
        self.assertTrue(self.decide(OWN_DEVICE).allowed)
        self.assertFalse(self.screening().may_enter(ALICE, BOB, CONTACT))
        self.assertEqual(
            self.facts, [AttemptRefused(ALICE, BOB, "block list", "you have blocked *@example.org")]
        )

    def test_changed(self) -> None:
        """Another key than is known is refused, though the name is allowed."""
        self.blocks.allow(ALICE, BOB)
        self.assert_rule(self.decide(CHANGED), False, "changed key")
        self.assertFalse(self.screening().may_enter(ALICE, BOB, CHANGED))

    def test_allowed(self) -> None:
        """The allow list opens a closed door to a proven name, not to whoever claims it."""
        self.blocks.allow(ALICE, "*@example.org")
        self.assert_rule(self.decide(VERIFIED, PRESENCE, strangers="refuse"), True, "allow list")
        self.assert_rule(self.decide(STRANGER, CALL, strangers="refuse"), False, "strangers")

    def test_name_grade(self) -> None:
        """A name grade can be demanded of all who are no contacts."""
        self.assert_rule(self.decide(STRANGER, name_grade="known"), False, "name grade")
        self.assert_rule(self.decide(INTRODUCED, name_grade="verified"), False, "name grade")
        self.assertTrue(self.decide(VERIFIED, name_grade="verified").allowed)
        self.assertTrue(self.decide(CONTACT, name_grade="verified").allowed)

    def test_spelling(self) -> None:
        """Names with what cannot be seen are refused, and international ones unless they are enabled."""
        for aor in ("bob%00@example.org", "bob%0D%0A@example.org", "bo%E2%80%8Bb@example.org"):
            self.assert_rule(self.decide(CONTACT, CALL, aor, international_names=True), False, "spelling")
        self.assert_rule(self.decide(CONTACT, CALL, "b%C3%B6b@example.org"), False, "spelling")
        self.assertTrue(self.decide(CONTACT, CALL, "b%C3%B6b@example.org", international_names=True).allowed)

    def test_crowd(self) -> None:
        """10,000 fresh names that prove themselves, and somebody whom a trusted authority signed, are all strangers."""
        closed, self_made = self.screening(strangers="refuse"), VERIFIED
        for number in range(10_000):
            aor = own_proof_aor(number.to_bytes(4, "big"))
            decision = closed.decide(ALICE, aor, self_made, CALL)
            assert isinstance(decision, Decision)
            if decision.allowed or decision.rule != "strangers":
                self.fail(f"{aor} came in")
        self.assertFalse(closed.may_enter(ALICE, BOB, VERIFIED))

    def test_crowd_judged(self) -> None:
        """They are judged as strangers, too, and nothing of them is kept but in memory, and of that no more than 1,000."""
        verdict = self.judged(papers_of(BOB, self.key))
        self.assertIs(verdict.acquaintance, Acquaintance.STRANGER)
        for number in range(1_100):
            self.policy.offers.seen(ALICE, f"x{number}@example.com", Offer(b"key", NOW, verdict))
        self.assertEqual(self.policy.offers.of(ALICE, "x99@example.com"), [])
        self.assertEqual(len(self.policy.offers.of(ALICE, "x1099@example.com")), 1)
        self.assertEqual(self.ledger.entries(ALICE), [])

    def test_open_door(self) -> None:
        """While a device is linked strangers are let in, who may still not call; nobody blocked or changed is."""
        screening = self.screening(strangers="refuse")
        screening.open_doors.add(ALICE)
        self.assertTrue(screening.may_enter(ALICE, BOB, STRANGER))
        self.assertFalse(cast(Decision, screening.decide(ALICE, BOB, STRANGER, CALL)).allowed)
        self.assertFalse(screening.may_enter(ALICE, BOB, CHANGED))
        self.blocks.block(ALICE, BOB)
        self.assertFalse(screening.may_enter(ALICE, BOB, STRANGER))

    def test_expected(self) -> None:
        """A stranger who is expected is let in, and may not call; nobody blocked or changed is."""
        screening = self.screening(strangers="refuse")
        self.assertTrue(screening.may_enter(ALICE, BOB, VERIFIED, expected=True))
        self.assertFalse(cast(Decision, screening.decide(ALICE, BOB, VERIFIED, CALL)).allowed)
        self.assertFalse(screening.may_enter(ALICE, BOB, CHANGED, expected=True))
        self.blocks.block(ALICE, BOB)
        self.assertFalse(screening.may_enter(ALICE, BOB, VERIFIED, expected=True))

    def test_rule_that_takes_time(self) -> None:
        """A rule may decide later, or leave it to the next one then; a hello does not wait for it."""
        for answer, rule in ((Decision(False, "pretended", "no"), "pretended"), (None, "acquaintance")):
            waiting: Deferred[Any] = Deferred()
            screening = self.screening(cast(IScreenRule, Pretended(waiting)))
            decided = screening.decide(ALICE, BOB, CONTACT, CALL)
            assert isinstance(decided, Deferred)
            self.assertNoResult(decided)
            waiting.callback(answer)
            self.assertEqual(self.successResultOf(decided).rule, rule)
        self.assertTrue(
            self.screening(cast(IScreenRule, Pretended(Deferred())), strangers="refuse").may_enter(
                ALICE, BOB, STRANGER
            )
        )

    def test_cancelled(self) -> None:
        """A decision that takes time can be given up."""
        decided = self.screening(cast(IScreenRule, Pretended(Deferred()))).decide(ALICE, BOB, CONTACT, CALL)
        assert isinstance(decided, Deferred)
        decided.cancel()
        self.failureResultOf(decided, CancelledError)

    def test_failing_rule(self) -> None:
        """A rule that fails refuses: nobody comes in because something is broken."""
        screening = self.screening(cast(IScreenRule, Pretended(RuntimeError("broken"))))
        self.assert_rule(cast(Decision, screening.decide(ALICE, BOB, CONTACT, CALL)), False, "pretended")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class PatternTests(PolicyCase):
    """Patterns of names."""

    def test_spellings(self) -> None:
        """A pattern has one spelling; the case of a user matters, that of a host does not."""
        for text, pattern in (
            ("sip:Bob@Example.ORG", "Bob@example.org"),
            ("*@Example.org.", "*@example.org"),
            ("*.Example.org", "*.example.org"),
            ("*@[2001:DB8::1]", "*@[2001:db8::1]"),
        ):
            self.assertEqual(canonical_pattern(text), pattern)
        for text in (
            "*",
            "",
            "b*b@example.org",
            "*@*",
            "*@",
            "*.",
            "bob",
            "**@example.org",
            "*@exa mple.org",
        ):
            with self.assertRaises(LocalError):
                canonical_pattern(text)

    def test_matching(self) -> None:
        """A domain's pattern matches hosts below it, and nothing that only ends alike."""
        self.assertEqual(
            list(matching("bob@a.b.example.org")),
            ["bob@a.b.example.org", "*@a.b.example.org", "*.b.example.org", "*.example.org", "*.org"],
        )
        self.assertNotIn("*.example.org", matching("bob@example.org"))
        self.assertNotIn("*.example.org", matching("bob@badexample.org"))
        self.assertEqual(list(matching("bob@192.0.2.1")), ["bob@192.0.2.1", "*@192.0.2.1"])

    def test_lists(self) -> None:
        """A pattern is on one list at a time, and can be taken off; nobody blocks themselves."""
        blocks = Blocks(self.ledger, cast(IReactorTime, self.clock))
        blocks.block(ALICE, BOB, "nuisance")
        self.assertEqual(blocks.all(ALICE), [("block", BOB, "nuisance")])
        blocks.allow(ALICE, BOB)
        self.assertEqual((blocks.blocked(ALICE, BOB), blocks.allowed(ALICE, BOB)), ("", BOB))
        self.assertTrue(blocks.remove(ALICE, BOB))
        self.assertFalse(blocks.remove(ALICE, BOB))
        with self.assertRaises(LocalError):
            blocks.block(ALICE, ALICE)
