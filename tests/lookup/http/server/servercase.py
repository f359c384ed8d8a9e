"""A server on loopback, in the process of the test."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.lookup.http.server.service import RendezvousServer, make_server
from p2pship.lookup.http.server.settings import ServerSettings
from p2pship.lookup.http.wire import SignedSlot
from tests.lookup.http.publishers import ITEM, LOOKUP_KEY, Publisher
from tests.lookup.http.server.browsing import Browser


def fresh(
    publisher: Publisher, item: bytes = ITEM, *, ahead: float = 0.0, lookup: bytes = LOOKUP_KEY
) -> SignedSlot:
    """Return what a publisher signs so many seconds from now."""
    return publisher.signed(item, time.time() + ahead, lookup=lookup)


class ServerCase(TestCase):
    """Tests of a server over real sockets."""

    async def served(self, **settings: Any) -> Browser:
        """Start a server, and return who asks it; both end with the test."""
        state = Path(self.mktemp())
        state.mkdir()
        server = make_server(
            reactor,
            ServerSettings(**{"listen": ("127.0.0.1",), "port": 0, **settings}),
            state,
            lambda length: b"\x07" * length,
        )
        return await self.started(server)

    async def started(self, server: RendezvousServer) -> Browser:
        """Start this server, and return who asks it."""
        server.startService()
        await server.when_started()
        self.server = server
        self.addCleanup(server.stopService)
        return self.browser()

    def browser(self) -> Browser:
        """Return somebody else who asks the server."""
        browser = Browser(reactor, f"http://127.0.0.1:{self.server.addresses()[0][1]}")
        self.addCleanup(browser.close)
        return browser
