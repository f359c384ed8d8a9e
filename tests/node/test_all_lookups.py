"""Several lookups at once, some of which are dead, lie, are slow or have bugs: who is honest is not disturbed, nor made slower."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed

from p2pship.address import Locator
from p2pship.errors import RemoteError
from p2pship.identity.place import Place, day_of
from p2pship.identity.validity import RECORD_LIFETIME
from p2pship.interfaces import IBearer, IIdentity, ILookup, ISearch, ISearchReceiver
from p2pship.lookup import part, selftest
from p2pship.lookup.candidate import Question, Slot
from p2pship.lookup.edition import _form
from p2pship.lookup.facts import OtherKeyIgnored, ReadBack
from p2pship.lookup.publisher import Publisher
from p2pship.lookup.selftest import SWALLOWED
from p2pship.node import Node
from p2pship.overlay import search
from p2pship.overlay.dialling import REACH_SECONDS
from p2pship.testing.bearer import MemoryBearer, MemoryLink
from p2pship.testing.lookup import MemoryDirectory, MemoryLookup, unsigned_slot
from p2pship.testing.nodes import MemoryNodes
from p2pship.testing.phone import Phone
from p2pship.trust.pins import BY_CONFIRMING
from tests.node.calling import ALICE, BOB, NodeTestCase, refusal

ANN = "ann@example.com"
"Who calls with the honest lookup alone."

HONEST, SLOW = 0.25, 2.0
"Seconds until they answer."

HOSTS = {"alice": "198.51.99.1", "ann": "198.51.99.2", "bob": "198.51.99.3", "liar": "198.51.99.4"}

ROUNDS = 3
"Calls of each caller, who take turns, each to somebody else; the quickest counts, as any machine is busy at times."

CALLEES = [f"bob{number}@example.com" for number in range(ROUNDS)]

RATIO = 1.5
"Times as long as with the honest lookup alone; one wait for the slow one, or a wide collecting time, would be more than twice."


class BrokenLookup(MemoryLookup):
    """Somebody's plug-in that raises wherever it is called."""

    def start(self) -> Deferred[None]:
        """Raise."""
        raise ZeroDivisionError("a bug in start")

    def find(self, question: Question, receiver: ISearchReceiver) -> ISearch:
        """Raise."""
        raise ZeroDivisionError("a bug in find")

    def follow(self, question: Question, receiver: ISearchReceiver) -> ISearch | None:
        """Raise."""
        raise ZeroDivisionError("a bug in follow")

    def publish(self, slot: Slot, item: bytes) -> Deferred[None]:
        """Raise."""
        raise ZeroDivisionError("a bug in publish")

    def withdraw(self, slot: Slot) -> Deferred[None]:
        """Raise."""
        raise ZeroDivisionError("a bug in withdraw")


class SeveralLookups(MemoryNodes):
    """Alice's node has a dead lookup, one that lies, one that is slow and one with bugs beside the honest one, which Ann's has alone."""

    def __init__(self, folder: Path, names: tuple[str, ...], wide_area: bool = False) -> None:
        self.lies = MemoryDirectory()
        self.wide_area = wide_area
        self.beside: dict[str, MemoryLookup] = {}
        "Alice's other lookups, by name"
        super().__init__(reactor, folder, names)

    def make_lookup(self) -> MemoryLookup:
        """Make the honest one, in which there may be more to come for a while."""
        honest = MemoryLookup(reactor, self.directory, "honest", wide_area=self.wide_area)
        honest.delay, honest.lasting = HONEST, 1.0
        return honest

    def lookups_of(self, name: str, node: Node) -> Mapping[str, ILookup]:
        """Make the lookups of a node; the liar publishes where the lying one finds."""
        if name == "liar":
            self.lookups[name] = MemoryLookup(reactor, self.lies)
            return {"memory": self.lookups[name]}
        honest = super().lookups_of(name, node)["memory"]
        if name == "bob":
            self.lookups[name].delay = 0.0
        if name != "alice":
            return {"honest": honest}
        for each, kind in (("dead", MemoryLookup), ("slow", MemoryLookup), ("broken", BrokenLookup)):
            self.beside[each] = kind(reactor, MemoryDirectory(), each, wide_area=True)
        self.beside["dead"].silent = True
        self.beside["slow"].delay = SLOW
        self.beside["lying"] = MemoryLookup(reactor, self.lies, "lying", wide_area=True)
        return {**self.beside, "honest": honest}

    def bearers_of(self, name: str, node: Node) -> dict[str, IBearer]:
        """Make a bearer that says that it is at a public address, as no others are told to the wide area."""
        self.bearers[name] = MemoryBearer(
            reactor, self.links, node.keyring.device, HOSTS[name], devices=node.keyring.devices
        )
        return {"memory": self.bearers[name]}


class SeveralCase(NodeTestCase):
    """Nodes of Alice, Ann and Bob."""

    names: tuple[str, ...] = ("alice", "ann", "bob")
    wide_area = False
    nodes: SeveralLookups

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make them."""
        return SeveralLookups(folder, self.names, self.wide_area)

    async def _end(self) -> None:
        """Take what the broken lookup has in the log, and let nobody wait for the slow one to withdraw."""
        for lookup in self.nodes.beside.values():
            lookup.delay = 0.0
        await super()._end()
        self.flushLoggedErrors(ZeroDivisionError)

    def lie(self, aor: str, *items: bytes) -> None:
        """Let the lying lookup have items under somebody's lookup key of today."""
        place = Place.of_name(aor).lookup_key(day_of(reactor.seconds()))
        for item in items:
            self.nodes.lies.put(unsigned_slot(place, os.urandom(32)), item)

    def others(self, aor: str) -> list[bytes]:
        """Return what is published elsewhere than under somebody's lookup key of today: of others, and for other days."""
        place = Place.of_name(aor).lookup_key(day_of(reactor.seconds()))
        return [item for slot, item in self.nodes.directory.items.items() if slot.lookup_key != place]

    async def compared(self, alice: Phone, ann: Phone) -> tuple[float, float]:
        """Return how long the quickest of Alice's calls took to ring, and of Ann's to the same people."""
        took = [(await self.rings_after(alice, aor), await self.rings_after(ann, aor)) for aor in CALLEES]
        with_all, alone = map(min, zip(*took, strict=True))
        return with_all, alone


class NewcomerTests(SeveralCase):
    """People never met, of whom nothing is proven, on our own network."""

    async def test_call(self) -> None:
        """They ring as soon as if the lookup that finds them were alone, whatever junk and old things the lying one has first."""
        for aor in CALLEES:
            await self.phone(aor, node="bob")
        for aor in CALLEES:
            self.lie(aor, b"junk", bytes(960), *self.others(aor))
        with_all, alone = await self.compared(await self.phone(ALICE), await self.phone(ANN))
        self.assertGreater(alone, HONEST)
        self.assertLess(with_all / alone, RATIO, (with_all, alone))
        self.assertTrue(
            all(lookup.questions for name, lookup in self.nodes.beside.items() if name != "broken")
        )


class KnownTests(SeveralCase):
    """People whose keys are confirmed, whom a lookup of the wide area finds."""

    names = ("alice", "ann", "bob", "liar")
    wide_area = True

    async def test_call(self) -> None:
        """They ring as soon as if the honest lookup were alone; the liar, who has good papers with other keys, is passed over."""
        alice, ann = await self.phone(ALICE), await self.phone(ANN)
        liars = []
        for aor in CALLEES:
            await self.phone(aor, node="bob")
            liars.append(await self.phone(aor, node="liar"))
            his = self.node("bob").keyring.identity(aor)
            assert his is not None
            for name, own in ("alice", ALICE), ("ann", ANN):
                self.node(name).desk.trust.pin(own, aor, his.key, BY_CONFIRMING)
        with_all, alone = await self.compared(alice, ann)
        self.assertLess(with_all / alone, RATIO, (with_all, alone))
        self.assertEqual([liar.calls for liar in liars], [[]] * ROUNDS)
        self.assertEqual({fact.lookup for fact in self.told("alice", OtherKeyIgnored)}, {"lying"})


class RefusedTests(SeveralCase):
    """What the caller's phone hears where nobody is reached; lookups and the whole search have a tenth of their true times."""

    names = ("alice", "bob")

    def setUp(self) -> Deferred[Any]:  # type: ignore[override]  # trial waits for it
        """Be quick; Bob's node may say hello with a record that is over."""
        self.patch(part, "LOOKUP_TIME", part.LOOKUP_TIME / 10)
        self.patch(search, "REACH_SECONDS", REACH_SECONDS / 10)
        self.over = False
        record_for = Publisher.record_for

        def record(
            publisher: Publisher, identity: IIdentity, locators: Sequence[Locator], now: float
        ) -> bytes:
            signed = record_for(publisher, identity, locators, now)
            if not self.over or identity.aor != BOB:
                return signed
            return _form(identity.device, signed, None, now, now - 2 * RECORD_LIFETIME)

        self.patch(Publisher, "record_for", record)
        return super().setUp()

    async def refused(self, aor: str = BOB) -> tuple[int, str]:
        """Return the status with which Alice's call ends, and the words that her phone gets with it."""
        alice = await self.phone(ALICE)
        for lookup in self.nodes.lookups["alice"], self.nodes.beside["slow"]:
            lookup.delay = lookup.lasting = 0.05
        refused = await refusal(alice.call(f"sip:{aor}"))
        return refused.status, refused.response.first("Warning") or ""

    async def test_nobody(self) -> None:
        """404 where at least one lookup could be asked, and none of those knows the name; each is named, with what came of it."""
        status, words = await self.refused()
        self.assertEqual(status, 404)
        for said in ("honest completed", "dead timed out", "broken failed", "a bug in find"):
            self.assertIn(said, words)

    async def test_nobody_asked(self) -> None:
        """500 where none could be asked, whatever the reasons, which are said."""
        for name in ("slow", "lying"):
            self.nodes.beside[name].failure = RemoteError(f"{name} has no network")
        self.nodes.lookups["alice"].failure = RemoteError("full")
        status, words = await self.refused()
        self.assertEqual(status, 500)
        for said in (
            "no lookup could be asked",
            ": full",
            "dead timed out",
            "slow has no network",
            "a bug in find",
        ):
            self.assertIn(said, words)

    async def test_silent(self) -> None:
        """480 where the devices that are found are silent, when the time for search and dial together is over."""
        await self.phone(BOB)
        self.nodes.kill("bob")
        self.assertEqual(await self.refused(), (480, '399 p2pship "it did not answer in time"'))

    async def test_expired_in_hello(self) -> None:
        """What is found may lead to a device; as its hello has papers that are over it gets nothing, and the call ends with 480."""
        bob = await self.phone(BOB)
        self.over = True
        sent: list[bytes] = []
        send = MemoryLink.send

        def overheard(link: MemoryLink, frame: bytes) -> None:
            sent.append(frame)
            send(link, frame)

        self.patch(MemoryLink, "send", overheard)
        status, words = await self.refused()
        self.assertEqual((status, bob.calls), (480, []))
        self.assertIn("expired", words)
        self.assertEqual([frame for frame in sent if b"INVITE" in frame], [])
        self.over = False
        await self.ringing(self.phones[-1], bob)
        self.assertTrue([frame for frame in sent if b"INVITE" in frame])


class SwallowingTests(NodeTestCase):
    """A lookup that takes what is published, and keeps it from everybody."""

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make nodes with such a lookup beside the honest one."""
        return SwallowingNodes(reactor, folder, self.names)

    async def test_told(self) -> None:
        """Reading back finds that out; journal and doctor say so, and the other lookup carries on."""
        self.patch(selftest, "EARLIEST", 0.01)
        self.patch(selftest, "LATEST", 0.05)
        alice, bob = await self.two_phones()
        await self.eventually(lambda: len(self.told("bob", ReadBack)) > 0)
        self.assertEqual(self.told("bob", ReadBack), [ReadBack("swallowing", BOB, SWALLOWED)])
        ill = [one for one in self.node("bob").standing.checkup() if not one["well"]]
        self.assertEqual([(one["subject"], one["words"]) for one in ill], [("lookup swallowing", SWALLOWED)])
        await self.eventually(lambda: self.node("bob").status()["lookups"][0]["read_back"] > 0)
        await self.up(alice, bob)


class SwallowingNodes(MemoryNodes):
    """Nodes with two lookups."""

    def lookups_of(self, name: str, node: Node) -> Mapping[str, ILookup]:
        """Make the lookups of a node."""
        swallowing = MemoryLookup(reactor, MemoryDirectory(), "swallowing")
        swallowing.publish = lambda slot, item: succeed(None)  # type: ignore[method-assign]
        return {**super().lookups_of(name, node), "swallowing": swallowing}
