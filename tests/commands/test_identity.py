"""Own identities, from the first to the last that a person does with them."""

from __future__ import annotations

import base64
from typing import Any

from p2pship.commands.contacttext import show_text
from p2pship.commands.identity import VERBS
from p2pship.commands.identityprivacy import AS_CONFIGURED, CHOICES
from p2pship.commands.verb import Verb
from p2pship.errors import LocalError, P2PShipError, RemoteError
from p2pship.identity.invitation import Answer, answer_pem, answer_uri, read_request
from p2pship.lookup.privacy import MODES
from p2pship.trust.authority import read_request as read_csr
from tests.commands.desks import DeskTestCase

ALICE = "alice@example.com"


def verb(name: str) -> Verb:
    """Return a verb of the noun."""
    return next(one for one in VERBS if one.name == name)


def file(text: str | bytes) -> str:
    """Return a file as it stands in a request."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


class CreateTests(DeskTestCase):
    """Making, listing, choosing and removing."""

    def test_create(self) -> None:
        """A new identity is there at once, and it is said beforehand that without a backup the name can be lost."""
        one = self.give("identity create", aor="Alice@EXAMPLE.com")
        self.assertEqual((one["aor"], one["owner"], one["default"]), ("Alice@example.com", True, True))
        text = verb("create").text(one)
        self.assertIn("There is no backup yet", text)
        self.assertIn(
            "lost for good. `p2pship identity export Alice@example.com --encrypt --out FILE` makes one.", text
        )
        self.assertEqual(self.give("identity list"), [one])

    def test_self_certifying(self) -> None:
        """Without a name, the name is the key's."""
        one = self.give("identity create")
        self.assertEqual(one["aor"], f"{one['fingerprint']}@p2pship.alt")
        self.assertIn("its own proof", verb("create").text(one))
        self.assertIn("its own key", verb("show").text(one))

    def test_planted_fingerprint(self) -> None:
        """A name that claims another key cannot be made."""
        self.assertRaises(LocalError, self.give, "identity create", aor=f"{'a' * 32}@p2pship.alt")
        self.assertEqual(self.give("identity list"), [])

    def test_default(self) -> None:
        """The chosen identity is meant where none is named."""
        self.assertIn("no identity yet", str(self.assertRaises(LocalError, self.give, "identity show")))
        self.assertIn("no identity yet", verb("list").text([]))
        for aor in (ALICE, "work@example.org"):
            self.give("identity create", aor=aor)
        self.give("identity default", aor="work@example.org")
        self.assertEqual(self.give("identity show")["aor"], "work@example.org")
        error = self.assertRaises(LocalError, self.give, "identity show", aor="bob@example.com")
        self.assertIn("there are alice@example.com, work@example.org", str(error))

    def test_remove(self) -> None:
        """A removed identity is gone, with what it decided about others; nobody else's goes."""
        for aor in (ALICE, "work@example.org"):
            self.give("identity create", aor=aor)
            self.desk.ledger.put(aor, "contact", "bob@example.com", {"name": "Bob"})
        self.give("identity remove", aor=ALICE)
        self.assertEqual([one["aor"] for one in self.give("identity list")], ["work@example.org"])
        self.assertEqual(dict(self.desk.ledger.items(ALICE, "contact")), {})
        self.assertEqual(len(self.desk.ledger.items("work@example.org", "contact")), 1)

    def test_revoked_here(self) -> None:
        """One whose owner has revoked this device is listed as such, is used for nothing, and can be removed and made anew."""
        self.give("identity create", aor=ALICE)
        other = self.open_desk("other")
        keyring = self.desk.keyring
        keyring.add_device(ALICE, other.keyring.device.listed)
        other.keyring.restore(keyring.bundle(ALICE, with_key=True))
        keyring.revoke_device(ALICE, other.keyring.device.listed.host_identity_hash)
        (owned,) = keyring.identities()
        other.keyring.adopt_statement(ALICE, owned.statement, owned.chain)
        (one,) = self.give("identity list", other)
        self.assertTrue(one["revoked"])
        self.assertIn("`p2pship identity remove alice@example.com`", verb("list").text([one]))
        error = self.assertRaises(LocalError, self.give, "identity show", other, aor=ALICE)
        self.assertIn("has revoked this device", str(error))
        self.assertIn(
            "has revoked this device", str(self.assertRaises(LocalError, self.give, "device list", other))
        )
        self.give("identity remove", other, aor=ALICE)
        self.assertFalse(self.give("identity create", other, aor=ALICE)["revoked"])

    def test_status(self) -> None:
        """What is missing is said, and what the person says of themselves is kept."""
        self.give("identity create", aor=ALICE)
        (one,) = self.give("identity status", say=" on holiday ")
        self.assertEqual(one["status"], "on holiday")
        self.assertIn('alice@example.com, "on holiday": look here.', verb("status").text([one]))
        self.assertRaises(LocalError, self.give, "identity status", say="two\nlines")

    def test_rotate(self) -> None:
        """A new key, of which there is no backup, follows the old one."""
        before = self.give("identity create", aor=ALICE)
        self.give("identity export")
        after = self.give("identity rotate")
        self.assertNotEqual(after["fingerprint"], before["fingerprint"])
        self.assertEqual(after["exported"], 0)
        self.assertIn("no backup yet", verb("rotate").text(after))


class BackupTests(DeskTestCase):
    """A backup restores the person."""

    def setUp(self) -> None:
        super().setUp()
        self.before = self.give("identity create", aor=ALICE)
        self.desk.ledger.put(ALICE, "contact", "bob@example.com", {"name": "Bob"})

    def restored(self, result: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Restore on another machine."""
        other = self.open_desk("other")
        restored: dict[str, Any] = self.give("identity restore", other, file=file(result["content"]), **more)
        self.assertEqual(other.ledger.get(ALICE, "contact", "bob@example.com"), {"name": "Bob"})
        return restored

    def test_round_trip(self) -> None:
        """Key and contacts come back on another machine; that there is a backup is known on both."""
        restored = self.restored(self.give("identity export"))
        self.assertEqual(restored["entries"], 2)  # the contact, and the name of the device
        self.assertEqual(restored["identity"]["fingerprint"], self.before["fingerprint"])
        for one in (restored["identity"], self.give("identity show")):
            self.assertEqual((one["advice"], one["exported"] > 0), ([], True))

    def test_encrypted(self) -> None:
        """Only the passphrase opens it, and nothing of what is in it can be read."""
        result = self.give("identity export", encrypt=True, passphrase="correct horse")
        self.assertNotIn(
            b"Bob", base64.b64decode("".join(result["content"].split("\n\n")[1].split("\n")[:-2]))
        )
        other = self.open_desk("third")
        for passphrase in ({"passphrase": "wrong"}, {}):
            self.assertRaises(
                P2PShipError, self.give, "identity restore", other, file=file(result["content"]), **passphrase
            )
        self.assertEqual(self.give("identity list", other), [])
        self.restored(result, passphrase="correct horse")

    def test_passphrase_wanted(self) -> None:
        """The command line asks for a passphrase where the file needs one, and nowhere else."""
        wanted = verb("restore").arguments[1].wanted
        assert wanted is not None
        plain = self.give("identity export")["content"].encode()
        encrypted = self.give("identity export", encrypt=True, passphrase="x")["content"].encode()
        self.assertEqual((wanted({"file": plain}), wanted({"file": encrypted})), (False, True))
        self.assertRaises(LocalError, self.give, "identity export", encrypt=True)

    def test_damaged(self) -> None:
        """Cut off or altered it is refused in words, and nothing is left behind."""
        content = self.give("identity export")["content"]
        for damaged in (
            content[:-40],
            content.replace("AA", "BB", 1)[:-1] + "x",
            "-----BEGIN P2PSHIP IDENTITY-----",
        ):
            other = self.open_desk(f"damaged{len(damaged)}")
            try:
                self.give("identity restore", other, file=file(damaged))
            except P2PShipError:
                self.assertEqual(self.give("identity list", other), [])

    def test_there_already(self) -> None:
        """A restore does not overwrite what is there, unless that is said."""
        backup = file(self.give("identity export")["content"])
        self.assertRaises(LocalError, self.give, "identity restore", file=backup)
        self.give("identity rotate")
        restored = self.give("identity restore", file=backup, replace=True)
        self.assertEqual(restored["identity"]["fingerprint"], self.before["fingerprint"])


class ImportTests(DeskTestCase):
    """A request goes out, an answer comes in."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = self.open_desk("authority")
        self.give("identity create", aor=ALICE)

    def answer(self, domain: str = "example.com") -> Answer:
        """Have a CA issue for our request."""
        self.authority.authorities.create("family", domain)
        request = read_request(self.give("identity request")["content"].encode())
        chain = self.authority.authorities.issue(read_csr(request))
        return Answer(tuple(chain))

    def test_round_trip(self) -> None:
        """The name has a CA then, which is trusted for the name's domain alone, and the terminal says each."""
        for form in (answer_pem, answer_uri):
            result = self.give("identity import", file=file(form(self.answer())))
            self.assertEqual([item["item"] for item in result["items"]], ["certificate", "CA"])
            self.authority = self.open_desk(f"again-{form.__name__}")
        one = self.give("identity show")
        self.assertEqual(len(one["authority"]), 16)
        self.assertIn(f"CA {one['authority']} until", verb("show").text(one))
        self.assertTrue(self.desk.authorities.trusted_for("example.com"))
        self.assertEqual(list(self.desk.authorities.trusted_for("example.org")), [])
        self.assertIn("for names at example.com alone", verb("import").text(result))

    def test_no_authority(self) -> None:
        """An answer whose last certificate is no authority's changes nothing."""
        answer = self.answer()
        backwards = Answer((answer.chain[0], answer.chain[0]))
        self.assertRaises(RemoteError, self.give, "identity import", file=file(answer_pem(backwards)))
        self.assertEqual(self.give("identity show")["authority"], "")

    def test_for_another(self) -> None:
        """A certificate for somebody else, or for a key that is not ours, changes nothing and trusts nobody."""
        answer = self.answer()
        other = self.open_desk("other")
        self.assertRaises(LocalError, self.give, "identity import", other, file=file(answer_pem(answer)))
        self.give("identity create", other, aor=ALICE)
        self.assertRaises(RemoteError, self.give, "identity import", other, file=file(answer_pem(answer)))
        self.assertEqual(list(other.authorities.trusted_for("example.com")), [])
        self.assertEqual(self.give("identity show", other)["authority"], "")

    def test_something_else(self) -> None:
        """A backup and garbage are refused, with what to do."""
        backup = self.give("identity export")["content"]
        error = self.assertRaises(LocalError, self.give, "identity import", file=file(backup))
        self.assertIn("`p2pship identity restore FILE`", str(error))
        error = self.assertRaises(LocalError, self.give, "identity import", file=file(b"\x00\xff"))
        self.assertIn("neither the answer of a CA", str(error))

    def test_request(self) -> None:
        """The request is shown with the fingerprint to compare, and as a QR code where that is wished."""
        text = verb("request").text(self.give("identity request", qr=True))
        self.assertIn(self.give("identity show")["fingerprint"], text)
        self.assertIn("p2pship:request?pkcs10=", text)
        self.assertIn("█", text)
        self.assertNotIn("█", verb("request").text(self.give("identity request")))


class PrivacyTests(DeskTestCase):
    """Who can find where one identity is."""

    def test_choose(self) -> None:
        """The mode is that of the configuration until one is chosen, for this identity alone, and can be so again."""
        for aor in (ALICE, "work@example.org"):
            self.give("identity create", aor=aor)
        said = self.give("identity privacy", aor=ALICE)
        self.assertEqual(said, {"aor": ALICE, "mode": "open", "chosen": False, "friends": 0})
        self.assertIn("as [privacy] mode of the configuration says", verb("privacy").text(said))
        said = self.give("identity privacy", aor=ALICE, mode="paranoid")
        self.assertEqual((said["mode"], said["chosen"]), ("paranoid", True))
        self.assertEqual(self.desk.modes.of(ALICE), "paranoid")
        self.assertEqual(self.give("identity show", aor=ALICE)["privacy"], "paranoid")
        self.assertEqual(self.give("identity show", aor="work@example.org")["privacy"], "open")
        self.assertIn("no friends yet", verb("privacy").text(said))
        self.assertFalse(self.give("identity privacy", aor=ALICE, mode="default")["chosen"])
        self.assertEqual(self.desk.modes.of(ALICE), "open")

    def test_friends(self) -> None:
        """It is said how many people count as friends, and of each whether they do."""
        self.give("identity create", aor=ALICE)
        self.assertFalse(self.give("contact show", aor="bob@example.com")["paired"])
        self.desk.secrets.keep(ALICE, "bob@example.com", bytes(32), b"s" * 32, sure=True)
        said = self.give("identity privacy", aor=ALICE, mode="friends")
        self.assertEqual(said["friends"], 1)
        self.assertIn("Friends: 1.", verb("privacy").text(said))
        shown = self.give("contact show", aor="bob@example.com")
        self.assertIn("find each other by a secret", show_text(shown))

    def test_no_mode(self) -> None:
        """What is no mode changes nothing, and the modes are said."""
        self.give("identity create", aor=ALICE)
        error = self.assertRaises(LocalError, self.give, "identity privacy", aor=ALICE, mode="secret")
        self.assertIn("open, friends, paranoid", str(error))
        self.assertFalse(self.desk.modes.chosen(ALICE))

    def test_choices(self) -> None:
        """Every mode that there is can be chosen."""
        self.assertEqual(CHOICES, (*MODES, AS_CONFIGURED))


OLD = """<?xml version="1.0"?>
<p2pship-ident><identities><identity><sip-aor>sip:alice@example.com</sip-aor><username>Alice</username>
<private-key>none</private-key><certificate></certificate>
<buddies><buddy><sip-aor>sip:bob@example.com</sip-aor><name>Bob</name></buddy></buddies></identity>
<identity><sip-aor>nobody</sip-aor></identity></identities>
<contacts><contact><sip-aor>sip:carol@example.org</sip-aor><name>Carol</name></contact></contacts></p2pship-ident>"""


class LegacyTests(DeskTestCase):
    """The original's file: names and contacts come, keys do not."""

    def test_summary(self) -> None:
        """Each thing in it is told, with what was done and what to know."""
        result = self.give("identity import", file=file(OLD))
        told = [(item["item"], item["name"], item["done"]) for item in result["items"]]
        self.assertEqual(
            told[:3],
            [
                ("identity", ALICE, "made, with a new key"),
                ("contact", "bob@example.com", f"added to those of {ALICE}"),
                ("contact", "carol@example.org", f"added to those of {ALICE}"),
            ],
        )
        self.assertEqual((told[3][0], len(told)), ("skipped", 4))
        self.assertIn(
            "its key cannot be read; the people who knew it see a new key", verb("import").text(result)
        )
        names = {contact.aor: contact.name for contact in self.desk.contacts.all(ALICE)}
        self.assertEqual(names, {"bob@example.com": "Bob", "carol@example.org": "Carol"})

    def test_twice(self) -> None:
        """What is there already stays as it is, and that is told."""
        before = self.give("identity create", aor=ALICE)
        result = self.give("identity import", file=file(OLD))
        self.assertEqual(result["items"][0]["done"], "not taken over")
        self.assertEqual(self.give("identity show")["fingerprint"], before["fingerprint"])

    def test_buddies(self) -> None:
        """Buddies become contacts of the identity whose they were, and nobody who is a contact there is renamed."""
        self.give("identity create", aor="work@example.org")
        self.give("identity create", aor=ALICE)
        self.give("contact add", own=ALICE, aor="bob@example.com", name="Robert")
        result = self.give("identity import", file=file(OLD))
        told = [item["done"] for item in result["items"] if item["item"] == "contact"]
        self.assertEqual(told, [f"left as {ALICE} has it", "added to those of work@example.org"])
        self.assertEqual([contact.name for contact in self.desk.contacts.all(ALICE)], ["Robert"])

    def test_with_certificates(self) -> None:
        """A file as the original wrote it has keys and certificates in it, and is not taken for a CA's answer."""
        pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
        old = OLD.replace("<certificate></certificate>", f"<certificate>{pem}</certificate>")
        self.assertIn(pem, old)
        result = self.give("identity import", file=file(old))
        self.assertEqual(result["items"][0]["done"], "made, with a new key")

    def test_bomb(self) -> None:
        """A file that would grow without end in the parser is refused."""
        bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><p2pship-ident>&b;</p2pship-ident>'
        self.assertRaises(RemoteError, self.give, "identity import", file=file(bomb))
