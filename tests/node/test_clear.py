"""Tests of calls over links that are not encrypted, and of everybody who would like a call to take one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from p2pship.address import Locator
from p2pship.bearer.tcp import TCPBearer, TCPSettings
from p2pship.cli.report import calls_text, status_text
from p2pship.interfaces import IBearer, IDevice, ILink
from p2pship.journal import LinkRefused, PeerReached
from p2pship.node import Node
from p2pship.overlay import redial
from p2pship.testing import bearer
from p2pship.testing.nodes import MemoryNodes
from p2pship.testing.phone import AT_ONCE, Phone
from tests.bearer.between import HOST, Between
from tests.node.calling import NodeTestCase, refusal


class ElsewhereBearer(TCPBearer):
    """Says that it is where somebody sits who passes on what comes."""

    between: Between

    def locators(self) -> list[Locator]:
        return [Locator(self.name, HOST, self.between.port)] if self._port else []


class CountedBearer(bearer.MemoryBearer):
    """Counts how often it is dialled with."""

    def __init__(self, nodes: ClearNodes, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._nodes = nodes

    def dial(self, device_key: bytes, locators: Sequence[Locator], own: IDevice) -> Deferred[ILink]:
        self._nodes.dials += 1
        return super().dial(device_key, locators, own)


class ClearNodes(MemoryNodes):
    """Nodes that have TCP in the clear beside the encrypted way, which can be blocked."""

    def __init__(self, *arguments: Any) -> None:
        self.dials = 0
        "how often the encrypted way was dialled"
        self.without: set[str] = set()
        "the names of those that have not switched it on"
        self.clear: dict[str, ElsewhereBearer] = {}
        self.between: dict[str, Between] = {}
        super().__init__(*arguments)

    def bearers_of(self, name: str, node: Node) -> dict[str, IBearer]:
        """Make both bearers, or one."""
        made = super().bearers_of(name, node)
        made["memory"] = self.bearers[name] = CountedBearer(self, reactor, self.links, node.keyring.device)
        if name in self.without:
            return made
        settings = TCPSettings(listen=(HOST,), port=0)
        device = node.keyring.device
        clear = ElsewhereBearer(
            reactor, settings, device, node.network, node.ports, node.journal, node.random
        )
        if name not in self.between:
            self.between[name] = Between(reactor, lambda: self.clear[name]._port)
        clear.between = self.between[name]
        self.clear[name] = clear
        return {"tcp": clear, **made}

    def block(self) -> None:
        """Let nothing through but TCP in the clear."""
        self.links.partition([self.bearers["alice"]], [self.bearers["bob"]])


class ClearTestCase(NodeTestCase):
    """Two nodes of this kind."""

    nodes: ClearNodes

    def setUp(self) -> Deferred[Any]:  # type: ignore[override]  # trial waits for it
        """Make the wait for a blocked way short."""
        self.patch(bearer, "DIAL_TIME", 0.1)
        self.patch(redial, "PAUSES", (0.02,) * 5)
        return super().setUp()

    def make_nodes(self, folder: Path) -> ClearNodes:
        """Make the nodes, and cut whoever is between them at the end."""
        nodes = ClearNodes(reactor, folder, self.names)
        self.addCleanup(self._leave)
        return nodes

    def _leave(self) -> None:
        for between in self.nodes.between.values():
            between.stop()

    async def switched_off(self, name: str) -> None:
        """Start a node anew that has not switched it on."""
        self.nodes.without.add(name)
        await self.nodes.restart(name)

    async def not_reached(self, caller: Phone, callee: Phone) -> None:
        """Look that a call is refused, and the callee never rings."""
        callee.answering = AT_ONCE
        before = len(callee.calls)
        self.assertEqual((await refusal(caller.call(callee.aor))).status, 480)
        self.assertEqual(len(callee.calls), before)


class LastResortTests(ClearTestCase):
    """When a call takes that way, and when not."""

    async def test_encrypted_first(self) -> None:
        """Where the encrypted way is open, nobody dials the other."""
        await self.have_talked(*await self.two_phones())
        (fact,) = self.told("alice", PeerReached)
        self.assertTrue(fact.encrypted)
        self.assertEqual(self.nodes.between["bob"].forth, b"")

    async def test_last_resort(self) -> None:
        """Where all else is blocked from the beginning the call takes it, and everything says so."""
        self.nodes.block()
        alice, bob = await self.two_phones()
        call, answered = await self.up(alice, bob)
        await self.talk(call, answered)
        for name in ("alice", "bob"):
            self.assertEqual(
                [each["name"] for each in self.node(name).status()["bearers"]], ["memory", "tcp"]
            )
            (fact,) = self.told(name, PeerReached)
            self.assertIn("NOT ENCRYPTED", str(fact))
            (listed,) = self.node(name).standing.live_calls()
            self.assertIn("NOT ENCRYPTED", calls_text([listed]))
            self.assertIn("NOT ENCRYPTED", status_text(self.node(name).status()).split("tcp")[-1])
        self.assertIn(b"bob@example.com", self.nodes.between["bob"].forth, "whoever is between reads names")

    async def test_only_the_caller(self) -> None:
        """It takes two: nothing is dialled in the clear when the one called has not switched it on."""
        await self.switched_off("bob")
        self.nodes.block()
        await self.not_reached(*await self.two_phones())

    async def test_only_the_called(self) -> None:
        """Nor when the caller has not."""
        await self.switched_off("alice")
        self.nodes.block()
        await self.not_reached(*await self.two_phones())
        self.assertEqual(self.nodes.between["bob"].forth, b"")


class DowngradeTests(ClearTestCase):
    """Who blocks all but the way in the clear, so that people take it."""

    async def test_downgrade(self) -> None:
        """Between devices that were once connected encrypted no call takes it, from neither side, after a restart neither."""
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        self.nodes.break_links("alice")
        self.nodes.block()
        for caller, callee in ((alice, bob), (bob, alice)):
            await self.not_reached(caller, callee)
        for name in ("alice", "bob"):
            await self.nodes.restart(name)
        self.nodes.block()
        for phone in (alice, bob):
            await phone.stop()
        alice, bob = await self.two_phones()
        await self.not_reached(alice, bob)
        await self.not_reached(bob, alice)
        self.assertEqual([self.nodes.between[name].forth for name in ("alice", "bob")], [b"", b""])

    async def test_one_has_forgotten(self) -> None:
        """When one side has lost what it remembered, the other still refuses."""
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        self.nodes.break_links("alice")
        self.nodes.block()
        self.node("alice").desk.database.write("DELETE FROM identity_encrypted")
        await self.not_reached(alice, bob)
        self.assertIn("reached encrypted before", self.told("bob", LinkRefused)[-1].reason)

    async def test_call_that_is_up(self) -> None:
        """A call that is up encrypted does not go on in the clear when its link is cut and the encrypted way blocked."""
        alice, bob = await self.two_phones()
        call, answered = await self.up(alice, bob)
        await self.talk(call, answered)
        self.nodes.break_links("alice")
        self.nodes.block()
        await self.eventually(lambda: not any(peer["path"] for peer in self.node("alice").status()["peers"]))
        before = self.nodes.dials
        await self.eventually(lambda: self.nodes.dials > before + 2)
        self.nodes.links.heal()
        await self.talk(call, answered)
        self.assertTrue(all(fact.encrypted for fact in self.told("alice", PeerReached)))
        self.assertEqual([self.nodes.between[name].forth for name in ("alice", "bob")], [b"", b""])

    async def test_upgrade(self) -> None:
        """Devices that met in the clear use the encrypted way as soon as it is open, and from then on no other."""
        self.nodes.block()
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        self.nodes.links.heal()
        for side in self.nodes.between["bob"].sides:
            side.cut()
        await self.eventually(lambda: not self._has_clear_link("alice") and not self._has_clear_link("bob"))
        await self.have_talked(alice, bob)
        self.assertEqual([fact.encrypted for fact in self.told("alice", PeerReached)], [False, True])
        self.nodes.break_links("alice")
        self.nodes.block()
        await self.not_reached(alice, bob)

    def _has_clear_link(self, node: str) -> bool:
        return any(peer["path"].startswith("tcp") for peer in self.node(node).status()["peers"])


class BetweenTests(ClearTestCase):
    """Who sits between two nodes that talk in the clear."""

    async def test_alters(self) -> None:
        """Whoever alters one octet ends the link, which is counted; the nodes dial again and the call goes on."""
        self.nodes.block()
        alice, bob = await self.two_phones()
        call, answered = await self.up(alice, bob)
        await self.talk(call, answered)
        between = self.nodes.between["bob"]

        def tamper(forth: bool, data: bytes) -> bytes:
            between.tamper = lambda _forth, data: data
            return data[:-1] + bytes([data[-1] ^ 1])

        between.tamper = tamper
        await self.eventually(lambda: bool(self._forged()))
        await self.eventually(lambda: len(self.told("alice", PeerReached)) == 2)
        await self.talk(call, answered)
        self.assertEqual(self._forged(), 1)

    def _forged(self) -> int:
        return sum(self.node(name).journal.counts["tcp.forged"] for name in ("alice", "bob"))
