"""Real transfers: three baresip phones, each at a node of its own."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import gatherResults

from p2pship.testing.phone import IGNORE, Phone
from p2pship.testing.programs import free_ports
from tests.interop.pair import PairCase


class TransferTests(PairCase):
    """Alice sends Bob, with whom she talks, on to Carol."""

    async def start_nodes(self) -> None:
        """Start the three nodes at a time."""
        self.lan_port = free_ports(1)
        self.alices, self.bobs, self.carols = (
            self.node(name, self.lan_port) for name in ("alice", "bob", "carol")
        )
        await gatherResults([node.start() for node in (self.alices, self.bobs, self.carols)])

    async def test_blind(self) -> None:
        """Bob and Carol hear each other, Alice's phone hears that it worked and is free, and nothing is left."""
        alice, bob = await self.phones()
        carol = self.phone("carol", self.carols)
        await carol.start()
        await self.call(alice, bob)
        await alice.transfer(carol.uri)
        await carol.when("CALL_INCOMING")
        await carol.accept()
        await carol.when("CALL_ESTABLISHED")
        await alice.when("CALL_CLOSED")
        await self.talk(3)
        await carol.hangup()
        await bob.when("CALL_CLOSED")
        await self.check_heard(bob, carol, 2)
        await self.check_nothing_left()
        await self.until(self.carols, lambda counts: not counts["dialogs"] and not counts["relays"])

    async def test_forwarded(self) -> None:
        """Bob's phone answers 302; Alice's baresip, which follows none by itself, is connected with Carol all the same."""
        alice, carol = self.phone("alice", self.alices), self.phone("carol", self.carols)
        bob = Phone(reactor, "bob@example.com", proxy=self.bobs.proxy, answering=IGNORE)
        bob.on_call = lambda call: call.reject(302, [("Contact", f"<sip:carol@{self.bobs.proxy}>")])
        bob.start()
        self.addCleanup(bob.stop)
        await gatherResults([alice.start(), carol.start(), _registered(bob)])
        await alice.dial(bob.aor)
        await carol.when("CALL_INCOMING")
        await carol.accept()
        await gatherResults([phone.when("CALL_ESTABLISHED") for phone in (alice, carol)])
        await self.talk(2.5)
        await alice.hangup()
        await carol.when("CALL_CLOSED")
        await self.check_heard(alice, carol, 1)
        await self.check_nothing_left()


def _registered(phone: Phone) -> Any:
    return phone.register()
