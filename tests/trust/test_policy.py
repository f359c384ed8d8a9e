"""Tests of the trust policy: who is believed to be whom, and what it takes to be known."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import cast

from zope.interface.verify import verifyObject

from p2pship.identity.device import Device
from p2pship.identity.fingerprint import fingerprint, own_proof_aor
from p2pship.identity.keys import new_p256, sign, spki
from p2pship.identity.succession import succeeded
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.identity.verify import papers_from
from p2pship.interfaces import IAcquaintances, IIdentity, ITrustPolicy
from p2pship.trust.facts import PinFollowed, PinMade, PinOffered
from p2pship.trust.introductions import sign_introduction
from p2pship.trust.lookalike import looks
from p2pship.trust.pins import BY_CALL, BY_CONFIRMING, BY_CONTACT
from p2pship.trust.vouch import Vouch
from p2pship.trust.vouching import Vouching
from tests.scale import scaled
from tests.trust.people import ALICE, BOB, CAROL, NOW, PolicyCase, PretendedVoucher, papers_of

CA = Vouch("ca:0011223344556677", ("an authority says so",), NOW + 3600)
OTHER_CA = Vouch("ca:7766554433221100", ("another authority says so",), NOW + 3600)
DOMAIN = Vouch("domain", ("the domain says so",), NOW + 3600)
CONTRADICTED = Vouch(reasons=("the domain names another key",), until=NOW + 3600, contradicted=True)
REVOKED = Vouch(reasons=("the certificate was revoked",), revoked=True)


class PolicyTests(PolicyCase):
    """How true a name is, and what its bearer is to us."""

    def assert_judged(self, verdict: Verdict, name: NameGrade, acquaintance: Acquaintance) -> None:
        """Check both facts, and that a reason is given."""
        self.assertEqual((verdict.name, verdict.acquaintance), (name, acquaintance))
        self.assertTrue(verdict.reasons)

    def test_interfaces(self) -> None:
        """It judges, and learns from calls."""
        verifyObject(ITrustPolicy, self.policy)
        verifyObject(IAcquaintances, self.policy)

    def test_own_device(self) -> None:
        """Who has our own identity key is our own device."""
        record = self.keyring.record_for(self.own, (), NOW)
        verdict = self.judged(papers_from(self.own.statement, record, NOW))
        self.assert_judged(verdict, NameGrade.KNOWN, Acquaintance.OWN)

    def test_own_name_of_another_key(self) -> None:
        """Who comes by our own name with another key is refused."""
        self.assert_judged(self.judge(ALICE), NameGrade.CHANGED, Acquaintance.STRANGER)

    def test_another_own_name_of_another_key(self) -> None:
        """Who comes to one identity by the name of another one here is refused only if both are on one device anyway."""
        together = self.keyring.create("together@example.com")
        apart = self.keyring.create("apart@example.com", separate=True)
        self.assert_judged(self.judge(together.aor), NameGrade.CHANGED, Acquaintance.STRANGER)
        self.assertEqual(self.judge(apart.aor), self.judge("nobody@example.com"))
        self.assert_judged(self.judge(apart.aor), NameGrade.UNPROVEN, Acquaintance.STRANGER)
        papers = papers_from(apart.statement, self.keyring.record_for(apart, (), NOW), NOW)
        self.assert_judged(self.judged(papers), NameGrade.KNOWN, Acquaintance.OWN)

    def test_stranger(self) -> None:
        """Nobody vouches for somebody whom nobody knows; the key is remembered, for the user to pin."""
        self.assert_judged(self.judge(), NameGrade.UNPROVEN, Acquaintance.STRANGER)
        self.assertEqual([offer.key for offer in self.policy.offers.of(ALICE, BOB)], [spki(self.key)])

    def test_until(self) -> None:
        """A verdict holds as long as who vouches for the name says; one for which nobody was asked does not end."""
        self.assertEqual(self.judge().until, inf)
        self.voucher.answers[spki(self.key)] = replace(CA, until=NOW + 60)
        self.assertEqual(self.judge().until, NOW + 60)

    def test_verified_stranger(self) -> None:
        """A true name makes nobody less a stranger."""
        self.voucher.answers[spki(self.key)] = CA
        verdict = self.judge()
        self.assert_judged(verdict, NameGrade.VERIFIED, Acquaintance.STRANGER)
        self.assertEqual(verdict.by, CA.by)

    def test_contact(self) -> None:
        """A contact whose key is pinned is known, and shown by the contact's name."""
        self.policy.contacts.add(ALICE, BOB, "Bob the builder")
        self.pin()
        verdict = self.judge()
        self.assert_judged(verdict, NameGrade.KNOWN, Acquaintance.CONTACT)
        self.assertEqual(verdict.display, "Bob the builder")

    def test_contact_without_pin(self) -> None:
        """An inbound fake that comes before the contact's key is known is a stranger, and shown as nothing else."""
        self.policy.contacts.add(ALICE, BOB, "Bob the builder")
        verdict = self.judge()
        self.assert_judged(verdict, NameGrade.UNPROVEN, Acquaintance.STRANGER)
        self.assertEqual(verdict.display, "")

    def test_verified_contact(self) -> None:
        """A contact whose name is verified needs no pin."""
        self.policy.contacts.add(ALICE, BOB)
        self.voucher.answers[spki(self.key)] = DOMAIN
        self.assert_judged(self.judge(), NameGrade.VERIFIED, Acquaintance.CONTACT)

    def test_changed(self) -> None:
        """Another key than the pinned one is changed, and no contact."""
        self.policy.contacts.add(ALICE, BOB, "Bob")
        self.pin()
        verdict = self.judge(key=new_p256())
        self.assert_judged(verdict, NameGrade.CHANGED, Acquaintance.STRANGER)
        self.assertEqual(verdict.display, "")
        self.assert_judged(self.judge(), NameGrade.KNOWN, Acquaintance.CONTACT)

    def test_revoked(self) -> None:
        """A key whose certificate was revoked is refused, pinned or not, also where the user has confirmed the key."""
        self.voucher.answers[spki(self.key)] = REVOKED
        self.assert_judged(self.judge(), NameGrade.CHANGED, Acquaintance.STRANGER)
        self.pin()
        self.assert_judged(self.judge(), NameGrade.CHANGED, Acquaintance.STRANGER)
        self.policy.confirm(ALICE, BOB, spki(self.key))
        self.assert_judged(self.judge(), NameGrade.CHANGED, Acquaintance.STRANGER)
        del self.voucher.answers[spki(self.key)]
        self.assertIs(self.judge().name, NameGrade.KNOWN)

    def test_contradicted(self) -> None:
        """Whose name is another key's by the word of its domain is refused, unless the user knows the key, or an authority vouches."""
        self.voucher.answers[spki(self.key)] = CONTRADICTED
        self.policy.contacts.add(ALICE, BOB)
        verdict = self.judge()
        self.assert_judged(verdict, NameGrade.CHANGED, Acquaintance.STRANGER)
        self.assertEqual(verdict.reasons, CONTRADICTED.reasons)
        self.assertEqual([offer.key for offer in self.policy.offers.of(ALICE, BOB)], [spki(self.key)])
        self.pin()
        self.assert_judged(self.judge(), NameGrade.KNOWN, Acquaintance.CONTACT)

    def test_contradicted_pin(self) -> None:
        """Nor does it help to have answered the user's call before the domain did; it does if somebody verified the name then."""
        self.voucher.answers[spki(self.key)] = CONTRADICTED
        for by, how, grade in (
            ("", BY_CALL, NameGrade.CHANGED),
            (DOMAIN.by, BY_CALL, NameGrade.KNOWN),
            ("", BY_CONTACT, NameGrade.KNOWN),
            ("", BY_CONFIRMING, NameGrade.KNOWN),
        ):
            self.policy.pin(ALICE, BOB, spki(self.key), how, by)
            self.assertIs(self.judge().name, grade, (by, how))

    def test_false_fingerprint(self) -> None:
        """A name that is the fingerprint of another key is refused, whoever vouches for it."""
        self.voucher.answers[spki(self.key)] = CA
        verdict = self.judge(own_proof_aor(spki(new_p256())))
        self.assert_judged(verdict, NameGrade.CHANGED, Acquaintance.STRANGER)

    def test_look_alike(self) -> None:
        """Who looks like a contact or like ourselves is flagged; the contact is not."""
        self.policy.contacts.add(ALICE, BOB, "Bob")
        self.pin()
        self.assertIn("contact Bob", self.judge("b0b@example.org").warnings[0])
        self.assertIn("your own", self.judge("a1ice@example.com").warnings[0])
        self.assertEqual(self.judge().warnings, ())
        self.assertEqual(self.judge(CAROL).warnings, ())

    def test_look_alike_later(self) -> None:
        """Contacts and own names count from when they are entered until they are removed."""
        self.assertEqual(self.judge("b0b@example.org").warnings, ())
        self.policy.contacts.add(ALICE, BOB, "Bob")
        self.keyring.create(CAROL)
        self.assertIn("contact Bob", self.judge("b0b@example.org").warnings[0])
        self.assertIn("your own", self.judge("Carol@example.net").warnings[0])
        self.policy.contacts.remove(ALICE, BOB)
        self.keyring.remove(CAROL)
        self.assertEqual(self.judge("b0b@example.org").warnings, ())
        self.assertEqual(self.judge("Carol@example.net").warnings, ())

    def test_many_contacts(self) -> None:
        """With a thousand contacts no name but those that look like the stranger's is looked at again."""
        for number in range(scaled(50, 1000)):
            self.policy.contacts.add(ALICE, f"friend{number}@example.org")
        self.judge("b0b@example.org")
        before = looks.cache_info()
        self.judge("B0B@example.org")
        after = looks.cache_info()
        self.assertLess(after.hits + after.misses - before.hits - before.misses, 5)

    def test_wants_chain(self) -> None:
        """Certificates are worth fetching if an authority signed them that is trusted."""
        self.assertTrue(self.policy.wants_chain(b"trusted!"))
        self.assertFalse(self.policy.wants_chain(b"unknown!") or self.policy.wants_chain(b""))


class FollowingTests(PolicyCase):
    """When a pin follows a new key, and when it must not."""

    def setUp(self) -> None:
        super().setUp()
        self.new = new_p256()

    def assert_follows(self, verdict: Verdict) -> None:
        """Check that the new key is the pinned one, and that the journal says so."""
        self.assertTrue(verdict.proven)
        self.assertEqual(self.policy.pins.all(ALICE)[BOB].key, spki(self.new))
        followed = [fact for fact in self.facts if isinstance(fact, PinFollowed)]
        self.assertEqual([fact.fingerprint for fact in followed], [fingerprint(spki(self.new))])

    def assert_stays(self, verdict: Verdict) -> None:
        """Check that the old key stays pinned."""
        self.assertIs(verdict.name, NameGrade.CHANGED)
        self.assertEqual(self.policy.pins.all(ALICE)[BOB].key, spki(self.key))

    def test_same_authority(self) -> None:
        """A pin that an authority verified when it was made follows a key that the same one signs."""
        self.pin(by=CA.by)
        self.voucher.answers[spki(self.new)] = CA
        self.assert_follows(self.judge(key=self.new))

    def test_same_domain(self) -> None:
        """So does one that the domain verified."""
        self.pin(by=DOMAIN.by)
        self.voucher.answers[spki(self.new)] = DOMAIN
        self.assert_follows(self.judge(key=self.new))

    def test_same_of_several(self) -> None:
        """Where several vouch for the new key it is asked for the one who verified the pin, though another is quicker."""
        self.pin(by=DOMAIN.by)
        quick = PretendedVoucher()
        quick.answers[spki(self.new)] = CA
        self.policy._vouching = Vouching([quick, self.voucher], self.clock)
        self.voucher.waiting = []
        judging = self.policy.judge(papers_of(BOB, self.new), cast(IIdentity, self.own))
        self.assertNoResult(judging)
        self.voucher.waiting.pop().callback(DOMAIN)
        self.assert_follows(self.successResultOf(judging))

    def test_another_authority(self) -> None:
        """It does not follow another authority, nor the domain."""
        self.pin(by=CA.by)
        for vouch in (OTHER_CA, DOMAIN):
            self.voucher.answers[spki(self.new)] = vouch
            self.assert_stays(self.judge(key=self.new))

    def test_unverified(self) -> None:
        """A pin of a name that nobody verified follows nobody who verifies it later."""
        self.pin()
        self.voucher.answers[spki(self.new)] = CA
        self.assert_stays(self.judge(key=self.new))

    def test_confirmed(self) -> None:
        """One that was confirmed by safety number never follows: no authority, no domain, not even the old key."""
        self.pin(by=CA.by)
        self.policy.confirm(ALICE, BOB, spki(self.key))
        self.voucher.answers[spki(self.new)] = CA
        self.assert_stays(self.judge(key=self.new))
        entry = succeeded(lambda data: sign(self.key, data), spki(self.key), BOB, spki(self.new))
        self.assert_stays(self.judged(papers_of(BOB, self.new, succession=[entry])))

    def test_succession(self) -> None:
        """A pin follows a key that the pinned one has signed."""
        self.pin()
        entry = succeeded(lambda data: sign(self.key, data), spki(self.key), BOB, spki(self.new))
        self.assert_follows(self.judged(papers_of(BOB, self.new, succession=[entry])))

    def test_forged_succession(self) -> None:
        """It does not follow what another key signed, or what was signed for another name."""
        self.pin()
        forger = new_p256()
        forged = succeeded(lambda data: sign(forger, data), spki(self.key), BOB, spki(self.new))
        other = succeeded(lambda data: sign(self.key, data), spki(self.key), CAROL, spki(self.new))
        for entry in (forged, other):
            self.assert_stays(self.judged(papers_of(BOB, self.new, succession=[entry])))

    def test_never_back(self) -> None:
        """Whoever has the old key, as a thief has, does not get the pin back: neither by its certificate nor by signing."""
        self.pin(by=CA.by)
        self.voucher.answers |= {spki(self.key): CA, spki(self.new): CA}
        self.judge(key=self.new)
        entry = succeeded(lambda data: sign(self.new, data), spki(self.new), BOB, spki(self.key))
        for succession in ([], [entry]):
            verdict = self.judged(papers_of(BOB, self.key, succession=succession, device=Device.new()))
            self.assertEqual((verdict.name, verdict.outdated), (NameGrade.CHANGED, True))
        self.assertEqual(self.policy.pins.all(ALICE)[BOB].key, spki(self.new))

    def test_old_statement(self) -> None:
        """A device that shows a statement of the old key is the person's if the new key lists it; the pin stays where it is."""
        self.pin()
        entry = succeeded(lambda data: sign(self.key, data), spki(self.key), BOB, spki(self.new))
        self.judged(papers_of(BOB, self.new, succession=[entry]))
        self.assert_follows(self.judge())

    def test_contradicted_by_then(self) -> None:
        """What was published before the domain named the new key alone is nobody else's: the device may have papers by the new one."""
        self.policy.pin(ALICE, BOB, spki(self.key), BY_CALL)
        entry = succeeded(lambda data: sign(self.key, data), spki(self.key), BOB, spki(self.new))
        self.judged(papers_of(BOB, self.new, succession=[entry]))
        self.voucher.answers[spki(self.key)] = CONTRADICTED
        verdict = self.judge()
        self.assertEqual((verdict.name, verdict.outdated), (NameGrade.CHANGED, True))

    def test_own_key_replaced(self) -> None:
        """A device of ours that signs with a key to which ours gave way is ours; one with a key that we left is if listed."""
        old = self.keyring.identity(ALICE)
        assert old is not None
        entry = succeeded(old.sign, old.key, ALICE, spki(self.new))
        verdict = self.judged(papers_of(ALICE, self.new, succession=[entry], device=Device.new()))
        self.assertIs(verdict.acquaintance, Acquaintance.OWN)


class ActTests(PolicyCase):
    """What pins a key, and what does not."""

    def answered(self, verdict: Verdict, placed: bool) -> None:
        """Let a call with Bob be answered."""
        self.policy.call_answered(ALICE, BOB, spki(self.key), verdict, placed)

    def test_own_call(self) -> None:
        """A call of ours that was answered pins the key."""
        self.answered(self.judge(), True)
        self.assertEqual(self.policy.pins.all(ALICE)[BOB].how, "call")
        self.assertEqual(self.facts, [PinMade(ALICE, BOB, fingerprint(spki(self.key)), "call")])
        self.assertIs(self.judge().name, NameGrade.KNOWN)

    def test_inbound_fake(self) -> None:
        """Who calls by a name that nobody vouches for plants no pin, however often the call is taken; it is offered."""
        for _ in range(3):
            self.answered(self.judge(), False)
        self.assertEqual(self.policy.pins.all(ALICE), {})
        self.assertEqual(self.facts, [PinOffered(ALICE, BOB, fingerprint(spki(self.key)))] * 3)

    def test_inbound_verified(self) -> None:
        """Taking the call of somebody whose name is verified pins the key, and who verified it."""
        self.voucher.answers[spki(self.key)] = CA
        self.answered(self.judge(), False)
        pin = self.policy.pins.all(ALICE)[BOB]
        self.assertEqual((pin.how, pin.by, pin.confirmed), ("verified", CA.by, False))

    def test_pinned_stays(self) -> None:
        """No call changes a pin, even one that was wrongly let through."""
        self.pin()
        other = new_p256()
        for placed in (True, False):
            self.policy.call_answered(ALICE, BOB, spki(other), self.judge(key=other), placed)
        self.assertEqual(self.policy.pins.all(ALICE)[BOB].key, spki(self.key))

    def test_own(self) -> None:
        """Calls among our own devices pin nothing."""
        self.policy.call_answered(ALICE, ALICE, self.own.key, self.judge(), True)
        self.assertEqual(self.policy.pins.all(ALICE), {})

    def test_forget(self) -> None:
        """Who is forgotten is a stranger again."""
        self.policy.contacts.add(ALICE, BOB)
        self.pin()
        self.assertTrue(self.policy.knows(ALICE, BOB))
        self.policy.forget(ALICE, BOB)
        self.assertEqual(self.judge().name, NameGrade.UNPROVEN)
        self.assertFalse(self.policy.knows(ALICE, BOB))

    def test_survives(self) -> None:
        """A confirmed pin stays confirmed when a later call pins it again."""
        self.policy.confirm(ALICE, BOB, spki(self.key))
        self.policy.pin(ALICE, BOB, spki(self.key), "contact")
        self.assertTrue(self.policy.pins.all(ALICE)[BOB].confirmed)

    def test_pinned_elsewhere(self) -> None:
        """A key that was seen before another device of ours pinned it is not told of as another one; a true other one is."""
        self.judge()
        self.judge(key=(other := new_p256()))
        self.policy.pins.make(ALICE, BOB, spki(self.key), "call")  # as the ledgers do when they meet
        self.assertEqual([offer.key for offer in self.policy.offers.of(ALICE, BOB)], [spki(other)])

    def test_introduced(self) -> None:
        """Somebody for whom a contact vouches is introduced, not known; only with that key, and while the contact is one."""
        friend = new_p256()
        self.policy.contacts.add(ALICE, CAROL, "Carol")
        self.policy.pin(ALICE, CAROL, spki(friend), "contact")
        raw = sign_introduction(
            lambda data: sign(friend, data),
            voucher=CAROL,
            key=spki(friend),
            subject=BOB,
            subject_key=spki(self.key),
            audience=ALICE,
            issued=NOW,
            expires=NOW + 3600,
            serial=bytes(8),
        )
        self.policy.introductions.keep(ALICE, raw)
        verdict = self.judge()
        self.assertEqual((verdict.name, verdict.acquaintance), (NameGrade.UNPROVEN, Acquaintance.INTRODUCED))
        self.assertIs(self.judge(key=new_p256()).acquaintance, Acquaintance.STRANGER)
        self.policy.contacts.remove(ALICE, CAROL)
        self.assertIs(self.judge().acquaintance, Acquaintance.STRANGER)
