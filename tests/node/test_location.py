"""Whole nodes: who finds somebody who publishes only for friends, and for how long."""

from __future__ import annotations

from p2pship.relations.codes import Secret
from p2pship.testing.phone import Phone
from p2pship.trust.ledger import PAIR
from p2pship.trust.pins import BY_CONTACT
from tests.node.calling import ALICE, BOB, CAROL, PATIENCE, refusal
from tests.node.twodevices import TwoDevicesCase


class ParanoidTests(TwoDevicesCase):
    """Bob publishes for friends only; Alice is one, and Carol knows the name."""

    names = ("alice", "bob", "laptop", "carol")

    async def friends(self) -> tuple[Phone, Phone]:
        """Let Alice and Bob be contacts who have met and share a secret; return Alice's phone and Carol's."""
        alice, carol, bob = await self.phone(ALICE), await self.phone(CAROL), await self.phone(BOB)
        for own, other in (("alice", "bob"), ("bob", "alice")):
            names = {"alice": ALICE, "bob": BOB}
            identity = self.node(other).keyring.identity(names[other])
            assert identity is not None
            desk = self.node(own).desk
            desk.contacts.add(names[own], names[other])
            desk.trust.pin(names[own], names[other], identity.key, BY_CONTACT)
        await self.have_talked(alice, bob)
        await self.paired()
        self.give("bob", "identity privacy", aor=BOB, mode="paranoid")
        await self.eventually(lambda: not self.open_items())
        self.begin_anew()
        return alice, carol

    async def paired(self, *but: int) -> None:
        """Have both look whether they need a secret, and wait until both have one that is not among those versions."""
        for name in ("alice", "bob"):
            self.node(name).pairing.look()
        await self.eventually(lambda: all(set(self.good(name)) - set(but) for name in ("alice", "bob")))

    def good(self, name: str) -> list[int]:
        """Return the versions of the secrets of a node that need not be replaced."""
        own, other = (ALICE, BOB) if name == "alice" else (BOB, ALICE)
        return [one.version for one in self.node(name).desk.secrets.of(own, other) if not one.stale]

    def open_items(self) -> list[bytes]:
        """Return what Bob's devices publish for everybody: what is for friends is under other keys than the device's."""
        keys = {self.node(name).keyring.device.publication_key for name in ("bob", "laptop")}
        return [item for slot, item in self.nodes.directory.items.items() if slot.publication_key in keys]

    def begin_anew(self, *names: str) -> None:
        """Let no node have a link with Bob's, or remember a search."""
        for name in names or ("alice", "carol"):
            for peer in self.node(name).overlay.peers():
                peer.close("the test begins anew")
            for device in ("bob", "laptop"):
                self.node(name).finder.forget(BOB, self.node(device).keyring.device.key)

    async def finds(self, name: str) -> int:
        """Return how many devices of Bob's a node finds."""
        return len((await self.node(name).standing.find({"aor": BOB}))["devices"])

    async def comes_to(self, name: str, devices: int) -> None:
        """Wait until a node finds so many devices of Bob's."""
        deadline = self.node(name).reactor.seconds() + PATIENCE
        while await self.finds(name) != devices:
            self.assertLess(self.node(name).reactor.seconds(), deadline)

    async def test_stranger(self) -> None:
        """The friend finds Bob and calls him; the stranger does neither, and hears what is heard of a name that nobody has."""
        alice, carol = await self.friends()
        self.assertEqual((await self.finds("alice"), await self.finds("carol")), (1, 0))
        unknown = (await refusal(carol.call("sip:nobody@example.com"))).status
        self.assertEqual((await refusal(carol.call(f"sip:{BOB}"))).status, unknown)
        call, answered = await self.up(alice, self.phones[-1], uri=f"sip:{BOB}")
        await self.talk(call, answered)

    async def test_forgotten(self) -> None:
        """A friend who is forgotten does not find Bob any more."""
        await self.friends()
        self.assertEqual(await self.finds("alice"), 1)
        self.give("bob", "contact forget", aor=ALICE, own=BOB)
        self.assertEqual(self.node("bob").desk.secrets.of(BOB, ALICE), [])
        await self.comes_to("alice", 0)

    async def test_revoked(self) -> None:
        """When a device is revoked, which had the secret, the friends agree on another one."""
        alice, _ = await self.friends()
        self.node("laptop").desk.modes.choose(BOB, "paranoid")  # as it comes along when devices are linked
        self.link()
        await self.have_talked(alice, self.phones[-1])
        before = self.good("bob")
        self.assertNotEqual(before, [])
        laptop = self.node("laptop").keyring.device.listed.host_identity_hash.hex()
        self.give("bob", "device revoke", device=laptop, own=BOB)
        self.assertEqual(self.good("bob"), [])
        await self.paired(*before)
        self.begin_anew()
        await self.comes_to("alice", 1)
        self.assertEqual(await self.finds("carol"), 0)
        self.assertFalse(set(self.versions()) & set(before))

    async def test_own_devices(self) -> None:
        """The devices of somebody who publishes for nobody, as there are no friends, find each other when the link is lost."""
        await self.phone(BOB), await self.phone(CAROL)
        self.link()
        bob, laptop = self.node("bob"), self.node("laptop")
        await self.eventually(lambda: bool(bob.desk.secrets.of(BOB) and laptop.desk.secrets.of(BOB)))
        self.give("bob", "identity privacy", aor=BOB, mode="paranoid")
        await self.eventually(lambda: laptop.desk.modes.of(BOB) == "paranoid" and not self.open_items())
        self.begin_anew("bob", "laptop")
        self.assertEqual(self.hits("bob", BOB), set())
        self.assertEqual(await self.finds("carol"), 0)
        bob._circle._gathering.look(BOB)  # as it does every few minutes
        await self.eventually(lambda: self.hit("laptop") in self.hits("bob", BOB))

    async def test_linked(self) -> None:
        """A new device finds Bob by a code, for which he is published for everybody; when it is used, nobody finds him again."""
        await self.friends()
        window = self.node("bob").linking.open(BOB)
        await self.comes_to("carol", 1)
        await self.node("laptop").linking.join(BOB, Secret.typed(window.code), None, "laptop")
        await self.eventually(lambda: not self.open_items())
        await self.comes_to("carol", 0)

    async def test_paired(self) -> None:
        """Where one of two friends who are both hidden has lost the secret, they find each other by a code, and then by a secret."""
        alice, _ = await self.friends()
        self.give("alice", "identity privacy", aor=ALICE, mode="paranoid")
        self.node("bob").desk.ledger.remove(
            BOB, PAIR, next(iter(self.node("bob").desk.ledger.items(BOB, PAIR)))
        )
        self.assertEqual(self.good("bob"), [])
        await self.comes_to("alice", 0)
        window = self.node("bob").pairing.open(BOB, ALICE)
        await self.eventually(lambda: bool(self.open_items()))
        await self.node("alice").pairing.join(ALICE, BOB, Secret.typed(window.code), None)
        await self.eventually(lambda: not self.open_items())
        self.begin_anew()
        await self.comes_to("alice", 1)
        await self.have_talked(alice, self.phones[-1])

    def versions(self) -> list[int]:
        """Return the versions under which Bob publishes."""
        return [one.version for one in self.node("bob").desk.secrets.of(BOB)]
