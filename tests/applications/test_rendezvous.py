"""A rendezvous server in a node."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship import plugins
from p2pship.applications.rendezvous import RendezvousSettings
from p2pship.config import load
from p2pship.lookup.http.server.service import RendezvousServer
from p2pship.lookup.http.wire import slots_path
from p2pship.node import Node
from p2pship.sections import sections
from tests.lookup.http.publishers import LOOKUP_KEY, Publisher
from tests.lookup.http.server.browsing import Browser
from tests.lookup.http.server.servercase import fresh


class RendezvousTests(TestCase):
    """The application ``rendezvous``."""

    def test_off(self) -> None:
        """A node runs none unless it is told to."""
        self.assertFalse(RendezvousSettings().enabled)
        self.assertIn("rendezvous", [card.name for card in plugins.applications()])

    async def test_in_a_node(self) -> None:
        """It serves while the node runs, keeps slots in the node's folder, and is there again when the node is."""
        own = ("sip.port=0", "application.rendezvous.enabled=true", "application.rendezvous.port=0")
        config = load(None, sections(), [*own, 'application.rendezvous.listen=["127.0.0.1"]'])
        state = Path(self.mktemp()).absolute()
        node = Node(reactor, config, state, lookups=lambda _: {}, bearers=lambda _: {})
        slot = fresh(Publisher(1))
        for turn in range(2):
            node.startService()
            await node.when_started()
            browser = await self.asking(node.applications["rendezvous"])
            if not turn:
                self.assertEqual((await browser.put(slot)).status, 200)
            self.assertEqual((await browser.ask(slots_path(LOOKUP_KEY))).body[1:], slot.print())
            await browser.close()
            await node.stopService()
        self.assertTrue((state / "rendezvous.sqlite").exists())

    async def asking(self, server: RendezvousServer) -> Browser:
        """Return who asks a server."""
        await server.when_started()
        return Browser(reactor, f"http://127.0.0.1:{server.addresses()[0][1]}")
