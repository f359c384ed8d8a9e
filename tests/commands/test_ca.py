"""Tests of ``p2pship ca``, at the desks of a family."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

from p2pship.commands.ca import VERBS
from p2pship.commands.verb import Verb
from p2pship.errors import LocalError, RemoteError
from p2pship.trust.proof import Revoked
from p2pship.trust.publishing import published_files
from p2pship.trust.wellknown import key_hash, name_hash, read_name_file
from tests.commands.desks import NOW, DeskTestCase

DAD, ALICE = "dad@family.example", "alice@family.example"
DAY = 24 * 3600
NO_PEM = "there is no certificate in PEM in it: give the authority's, or an answer of `p2pship ca issue`"


def verb(name: str) -> Verb:
    """Return a verb."""
    return next(one for one in VERBS if one.name == name)


def file(text: str) -> str:
    """Return a file as it stands in a request."""
    return base64.b64encode(text.encode()).decode()


class FamilyTests(DeskTestCase):
    """A family sets up its names."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.open_desk("alice")
        self.give("identity create", aor=DAD)
        self.give("identity create", self.alice, aor=ALICE)
        self.made = self.give("ca create", domain="family.example")

    def issue(self, **options: Any) -> dict[str, object]:
        """Let Alice ask and Dad answer."""
        request = self.give("identity request", self.alice, aor=ALICE)["content"]
        answer: dict[str, object] = self.give("ca issue", request=file(request), **options)
        return answer

    def test_create(self) -> None:
        """One command makes an authority, with the user as its operator, and says what to do next."""
        self.assertEqual((self.made["name"], self.made["operator"]), ("family-example", DAD))
        self.assertIn("p2pship identity request", verb("create").text(self.made))

    def test_another(self) -> None:
        """Whoever makes one for a domain for which another is trusted is told so, and how to end it."""
        self.assertEqual(self.made["others"], [])
        again = self.give("ca create", domain="family.example", name="again")
        self.assertEqual(again["others"], [self.made["fingerprint"]])
        self.assertIn(f"`p2pship ca remove {self.made['fingerprint'][:16]}`", verb("create").text(again))

    def test_two_messages(self) -> None:
        """A request out and an answer in, as files or as URIs: then the name is proven, and the authority trusted."""
        for uri in (False, True):
            answer = self.issue(uri=uri)
            self.assertEqual((answer["aor"], answer["expires"]), (ALICE, NOW + 90 * DAY))
            self.assertIn("identity import", verb("issue").text(answer))
            self.give("identity import", self.alice, file=file(str(answer["content"])))
            identity = self.alice.keyring.identity(ALICE)
            assert identity is not None
            self.alice.authorities.verify(identity.chain, ALICE, identity.key)

    def test_qr(self) -> None:
        """The QR code of an answer fits a terminal of 100 columns, and says what the URI says."""
        answer = self.issue(qr=True, uri=True)
        self.assertEqual(f"{answer['qr']}\n", answer["content"])
        code = verb("issue").text(answer).partition("\n\n")[2].split("\n")
        self.assertLessEqual(max(map(len, code)), 100)
        self.assertIn("█" * 80, code[0])

    def test_revoke(self) -> None:
        """What is revoked, by name or by serial, is on the list."""
        self.issue()
        revoked = self.give("ca revoke", which=ALICE)["revoked"]
        self.assertIn(ALICE, verb("revoke").text({"revoked": revoked}))
        self.assertIn("BEGIN X509 CRL", self.give("ca crl")["content"])
        (listed,) = self.give("ca list")["authorities"]
        self.assertTrue(listed["issued"][0]["revoked"])
        self.assertIn("revoked", verb("list").text({"authorities": [listed]}))
        self.issue()
        serial = self.give("ca list")["authorities"][0]["issued"][1]["serial"]
        self.assertEqual(self.give("ca revoke", which=serial)["revoked"][0]["serial"], serial)
        self.assertIn("web server", verb("revoke").text({"revoked": revoked}))
        for wrong in ("nobody@family.example", "xyz", "12"):
            self.assertRaises(LocalError, self.give, "ca revoke", which=wrong)

    def test_own_certificate_revoked(self) -> None:
        """Whose certificate was revoked is told so, once their node has heard of it."""
        self.give("identity import", self.alice, file=file(str(self.issue()["content"])))
        self.clock.advance(1)
        self.give("ca revoke", which=ALICE)
        (before,) = self.give("identity status", self.alice)
        self.alice.authorities.take_crl(self.desk.authorities.crl(bytes.fromhex(self.made["fingerprint"])))
        (after,) = self.give("identity status", self.alice)
        self.assertNotIn("revoked", " ".join(before["advice"]))
        self.assertIn("the CA has revoked its certificate", " ".join(after["advice"]))

    def test_trust(self) -> None:
        """Somebody else believes the authority about its domain, sees its fingerprint to compare, and can end it."""
        content = str(self.issue()["content"])
        bob = self.open_desk("bob")
        trusted = self.give("ca trust", bob, file=file(content), domain="family.example")
        self.assertEqual(trusted["fingerprint"], self.made["fingerprint"])
        self.assertIn("Compare", verb("trust").text(trusted))
        removed = self.give("ca remove", bob, ca=trusted["fingerprint"][:16])
        self.assertEqual(removed["domains"], ["family.example"])
        self.assertIn("No authority", verb("list").text(self.give("ca list", bob)))
        for wrong in ("nothing", content.replace("CERTIFICATE", "KEY")):
            error = self.assertRaises(
                RemoteError, self.give, "ca trust", bob, file=file(wrong), domain="x.example"
            )
            self.assertEqual(str(error), NO_PEM)
        self.assertRaises(LocalError, self.give, "ca crl", bob)

    def test_backup(self) -> None:
        """Dad's machine dies: one file brings back himself and the family's CA, with all that it has revoked."""
        self.give("identity import", self.alice, file=file(str(self.issue()["content"])))
        self.give("ca revoke", which=ALICE)
        backup = self.give("identity export", encrypt=True, passphrase="correct horse")
        self.assertEqual(backup["authorities"], ["family-example"])
        self.assertEqual(self.give("identity export", self.alice)["authorities"], [])
        old, self.desk = self.desk, self.open_desk("new")
        self.clock.advance(60)
        content = file(backup["content"])
        restored = self.give("identity restore", file=content, passphrase="correct horse")
        self.assertEqual(restored["authorities"], ["family-example"])
        self.assertEqual(self.give("ca list"), self.give("ca list", old))
        identity = self.alice.keyring.identity(ALICE)
        assert identity is not None
        lists = self.desk.authorities.crl(bytes.fromhex(self.made["fingerprint"]))
        with self.assertRaises(Revoked):
            self.alice.authorities.verify(identity.chain, ALICE, identity.key, lists)
        self.give("identity import", self.alice, file=file(str(self.issue()["content"])))

    def test_old_backup(self) -> None:
        """What was revoked after the backup stays revoked where the list of then was seen."""
        backup = self.give("identity export")["content"]
        self.give("identity import", self.alice, file=file(str(self.issue()["content"])))
        self.give("ca revoke", which=ALICE)
        root = bytes.fromhex(self.made["fingerprint"])
        self.alice.authorities.take_crl(self.desk.authorities.crl(root))
        self.give("identity restore", self.alice, file=file(backup))
        self.clock.advance(DAY)
        identity = self.alice.keyring.identity(ALICE)
        assert identity is not None
        with self.assertRaises(Revoked):
            self.desk.authorities.verify(
                identity.chain, ALICE, identity.key, self.alice.authorities.crl(root)
            )

    def test_delete(self) -> None:
        """The key of an authority of one's own is deleted only if that is said."""
        self.give("ca remove", ca="family-example")
        self.assertTrue(self.give("ca list")["authorities"][0]["own"])
        removed = self.give("ca remove", ca="family-example", key=True)
        self.assertIn("deleted", verb("remove").text(removed))
        self.assertEqual(self.give("ca list")["authorities"], [])
        self.assertRaises(RemoteError, self.give, "ca issue", request=file("x"))

    def published(self) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        """Return the keys that are published as Alice's, and those that were taken back."""
        files, _ = published_files(self.desk.authorities, "family.example", [], NOW)
        said = read_name_file(files[f"{name_hash(ALICE)}.json"].encode(), ALICE)
        return said.keys, said.revoked

    def test_publish_revoked(self) -> None:
        """A key whose certificate was revoked is published as taken back, as long as it has no other one."""
        identity = self.alice.keyring.identity(ALICE)
        assert identity is not None
        key = key_hash(identity.key)
        self.issue()
        self.assertEqual(self.published(), ((key,), ()))
        self.give("ca revoke", which=ALICE)
        self.assertEqual(self.published(), ((), (key,)))
        self.issue()
        self.assertEqual(self.published(), ((key,), ()))

    def test_publish(self) -> None:
        """The script makes the files of the web server, which show nobody's name; the zone has the same keys."""
        self.issue()
        result = self.give("ca publish", domain="family.example")
        folder = Path(self.mktemp())
        folder.mkdir()
        subprocess.run(["sh"], input=str(result["content"]).encode(), cwd=folder, check=True)
        made = {one.name for one in (folder / ".well-known" / "p2pship").iterdir()}
        expected = {f"{name_hash(aor)}.json" for aor in (DAD, ALICE)} | {"ca.pem", "revocations.pem"}
        self.assertEqual((made, set(result["files"])), (expected, expected))
        self.assertNotIn("alice", result["content"])
        self.assertIn("web server", verb("publish").text(result))
        zone = self.give("ca publish", domain="family.example", dns=True)
        self.assertIn(f"{name_hash(ALICE)}._p2pship.family.example. 3600 IN TXT", zone["content"])
        self.assertIn("the zone of family.example", verb("publish").text(zone))
        self.assertRaises(LocalError, self.give, "ca publish", domain="other.example")
