"""Tests for p2pship.bearer.udp, over real sockets on loopback: the contract, and who dials and listens."""

from __future__ import annotations

import json
import os
import warnings
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SkipTest, TestCase
from zope.interface.verify import verifyObject

from p2pship.address import Locator
from p2pship.bearer.udp import SETTINGS, UDPBearer, UDPSettings, make
from p2pship.config import load
from p2pship.errors import ConfigError, NotReached
from p2pship.interfaces import IBearer
from p2pship.storage.database import Database
from p2pship.storage.ports import SCHEMA, Ports
from tests.bearer.contract import BearerContract, ListenContract
from tests.bearer.fakes import FakeNetwork, FakeNode, Recorder, device, has_ipv6
from tests.bearer.roughrelay import HOST
from tests.bearer.udppair import UDPPair


class UDPBearerTests(UDPPair, BearerContract, TestCase):
    """The contract of all bearers."""


class DialTests(UDPPair, TestCase):
    """Dialling."""

    async def test_mute(self) -> None:
        """Who says nothing is given up after 5 s."""
        nobody = Locator("udp", HOST, 1)
        outcome: list[Any] = []
        began = self.clock.seconds()
        self.alice.dial(device("bob").key, [nobody], device("alice")).addErrback(outcome.append)
        await self.until(lambda: outcome, step=0.05)
        self.assertIn("5 s", outcome[0].getErrorMessage())
        self.assertLess(self.clock.seconds() - began, 5.2)

    def test_no_way(self) -> None:
        """An address to which there is no way from here fails at once."""
        carol = self.bearer(device("carol"))
        dial = carol.dial(device("bob").key, [Locator("udp", "255.255.255.255", 5567)], device("carol"))
        self.assertIn("255.255.255.255", self.failureResultOf(dial, NotReached).getErrorMessage())
        self.assertEqual((carol._parties, self.clock.getDelayedCalls()), ({}, []))

    async def test_cancel(self) -> None:
        """A dial that is cancelled leaves nothing behind."""
        dial = self.alice.dial(device("bob").key, [Locator("udp", HOST, 1)], device("alice"))
        self.advance(0.3)
        dial.cancel()
        self.failureResultOf(dial, CancelledError)
        self.assertEqual((self.alice._parties, self.clock.getDelayedCalls()), ({}, []))

    async def test_stop_dialling(self) -> None:
        """A bearer that stops fails the dials under way, and dials no more."""
        dial = self.alice.dial(device("bob").key, [Locator("udp", HOST, 1)], device("alice"))
        self.bearers.remove(self.alice)
        self.successResultOf(self.alice.stop())
        self.failureResultOf(dial, NotReached)
        late = self.alice.dial(device("bob").key, self.bob.locators(), device("alice"))
        self.failureResultOf(late, NotReached)

    async def test_overtaken(self) -> None:
        """A locator that does not answer is overtaken by the next after a quarter of a second."""
        links: list[Any] = []
        nobody = Locator("udp", HOST, 1)
        began = self.clock.seconds()
        self.alice.dial(device("bob").key, [nobody, *self.bob.locators()], device("alice")).addCallback(
            links.append
        )
        await self.until(lambda: links)
        self.assertLess(self.clock.seconds() - began, 0.4)
        self.assertEqual(links[0].locator, self.bob.locators()[0])

    def test_bad_key(self) -> None:
        """A device whose key is of a kind that this bearer cannot use is not reached."""
        dial = self.alice.dial(b"no key", self.bob.locators(), device("alice"))
        self.assertIn(str(self.bob.locators()[0]), self.failureResultOf(dial, NotReached).getErrorMessage())

    async def test_several(self) -> None:
        """Links share a port, in both directions, and do not mix."""
        self.successResultOf(self.alice.listen(self.accepted.append, lambda: None))
        carol = self.bearer(device("carol"))
        links: list[Any] = []
        for who, name in ((self.alice, "alice"), (carol, "carol"), (self.alice, "alice")):
            who.dial(device("bob").key, self.bob.locators(), device(name)).addCallback(links.append)
        await self.until(lambda: len(links) == len(self.accepted) == 3)
        told = [Recorder() for _ in range(6)]
        for number, link in enumerate(links + self.accepted):
            link.start(told[number])
        for number, link in enumerate(links + self.accepted):
            link.send(b"%d" % number)
        await self.until(lambda: all(each.frames for each in told))
        proofs = [link.proof for link in self.accepted]
        self.assertEqual(proofs.count(device("alice").key), 2)
        self.assertEqual({each.frames[0] for each in told}, {b"%d" % number for number in range(6)})
        ports = {link.remote.port for link in self.accepted if link.proof == device("alice").key}
        self.assertEqual(ports, {self.alice.locators()[0].port}, "who listens dials from that port")

    async def test_no_taker(self) -> None:
        """When the node fails to take a link, the bug is logged and the link ended."""
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


class ListenTests(ListenContract, UDPPair, TestCase):
    """Where a bearer listens, and what it says of that."""

    async def test_both_families(self) -> None:
        """By default both families are listened on with one port number, and frames and media pass over either."""
        if not has_ipv6():
            raise SkipTest("this machine has no IPv6")
        carol = self.bearer(device("carol"), listen=UDPSettings().listen)
        self.successResultOf(carol.listen(self.accepted.append, lambda: None))
        port = carol.locators()[0].port
        for host in (HOST, "::1"):
            await self.talk_at(Locator("udp", host, port))

    async def talk_at(self, locator: Locator) -> None:
        """Dial carol there, and see that a frame and a datagram pass."""
        links: list[Any] = []
        self.alice.dial(device("carol").key, [locator], device("alice")).addBoth(links.append)
        await self.until(lambda: self.accepted)
        told = Recorder()
        accepted = self.accepted.pop()
        accepted.start(told)
        self.advance(0)
        links[0].send(b"frame")
        links[0].cast(b"media")
        await self.until(lambda: told.frames and told.datagrams)
        self.assertEqual((links[0].remote.host, accepted.remote.host), (locator.host, locator.host))
        self.assertEqual(told.paths, [])

    def test_locators_changed(self) -> None:
        """When the addresses change, the node is told; when they do not, it is not."""
        network = FakeNetwork("192.0.2.1")
        told: list[str] = []
        ports = Ports(Database(":memory:", [SCHEMA]))
        carol = UDPBearer(
            self.clock, UDPSettings(port=0), device("carol"), network, ports, self.journal, os.urandom
        )
        self.bearers.append(carol)
        self.successResultOf(carol.listen(self.accepted.append, lambda: told.append("changed")))
        network.become("192.0.2.1")
        self.assertEqual(told, [])
        network.become("192.0.2.2", "2001:db8::2")
        self.assertEqual(told, ["changed"])
        self.assertEqual([locator.host for locator in carol.locators()], ["192.0.2.2", "2001:db8::2"])

    def test_made_from_settings(self) -> None:
        """It is off by default, and ``make`` makes a bearer of a node's parts that says that it does not encrypt."""
        settings = load(None, {"bearer.udp": SETTINGS}).get(UDPSettings)
        self.assertEqual((settings.enabled, settings.listen), (False, ("0.0.0.0", "::")))
        bearer = make(self.clock, settings, FakeNode(self.journal))
        verifyObject(IBearer, bearer)
        self.assertEqual((bearer.name, bearer.encrypted, bearer.locators()), ("udp", False, []))

    def test_settings_refused(self) -> None:
        """Addresses that could never be listened on together are refused when they are read."""
        error = self.assertRaises(
            ConfigError,
            load,
            None,
            {"bearer.udp": SETTINGS},
            [f"bearer.udp.listen={json.dumps(['0.0.0.0', HOST])}"],
        )
        self.assertIn("all of their family", str(error))

    async def test_quiet(self) -> None:
        """Nothing deprecated is used."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await self.connect()
