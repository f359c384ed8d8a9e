"""Somebody with two devices, each a whole node with a phone of its own."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import gatherResults

from p2pship.commands.table import commands
from p2pship.testing.phone import IncomingCall, Phone
from tests.node.calling import ALICE, BOB, NodeTestCase, called


class TwoDevicesCase(NodeTestCase):
    """Bob has a node at home and a laptop, which is another node with a phone of its own."""

    names: tuple[str, ...] = ("alice", "bob", "laptop")

    def link(self) -> None:
        """Make the laptop a device of Bob's."""
        home, laptop = self.node("bob").keyring, self.node("laptop").keyring
        home.add_device(BOB, laptop.device.listed)
        bundle = home.bundle(BOB, with_key=False)
        laptop.adopt_identity(BOB, bundle.raw, bundle.chain, bundle.revocations, None, laptop.device)

    async def bobs(self) -> tuple[Phone, Phone, Phone]:
        """Make the laptop a device of Bob's, and register Alice's phone and both of Bob's."""
        self.node("bob").keyring.create(BOB)
        self.link()
        return await self.phone(ALICE), await self.phone(BOB), await self.phone(BOB, node="laptop")

    async def rung(self, *phones: Phone) -> list[IncomingCall]:
        """Wait until each phone rings, and return its call."""
        await gatherResults([called(phone) for phone in phones])
        return [call for phone in phones for call in phone.calls if isinstance(call, IncomingCall)]

    def give(self, node: str, command: str, **arguments: Any) -> Any:
        """Give a command at a node, as its control socket does."""
        return commands(lambda: self.node(node).desk)[command](arguments)

    def hits(self, node: str, of: str) -> set[bytes]:
        """Return the HITs of somebody's devices with which a node has a link."""
        return {peer.hit for peer in self.node(node).overlay.peers() if peer.aor == of and peer.path}

    def hit(self, node: str) -> bytes:
        """Return the HIT of a node."""
        return bytes(self.node(node).keyring.device.hit)
