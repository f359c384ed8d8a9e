"""Tests of a crowd that comes under ever new names, each of which proves itself: what of it stays."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

from p2pship.identity import people as module
from p2pship.identity.fingerprint import fingerprint, own_proof_aor
from p2pship.identity.keys import new_p256, spki
from p2pship.identity.papers import Papers
from p2pship.identity.verdict import Acquaintance, NameGrade
from p2pship.interfaces import IIdentity
from p2pship.overlay.hello import HelloBody
from p2pship.overlay.peer import Peer
from p2pship.overlay.vetting import Vetted
from p2pship.trust.vouch import Vouch
from tests.scale import scaled
from tests.trust.people import BOB, NOW, PolicyCase, papers_of

CROWD = scaled(300, 10_000)
MOST = CROWD // 3


class CrowdTests(PolicyCase):
    """Alice's node, a friend, and everybody's hellos."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(module, "MOST_STRANGERS", MOST)
        self.policy.contacts.add(self.own.aor, BOB)
        self.pin()

    def come(self, papers: Papers, sought: bytes | None = None) -> Vetted:
        """Let somebody come with a hello that is accepted; return what was found."""
        verdict = self.judged(papers)
        vetted = Vetted(cast(HelloBody, None), papers, verdict, cast(IIdentity, self.own))
        peer = cast(Peer, SimpleNamespace(sought=sought))
        self.keyring.accept(papers, NOW, vetted.keep_for(peer))
        return vetted

    def rows(self) -> dict[str, int]:
        """Return how many rows each table about people has."""
        database = self.keyring._people._database
        tables = [row[0] for row in database.query("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: database.query(f"SELECT count(*) FROM {table}")[0][0]
            for table in tables
            if re.match("identity_", table)
        }

    def crowd(self, name_of: Callable[[bytes], str], by: str) -> None:
        """Let a crowd come, each with a name that is made of the key and is verified."""
        self.come(papers_of(BOB, self.key))
        called = papers_of("carol@example.net", new_p256())
        self.come(called, sought=called.statement.key)
        for _ in range(CROWD):
            key = new_p256()
            self.voucher.answers[spki(key)] = Vouch(by)
            vetted = self.come(papers_of(name_of(spki(key)), key))
            self.assertEqual(vetted.verdict.name, NameGrade.VERIFIED)
            self.assertEqual(vetted.verdict.acquaintance, Acquaintance.STRANGER)
        for table, rows in self.rows().items():
            self.assertLessEqual(rows, MOST + 2 + 2 * module.FORGOTTEN_AT_ONCE, table)
        self.assertTrue(self.keyring._people.met(BOB))
        self.assertTrue(self.keyring._people.met(called.statement.aor))

    def test_names_that_prove_themselves(self) -> None:
        """Thousands of self-certifying names leave no more behind than other strangers, and push out nobody who is known."""
        self.crowd(own_proof_aor, "self")

    def test_names_of_one_domain(self) -> None:
        """Nor do those that a domain, or a trusted authority gone bad, makes up and vouches for."""
        self.crowd(lambda key: f"{fingerprint(key)}@example.net", "domain")
