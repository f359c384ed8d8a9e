"""Tests of renewal: a member's node and the authority's operator, over a link in memory."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from p2pship.errors import PayloadRefused
from p2pship.identity.statement import read_statement
from p2pship.identity.validity import SKEW
from p2pship.interfaces import ISubprotocol
from p2pship.relations.renewal import CHECK_EVERY, FIRST_CHECK, RENEW_BELOW, SOON, Renewal
from p2pship.relations.renewaldesk import AT_ONCE, MOST_HELD, NAME, RenewalDesk
from p2pship.relations.renewalwire import (
    BadRenewal,
    RenewalAnswer,
    RenewalQuestion,
    print_answer,
    print_question,
    read_answer,
    read_question,
)
from p2pship.storage.database import Database
from p2pship.storage.vault import Vault
from p2pship.trust.authorities import Authorities
from p2pship.trust.authority import read_request
from p2pship.trust.authorityfacts import CertificateRenewed, RenewalRefused
from p2pship.trust.certificates import load
from p2pship.trust.issued import SCHEMA
from tests.overlay.nodes import ALICE, BOB, Node, OverlayCase

DAD = "dad@example.com"
DAY = 24 * 3600


class Member(Node):
    """A node with authorities, which renews."""

    def __init__(self, case: OverlayCase, *aors: str, **options: Any) -> None:
        super().__init__(case, *aors, **options)
        database = Database(":memory:", [SCHEMA])
        case.addCleanup(database.close)
        vault, folder = Vault.open(self.state), self.state / "authorities"
        self.authorities = Authorities(database, vault, folder, self.clock, self.journal)
        self.desk = RenewalDesk(self.authorities, self.clock, self.journal)
        self.overlay.offer(self.desk)
        self.renewal = Renewal(self.clock, self.keyring, self.authorities, self.overlay, self.journal)

    def expires(self) -> float:
        """Return until when its certificate holds; 0 if it has none."""
        chain = self.own.chain
        return load(chain[0]).not_valid_after_utc.timestamp() if len(chain) > 1 else 0.0

    def told(self, kind: type[Any]) -> list[Any]:
        """Return the facts of a kind that its journal was told."""
        return [fact for fact in self.facts if isinstance(fact, kind)]


class RenewalTests(OverlayCase):
    """Alice's certificate is Dad's authority's."""

    def setUp(self) -> None:
        super().setUp()
        self.dad, self.alice = Member(self, DAD), Member(self, ALICE)
        self.ca = self.dad.authorities.create("family", "example.com", DAD)
        self.alice.authorities.trust(self.ca.certificate, "example.com")
        self.certify(self.alice)
        self.alice.renewal.start()
        self.addCleanup(self.alice.renewal.stop)

    def certify(self, member: Member, days: int = 90) -> tuple[bytes, ...]:
        """Give a member a certificate by hand."""
        request = read_request(member.keyring.request(member.own.aor))
        chain = self.dad.authorities.issue(request, days)
        member.keyring.install_chain(member.own.aor, chain, self.dad.authorities.crl(self.ca.fingerprint))
        return chain

    def age(self, seconds: float) -> None:
        """Let a long time pass in which nothing is done."""
        self.clock.rightNow += seconds

    def check(self, member: Member | None = None) -> None:
        """Let a member check, and everything happen."""
        (member or self.alice).renewal.check()
        self.clock.pass_time(3)

    def test_interface(self) -> None:
        """It is an ISubprotocol."""
        verifyObject(ISubprotocol, self.dad.desk)

    def test_due(self) -> None:
        """With less than 30 days left a new one is fetched over the link, and there is one certificate more."""
        before = self.alice.expires()
        self.age(90 * DAY - RENEW_BELOW - 60)
        self.check()
        self.assertEqual(self.alice.expires(), before)
        self.age(120)
        self.check()
        self.assertTrue(self.alice.expires() > before + 59 * DAY)
        self.assertEqual(len(self.alice.told(CertificateRenewed)), 1)
        self.assertEqual(len(self.dad.authorities.issued(self.ca, ALICE)), 2)

    def test_by_itself(self) -> None:
        """A check happens shortly after the start, and then every day."""
        self.clock.pass_time(FIRST_CHECK + SOON + 3)
        before = self.alice.expires()
        self.age(70 * DAY)
        self.clock.pass_time(CHECK_EVERY)
        self.assertTrue(self.alice.expires() > before)

    def test_list(self) -> None:
        """The newest revocation list is fetched as well, and goes into the own papers."""
        self.certify(Member(self, BOB))
        self.dad.authorities.revoke(BOB)
        self.check()
        newest = self.dad.authorities.crl(self.ca.fingerprint)
        self.assertEqual(self.alice.authorities.crl(self.ca.fingerprint), newest)
        self.assertEqual(self.alice.own.revocations, newest)
        self.assertEqual(self.alice.told(CertificateRenewed), [])

    def test_rotated(self) -> None:
        """A key that gave way to a new one takes its certificate along: the old key says so."""
        self.alice.keyring.rotate(ALICE)
        self.assertEqual(self.alice.expires(), 0)
        self.check()
        self.assertTrue(self.alice.expires() > 0)
        first, second = self.dad.authorities.issued(self.ca, ALICE)
        self.assertTrue(first.revoked and not second.revoked)

    def test_rotated_all_day(self) -> None:
        """A member gone bad who makes ever new keys does not fill the revocation list with certificates of keys that gave way."""
        for _ in range(3 * MOST_HELD):
            self.alice.keyring.rotate(ALICE)
            self.check()
            self.age(3600)
        issued = self.dad.authorities.issued(self.ca, ALICE)
        self.assertEqual((len(issued), sum(bool(one.revoked) for one in issued)), (MOST_HELD, MOST_HELD - 1))
        self.assertTrue(any("ask the operator" in fact.reason for fact in self.dad.told(RenewalRefused)))
        self.dad.authorities.revoke(ALICE)  # by hand all goes on
        self.certify(self.alice)
        self.assertTrue(self.alice.expires() > 0)

    def test_asked_all_day(self) -> None:
        """Who asks on and on, a stranger too, is refused before anything is checked, and asks for nobody else."""
        peer = Member(self, BOB).reach(DAD)
        question = print_question(RenewalQuestion(self.ca.fingerprint))
        answers = [peer.send(NAME, question) for _ in range(3 * AT_ONCE)]
        self.clock.pass_time(1)
        refused = [1 for answer in answers if self._is_refused(answer)]
        self.assertEqual(len(refused), 2 * AT_ONCE)
        self.check()
        self.assertEqual(
            self.alice.authorities.crl(self.ca.fingerprint), self.dad.authorities.crl(self.ca.fingerprint)
        )
        self.clock.pass_time(60)
        self.assertFalse(self._is_refused(peer.send(NAME, question)))

    def _is_refused(self, answer: Deferred[bytes]) -> bool:
        self.clock.pass_time(0.1)
        if not isinstance(getattr(answer, "result", None), bytes):
            self.failureResultOf(answer, PayloadRefused)
            return True
        return False

    def test_revoked(self) -> None:
        """Who was revoked gets nothing, and hears why."""
        self.dad.authorities.revoke(ALICE)
        self.age(65 * DAY)
        before = self.alice.expires()
        self.check()
        self.assertEqual(self.alice.expires(), before)
        self.assertIn("revoked", self.dad.told(RenewalRefused)[0].reason)
        self.assertTrue(self.alice.told(CertificateRenewed)[0].error)

    def test_own_authority(self) -> None:
        """Whoever runs the authority renews their own certificate without asking anybody."""
        self.certify(self.dad)
        before = self.dad.expires()
        self.age(65 * DAY)
        self.check(self.dad)
        self.assertTrue(self.dad.expires() > before)

    def test_operator_away(self) -> None:
        """When nobody is reached that is told, and tried again the next day."""
        self.age(65 * DAY)
        self.dad.kill()
        self.alice.renewal.check()
        self.clock.pass_time(60)
        self.assertIn(DAD, self.alice.told(CertificateRenewed)[0].error)

    def ask(self, asker: Member, called: str = DAD, **changes: Any) -> Any:
        """Let a node ask somebody on Dad's, and return the answer or the error."""
        aor = asker.own.aor
        values = {
            "root": self.ca.fingerprint,
            "request": asker.keyring.request(aor),
            "statement": asker.own.statement,
        } | changes
        results = self.watch(asker.reach(called).send(NAME, print_question(RenewalQuestion(**values))))
        self.clock.pass_time(0.5)
        return results[0]

    def assert_refused(self, result: Any) -> None:
        """Assert that nothing was issued."""
        self.assertIsInstance(result, PayloadRefused)
        self.assertEqual(len(self.dad.authorities.issued(self.ca)), 1)

    def test_strangers(self) -> None:
        """Who has no certificate gets none, nor does who claims somebody's name with another key."""
        self.assert_refused(self.ask(Member(self, BOB)))
        self.alice.kill()
        self.assert_refused(self.ask(Member(self, ALICE)))

    def test_in_anothers_name(self) -> None:
        """Bob cannot use Alice's request, nor her statement, nor both: his device is not hers."""
        self.age(60 * DAY)
        bob = Member(self, BOB)
        request, statement = self.alice.keyring.request(ALICE), self.alice.own.statement
        for changes in (
            {"request": request},
            {"statement": statement},
            {"request": request, "statement": statement},
        ):
            self.assert_refused(self.ask(bob, **changes))

    def test_replayed_as_her(self) -> None:
        """Whoever calls themselves Alice with a key of their own cannot replay her request and statement."""
        self.age(60 * DAY)
        request, statement = self.alice.keyring.request(ALICE), self.alice.own.statement
        self.alice.kill()
        mallory = Member(self, ALICE)
        self.assert_refused(self.ask(mallory, request=request, statement=statement))

    def test_too_often(self) -> None:
        """A certificate that holds for long is not renewed, so that nobody fills the register."""
        self.assert_refused(self.ask(self.alice))

    def test_another_authority(self) -> None:
        """A node asked for an authority that it does not have says no."""
        self.assert_refused(self.ask(self.alice, root=bytes(32)))

    def test_another_identity(self) -> None:
        """Who asks another identity of Dad's node hears what they would if the authority were elsewhere."""
        self.dad.keyring.create("apart@example.com", separate=True)
        asked = [
            self.ask(self.alice, "apart@example.com", root=root, request=b"", statement=b"")
            for root in (self.ca.fingerprint, bytes(32))
        ]
        self.assertIsInstance(asked[0], PayloadRefused)
        self.assertEqual(*map(str, asked))
        self.assertIsInstance(self.ask(self.alice, request=b"", statement=b""), bytes)

    def test_statement_is_kept(self) -> None:
        """After a renewal the statement has the hash of the new chain, and is still that of the same devices."""
        before = read_statement(self.alice.own.statement)
        self.age(65 * DAY + SKEW)
        self.check()
        after = read_statement(self.alice.own.statement)
        self.assertEqual(after.devices, before.devices)
        self.assertNotEqual(after.certificate_hash, before.certificate_hash)


class RenewalWireTests(SynchronousTestCase):
    """The payloads."""

    def test_round_trip(self) -> None:
        """What is printed is read; a list that is too long is left out."""
        question = RenewalQuestion(bytes(32), b"request", b"statement")
        self.assertEqual(read_question(print_question(question)), question)
        answer = RenewalAnswer((b"a", b"b"), b"list")
        self.assertEqual(read_answer(print_answer(answer)), answer)
        self.assertEqual(read_answer(print_answer(RenewalAnswer((), bytes(60_000)))).revocations, b"")

    def test_truncated(self) -> None:
        """A payload that is cut off anywhere is refused."""
        for payload, read in (
            (print_question(RenewalQuestion(bytes(32), b"x", b"y")), read_question),
            (print_answer(RenewalAnswer((b"a",), b"l")), read_answer),
        ):
            for length in range(len(payload)):
                self.assertRaises(BadRenewal, read, payload[:length])

    @given(st.binary(max_size=100))
    def test_garbage(self, payload: bytes) -> None:
        """Garbage is refused with our own error."""
        for read in (read_question, read_answer):
            try:
                read(payload)
            except BadRenewal:
                continue
