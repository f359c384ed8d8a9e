"""Tests for p2pship.lookup.lan.attachments, by a whole lookup with real sockets: interfaces that come and go."""

from __future__ import annotations

import os
from dataclasses import replace

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from p2pship.journal import Journal
from p2pship.lookup.candidate import Question
from p2pship.lookup.lan.protocol import LANLookup, NotAsked
from p2pship.network import Interface
from p2pship.testing.network import StaticNetwork, loopback
from tests.lookup.lan.lancase import KEY, SLOT, LANTestCase
from tests.lookup.recording import RecordingReceiver

GONE = Interface("gone0", 999_999, (("192.0.2.77", 24),), loopback=False, multicast=True)
"An interface that cannot be used: neither its number nor its address is this machine's."


class InterfaceTests(LANTestCase):
    """Interfaces that cannot be used, and that come and go."""

    async def test_one_fails(self) -> None:
        """An interface that cannot be used is off by itself; the others work."""
        network = StaticNetwork(GONE, loopback())
        one, other = await self.lookup(network), await self.lookup()
        self.assertEqual(len(await self.found_by(one, other)), 0)
        await other.publish(SLOT, b"item")
        network.change(GONE, loopback())
        self.assertEqual(await self.found_by(one, other), [b"item"])

    async def test_told(self) -> None:
        """What cannot be used is said once, and not while a new IPv6 address is being tested, however often that is tried."""
        clock, network = Clock(), StaticNetwork(GONE)
        lookup = LANLookup(clock, self.settings, network, os.urandom, Journal())
        said: list[list[str]] = []
        for seconds in (0, 1, 1, 1, 4, 8, 16):
            with capturedLogs() as logged:
                clock.advance(seconds)
                if seconds:
                    network.change(GONE)
                else:
                    await lookup.start()
            said.append([line for line in map(formatEvent, logged) if line and "gone0" in line])
        await lookup.stop()
        self.assertEqual([len(lines) for lines in said], [0, 0, 0, 1, 0, 0, 0])
        self.assertIn("cannot be asked on gone0", said[3][0])

    async def test_tried_again(self) -> None:
        """What cannot be used is tried again, rarer and rarer, soon again when the network changes, and not after the end."""
        clock = Clock()
        network = StaticNetwork(GONE)
        lookup = LANLookup(clock, self.settings, network, os.urandom, Journal())
        await lookup.start()
        waits = []
        for _ in range(9):
            (timer,) = clock.getDelayedCalls()
            waits.append(timer.getTime() - clock.seconds())
            clock.advance(waits[-1])
        self.assertEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60])
        network.change(replace(GONE, index=999_998))
        (timer,) = clock.getDelayedCalls()
        self.assertEqual(timer.getTime() - clock.seconds(), 1)
        await lookup.stop()
        self.assertEqual(clock.getDelayedCalls(), [])

    async def test_broken_socket(self) -> None:
        """If the reactor gives up one of the sockets, the interface is opened anew."""
        one, other = await self.lookup(), await self.lookup()
        (attachment,) = one._attachments._open.values()
        attachment._ports[0].connectionLost(Failure(ConnectionDone()))
        self.assertEqual(one._attachments._open, {})
        await other.publish(SLOT, b"item")
        receiver = RecordingReceiver()
        one.find(Question(KEY), receiver)
        await receiver.ended
        self.assertEqual(len(one._attachments._open), 1)

    async def test_none_usable(self) -> None:
        """With no interface at all the search ends with an error that says so."""
        lookup = await self.lookup(StaticNetwork())
        receiver = RecordingReceiver()
        lookup.find(Question(KEY), receiver)
        await receiver.ended
        self.assertIn("no usable interface", str(receiver.ends[0]))

    async def test_all_fail(self) -> None:
        """If none works the error names the interface and what is wrong with it."""
        lookup = await self.lookup(StaticNetwork(GONE))
        receiver = RecordingReceiver()
        lookup.find(Question(KEY), receiver)
        await receiver.ended
        self.assertIsInstance(receiver.ends[0], NotAsked)
        self.assertIn("gone0", str(receiver.ends[0]))

    async def test_named_interfaces(self) -> None:
        """With interfaces named in the settings, others are not used."""
        lookup = await self.lookup(interfaces=("eth7",))
        receiver = RecordingReceiver()
        lookup.find(Question(KEY), receiver)
        await receiver.ended
        self.assertIsInstance(receiver.ends[0], NotAsked)

    async def test_comes(self) -> None:
        """An interface that comes while a search is under way is asked with the next repetition."""
        network = StaticNetwork()
        one, other = await self.lookup(network), await self.lookup()
        await other.publish(SLOT, b"item")
        receiver = RecordingReceiver()
        one.find(Question(KEY), receiver)
        network.change(loopback())
        self.assertEqual((await receiver.first).item, b"item")

    async def test_goes(self) -> None:
        """An interface that went away is not answered on."""
        network = StaticNetwork(loopback())
        one, other = await self.lookup(network), await self.lookup()
        await one.publish(SLOT, b"item")
        network.change()
        self.assertEqual(await self.found_by(other, other), [])
        network.change(loopback())
        self.assertEqual(await self.found_by(other, one), [b"item"])

    async def test_stops_watching(self) -> None:
        """A lookup that stopped watches nothing."""
        network = StaticNetwork(loopback())
        lookup = await self.lookup(network)
        self.assertEqual(len(network.watchers), 1)
        await lookup.stop()
        self.assertEqual(network.watchers, [])
