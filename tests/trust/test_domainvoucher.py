"""Tests of what a name's own domain says, with a real web server."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from p2pship.identity.keys import new_p256, sign, spki
from p2pship.identity.papers import Papers
from p2pship.identity.succession import succeeded
from p2pship.interfaces import IVoucher
from p2pship.journal import Journal
from p2pship.storage.database import Database
from p2pship.storage.vault import Vault
from p2pship.trust.authorities import Authorities
from p2pship.trust.domainvoucher import MOST_AUTHORITIES, DomainVoucher
from p2pship.trust.issued import SCHEMA
from p2pship.trust.pages import Pages
from p2pship.trust.publishedlists import PublishedLists
from p2pship.trust.publishing import list_pem
from p2pship.trust.specialuse import asked_of_nobody
from p2pship.trust.vouch import Vouch
from p2pship.trust.wellknown import (
    BadNameFile,
    key_hash,
    name_file,
    name_hash,
    read_name_file,
)
from tests.identity import example
from tests.trust.certificates import DAY, NOW, OTHER_KEY, der, papers, person, revocations, root
from tests.trust.people import papers_of
from tests.trust.webserver import Answers, endpoint_to, listen

DOMAIN = "p2pship-test.net"
AOR = f"alice@{DOMAIN}"
BASE = "/.well-known/p2pship"
FILE = f"{BASE}/{name_hash(AOR)}.json"
KEY = example.IDENTITY_KEY
ROOT = root()
CHAIN = der(person(names=[f"sip:{AOR}"]))


def of_domain(chain: tuple[bytes, ...] = (), revocation_list: bytes = b"") -> Papers:
    """Return papers of a person at the domain."""
    plain = papers(chain, revocation_list)
    return replace(plain, statement=replace(plain.statement, aor=AOR))


class FakeDNS:
    """Says what it was told to, and counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.vouched = Vouch()

    def vouch(self, aor: str, key: bytes) -> Deferred[Vouch]:
        """Say it."""
        self.asked += 1
        return succeed(self.vouched)


class DomainVoucherTests(TestCase):
    """What the web server says counts; what it does not say is asked elsewhere."""

    def setUp(self) -> None:
        self.answers = Answers()
        port = listen(reactor, self.answers, [DOMAIN])
        self.addCleanup(port.stopListening)
        self.clock = Clock()
        self.clock.advance(NOW)
        database = Database(":memory:", [SCHEMA])
        self.addCleanup(database.close)
        folder = self.folder()
        self.authorities = Authorities(database, Vault.open(folder), folder / "own", self.clock, Journal())
        self.pages = Pages(endpoint_to(reactor, port.getHost().port), self.clock)
        self.dns = FakeDNS()
        self.voucher = DomainVoucher(self.authorities, self.clock, self.pages, self.dns)

    def folder(self) -> Any:
        """Return a folder that is not there."""
        from pathlib import Path

        return Path(self.mktemp())

    async def ask(self, given: Papers | None = None) -> Vouch:
        """Ask the voucher."""
        vouch = self.voucher.vouch(given or of_domain(), None)  # type: ignore[arg-type]
        return vouch if isinstance(vouch, Vouch) else await vouch

    def publish(
        self, keys: list[bytes], expires: int = NOW + 30 * DAY, revoked: tuple[bytes, ...] = ()
    ) -> None:
        """Have the web server name keys."""
        self.answers.pages[FILE] = name_file(AOR, keys, expires, revoked).encode()

    async def test_named(self) -> None:
        """A key that the domain names is vouched for, for as long as the page is kept."""
        verifyObject(IVoucher, self.voucher)
        self.publish([key_hash(example.DEVICE.key), key_hash(KEY)])
        vouch = await self.ask()
        self.assertEqual((vouch.by, vouch.until), ("domain", NOW + 3600))
        self.assertEqual(self.dns.asked, 0)

    async def test_another_key(self) -> None:
        """A domain that names another key decides: the DNS, which is easier to take over, is not asked."""
        self.publish([key_hash(example.DEVICE.key)])
        self.dns.vouched = Vouch("domain")
        vouch = await self.ask()
        self.assertFalse(vouch)
        self.assertTrue(vouch.contradicted)
        self.assertIn("names another key", vouch.reasons[0])
        self.assertEqual(self.dns.asked, 0)

    async def test_former_key(self) -> None:
        """A domain that has not heard yet that its key gave way to this one does not contradict it; nor does it vouch for it."""
        old, new = new_p256(), new_p256()
        succession = (succeeded(lambda data: sign(old, data), spki(old), AOR, spki(new)),)
        self.publish([key_hash(spki(old))])
        vouch = await self.ask(papers_of(AOR, new, succession=succession))
        self.assertEqual((bool(vouch), vouch.contradicted), (False, False))
        self.assertIn("gave way", vouch.reasons[0])

    async def test_expired(self) -> None:
        """A file that has expired proves nothing, though the server still has it."""
        for named in (key_hash(KEY), key_hash(example.DEVICE.key)):
            self.publish([named], expires=NOW)
            vouch = await self.ask()
            self.assertIn("expired", vouch.reasons[0])
            self.assertFalse(vouch.contradicted)
            self.clock.advance(DAY)

    async def test_taken_back(self) -> None:
        """A key that the domain has taken back is refused, also if it is named as well."""
        self.publish([key_hash(KEY)], revoked=(key_hash(KEY),))
        vouch = await self.ask()
        self.assertEqual((vouch.by, vouch.revoked), ("", True))

    async def test_not_published(self) -> None:
        """Where the web server says nothing, or something that cannot be read, the DNS is asked."""
        self.dns.vouched = Vouch("domain", ("DNSSEC",), NOW + 5)
        vouch = await self.ask()
        self.assertEqual((vouch.by, vouch.until, self.dns.asked), ("domain", NOW + 5, 1))
        self.clock.advance(DAY)
        self.answers.pages[FILE] = b"{}"
        self.dns.vouched = Vouch(reasons=("a hint",))
        vouch = await self.ask()
        self.assertEqual((bool(vouch), vouch.reasons[-1]), (False, "a hint"))

    async def test_authority_of_domain(self) -> None:
        """An authority that the domain publishes vouches for its names, unless the list there revokes them."""
        self.answers.pages[f"{BASE}/ca.pem"] = ROOT.public_bytes(Encoding.PEM)
        vouch = await self.ask(of_domain(CHAIN))
        self.assertEqual(vouch.by, "domain")
        self.assertFalse(await self.ask(of_domain(der(person(names=[f"sip:{AOR}"], signer=OTHER_KEY)))))
        self.clock.advance(2 * DAY)
        self.answers.pages[f"{BASE}/revocations.pem"] = list_pem(revocations([4711])).encode()
        self.assertTrue((await self.ask(of_domain(CHAIN))).revoked)

    async def test_many_authorities(self) -> None:
        """A domain that names a great many authorities is not believed: each is tried for each certificate that comes along."""
        self.answers.pages[f"{BASE}/ca.pem"] = ROOT.public_bytes(Encoding.PEM) * (MOST_AUTHORITIES + 1)
        vouch = await self.ask(of_domain(CHAIN))
        self.assertEqual((bool(vouch), "more than" in vouch.reasons[-1]), (False, True))

    async def test_nothing_kept(self) -> None:
        """Anybody has a domain and an authority: what their lists say counts, and nothing of them is kept on our disk."""
        self.answers.pages[f"{BASE}/ca.pem"] = ROOT.public_bytes(Encoding.PEM)
        self.answers.pages[f"{BASE}/revocations.pem"] = list_pem(revocations([5], number=3)).encode()
        came_along = revocations([4711], number=2)
        vouch = await self.ask(of_domain(CHAIN, came_along))
        self.assertEqual(vouch.by, "domain")  # the older of the two does not count
        self.assertTrue((await self.ask(of_domain(CHAIN, revocations([4711], number=4)))).revoked)
        self.assertEqual((await self.ask(of_domain(CHAIN))).by, "domain")
        self.assertEqual(self.authorities.crl(_root_key()), b"")

    async def test_published_list(self) -> None:
        """The lists that a domain publishes are taken for authorities that the user trusts, and for no others."""
        self.authorities.trust(ROOT, DOMAIN)
        theirs = revocations([5], signer=OTHER_KEY)
        text = "junk" + list_pem(theirs) + list_pem(revocations([4711]))
        self.answers.pages[f"{BASE}/revocations.pem"] = text.encode()
        taken: Deferred[str] = Deferred()
        self.authorities.watch(taken.callback)
        PublishedLists(self.pages, self.authorities).look(DOMAIN)
        self.assertEqual(await taken, DOMAIN)
        self.assertTrue(self.authorities.crl(_root_key()))

    async def test_switched_off(self) -> None:
        """What is switched off is not asked, nor is anybody about a name of special use."""
        self.publish([key_hash(KEY)])
        self.voucher = DomainVoucher(self.authorities, self.clock, None, None)
        self.assertEqual(await self.ask(), Vouch())
        self.voucher = DomainVoucher(self.authorities, self.clock, self.pages, self.dns)
        self.assertEqual(await self.ask(papers()), Vouch())  # alice@example.com
        self.assertEqual((self.answers.asked, self.dns.asked), ([], 0))


class SpecialUseTests(SynchronousTestCase):
    """Domains that nobody may be asked about."""

    def test_reserved(self) -> None:
        """Addresses, single labels and names outside the DNS are not asked about; ordinary domains are."""
        for domain in (
            *("home", "localhost", "x.local", "p2pship.alt", "a.onion", "example.com", "www.example.org"),
            *(
                "a.example",
                "b.test",
                "c.invalid",
                "router.home.arpa",
                "x.internal",
                "192.0.2.1",
                "[2001:db8::1]",
            ),
            *("1.0.0.127.in-addr.arpa", "_x.net", "nas.lan"),
        ):
            self.assertTrue(asked_of_nobody(domain), domain)
        for domain in (DOMAIN, "gnu.org", "a.b.co.uk", "example.de", "myexample.com"):
            self.assertFalse(asked_of_nobody(domain), domain)


class NameFileTests(SynchronousTestCase):
    """The file about a name."""

    def test_round_trip(self) -> None:
        """What is printed is read."""
        keys, revoked = (key_hash(b"a"), key_hash(b"b")), (key_hash(b"c"),)
        file = read_name_file(name_file(AOR, keys, 5, revoked).encode(), AOR)
        self.assertEqual((file.keys, file.revoked, file.expires), (keys, revoked, 5))

    def test_hidden(self) -> None:
        """Neither the file's name nor its content shows whose it is."""
        self.assertNotIn("alice", name_hash(AOR) + name_file(AOR, [], 5))
        self.assertEqual(len(name_hash(AOR)), 32)

    def test_wrong(self) -> None:
        """A file about another name, of another version, or with anything of another kind is refused."""
        good = json.loads(name_file(AOR, [key_hash(b"a")], 5))
        changes: tuple[dict[str, object], ...] = (
            {"name": name_hash("bob@x.net")},
            {"version": 2},
            {"version": "1"},
            {"version": True},
            {"version": 1.0},
            {"keys": "ab"},
            {"keys": [5]},
            {"keys": ["AB" * 32]},
            {"keys": ["ab" * 32] * 33},
            {"revoked": {"a": 1}},
            {"expires": "5"},
            {"expires": True},
            {"expires": 5.0},
            {"expires": None},
        )
        for change in changes:
            octets = json.dumps(good | change).encode()
            self.assertRaises(BadNameFile, read_name_file, octets, AOR)
        twice = json.dumps(good).replace("{", '{"keys": [], ', 1).encode()
        for octets in (twice, b"", b"[" * 16_000, b"\xff", b"[]", b"9" * 9_000, b" " * 20_000):
            self.assertRaises(BadNameFile, read_name_file, octets, AOR)

    @given(st.binary(max_size=200))
    def test_garbage(self, octets: bytes) -> None:
        """Garbage is refused with our own error."""
        self.assertRaises(BadNameFile, read_name_file, octets, AOR)


def _root_key() -> bytes:
    from p2pship.trust.certificates import key_fingerprint

    return key_fingerprint(ROOT)
