"""Tests for p2pship.bearer.tls, over real sockets on loopback."""

from __future__ import annotations

import warnings
from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from p2pship.address import Locator
from p2pship.bearer.tls import SETTINGS, TLSSettings, make
from p2pship.config import load
from tests.bearer.contract import BearerContract
from tests.bearer.fakes import FakeNode, device
from tests.bearer.streampair import HOST, TLSPair


class TLSBearerTests(TLSPair, BearerContract, TestCase):
    """The contract of all bearers."""


class TLSTests(TLSPair, TestCase):
    """What is this bearer's own."""

    async def test_not_tls(self) -> None:
        """Who answers something else than TLS is not reached, and the reason is given in words."""
        listener: Any = self.clock.listenTCP(0, Factory.forProtocol(MailServer), interface=HOST)
        self.addCleanup(listener.stopListening)
        locator = Locator("tls", HOST, listener.getHost().port)
        error = await self.refused(device("bob").key, [locator])
        self.assertIn(f"{locator}: TLS: ", str(error))

    def test_made_from_settings(self) -> None:
        """The section's defaults can be read, and ``make`` makes a bearer of a node's parts."""
        settings = load(None, {"bearer.tls": SETTINGS}).get(TLSSettings)
        self.assertEqual((settings.port, settings.listen), (5566, ("0.0.0.0", "::")))
        bearer = make(self.clock, settings, FakeNode(self.journal))
        self.assertEqual((bearer.name, bearer.encrypted, bearer.locators()), ("tls", True, []))

    async def test_quiet(self) -> None:
        """Nothing that is used of TLS is deprecated: a node's log would fill with warnings."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await self.connect()


class MailServer(Protocol):
    """Speaks first, and something else."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.write(b"220 mail.example.com ESMTP\r\n")
