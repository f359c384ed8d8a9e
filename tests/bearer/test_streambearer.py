"""Tests for p2pship.bearer.streambearer, over real sockets on loopback, with each bearer that is one."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, TestCase

from p2pship.address import Locator
from p2pship.bearer.listensettings import ListenSettings
from p2pship.bearer.streambearer import MOST_LOCATORS
from p2pship.errors import NotReached
from tests.bearer.contract import ListenContract
from tests.bearer.fakes import FakeNetwork, Recorder, device, has_ipv6
from tests.bearer.streampair import HOST, StreamPair, TCPPair, TLSPair


class DialCases(StreamPair):
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
        return Locator(self.alice.name, HOST, listener.getHost().port), met

    async def test_mute(self) -> None:
        """Who accepts and then says nothing is given up after 5 s."""
        locator, met = self.listen_mute()
        outcome: list[Any] = []
        self.alice.dial(device("bob").key, [locator], device("alice")).addErrback(outcome.append)
        await self.until(lambda: met)
        await self.until(lambda: outcome, step=1)
        self.assertTrue(outcome[0].check(NotReached))
        self.assertIn("5 s", outcome[0].getErrorMessage())
        await self.until(lambda: not met)

    async def test_cancel(self) -> None:
        """A dial that is cancelled leaves nothing behind."""
        locator, met = self.listen_mute()
        dial = self.alice.dial(device("bob").key, [locator], device("alice"))
        await self.until(lambda: met)
        dial.cancel()
        self.failureResultOf(dial, CancelledError)
        await self.until(lambda: not met)
        self.assertEqual((self.alice._links, self.clock.getDelayedCalls()), (set(), []))

    async def test_cancel_connecting(self) -> None:
        """A dial that is cancelled before there is a connection leaves nothing behind either."""
        dial = self.alice.dial(device("bob").key, self.bob.locators(), device("alice"))
        dial.cancel()
        self.failureResultOf(dial, CancelledError)
        self.assertEqual((self.alice._links, self.clock.getDelayedCalls()), (set(), []))

    async def test_stop_dialling(self) -> None:
        """A bearer that stops fails the dials under way."""
        locator, met = self.listen_mute()
        dial = self.alice.dial(device("bob").key, [locator, *self.bob.locators()], device("alice"))
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
        self.alice.dial(device("bob").key, [locator, *self.bob.locators()], device("alice")).addCallback(
            links.append
        )
        await self.until(lambda: met)
        self.advance(0.25)
        await self.until(lambda: links)
        self.assertEqual(links[0].locator, self.bob.locators()[0])
        await self.until(lambda: not met)

    async def test_many_locators(self) -> None:
        """Of the locators of a record sixteen are dialled: it may name other people's doors without end."""
        nowhere = [Locator(self.alice.name, HOST, 9)] * MOST_LOCATORS
        outcome: list[Any] = []
        self.alice.dial(device("bob").key, [*nowhere, *self.bob.locators()], device("alice")).addBoth(
            outcome.append
        )
        await self.until(lambda: outcome)
        self.assertTrue(outcome[0].check(NotReached))

    async def test_hangs_up(self) -> None:
        """A stranger who hangs up is at the door no longer."""
        locator = self.bob.locators()[0]
        socket.create_connection((locator.host, locator.port)).close()
        await self.until(lambda: self.journal.counts[f"{self.bob.name}.refused"])
        self.assertEqual((self.bob._links, self.bob._admission._guests), (set(), {}))

    async def test_no_taker(self) -> None:
        """When the node fails to take a link, the bug is logged and the connection ended."""
        carol = self.bearer(device("carol"))

        def broken(_link: Any) -> None:
            raise ZeroDivisionError

        self.successResultOf(carol.listen(broken, lambda: None))
        links: list[Any] = []
        self.alice.dial(device("carol").key, carol.locators(), device("alice")).addCallback(links.append)
        await self.until(lambda: links)
        told = Recorder()
        links[0].start(told)
        await self.until(lambda: told.losses)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class ListenCases(ListenContract, StreamPair):
    """Where a bearer listens, and what it says of that."""

    async def test_both_families(self) -> None:
        """By default both families are listened on with one port number."""
        if not has_ipv6():
            raise SkipTest("this machine has no IPv6")
        carol = self.bearer(device("carol"), listen=ListenSettings().listen)
        self.successResultOf(carol.listen(self.accepted.append, lambda: None))
        port = carol.locators()[0].port
        for host in (HOST, "::1"):
            links: list[Any] = []
            self.alice.dial(
                device("carol").key, [Locator(self.alice.name, host, port)], device("alice")
            ).addBoth(links.append)
            await self.until(lambda: self.accepted)
            self.assertEqual(links[0].remote.host, host)
            self.assertEqual(self.accepted.pop().remote.host, host)

    async def lost_address(self, which: int) -> None:
        """Have the one who dials, or the one who listens, lose the address of a link."""
        networks = FakeNetwork(HOST, "192.0.2.1"), FakeNetwork(HOST, "192.0.2.1")
        carol, dave = (self.bearer(device(name), each) for name, each in zip("cd", networks, strict=True))
        for bearer in (carol, dave):
            self.successResultOf(bearer.listen(self.accepted.append, lambda: None))
        links: list[Any] = []
        carol.dial(device("d").key, dave.locators(), device("c")).addBoth(links.append)
        await self.until(lambda: links and self.accepted)
        told = Recorder(), Recorder()
        for link, recorder in zip((links[0], self.accepted[0]), told, strict=True):
            link.start(recorder)
        networks[which].become(HOST, "192.0.2.2")
        self.advance(0.1)
        self.assertEqual((told[0].losses, told[1].losses), ([], []))
        networks[which].become("192.0.2.2")
        await self.until(lambda: told[0].losses and told[1].losses)
        self.assertIn("another one now", told[which].losses[0])

    async def test_own_address_gone(self) -> None:
        """A link ends at once when this machine has its address no more, and not because another one came or went."""
        await self.lost_address(0)

    async def test_dialled_address_gone(self) -> None:
        """So does one that others have dialled."""
        await self.lost_address(1)

    def test_locators_changed(self) -> None:
        """When the addresses change, the node is told; when they do not, it is not."""
        network = FakeNetwork("192.0.2.1")
        told: list[str] = []
        carol = self.bearer(device("carol"), network, listen=("0.0.0.0",))
        self.successResultOf(carol.listen(self.accepted.append, lambda: told.append("changed")))
        network.become("192.0.2.1")
        self.assertEqual(told, [])
        network.become("192.0.2.2", "192.0.2.3")
        self.assertEqual(told, ["changed"])
        self.assertEqual([locator.host for locator in carol.locators()], ["192.0.2.2", "192.0.2.3"])


class TLSDialTests(TLSPair, DialCases, TestCase):
    """By TLS."""


class TCPDialTests(TCPPair, DialCases, TestCase):
    """By TCP in the clear."""


class TLSListenTests(TLSPair, ListenCases, TestCase):
    """For TLS."""


class TCPListenTests(TCPPair, ListenCases, TestCase):
    """For TCP in the clear."""
