"""Tests of registering at a node: identities, names, and what is kept from one run to the next."""

from __future__ import annotations

import stat
from pathlib import Path

from p2pship.commands.identity import list_identities
from p2pship.journal import IdentityCreated, PhoneRegistered, Published, RequestRefused
from p2pship.sip.message import Request, Response
from p2pship.testing.phone import Phone
from tests.commands.changes import give
from tests.node.calling import ALICE, BOB, NodeTestCase, refusal, requests
from tests.node.rawphones import RawPhone

LOCAL_ALICE = "alice@home.p2pship.alt"


def modes(folder: Path) -> set[tuple[str, str]]:
    """Return the kinds and permissions of a folder and everything in it."""
    found = set()
    for path in (folder, *folder.rglob("*")):
        kind = "folder" if path.is_dir() else "file"
        found.add((kind, oct(stat.S_IMODE(path.stat().st_mode))))
    return found


class RegistrationTests(NodeTestCase):
    """What a REGISTER makes."""

    async def test_identity(self) -> None:
        """A first REGISTER makes an identity whose files nobody else can read, and its record can be found."""
        alice = await self.phone(ALICE)
        self.assertEqual([fact.aor for fact in self.told("alice", IdentityCreated)], [ALICE])
        self.assertEqual([fact.aor for fact in self.told("alice", PhoneRegistered)], [ALICE])
        self.assertEqual(modes(self.nodes.state("alice")), {("folder", "0o700"), ("file", "0o600")})
        self.assertEqual(len(list((self.nodes.state("alice") / "identities").rglob("*"))) > 0, True)
        self.assertEqual([fact.error for fact in self.told("alice", Published)], [""])
        self.assertTrue(self.nodes.directory.items)
        (identity,) = list_identities(self.node("alice").desk, {})
        self.assertEqual((identity["aor"], identity["phones"]), (ALICE, [alice.line.contact]))

    async def test_name_refused(self) -> None:
        """A name with what nobody can see, or tell from another, makes no identity: 403, and the phrase says why."""
        for user, why in (("b%C3%B6b", "letters of ASCII"), ("bob%00", "no control character")):
            answer = await self._registered(f"sip:{user}@example.com")
            self.assertEqual(answer.status, 403)
            self.assertIn(why, answer.reason)
            self.assertIn(why, self.told("alice", RequestRefused)[-1].reason)
        self.assertEqual(self.told("alice", IdentityCreated), [])

    async def test_removed(self) -> None:
        """A phone does not bring back a name that was removed, also after a restart; ``identity create`` does."""
        await self.phone(ALICE)
        give(self.node("alice").desk, "identity remove", aor=ALICE)
        self.assertEqual(self.told("alice", PhoneRegistered)[-1].expires, 0)
        self.assertEqual(list(self.node("alice").telephony.bindings), [])
        for _ in range(2):
            answer = await self._registered(f"sip:{ALICE}")
            self.assertEqual(answer.status, 403)
            self.assertIn("was removed from this node", answer.reason)
            await self.nodes.restart("alice")
        self.assertIsNone(self.node("alice").keyring.identity(ALICE))
        give(self.node("alice").desk, "identity create", aor=ALICE)
        self.assertEqual((await self._registered(f"sip:{ALICE}")).status, 200)

    async def _registered(self, uri: str) -> Response:
        phone = RawPhone(self.nodes.proxy("alice"), 0)
        await phone.open()
        self.addCleanup(phone.close)
        phone.register(uri)
        await self.eventually(lambda: bool(phone.finals()))
        return phone.finals()[0]

    async def test_not_registered(self) -> None:
        """Who has not registered is refused, and the journal says what to do."""
        await self.phone(BOB)
        stranger = await self._unregistered_phone(ALICE)
        error = await refusal(stranger.call(f"sip:{BOB}"))
        self.assertEqual(error.status, 403)
        (fact,) = self.told("alice", RequestRefused)
        self.assertEqual((fact.method, fact.sender, fact.status), ("INVITE", f"sip:{ALICE}", 403))
        self.assertIn("register first", fact.reason)
        response = await stranger.message(f"sip:{BOB}", "let me in")
        self.assertEqual(response.status, 403)

    async def _unregistered_phone(self, aor: str) -> Phone:
        phone = await self.phone(aor)
        await phone.unregister()
        self.nodes.facts["alice"].clear()
        return phone

    async def test_unregistered(self) -> None:
        """A phone that has unregistered is called no more."""
        alice, bob = await self.two_phones()
        await bob.unregister()
        error = await refusal(alice.call(bob.aor))
        self.assertEqual(error.status, 480)
        self.assertIn("no phone is registered", self.reasons("bob"))
        self.assertEqual(requests(bob, "INVITE"), [])


class OwnDomainTests(NodeTestCase):
    """Phones that register at an address of the node itself, and call by it."""

    async def _alice(self, host: str) -> Phone:
        phone = await self.phone(f"sip:alice@{host}", node="alice", display="Alice")
        (identity,) = list_identities(self.node("alice").desk, {})
        self.assertEqual(identity["aor"], LOCAL_ALICE)
        return phone

    async def test_own_to(self) -> None:
        """The REGISTER is answered with the To that the phone sent, whatever name that stands for."""
        for host in (f"127.0.0.1:{self.nodes.proxy('alice').port}", "127.0.0.1", "localhost"):
            phone = await self._alice(host)
            answer = next(
                each for each in phone.received if isinstance(each, Response) and each.cseq[1] == "REGISTER"
            )
            self.assertEqual((answer.status, answer.to.uri), (200, f"sip:alice@{host}"))

    async def test_called_by_real_name(self) -> None:
        """Another person sees the real name, calls it back, and each phone keeps its own names in the dialog."""
        host = f"127.0.0.1:{self.nodes.proxy('alice').port}"
        alice, bob = await self._alice(host), await self.phone(BOB)
        call, answered = await self.up(alice, bob)
        self.assertEqual(
            (answered.remote, answered.dialog.remote.display), (f"sip:{LOCAL_ALICE}", f"Alice {LOCAL_ALICE}")
        )
        self.assertEqual((await call.send_info("1")).status, 200)
        self.assertEqual((await answered.send_info("2")).status, 200)
        await call.hold()
        await answered.reinvite()
        self._keeps_its_names(alice, f"sip:alice@{host}", f"sip:{BOB}")
        self._keeps_its_names(bob, f"sip:{BOB}", f"sip:{LOCAL_ALICE}")
        await answered.hang_up()
        await call.ended
        back, _ = await self.ringing(bob, alice, f"sip:{LOCAL_ALICE}")
        self.assertEqual(alice.calls[-1].remote, f"sip:{BOB}")
        await back.cancel()

    def _keeps_its_names(self, phone: Phone, own: str, other: str) -> None:
        """Look that each message that came in a call has this phone's own names, and nobody else's."""
        for message in phone.received:
            if message.cseq[1] in ("REGISTER", "INVITE") and not isinstance(message, Request):
                continue
            sender, receiver = message.from_.uri, message.to.uri
            self.assertEqual({sender, receiver}, {own, other}, repr(message))

    async def test_completed_name(self) -> None:
        """A name at the node's own address is read at the domain of the one who calls."""
        alice, bob = await self.two_phones()
        call, rung = await self.ringing(alice, bob, f"sip:bob@127.0.0.1:{self.nodes.proxy('alice').port}")
        self.assertEqual((rung.invite.to.uri, rung.remote), (f"sip:{BOB}", f"sip:{ALICE}"))
        await rung.answer()
        self.assertEqual((await call.send_info("1")).status, 200)
        self.assertEqual((await rung.send_info("2")).status, 200)
        await rung.hang_up()
        await call.ended


class KeptRegistrationTests(NodeTestCase):
    """What a node knows when it is started anew."""

    async def test_restart(self) -> None:
        """A phone need not register again: calls still ring it, and it is the same person on the same device."""
        alice, bob = await self.two_phones()
        key = self.node("bob").keyring.device.key
        await self.nodes.restart("bob")
        self.assertEqual(self.node("bob").keyring.device.key, key)
        await self.eventually(lambda: len(self.told("bob", Published)) >= 2)
        call, rung = await self.ringing(alice, bob)
        await rung.answer()
        await self.talk(call, rung)

    async def test_restart_in_order(self) -> None:
        """Also a phone over TCP, whose connection ended with the old node, is reached at its Contact."""
        alice, bob = await self.phone(ALICE), await self.phone(BOB, transport="tcp")
        await self.nodes.restart("bob")
        await self.eventually(lambda: len(self.told("bob", Published)) >= 2)
        call, rung = await self.ringing(alice, bob)
        await rung.answer()
        await self.talk(call, rung)
