"""Whole nodes: who is let in with a hello, and what the owner hears of those who are not."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import CancelledError

from p2pship.commands.table import commands
from p2pship.errors import LocalError, NotReached
from p2pship.interfaces import IPeer
from p2pship.sip.facts import ChangedCame
from p2pship.testing.nodes import MemoryNodes
from p2pship.testing.phone import Phone
from p2pship.trust.authority import read_request
from tests.node.calling import ALICE, BOB, CAROL, NodeTestCase, error_of, refusal
from tests.node.impostors import ImpostorCase

REFUSED = 480
"What is heard of a name for which no phone is registered."


class ClosedTests(NodeTestCase):
    """Bob's node refuses strangers."""

    names = ("alice", "bob", "carol")

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make nodes that refuse strangers."""
        return MemoryNodes(reactor, folder, self.names, ["screen.strangers=refuse"])

    async def reach(self, name: str, own: str) -> IPeer:
        """Let a node reach Bob's."""
        node = self.node(name)
        identity = node.keyring.identity(own)
        assert identity is not None
        peer: IPeer = await node.overlay.peer(BOB, identity, self.node("bob").keyring.device.hit)
        return peer

    async def test_member(self) -> None:
        """A member of Bob's authority gets in to have the certificate renewed, and may no more call than other strangers."""
        bob = await self.phone(BOB)
        alice = await self.phone(ALICE)
        await self.phone(CAROL)
        authorities, keyring = self.node("bob").desk.authorities, self.node("alice").keyring
        authorities.create("family", "example.com", BOB)
        await error_of(self.node("alice").overlay.peer(BOB, keyring.identities()[0], self.hit()), NotReached)
        keyring.install_chain(ALICE, authorities.issue(read_request(keyring.request(ALICE))))
        self.assertTrue((await self.reach("alice", ALICE)).path)
        carol = self.node("carol").keyring.identities()[0]
        await error_of(self.node("carol").overlay.peer(BOB, carol, self.hit()), NotReached)
        self.assertEqual((await refusal(alice.call(f"sip:{BOB}"))).status, REFUSED)
        self.assertEqual(bob.calls, [])
        authorities.revoke(ALICE)
        self.node("alice").overlay.peers()[0].close("to be reached anew")
        await error_of(self.node("alice").overlay.peer(BOB, keyring.identities()[0], self.hit()), NotReached)

    async def test_allowed(self) -> None:
        """A pattern on the allow list lets a stranger call whose name an authority has signed, and nobody who only claims one."""
        bob, alice, carol = await self.phone(BOB), await self.phone(ALICE), await self.phone(CAROL)
        authorities, keyring = self.node("bob").desk.authorities, self.node("alice").keyring
        authorities.create("family", "example.com", BOB)
        keyring.install_chain(ALICE, authorities.issue(read_request(keyring.request(ALICE))))
        self.assertEqual((await refusal(alice.call(f"sip:{BOB}"))).status, REFUSED)
        commands(lambda: self.node("bob").desk)["contact allow"]({"pattern": "*@example.com"})
        call, answered = await self.up(alice, bob)
        await self.talk(call, answered)
        await call.hang_up()
        await answered.ended
        self.assertEqual((await refusal(carol.call(f"sip:{BOB}"))).status, REFUSED)
        self.assertEqual(len(bob.calls), 1)

    async def test_window_closes(self) -> None:
        """Who came in while a device could be linked does not stay."""
        await self.phone(BOB)
        await self.phone(CAROL)
        self.node("bob").linking.open(BOB)
        peer = await self.reach("carol", CAROL)
        self.assertEqual(len(self.node("bob").overlay.peers()), 1)
        self.node("bob").linking.close(BOB)
        await self.eventually(lambda: self.node("bob").overlay.peers() == ())
        await self.eventually(lambda: not peer.path)

    async def test_interrupted(self) -> None:
        """Whoever breaks off the command that shows the code closes the window: the control socket cancels what is waited for."""
        await self.phone(BOB)
        node = self.node("bob")
        given = commands(lambda: node.desk)
        self.assertTrue(given["device link"]({"whom": BOB})["code"])
        waiting = given["device await"]({"aor": BOB})
        waiting.cancel()
        await error_of(waiting, CancelledError)
        self.assertRaises(LocalError, node.linking.wait, BOB)
        self.assertEqual(node.desk.screening.open_doors, set())

    def hit(self) -> bytes:
        """Return the HIT of Bob's node."""
        return bytes(self.node("bob").keyring.device.hit)


class ChangedTests(ImpostorCase):
    """Alice knows Bob, and somebody comes to her under his name."""

    async def test_told(self) -> None:
        """While Bob is there by his own key only the journal tells; else Alice's phone does, once."""
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        liar = await self.liar()
        await self._lie(3, liar)
        self.assertEqual((self.told("alice", ChangedCame), alice.texts), ([], []))
        await self.nodes.stop_one("bob")
        await self._lie(3, liar)
        self.assertEqual(self.told("alice", ChangedCame), [ChangedCame(ALICE, BOB)])
        await self.eventually(lambda: bool(alice.texts))
        self.assertEqual(len(alice.texts), 1)
        self.assertIn(f"p2pship contact pin {BOB}", str(alice.texts[0]))
        self.assertEqual(len(alice.calls), 1)

    async def _lie(self, times: int, liar: Phone) -> None:
        """Let the liar call Alice, again and again."""
        for _ in range(times):
            await refusal(liar.call(f"sip:{ALICE}"))
