"""Tests of the authorities: our own, and those that are trusted."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from p2pship.errors import ConfigError, LocalError
from p2pship.identity.ownchain import LONGEST_REVOCATIONS
from p2pship.interfaces import IVoucher
from p2pship.journal import Journal
from p2pship.storage.database import Database
from p2pship.storage.vault import Vault
from p2pship.trust.authorities import Authorities
from p2pship.trust.authority import BadRequest, read_request
from p2pship.trust.authorityvoucher import AuthorityVoucher
from p2pship.trust.certificates import BadAuthority, BadChain, key_fingerprint, load_file, operator_of
from p2pship.trust.issued import SCHEMA
from p2pship.trust.proof import Revoked
from p2pship.trust.revocation import BadRevocationList
from p2pship.trust.selfvoucher import SelfVoucher
from tests.identity import example
from tests.storage.passphrases import lock
from tests.trust.certificates import (
    AOR,
    DAY,
    DOMAIN,
    NOW,
    OTHER_KEY,
    der,
    papers,
    person,
    request,
    revocations,
    root,
)

ROOT = root()


class AuthoritiesCase(SynchronousTestCase):
    """A node's authorities."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.state = Path(self.mktemp())
        self.state.mkdir(mode=0o700)
        self.database = Database(self.state / "db", [SCHEMA])
        self.addCleanup(lambda: self.database.close())
        self.vault = Vault.open(self.state)
        self.journal = Journal()
        self.authorities = self.opened()

    def opened(self) -> Authorities:
        """Open them, as at a start."""
        return Authorities(self.database, self.vault, self.state / "authorities", self.clock, self.journal)


class TrustTests(AuthoritiesCase):
    """Authorities that others run."""

    def verify(self, revocation_list: bytes = b"", **changes: object) -> tuple[str, ...]:
        """Verify the example's person, and return what there is to know."""
        proof = self.authorities.verify(der(person(**changes)), AOR, example.IDENTITY_KEY, revocation_list)
        return proof.reasons

    def test_only_for_the_domain(self) -> None:
        """An authority is believed about the names of the domain that the user named, and of no other."""
        for domain in ("other.example", f"sub.{DOMAIN}", "com"):
            self.authorities.trust(ROOT, domain)
        self.assertRaises(BadChain, self.verify)
        self.authorities.trust(ROOT, DOMAIN.upper())
        self.assertEqual(self.verify(), ("no revocation list has been seen",))
        self.assertEqual(self.authorities.trusted_for(DOMAIN), [ROOT])

    def test_kept(self) -> None:
        """What is trusted, and what was revoked, is so after a restart; what is removed is not."""
        self.authorities.trust(ROOT, DOMAIN)
        self.authorities.take_crl(revocations([4711]))
        self.authorities = self.opened()
        self.assertRaises(Revoked, self.verify)
        hint = key_fingerprint(ROOT)
        self.assertTrue(self.authorities.hint(hint[:8]))
        self.assertEqual(len(self.authorities.remove(hint, "other.example")), 0)
        self.assertEqual(len(self.authorities.remove(hint)), 1)
        self.assertFalse(self.authorities.hint(hint[:8]))
        self.assertEqual(self.opened().all(), [])

    def test_deleting_killed(self) -> None:
        """A node that is killed while it deletes an authority has deleted all of it at the next start, also the trust."""
        own = self.authorities.create("one", DOMAIN)
        self.authorities.trust(own.certificate, "other.example")
        os.rename(self.state / "authorities" / "one", self.state / "authorities" / "one.old")  # and is killed
        self.assertEqual(len(self.authorities.all()), 2)
        self.authorities = self.opened()
        self.assertEqual((self.authorities.all(), self.authorities.owned()), ([], []))

    def test_not_to_be_trusted(self) -> None:
        """Only authorities can be trusted, and only for domains whose names do not prove themselves."""
        for wrong in (person(), person(signer=example.KEY, issuer="somebody"), root(authority=False)):
            self.assertRaises(BadAuthority, self.authorities.trust, wrong, DOMAIN)
        weak = root(key=rsa.generate_private_key(65537, 1024))  # type: ignore[arg-type]
        self.assertIn("kind", str(self.assertRaises(BadAuthority, self.authorities.trust, weak, DOMAIN)))
        for domain in ("p2pship.alt", "", "a b", "x@y", f"{DOMAIN};x", "sub.p2pship.alt"):
            self.assertRaises(LocalError, self.authorities.trust, ROOT, domain)
        self.assertRaises(BadAuthority, load_file, "nothing")

    def test_revoked(self) -> None:
        """A revoked serial number always refuses: also by a list that is out of date, and one that came along."""
        self.authorities.trust(ROOT, DOMAIN)
        old = revocations([4711], ends=NOW - 1)
        self.assertRaises(Revoked, self.verify, old)
        self.assertRaises(Revoked, self.verify)
        self.assertEqual(self.verify(serial=5), ("the revocation list is out of date",))

    def test_rolled_back(self) -> None:
        """Nobody can bring back a list from before somebody was revoked."""
        self.authorities.trust(ROOT, DOMAIN)
        before = revocations([], number=7)
        self.assertTrue(self.authorities.take_crl(before))
        self.assertTrue(self.authorities.take_crl(revocations([4711], number=8)))
        self.assertFalse(self.authorities.take_crl(before))
        self.assertRaises(Revoked, self.verify, before)
        self.assertRaises(Revoked, self.verify, revocations([], number=8))

    def test_bad_lists(self) -> None:
        """A list that another key signed, is from the future, of a part only, altered or too long is not taken."""
        self.authorities.trust(ROOT, DOMAIN)
        good = revocations([4711])
        delta = x509.DeltaCRLIndicator(1)
        place = [x509.UniformResourceIdentifier("http://example.com/some")]
        some = x509.IssuingDistributionPoint(place, None, True, False, None, False, False)
        parts = ((delta, True), (delta, False), (some, True), (some, False))
        wrong = [
            revocations([4711], signer=OTHER_KEY),
            revocations([4711], issuer="another"),
            revocations([4711], begins=NOW + DAY, ends=NOW + 2 * DAY),
            *(revocations([4711], more=[(extension, critical)]) for extension, critical in parts),
            revocations([4711], number=1 << 160),
            bytes(LONGEST_REVOCATIONS + 1),
            b"",
            *(good[:length] for length in range(0, len(good), 11)),
            *(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(0, len(good), 11)),
        ]
        for octets in wrong:
            self.assertRaises(BadRevocationList, self.authorities.take_crl, octets)
            self.assertIn("no revocation list has been seen", self.verify(octets))

    def test_list_of_person(self) -> None:
        """A person cannot sign a revocation list, though the authority signed their certificate."""
        self.authorities.trust(ROOT, DOMAIN)
        forged = revocations([1], signer=example.KEY, issuer="somebody")
        self.assertIn("no revocation list has been seen", self.verify(forged))

    def test_watched(self) -> None:
        """Whoever judges names hears when what proves those of a domain has changed."""
        heard: list[str] = []
        unwatch = self.authorities.watch(heard.append)
        self.authorities.trust(ROOT, DOMAIN)
        self.authorities.take_crl(revocations([4711]))
        self.authorities.take_crl(revocations([4711]))
        unwatch()
        self.authorities.remove(key_fingerprint(ROOT))
        self.assertEqual(heard, [DOMAIN, DOMAIN])


class OwnTests(AuthoritiesCase):
    """An authority of our own."""

    def setUp(self) -> None:
        super().setUp()
        self.own = self.authorities.create("family", DOMAIN, "dad@example.com")
        self.request = read_request(request())

    def test_issue(self) -> None:
        """A request leads to a certificate that everybody who trusts the authority believes, for 90 days."""
        self.assertEqual(operator_of(self.own.certificate), "dad@example.com")
        chain = self.authorities.issue(self.request)
        other = self.of_a_friend()
        other.trust(self.own.certificate, DOMAIN)
        proof = other.verify(chain, AOR, example.IDENTITY_KEY, self.authorities.crl(self.own.fingerprint))
        self.assertEqual(
            (proof.root, proof.expires, proof.reasons), (self.own.fingerprint, NOW + 90 * DAY, ())
        )
        self.clock.advance(91 * DAY)
        self.assertRaises(BadChain, other.verify, chain, AOR, example.IDENTITY_KEY)

    def test_revoke(self) -> None:
        """What is revoked is on the list at once, by name or by serial number, also after a restart."""
        serials = [proof_serial(self.authorities.issue(self.request)) for _ in range(3)]
        self.authorities.revoke(serials[0])
        self.assertEqual({one.serial for one in self.authorities.revoke(AOR)}, set(serials[1:]))
        self.assertRaises(LocalError, self.authorities.revoke, AOR)
        listed = x509.load_der_x509_crl(self.opened().crl(self.own.fingerprint))
        self.assertEqual({one.serial_number for one in listed}, set(serials))

    def test_revoked_at_its_end(self) -> None:
        """A list that was made just after a revoked certificate's end still refuses it to those whose clocks are behind."""
        chain = self.authorities.issue(self.request, days=1)
        self.authorities.revoke(AOR)
        self.clock.advance(DAY + 60)
        self.authorities.issue(self.request)
        self.authorities.revoke(AOR)  # which makes another list
        other = self.of_a_friend()
        other.trust(self.own.certificate, DOMAIN)
        latest = self.authorities.crl(self.own.fingerprint)
        self.assertRaises(Revoked, other.verify, chain, AOR, example.IDENTITY_KEY, latest)

    def test_list_is_renewed(self) -> None:
        """The list is signed anew while it still holds for half of its time, under a higher number."""
        first = x509.load_der_x509_crl(self.authorities.crl(self.own.fingerprint))
        self.clock.advance(16 * DAY)
        second = x509.load_der_x509_crl(self.authorities.crl(self.own.fingerprint))
        self.assertNotEqual(second.next_update_utc, first.next_update_utc)
        self.assertGreater(_number(second), _number(first))

    def test_one_key(self) -> None:
        """A name that has a key gets a certificate for another one only if the operator says so, and the first is revoked."""
        self.authorities.issue(self.request)
        other = read_request(request(OTHER_KEY))
        self.assertRaises(LocalError, self.authorities.issue, other)
        self.authorities.issue(other, replace=True)
        first, second = self.authorities.issued(self.own, AOR)
        self.assertTrue(first.revoked and not second.revoked)

    def test_other_domain(self) -> None:
        """It issues for its domain only, and for as long as is sensible."""
        elsewhere = read_request(request(names=["sip:alice@other.example"]))
        self.assertRaises(LocalError, self.authorities.issue, elsewhere)
        for days in (0, -1, 1000):
            self.assertRaises(LocalError, self.authorities.issue, self.request, days)

    def test_requests(self) -> None:
        """A request that is not signed by its key, names nobody, several or strangely, or is garbage, is refused."""
        good = request()
        wrong = [
            request(names=[]),
            request(names=[f"sip:{AOR}", "sip:bob@example.com"]),
            request(names=[f"sip:{AOR}\x00.x.example"]),
            good[:-1] + bytes([good[-1] ^ 1]),
            b"x" * 10_000,
            *(good[:length] for length in range(0, len(good), 9)),
        ]
        for octets in wrong:
            self.assertRaises(BadRequest, read_request, octets)

    def test_kept(self) -> None:
        """It is there after a restart; its key is never on the disk as it is, nor for others to read."""
        self.assertEqual([one.name for one in self.opened().owned()], ["family"])
        key = self.state / "authorities" / "family" / "key.sealed"
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        key.chmod(0o640)
        self.assertRaises(ConfigError, self.opened)

    def test_killed(self) -> None:
        """An authority whose making was interrupted after its key was kept is finished at the next start."""
        self.database.write("DELETE FROM authority_list")
        self.database.write("DELETE FROM authority_trusted")
        again = self.opened()
        self.assertEqual(again.domains(self.own.fingerprint), [DOMAIN])
        self.assertTrue(again.issue(self.request))
        again.remove(self.own.fingerprint)
        self.assertEqual(self.opened().domains(self.own.fingerprint), [])

    def test_passphrase(self) -> None:
        """A passphrase that comes or goes leaves the key readable, and without it there is none."""
        lock(self.vault, b"secret")
        self.vault = Vault.open(self.state, lambda: b"secret")
        self.opened().issue(self.request)
        self.assertRaises(ConfigError, Vault.open, self.state, lambda: b"wrong")

    def test_damaged(self) -> None:
        """A key or certificate that was altered is told with its folder."""
        folder = self.state / "authorities" / "family"
        for name in ("key.sealed", "certificate.der"):
            good = (folder / name).read_bytes()
            (folder / name).write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
            self.assertIn(str(folder), str(self.assertRaises(ConfigError, self.opened)))
            (folder / name).write_bytes(good)

    def test_names(self) -> None:
        """A name that is taken, or could leave the folder, is refused."""
        for name in ("family", "../x", "", "A", "-", "a" * 33):
            self.assertRaises(LocalError, self.authorities.create, name, DOMAIN)

    def test_delete(self) -> None:
        """Deleting takes the key and the trust."""
        self.authorities.delete("family")
        self.assertEqual((self.opened().owned(), self.opened().all()), ([], []))
        self.assertRaises(LocalError, self.authorities.delete, "family")

    def of_a_friend(self) -> Authorities:
        """Return the authorities of another node."""
        folder = Path(self.mktemp())
        folder.mkdir(mode=0o700)
        database = Database(":memory:", [SCHEMA])
        self.addCleanup(database.close)
        return Authorities(database, Vault.open(folder), folder / "authorities", self.clock, Journal())


class VoucherTests(AuthoritiesCase):
    """What the vouchers say that need to ask nobody."""

    def setUp(self) -> None:
        super().setUp()
        self.voucher = AuthorityVoucher(self.authorities, self.clock)
        self.me = example.papers_of_another_key(1, 1)  # whoever asks makes no difference
        self.authorities.trust(ROOT, DOMAIN)

    def test_vouched(self) -> None:
        """A good chain is vouched for, in the authority's name."""
        verifyObject(IVoucher, self.voucher)
        vouch = self.voucher.vouch(papers(der(person())), None)  # type: ignore[arg-type]
        self.assertEqual(vouch.by, f"ca:{key_fingerprint(ROOT)[:8].hex()}")
        self.assertIn("no revocation list has been seen", vouch.reasons)
        self.assertEqual(vouch.until, NOW + DAY)

    def test_not_vouched(self) -> None:
        """A bad chain, none, and one that is revoked, are not; the last is said."""
        bad = papers(der(person(ends=NOW - DAY)))
        revoked = papers(der(person()), revocations([4711]))
        for given, taken_back in ((bad, False), (papers(), False), (revoked, True)):
            vouch = self.voucher.vouch(given, None)  # type: ignore[arg-type]
            self.assertEqual((vouch.by, vouch.revoked), ("", taken_back))
        named = papers(authority=key_fingerprint(ROOT)[:8])
        self.assertTrue(self.voucher.vouch(named, None).reasons)  # type: ignore[arg-type]

    def test_self(self) -> None:
        """A name that is a fingerprint is its key's only; other names are no business of that voucher."""
        voucher = SelfVoucher()
        verifyObject(IVoucher, voucher)
        self.assertFalse(voucher.vouch(papers(), None).reasons)  # type: ignore[arg-type]
        from p2pship.identity.fingerprint import own_proof_aor

        good = _named(own_proof_aor(example.IDENTITY_KEY))
        self.assertEqual(voucher.vouch(good, None).by, "self")  # type: ignore[arg-type]
        bad = voucher.vouch(_named(own_proof_aor(example.DEVICE.key)), None)  # type: ignore[arg-type]
        self.assertTrue(not bad and bad.reasons)


def _named(aor: str) -> object:
    from dataclasses import replace

    plain = papers()
    return replace(plain, statement=replace(plain.statement, aor=aor))


def proof_serial(chain: tuple[bytes, ...]) -> int:
    """Return the serial number of a chain's first certificate."""
    return x509.load_der_x509_certificate(chain[0]).serial_number


def _number(listed: x509.CertificateRevocationList) -> int:
    return listed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
