"""Attacks by people who say that they are somebody else: whose phone rings, and whose key is remembered."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import succeed

from p2pship.errors import NotReached
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.lookup.facts import OtherKeyIgnored
from p2pship.relations.devicenames import DEVICE
from p2pship.sip.facts import ChangedRefused
from p2pship.testing.nodes import MemoryNodes
from p2pship.testing.phone import AT_ONCE
from p2pship.trust.facts import AttemptRefused, PinMade, PinOffered
from tests.node.calling import ALICE, BOB, CAROL, error_of, refusal, requests
from tests.node.impostors import ImpostorCase
from tests.scale import scaled

CROWD = scaled(6, 600)
"Fresh names, each with a key of its own and a call."

BELIEVES = Verdict(NameGrade.KNOWN, Acquaintance.OWN)
"What a liar's program thinks of those whom it wants to reach."


class QuickLiarTests(ImpostorCase):
    """A liar on the local network answers for Bob 10 ms before Bob's node does."""

    async def test_pinned(self) -> None:
        """Attack: a LAN liar 10 ms faster than a person whom Alice has called before. Bob rings, the liar is named in the journal."""
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        self.assertEqual(self.pinned(), self.key("bob"))
        liar = await self.liar()
        self.forget_links()
        call, _ = await self.up(alice, bob)
        await call.hang_up()
        self.assertTrue(self.silent(liar))
        self.assertEqual(self.pinned(), self.key("bob"))
        (ignored,) = self.told("alice", OtherKeyIgnored)
        self.assertEqual((ignored.aor, ignored.fingerprint), (BOB, self.key("liar")))
        self.assertEqual(self.told("alice", ChangedRefused), [])

    async def test_alone(self) -> None:
        """Attack: the same while Bob is off. The caller hears 403 with a reason, and is told in a message; the liar never rings."""
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        await self.nodes.stop_one("bob")
        liar = await self.liar()
        self.forget_links()
        refused = await refusal(alice.call(bob.aor))
        self.assertEqual(refused.status, 403)
        self.assertIn("key", str(refused))
        self.assertTrue(self.silent(liar))
        self.assertEqual((await alice.message(bob.aor, "are you there?")).status, 403)
        self.assertEqual(liar.texts, [])
        await self.eventually(lambda: any("contact pin" in text.text for text in alice.texts))
        self.assertTrue(self.told("alice", ChangedRefused))
        (pin,) = self.told("alice", PinMade)  # that of the first call
        self.assertEqual((pin.fingerprint, self.pinned()), (self.key("bob"), self.key("bob")))

    async def test_never_met(self) -> None:
        """Attack: the same before Alice knows any key of Bob's. With two keys for one name nobody is called or pinned."""
        alice, bob = await self.two_phones()
        liar = await self.liar()
        await refusal(alice.call(bob.aor))
        self.assertTrue(self.silent(liar, bob))
        self.assertIsNone(self.pin())

    async def test_signed(self) -> None:
        """Attack: the same, where an authority that Alice trusts for the domain has signed Bob's key: Bob rings and is pinned."""
        alice, bob = await self.two_phones()
        await self.certify("bob")
        liar = await self.liar()
        call, _ = await self.up(alice, bob)
        await call.hang_up()
        self.assertTrue(self.silent(liar))
        self.assertEqual(self.pinned(), self.key("bob"))

    async def test_another_domains_authority(self) -> None:
        """Attack: the liar brings a certificate for Bob's name by an authority that Alice trusts, but for another domain."""
        alice, bob = await self.two_phones()
        liar = await self.liar()
        authority = await self.certify("liar", trusted_for="attacker.net")
        await refusal(alice.call(bob.aor))
        self.assertTrue(self.silent(liar, bob))
        self.assertIsNone(self.pin())
        self.node("alice").desk.authorities.trust(
            authority, "example.com"
        )  # the certificate was good otherwise
        (found,) = (await self.node("alice").standing.find({"aor": BOB}))["devices"]
        self.assertEqual((found["name_grade"], found["fingerprint"]), ("verified", self.key("liar")))


class FakeCallerTests(ImpostorCase):
    """Somebody calls Alice by Bob's name, and hopes to be taken for him ever after."""

    async def test_plants_no_pin(self) -> None:
        """Attack: an inbound fake under an unconfirmed contact's name. Taking its calls plants nothing; Bob is called afterwards."""
        alice = await self.phone(ALICE, answering=AT_ONCE)
        self.node("alice").desk.contacts.add(ALICE, BOB, "Bob the builder")
        liar = await self.liar()
        await self.found_by_nobody()
        for _ in range(2):
            call, _ = await self.up(liar, alice)
            await call.hang_up()
        self.assertIsNone(self.pin())
        for invite in requests(alice, "INVITE"):
            self.assertNotIn("builder", str(invite.first("From")))
        self.assertEqual({fact.fingerprint for fact in self.told("alice", PinOffered)}, {self.key("liar")})
        bob = await self.phone(BOB)
        call, _ = await self.up(alice, bob)
        await call.hang_up()
        self.assertTrue(len(liar.calls) == 2 and self.pinned() == self.key("bob"))

    async def test_takes_over_a_pin(self) -> None:
        """Attack: the fake calls by a name whose key Alice knows. It is not let in, rings nothing, and the journal shows each try."""
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        await self.nodes.stop_one("bob")
        liar = await self.liar()
        for tries in (1, 2):
            self.assertEqual((await refusal(liar.call(alice.aor))).status, 480)
            refused = [fact for fact in self.told("alice", AttemptRefused) if fact.rule == "changed key"]
            self.assertEqual((len(refused), refused[-1].aor), (tries, BOB))
        self.assertEqual((await liar.message(alice.aor, "my new key is all right")).status, 480)
        self.assertEqual(
            [text.sender for text in alice.texts], ["sip:p2pship@home.p2pship.alt"]
        )  # her own node's
        self.assertEqual(len(alice.calls), 1)
        self.assertEqual(self.pinned(), self.key("bob"))

    async def test_own_name(self) -> None:
        """Attack: somebody comes by Alice's own name, as a device of hers does, to hear of her contacts. It is not let in."""
        alice = await self.phone(ALICE)
        self.node("alice").desk.contacts.add(ALICE, CAROL, "Carol")
        liar = await self.liar(ALICE)
        node, hit = self.node("liar"), self.node("alice").keyring.device.hit
        identity = node.keyring.identity(ALICE)
        assert identity is not None
        self.patch(node.desk.trust, "judge", lambda papers, own: succeed(BELIEVES))
        await error_of(node.overlay.peer(ALICE, identity, hit), NotReached)
        self.assertEqual({entry.kind for entry in node.desk.ledger.entries(ALICE)}, {DEVICE})
        self.assertEqual(list(self.node("alice").overlay.peers()), [])
        self.assertTrue(self.told("alice", AttemptRefused) and self.silent(alice, liar))


class CrowdTests(ImpostorCase):
    """Alice wants no strangers; a crowd of names that nobody can doubt comes from one node."""

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make nodes that refuse strangers."""
        return MemoryNodes(reactor, folder, ("alice", "bob", "liar"), ("screen.strangers=refuse",))

    async def test_fresh_names(self) -> None:
        """Attack: any number of fresh self-certifying names, each proven. All are strangers, none rings, nothing is kept of them."""
        alice = await self.phone(ALICE)
        keyring = self.node("liar").keyring
        for number in range(CROWD):
            aor = keyring.create_self_certifying().aor
            crowd = await self.phone(aor, node="liar")
            self.assertEqual((await refusal(crowd.call(alice.aor))).status, 480, number)
            await crowd.stop()
        rules = [fact.rule for fact in self.told("alice", AttemptRefused)]
        self.assertEqual(rules, ["strangers"] * CROWD)
        self.assertEqual({entry.kind for entry in self.node("alice").desk.ledger.entries(ALICE)}, {DEVICE})
        self.assertEqual(alice.calls, [])

    async def test_signed_unknown(self) -> None:
        """Attack: a true name that nobody knows, signed by an authority that Alice trusts. A stranger; as a contact he rings."""
        alice, bob = await self.two_phones()
        await self.certify("bob")
        self.assertEqual((await refusal(bob.call(alice.aor))).status, 480)
        self.assertEqual((await bob.message(alice.aor, "let me in")).status, 480)
        self.assertEqual((alice.calls, alice.texts), ([], []))
        self.node("alice").desk.contacts.add(ALICE, BOB, "Bob")
        call, _ = await self.up(bob, alice)
        await call.hang_up()
