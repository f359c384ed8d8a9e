"""Somebody whose node says that it is Bob's, and answers every search before Bob's node does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography import x509
from twisted.internet import reactor

from p2pship.identity.fingerprint import fingerprint
from p2pship.lookup.candidate import Candidate
from p2pship.testing.lookup import MemoryLookup
from p2pship.testing.nodes import MemoryNodes
from p2pship.testing.phone import AT_ONCE, Phone
from p2pship.trust.authority import read_request
from p2pship.trust.pins import Pin
from tests.node.calling import ALICE, BOB, NodeTestCase

LEAD = 0.010
"Seconds by which the liar is quicker."


class LateLookup(MemoryLookup):
    """Hears one node at once, and all others a little later."""

    quick = b""
    "the publication key of the node that is heard at once"

    def _answer(self, key: bytes, search: Any) -> None:
        for slot, item in self._directory.items.items():
            if slot.lookup_key == key:
                wait = 0.0 if slot.publication_key == self.quick else LEAD
                candidate = Candidate(item, self.name, self.over_loopback, self.on_link)
                self._reactor.callLater(wait, search.tell, candidate)
        search.timer = self._reactor.callLater(2 * LEAD + self.lasting, search.end, None)


class LiarNodes(MemoryNodes):
    """Nodes of which the liar's is the quickest."""

    def make_lookup(self) -> MemoryLookup:
        """Make one that hears the liar first."""
        return LateLookup(reactor, self.directory)


class ImpostorCase(NodeTestCase):
    """Alice, Bob, and a liar's node."""

    names = ("alice", "bob", "liar")

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make the nodes; the liar's answers come first."""
        return LiarNodes(reactor, folder, self.names)

    async def liar(self, aor: str = BOB) -> Phone:
        """Return the liar's phone, which answers every call; from now on the liar's node says that it is somebody's."""
        quick = self.node("liar").keyring.device.publication_key
        for lookup in self.nodes.lookups.values():
            assert isinstance(lookup, LateLookup)
            lookup.quick = quick
        return await self.phone(aor, node="liar", answering=AT_ONCE)

    async def found_by_nobody(self) -> None:
        """Let the liar's node publish nothing any more, so that nobody knows that there is a second Bob."""
        self.nodes.lookups["liar"].publish = lambda slot, item: self.nodes.lookups["liar"].withdraw(slot)  # type: ignore[method-assign]
        key = self.node("liar").keyring.device.publication_key
        for slot in [slot for slot in self.nodes.directory.items if slot.publication_key == key]:
            del self.nodes.directory.items[slot]

    def forget_links(self) -> None:
        """Let Alice's node have no link and remember no search: the next call begins with a question."""
        for peer in list(self.node("alice").overlay.peers()):
            peer.close("the test begins anew")
        self.node("alice").finder.forget(BOB, self.node("bob").keyring.device.key)

    def key(self, node: str, aor: str = BOB) -> str:
        """Return the fingerprint of the key that a node has for a name."""
        identity = self.node(node).keyring.identity(aor)
        assert identity is not None
        return fingerprint(identity.key)

    def pin(self, aor: str = BOB) -> Pin | None:
        """Return Alice's pin of a name."""
        return self.node("alice").desk.trust.pins.get(ALICE, aor)

    def pinned(self, aor: str = BOB) -> str:
        """Return the fingerprint of the key that Alice knows somebody by; empty if none."""
        pin = self.pin(aor)
        return fingerprint(pin.key) if pin is not None else ""

    async def certify(self, node: str, aor: str = BOB, trusted_for: str = "example.com") -> x509.Certificate:
        """Let an authority on a node sign a name of that node, and let Alice trust it for a domain; returns its certificate."""
        authorities, keyring = self.node(node).desk.authorities, self.node(node).keyring
        own = authorities.create("family", aor.partition("@")[2])
        before = self._items(node)
        keyring.install_chain(aor, authorities.issue(read_request(keyring.request(aor))))
        self.node("alice").desk.authorities.trust(own.certificate, trusted_for)
        await self.eventually(lambda: not self._items(node) & before)
        return own.certificate

    def _items(self, node: str) -> set[bytes]:
        """Return what a node publishes now."""
        key = self.node(node).keyring.device.publication_key
        return {item for slot, item in self.nodes.directory.items.items() if slot.publication_key == key}

    def silent(self, *phones: Phone) -> bool:
        """Tell whether these phones never rang."""
        return all(phone.calls == [] for phone in phones)
