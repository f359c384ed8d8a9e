"""Whole nodes: a device of Bob's is revoked while it has links, rings, or talks."""

from __future__ import annotations

from functools import partial

from p2pship.identity.hit import format_hit
from p2pship.identity.statement import host_identity_hash
from p2pship.testing.lookup import MemoryLookupDown
from p2pship.testing.phone import Phone
from p2pship.testing.phonecall import State
from tests.node.calling import ALICE, BOB, CAROL, NodeTestCase, refusal, requests
from tests.node.twodevices import TwoDevicesCase

SOON = 1.5
"Seconds in which what is pushed must have worked: one for the device itself to hear it, and some for a busy machine."


class RevokedTests(TwoDevicesCase):
    """The laptop is stolen; its program believes nothing that takes it out."""

    names = ("alice", "bob", "laptop", "carol")

    async def stolen(self) -> tuple[Phone, Phone, Phone]:
        """Return Alice's phone and Bob's two, of which the thief has the second."""
        phones = await self.bobs()
        self.node("laptop").keyring.adopt_statement = lambda *_: False  # type: ignore[method-assign]
        return phones

    async def revoke(self) -> None:
        """Revoke the laptop at home, and wait until Alice's node has no link with it."""
        digest = host_identity_hash(self.node("laptop").keyring.device.key).hex()
        self.give("bob", "device revoke", device=digest, own=BOB)
        gone = self.hit("laptop")
        for node in ("alice", "bob"):
            await self.eventually(partial(self._is_gone, gone, node), seconds=SOON)

    def _is_gone(self, hit: bytes, node: str) -> bool:
        return hit not in self.hits(node, BOB)

    async def test_talking(self) -> None:
        """A call with it ends at once, at both ends; the link with the other device stays."""
        alice, home, laptop = await self.stolen()
        await self.have_talked(home, alice)
        call, answered = await self.up(laptop, alice)
        self.assertEqual(self.hits("alice", BOB), {self.hit("bob"), self.hit("laptop")})
        await self.revoke()
        await answered.ended
        await call.ended
        self.assertEqual(self.hits("alice", BOB), {self.hit("bob")})

    async def test_ringing(self) -> None:
        """Where both ring, the other goes on ringing and is answered; whoever answers on the stolen one has no call."""
        alice, home, laptop = await self.stolen()
        call = alice.call(f"sip:{BOB}")
        at_home, on_laptop = await self.rung(home, laptop)
        await call.ringing
        await self.revoke()
        self.assertEqual((call.state, at_home.state), (State.RINGING, State.RINGING))
        await at_home.answer()
        await call.answered
        await self.talk(call, at_home)
        self.assertIsNot(on_laptop.state, State.UP)

    async def test_rings_a_friend(self) -> None:
        """A friend's phone that it rings just then falls silent."""
        alice, _, laptop = await self.stolen()
        _, rung = await self.ringing(laptop, alice)
        await self.have_met("bob")
        await self.revoke()
        await rung.ended
        self.assertEqual(len(requests(alice, "CANCEL")), 1)

    async def have_met(self, node: str) -> None:
        """Let a node of Bob's have a link with Alice's."""
        identity = self.node(node).keyring.identity(BOB)
        assert identity is not None
        await self.node(node).overlay.peer(ALICE, identity, self.hit("alice"))

    async def test_calls(self) -> None:
        """From then on it neither reaches the friend nor is rung, though it signs ever newer records."""
        alice, home, laptop = await self.stolen()
        await self.have_talked(laptop, alice)
        await self.have_talked(home, alice)
        await self.revoke()
        before = len(alice.calls), len(laptop.calls)
        refused = laptop.call(f"sip:{ALICE}")
        await self.eventually(lambda: refused.state is State.ENDED)
        call, _ = await self.up(alice, home, uri=f"sip:{BOB}")
        await call.hang_up()
        self.assertEqual((len(alice.calls), len(laptop.calls)), (before[0] + 1, before[1] + 1))

    async def test_found(self) -> None:
        """Who never met either finds only the other one, while the thief goes on publishing."""
        await self.stolen()
        await self.phone(CAROL)
        found = await self.node("carol").standing.find({"aor": BOB})
        self.assertEqual(len(found["devices"]), 2)
        before = self.published("bob")
        await self.revoke()
        await self.eventually(lambda: len(self.published("bob")) > 0 and not self.published("bob") & before)
        found = await self.node("carol").standing.find({"aor": BOB})
        self.assertEqual([one["hit"] for one in found["devices"]], [format_hit(self.hit("bob"))])
        self.assertNotEqual(self.published("laptop"), set())

    def published(self, node: str) -> set[bytes]:
        """Return what a node publishes now."""
        key = self.node(node).keyring.device.publication_key
        return {item for slot, item in self.nodes.directory.items.items() if slot.publication_key == key}


class RotatedTests(NodeTestCase):
    """Bob's identity gets another key while he talks with Alice, who knows him by his own key."""

    async def test_goes_on(self) -> None:
        """The call goes on, Alice's node knows the new key within a second, and the next call finds him by it."""
        alice, bob = await self.two_phones()
        call, answered = await self.up(alice, bob)
        self.node("bob").keyring.rotate(BOB)
        identity = self.node("bob").keyring.identity(BOB)
        assert identity is not None
        await self.eventually(lambda: self.pinned() == identity.key, seconds=SOON)
        await self.talk(call, answered)
        await call.hang_up()
        await answered.ended
        self.nodes.break_links("bob")
        again, answered = await self.up(alice, bob)
        await self.talk(again, answered)
        self.assertEqual(self.pinned(), identity.key)

    async def test_old_item(self) -> None:
        """Where only what was published before can be found, the next call finds him all the same: nobody says "another key"."""
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        await self.have_talked(bob, alice)
        key = self.rotate()
        await self.eventually(lambda: self.pinned() == key, seconds=SOON)
        self.nodes.break_links("bob")
        await self.have_talked(alice, bob)
        self.assertEqual(self.pinned(), key)

    async def test_unheard(self) -> None:
        """Who has not heard of it calls by the old item, hears of it in the hello, and follows; the call is up."""
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        self.nodes.break_links("bob")
        key = self.rotate()
        await self.have_talked(alice, bob)
        self.assertEqual(self.pinned(), key)

    async def test_confirmed(self) -> None:
        """Who has compared the safety number does not follow, neither by the old item nor by a new one."""
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        old = self.pinned()
        self.node("alice").desk.trust.confirm(ALICE, BOB, old)
        self.nodes.break_links("bob")
        self.rotate()
        self.assertEqual((await refusal(alice.call(f"sip:{BOB}"))).status, 480)
        self.nodes.directory.items.clear()
        self.nodes.lookups["bob"].failure = None
        self.node("bob").keyring.set_status(BOB, "here")
        await self.eventually(lambda: bool(self.nodes.directory.items))
        self.assertEqual((await refusal(alice.call(f"sip:{BOB}"))).status, 403)
        self.assertEqual((self.pinned(), len(bob.calls)), (old, 1))

    async def test_link_lost_meanwhile(self) -> None:
        """A call goes on whose link breaks before the other side has heard of the new key."""
        alice, bob = await self.two_phones()
        call, answered = await self.up(alice, bob)
        self.nodes.break_links("bob")
        key = self.rotate()
        await self.talk(call, answered)
        self.assertEqual(self.pinned(), key)
        self.assertEqual((call.state, answered.state), (State.UP, State.UP))

    def rotate(self) -> bytes:
        """Give Bob another key, while his node cannot publish; return it."""
        self.nodes.lookups["bob"].failure = MemoryLookupDown()
        self.node("bob").keyring.rotate(BOB)
        identity = self.node("bob").keyring.identity(BOB)
        assert identity is not None
        return identity.key

    def pinned(self) -> bytes:
        """Return the key by which Alice's node knows Bob."""
        pin = self.node("alice").desk.pins.get(ALICE, BOB)
        return pin.key if pin is not None else b""
