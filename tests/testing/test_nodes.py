"""Whole nodes in one process: what a test of an application of one's own begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from p2pship.journal import Published
from p2pship.testing.nodes import TwoNodes
from p2pship.testing.phone import AT_ONCE, Phone


class TwoNodesTests(TestCase):
    """Alice's node and Bob's."""

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """Start both."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.nodes = TwoNodes(reactor, folder)
        await self.nodes.start()
        self.addCleanup(self.nodes.stop)

    async def phone(self, name: str) -> Phone:
        """Register a phone with a node; it can be found when it returns."""
        phone = Phone(reactor, f"{name}@example.com", proxy=self.nodes.proxy(name), answering=AT_ONCE)
        phone.start()
        self.addCleanup(phone.stop)
        await phone.register()
        while not any(isinstance(fact, Published) for fact in self.nodes.facts[name]):
            await deferLater(cast(Any, reactor), 0.01)
        return phone

    async def test_call(self) -> None:
        """A phone calls another through both."""
        alice, bob = await self.phone("alice"), await self.phone("bob")
        call = alice.call("sip:bob@example.com")
        await call.answered
        await call.hang_up()
        await bob.calls[0].ended
