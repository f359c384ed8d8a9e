"""Attacks on the linking of a device by somebody who is found in place of the old device, and relays what both say."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed

from p2pship.identity.statement import read_statement
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.interfaces import IPeer
from p2pship.relations.codes import Secret
from p2pship.relations.joining import NAME, NotLinked
from tests.node.calling import ALICE, NodeTestCase, error_of

MIDDLE = "mallory@example.com"
BELIEVES = Verdict(NameGrade.KNOWN, Acquaintance.CONTACT)
"What Mallory's program thinks of everybody."


class Relay:
    """Says to the old device, word for word, what the new one says, and the other way round."""

    def __init__(self, old: IPeer) -> None:
        self._old = old
        self.passed: list[bytes] = []

    def payload_received(self, peer: IPeer, payload: bytes) -> Deferred[bytes]:
        """Pass it on."""
        self.passed.append(payload)
        return self._old.send(NAME, payload)


class LinkingMiddleTests(NodeTestCase):
    """Alice links a laptop; Mallory's node is the only one that is found as hers."""

    names = ("alice", "laptop", "mallory")

    async def _relay(self) -> Relay:
        """Let Mallory have a link to Alice's node, be found in her place, and relay."""
        await self.phone(ALICE)
        await self.phone(MIDDLE)
        mallory, device = self.node("mallory"), self.node("alice").keyring.device
        identity = mallory.keyring.identity(MIDDLE)
        assert identity is not None
        self.patch(mallory.desk.trust, "judge", lambda papers, own: succeed(BELIEVES))
        old = await mallory.overlay.peer(ALICE, identity, device.hit)
        await self.phone(ALICE, node="mallory")
        items = self.nodes.directory.items
        for slot in [slot for slot in items if slot.publication_key == device.publication_key]:
            del items[slot]
        relay = Relay(old)
        self.patch(mallory.linking, "payload_received", relay.payload_received)
        return relay

    async def test_relayed(self) -> None:
        """Attack: a device of the attacker's stands between the two, and relays the right code's proofs. Neither is taken in."""
        relay = await self._relay()
        old, new = self.node("alice"), self.node("laptop")
        window = old.linking.open(ALICE, owner=True)
        joining = new.linking.join(ALICE, Secret.typed(window.code), None, "laptop")
        refused = await error_of(joining, NotLinked)
        self.assertTrue(relay.passed, str(refused))
        self.assertIsNone(new.keyring.identity(ALICE))
        identity = old.keyring.identity(ALICE)
        assert identity is not None
        self.assertEqual(len(read_statement(identity.statement).devices), 1)
