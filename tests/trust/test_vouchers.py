"""Tests of which vouchers a node has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from p2pship.interfaces import IIdentity, IVoucher
from p2pship.journal import Journal
from p2pship.storage.database import Database
from p2pship.storage.vault import Vault
from p2pship.trust import pages
from p2pship.trust.authorities import Authorities
from p2pship.trust.issued import SCHEMA
from p2pship.trust.settings import TrustSettings
from p2pship.trust.vouch import Vouch, by_authority
from p2pship.trust.vouchers import LateDomainVoucher, vouchers
from tests.trust.people import BOB, CAROL, PolicyCase, papers_of


class VouchersTests(SynchronousTestCase):
    """Who is asked depends on the settings."""

    def test_settings(self) -> None:
        """The domain is asked last, and not at all if both ways are switched off."""
        database = Database(":memory:", [SCHEMA])
        self.addCleanup(database.close)
        folder = Path(self.mktemp())
        folder.mkdir(mode=0o700)
        authorities = Authorities(database, Vault.open(folder), folder / "authorities", reactor, Journal())
        for domains, dnssec, expected in (
            (True, True, ["self", "authorities", "domain"]),
            (True, False, ["self", "authorities", "domain"]),
            (False, True, ["self", "authorities", "domain"]),
            (False, False, ["self", "authorities"]),
        ):
            made = vouchers(authorities, reactor, TrustSettings(domains, dnssec))
            self.assertEqual([one.name for one in made], expected)
            for one in made:
                verifyObject(IVoucher, one)

    def test_late(self) -> None:
        """What asks the web and the DNS is imported at the first question that may be asked, not when a node starts."""
        program = (
            "import sys; import p2pship.node; "
            "assert not {'twisted.web.client', 'p2pship.trust.dnssec', 'dns'} & set(sys.modules)"
        )
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
        self.assertEqual((ended.returncode, ended.stderr), (0, b""))

    def test_look_at_nobody(self) -> None:
        """No lists are looked for at a domain that nobody may be asked about."""
        domain = LateDomainVoucher(None, Clock(), TrustSettings())  # type: ignore[arg-type]
        domain.look("example.com")
        self.assertNotIn("_lists", vars(domain))

    def test_vouch(self) -> None:
        """A vouch is true if it names who vouches; an authority is named by the beginning of its fingerprint."""
        self.assertFalse(Vouch(reasons=("a hint",)))
        self.assertEqual(by_authority(bytes(range(32))), "ca:0001020304050607")


class SeparateTests(PolicyCase):
    """Identities with devices of their own."""

    def test_each_asks(self) -> None:
        """A domain is asked once for all on one device, and again for another: it cannot tell that they are on one node."""
        asked: list[str] = []
        made: list[Any] = []

        def endpoint(host: str) -> Any:
            asked.append(host)
            return HostnameEndpoint(MemoryReactorClock(), b"192.0.2.1", 443)

        def https(reactor: Any) -> Any:
            made.append(reactor)
            return endpoint

        self.patch(pages, "https", https)
        voucher = LateDomainVoucher(None, self.clock, TrustSettings(True, False))  # type: ignore[arg-type]
        bob = papers_of("bob@bobs-own-domain.net", self.key)
        apart, together = self.keyring.create(BOB, separate=True), self.keyring.create(CAROL)
        counts = []
        for own in (self.own, together, apart, apart):
            voucher.vouch(bob, cast(IIdentity, own))
            counts.append(len(asked))
        self.assertEqual(counts, [1, 1, 2, 2])
        self.assertEqual(len(made), 1)  # so that all together leave threads to others
