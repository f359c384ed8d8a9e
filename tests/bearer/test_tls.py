"""Tests for p2pship.bearer.tls, over real sockets on loopback."""

from __future__ import annotations

import json
import os
import socket
import warnings
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, TestCase
from zope.interface import implementer

from p2pship.address import Locator
from p2pship.bearer.listening import NoSuchAddress
from p2pship.bearer.tls import SETTINGS, TLSBearer, TLSSettings, make
from p2pship.config import load
from p2pship.errors import ConfigError, NotReached
from p2pship.interfaces import INode
from p2pship.journal import Journal
from p2pship.storage.database import Database
from p2pship.storage.ports import SCHEMA, Ports
from tests.bearer.contract import BearerContract
from tests.bearer.fakes import FakeNetwork, Recorder, device
from tests.bearer.tlspair import HOST, TLSPair


class TLSBearerTests(TLSPair, BearerContract, TestCase):
    """The contract of all bearers."""


class DialTests(TLSPair, TestCase):
    """Dialling those that do not answer as they should."""

    def listen_mute(self) -> tuple[Locator, list[Any]]:
        """Listen for TCP, and say nothing."""
        met: list[Any] = []

        class Mute(Protocol):
            def connectionMade(self) -> None:
                met.append(self)

            def connectionLost(self, reason: Failure = connectionDone) -> None:
                met.remove(self)

        listener: Any = self.clock.listenTCP(0, Factory.forProtocol(Mute), interface=HOST)
        self.addCleanup(listener.stopListening)
        return Locator("tls", HOST, listener.getHost().port), met

    async def test_mute(self) -> None:
        """Who accepts and then says nothing is given up after 5 s."""
        locator, met = self.listen_mute()
        outcome: list[Any] = []
        self.alice.dial(device("bob").key, [locator]).addErrback(outcome.append)
        await self.until(lambda: met)
        await self.until(lambda: outcome, step=1)
        self.assertTrue(outcome[0].check(NotReached))
        self.assertIn("5 s", outcome[0].getErrorMessage())
        await self.until(lambda: not met)

    async def test_cancel(self) -> None:
        """A dial that is cancelled leaves nothing behind."""
        locator, met = self.listen_mute()
        dial = self.alice.dial(device("bob").key, [locator])
        await self.until(lambda: met)
        dial.cancel()
        self.failureResultOf(dial, CancelledError)
        await self.until(lambda: not met)
        self.assertEqual((self.alice._links, self.clock.getDelayedCalls()), (set(), []))

    async def test_cancel_connecting(self) -> None:
        """A dial that is cancelled before there is a connection leaves nothing behind either."""
        dial = self.alice.dial(device("bob").key, self.bob.locators())
        dial.cancel()
        self.failureResultOf(dial, CancelledError)
        self.assertEqual((self.alice._links, self.clock.getDelayedCalls()), (set(), []))

    async def test_stop_dialling(self) -> None:
        """A bearer that stops fails the dials under way."""
        locator, met = self.listen_mute()
        dial = self.alice.dial(device("bob").key, [locator, *self.bob.locators()])
        await self.until(lambda: met)
        self.bearers.remove(self.alice)
        stopped: list[Any] = []
        self.alice.stop().addBoth(stopped.append)
        await self.until(lambda: stopped)
        self.failureResultOf(dial, NotReached)

    async def test_overtaken(self) -> None:
        """A locator that does not answer is overtaken by the next after a quarter of a second."""
        locator, met = self.listen_mute()
        links: list[Any] = []
        self.alice.dial(device("bob").key, [locator, *self.bob.locators()]).addCallback(links.append)
        await self.until(lambda: met)
        self.advance(0.25)
        await self.until(lambda: links)
        self.assertEqual(links[0].locator, self.bob.locators()[0])
        await self.until(lambda: not met)

    async def test_not_tls(self) -> None:
        """Who answers something else than TLS is not reached, and the reason is given in words."""
        locator, met = self.listen_mute()
        outcome: list[Any] = []
        self.alice.dial(device("bob").key, [locator]).addErrback(outcome.append)
        await self.until(lambda: met)
        met[0].transport.write(b"220 mail.example.com ESMTP\r\n")
        await self.until(lambda: outcome)
        self.assertIn(f"{locator}: TLS: ", outcome[0].getErrorMessage())

    async def test_no_taker(self) -> None:
        """When the node fails to take a link, the bug is logged and the connection ended."""
        carol = self.bearer(device("carol"))

        def broken(_link: Any) -> None:
            raise ZeroDivisionError

        self.successResultOf(carol.listen(broken, lambda: None))
        links: list[Any] = []
        self.alice.dial(device("carol").key, carol.locators()).addCallback(links.append)
        await self.until(lambda: links)
        told = Recorder()
        links[0].start(told)
        await self.until(lambda: told.losses)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class ListenTests(TLSPair, TestCase):
    """Where a bearer listens, and what it says of that."""

    def test_taken_port(self) -> None:
        """When the port is taken, the next free one is."""
        carol = self.bearer(device("carol"), port=self.port)
        self.successResultOf(carol.listen(self.accepted.append, lambda: None))
        self.assertGreater(carol.locators()[0].port, self.port)

    def test_no_such_address(self) -> None:
        """When this machine has none of the addresses to listen on, listening fails with the reason."""
        carol = self.bearer(device("carol"), listen=("192.0.2.1",))
        failure = self.failureResultOf(carol.listen(self.accepted.append, lambda: None), NoSuchAddress)
        self.assertIn("192.0.2.1", failure.getErrorMessage())
        self.assertEqual(carol.locators(), [])

    def test_some_addresses(self) -> None:
        """An address that this machine does not have does not keep it from listening on the others."""
        carol = self.bearer(device("carol"), listen=("192.0.2.1", HOST))
        self.successResultOf(carol.listen(self.accepted.append, lambda: None))
        self.assertEqual([locator.host for locator in carol.locators()], [HOST])

    async def test_both_families(self) -> None:
        """By default both families are listened on with one port number."""
        if not has_ipv6():
            raise SkipTest("this machine has no IPv6")
        carol = self.bearer(device("carol"), listen=TLSSettings().listen)
        self.successResultOf(carol.listen(self.accepted.append, lambda: None))
        port = carol.locators()[0].port
        for host in (HOST, "::1"):
            links: list[Any] = []
            self.alice.dial(device("carol").key, [Locator("tls", host, port)]).addBoth(links.append)
            await self.until(lambda: self.accepted)
            self.assertEqual(links[0].remote.host, host)
            self.assertEqual(self.accepted.pop().remote.host, host)

    def test_locators_changed(self) -> None:
        """When the addresses change, the node is told; when they do not, it is not."""
        network = FakeNetwork("192.0.2.1")
        told: list[str] = []
        ports = Ports(Database(":memory:", [SCHEMA]))
        carol = TLSBearer(self.clock, TLSSettings(port=0), device("carol"), network, ports, self.journal)
        self.bearers.append(carol)
        self.successResultOf(carol.listen(self.accepted.append, lambda: told.append("changed")))
        network.become("192.0.2.1")
        self.assertEqual(told, [])
        network.become("192.0.2.2", "2001:db8::2")
        self.assertEqual(told, ["changed"])
        self.assertEqual([locator.host for locator in carol.locators()], ["192.0.2.2", "2001:db8::2"])

    def test_made_from_settings(self) -> None:
        """The section's defaults can be read, and ``make`` makes a bearer of a node's parts."""
        settings = load(None, {"bearer.tls": SETTINGS}).get(TLSSettings)
        self.assertEqual((settings.port, settings.listen), (5566, ("0.0.0.0", "::")))
        bearer = make(self.clock, settings, FakeNode(self.journal))
        self.assertEqual((bearer.name, bearer.encrypted, bearer.locators()), ("tls", True, []))

    def test_settings_refused(self) -> None:
        """Addresses that could never be listened on together are refused when they are read, with the way out."""
        for listen, way_out in (
            ([], "enabled = false"),
            (["127.0.0.1", "127.0.0.1"], "twice"),
            (["0.0.0.0", "127.0.0.1"], "all of their family"),
            (["::1", "::"], "all of their family"),
            (["[::]"], "write it as ::"),
        ):
            error = self.assertRaises(
                ConfigError, load, None, {"bearer.tls": SETTINGS}, [f"bearer.tls.listen={json.dumps(listen)}"]
            )
            self.assertIn(f"--set: [bearer.tls] listen = {json.dumps(listen)}: ", str(error))
            self.assertIn(way_out, str(error))
        load(None, {"bearer.tls": SETTINGS}, ["bearer.tls.listen=0.0.0.0,::1"])

    async def test_quiet(self) -> None:
        """Nothing that is used of TLS is deprecated: a node's log would fill with warnings."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await self.connect()


@implementer(INode)
class FakeNode:
    """What a bearer asks of a node."""

    def __init__(self, journal: Journal) -> None:
        self.keyring = self
        self.device = device("alice")
        self.network = FakeNetwork(HOST)
        self.ports = Ports(Database(":memory:", [SCHEMA]))
        self.journal = journal
        self.random = os.urandom


def has_ipv6() -> bool:
    """Tell whether this machine has an IPv6 loopback address."""
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True
