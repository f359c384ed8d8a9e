"""The rendezvous servers that domains named."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.dns.servers import MOST_SERVERS, Servers
from p2pship.lookup.http.address import ServerAddress
from p2pship.lookup.http.web import trusting
from p2pship.testing.network import StaticNetwork, loopback
from p2pship.trust.reach import within_reach
from tests.trust.test_reach import ResolverThatChanges, resolved


class ServersTests(SynchronousTestCase):
    """Which servers are remembered, and where they may be."""

    def test_proxy(self) -> None:
        """The proxy of the environment may be on our own machine, and nothing else may."""
        inner: Any = MemoryReactorClock()
        inner.nameResolver = ResolverThatChanges(["127.0.0.1"], ["127.0.0.1"])
        may_ask = within_reach(StaticNetwork(loopback()).interfaces)
        servers = Servers(
            inner, trusting(b""), {"https_proxy": "http://Proxy.local:3128"}, may_ask, os.urandom
        )
        remote = servers.remote(ServerAddress.parse("https://rv.example"))
        self.assertIs(servers.remote(ServerAddress.parse("https://rv.example/")), remote)
        guarded = servers.reactor
        self.assertEqual(resolved(guarded, "proxy.local"), ["127.0.0.1"])
        self.assertEqual(resolved(guarded, "rv.example"), [])

    def test_bounded(self) -> None:
        """However many servers are named, few are remembered."""
        servers = Servers(MemoryReactorClockWithNames(), trusting(b""), {}, lambda host: True, os.urandom)
        first = servers.remote(ServerAddress.parse("https://r0.example"))
        for at in range(1, MOST_SERVERS + 1):
            servers.remote(ServerAddress.parse(f"https://r{at}.example"))
        self.assertIsNot(servers.remote(ServerAddress.parse("https://r0.example")), first)


class MemoryReactorClockWithNames(MemoryReactorClock):
    """A reactor of tests that has a resolver."""

    nameResolver: Any = ResolverThatChanges()
