"""Each howto about names works as it is written: every command of it is typed, at real nodes."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from p2pship.testing.phone import AT_ONCE, Phone
from tests.howto import Howto, Typed
from tests.node.calling import refusal

PASSPHRASE = "correct horse battery staple\n"


def passphrase(command: str) -> str:
    """Return what a person types into a command that asks for a passphrase, and into others nothing."""
    return PASSPHRASE if "--encrypt" in command or command.startswith("passphrase") else ""


class HowtoTestCase(TestCase):
    """Starts a document's nodes."""

    timeout = 180

    async def start(self, document: str, *others: str) -> Howto:
        """Start a node for each who types in a document; all are stopped when the test ends."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        howto = Howto(document, folder / "files", *others)
        self.addCleanup(howto.stop)
        await howto.start()
        return howto


class FamilyTests(HowtoTestCase):
    """docs/howto/names-for-a-family.md"""

    async def test_document(self) -> None:
        """Alice's CA vouches for Bob and herself, and each one's node says of the other that the name is verified."""
        howto = await self.start("names-for-a-family.md")
        for begins in ("identity create", "ca create", "identity request", "ca issue", "identity import"):
            await howto.type(begins)
        await howto.type("identity create")
        requested = await howto.type("identity request")
        issued = await howto.type("ca issue")
        (key,) = set(re.findall(r"\b[a-z2-7]{32}\b", requested))
        self.assertIn(key, issued)
        await howto.type("identity import")
        self.assertIn("verified", await howto.type("find"))
        self.assertIn("verified", await howto.type("find"))
        await self.answer_by_uri(howto)
        await howto.type_all(passphrase)
        self.assertTrue(howto.done)

    async def answer_by_uri(self, howto: Howto) -> None:
        """Do the same with URIs, as the document says it can be: what is shown is given to the other's command."""
        asked = await howto.type_freely("bob", "identity", "request", "--qr", "--out", "again")
        request = re.findall(r"^p2pship:request\S+$", asked, re.MULTILINE)
        answer = await howto.type_freely("alice", "ca", "issue", "--uri", *request)
        imported = await howto.type_freely("bob", "identity", "import", answer.strip())
        self.assertIn("the CA vouches for this name now", imported)


class PrivacyTests(HowtoTestCase):
    """docs/howto/who-finds-me.md"""

    async def test_document(self) -> None:
        """Bob finds Alice by their secret, and a stranger finds nobody by her name, until it is open again."""
        howto = await self.start("who-finds-me.md", "carol")
        await howto.type_freely("alice", "identity", "create", "alice@example.com")
        await howto.type_freely("bob", "identity", "create", "bob@example.com")
        await howto.type_freely("carol", "identity", "create", "carol@example.com")
        self.assertIn("is open", await howto.type("identity privacy"))
        await howto.type("contact add")
        await howto.type("contact add")
        code = re.search(CODE, await howto.type("contact pair"))
        assert code is not None
        await howto.type("contact pair", CODE=code[1])
        self.assertIn("Friends: 1.", await howto.type("identity privacy"))
        self.assertIn("known", await howto.type_freely("bob", "find", "alice@example.com"))
        missed = howto.begin_freely("carol", "find", "alice@example.com")
        self.assertIn("was not found", await deferToThread(missed.until, "(was not found)"))
        self.assertIn("is open", await howto.type("identity privacy"))
        self.assertTrue(howto.done)


class SeparateTests(HowtoTestCase):
    """docs/howto/separate-identities.md"""

    async def test_document(self) -> None:
        """Each name is found on a device of its own, and none on that of the node."""
        howto = await self.start("separate-identities.md", "bob")
        await howto.type_freely("bob", "identity", "create", "bob@example.com")
        for begins in ("identity create", "identity create", "identity create", "identity separate"):
            await howto.type(begins)
        keys = await howto.type("device key list")
        hits = dict(re.findall(r"^(\S+) .*calls of (\S+@\S+)$", keys, re.MULTILINE))
        names = ["alice@work.example", "me@home.example", "old@example.com"]
        self.assertEqual(sorted(hits.values()), names, keys)
        for hit, name in hits.items():
            found = json.loads(await howto.type_freely("bob", "find", name, "--json"))
            self.assertEqual([device["hit"] for device in found["devices"]], [hit])
        self.assertTrue(howto.done)


CODE = r"--code (\d{3}-\d{3}-\d{3})"


async def code_of(opening: Typed) -> str:
    """Return the code that an open window shows."""
    code: str = await deferToThread(opening.until, CODE)
    return code


class NewLaptopTests(HowtoTestCase):
    """docs/howto/new-laptop.md"""

    async def test_document(self) -> None:
        """A second machine joins by a code, gets the key, and can revoke the first and make a backup."""
        howto = await self.start("new-laptop.md")
        created = await howto.type("identity create")
        opening = howto.begin("device link")
        joined = await howto.type("device link --code", CODE=await code_of(opening))
        self.assertIn("This is a device of alice@example.com now. It has the identity key, too", joined)
        self.assertIn("laptop is a device of alice@example.com now", await deferToThread(opening.output))
        self.assertIn("laptop", await howto.type("device list"))
        (key,) = re.findall(r"fingerprint ([a-z2-7]{32})", created)
        self.assertIn(key, await howto.type("identity show"))
        listed = (await howto.type("device list")).splitlines()
        (old,) = [line.split()[0] for line in listed[1:] if "this device" not in line]
        self.assertIn("is revoked", await howto.type("device revoke", DEVICE=old))
        await howto.type_all(passphrase)
        self.assertTrue(howto.done)


class LostPhoneTests(HowtoTestCase):
    """docs/howto/lost-phone.md"""

    async def test_document(self) -> None:
        """The phone is revoked, the name gets a new key, and comes back from the new backup on another machine."""
        howto = await self.start("lost-phone.md", "phone", "bob")
        await howto.type_freely("laptop", "identity", "create", "alice@example.com")
        self.assertIn("no backup yet", await howto.type_freely("laptop", "identity", "status"))
        opening = howto.begin_freely("laptop", "device", "link", "alice@example.com", "--owner")
        code = await code_of(opening)
        await howto.type_freely(
            "phone", "device", "link", "--code", code, "alice@example.com", "--name", "phone"
        )
        await deferToThread(opening.output)
        bob, lost = await self.have_talked(howto)
        await howto.type("identity export", PASSPHRASE)
        self.assertIn("all is well", await howto.type("identity status"))
        self.assertIn("phone", await howto.type("device list"))
        self.assertIn("phone is revoked", await howto.type("device revoke"))
        self.assertEqual((await refusal(lost.call("sip:bob@example.com"))).status, 403)
        self.assertEqual(len(bob.calls), 1)
        self.assertIn("has a new key", await howto.type("identity rotate"))
        await howto.type("identity export", PASSPHRASE)
        self.assertIn("an identity of this node again", await howto.type("identity restore", PASSPHRASE))
        self.assertIn("revoked", await howto.type("device list"))
        self.assertIn("all is well", await howto.type("identity status"))
        self.assertTrue(howto.done)

    async def have_talked(self, howto: Howto) -> tuple[Phone, Phone]:
        """Let the phone that will be lost call Bob; return Bob's phone, and it."""
        bob = await howto.phone("bob", "bob@example.com", AT_ONCE)
        lost = await howto.phone("phone", "alice@example.com")
        call = lost.call("sip:bob@example.com")
        await call.answered
        await call.hang_up()
        return bob, lost


class SafetyNumberTests(HowtoTestCase):
    """docs/howto/safety-number.md"""

    async def test_document(self) -> None:
        """Both see the same 60 digits, and confirm them."""
        howto = await self.start("safety-number.md")
        for who in ("alice", "bob"):
            await howto.type_freely(who, "identity", "create", f"{who}@example.com")
        await howto.type("contact add")
        await howto.type("contact add")
        numbers = [re.findall(r"\b\d{5}\b", await howto.type("contact show")) for _ in range(2)]
        self.assertEqual(len(numbers[0]), 12)
        self.assertEqual(numbers[0], numbers[1])
        await howto.type("contact pin")
        await howto.type("contact pin")
        self.assertTrue(howto.done)
