"""The guard that keeps tests from asking the machine's resolver."""

from __future__ import annotations

import socket

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.trust.dnssec import DNSFailed
from p2pship.trust.resolver import Resolver
from tests.noquestions import AsksTheResolver


class NoQuestionsTests(TestCase):
    """What fails in every test."""

    def test_names(self) -> None:
        """Names have no addresses here, but for those that the machine knows itself."""
        for name in ("example.com", "p2pship-test.net", b"atlanta.com"):
            self.assertRaises(AsksTheResolver, socket.getaddrinfo, name, 443)
            self.assertRaises(AsksTheResolver, socket.gethostbyname, name)
            self.assertRaises(AsksTheResolver, socket.gethostbyname_ex, name)
            self.assertRaises(AsksTheResolver, socket.gethostbyaddr, name)
        for known in ("localhost", "127.0.0.1", "::1", None):
            socket.getaddrinfo(known, 443)

    def test_datagrams_and_streams(self) -> None:
        """Nothing is sent to where resolvers are, be it on this machine."""
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with socket.socket(socket.AF_INET, kind) as one:
                self.assertRaises(AsksTheResolver, one.connect, ("127.0.0.1", 53))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            self.assertRaises(AsksTheResolver, one.sendto, b"?", ("127.0.0.1", 53))
            self.assertRaises(AsksTheResolver, one.sendmsg, [b"?"], [], 0, ("127.0.0.1", 53))

    async def test_own_resolver(self) -> None:
        """What a node asks by itself fails, be it that this machine has no resolver at all."""
        asked = Resolver(reactor).ask("p2pship-test.net", "TXT")
        try:
            await asked
        except (AsksTheResolver, DNSFailed):
            return
        self.fail("a question was answered")
