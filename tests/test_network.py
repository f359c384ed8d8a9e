"""The watcher of this machine's addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from p2pship.interfaces import INetwork
from p2pship.network import (
    POLL_PERIOD,
    SETTLING_TIME,
    Interface,
    NetworkWatcher,
    list_interfaces,
    networks_of,
    source_towards,
)
from p2pship.testing.namespace import run_in_namespace
from p2pship.testing.network import StaticNetwork, loopback

ETH0 = Interface("eth0", 2, (("192.0.2.2", 24), ("fe80::2", 64)), loopback=False, multicast=True)
LO = Interface("lo", 1, (("127.0.0.1", 8),), loopback=True, multicast=False)


class Bell:
    """A kernel that tells of changes when the test says so."""

    def __init__(self) -> None:
        self.ring: Callable[[], None] | None = None
        self.opened = 0

    def open(self, _: Any, ring: Callable[[], None]) -> Callable[[], None]:
        """Begin to tell."""
        self.opened += 1
        self.ring = ring
        return self.close

    def close(self) -> None:
        """Tell no more."""
        self.ring = None


def no_bell(_: Any, __: Callable[[], None]) -> Callable[[], None]:
    """Be a kernel that tells nothing."""
    raise OSError("no netlink in this sandbox")


class NetworkWatcherTests(SynchronousTestCase):
    """When the list is made anew, and who is told."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.listed = [LO]
        self.times_listed = 0
        self.bell = Bell()
        self.watcher = NetworkWatcher(self.clock, self.listing, self.bell.open)
        self.told: list[str] = []

    def listing(self) -> list[Interface]:
        """Return the interfaces that there are."""
        self.times_listed += 1
        return list(self.listed)

    def watch(self, name: str = "watcher") -> Callable[[], None]:
        """Watch, and write down when told."""
        return self.watcher.watch(lambda: self.told.append(name))

    def rung(self) -> None:
        """Let the kernel tell of a change, and wait until it has been looked at."""
        assert self.bell.ring is not None
        self.bell.ring()
        self.clock.advance(SETTLING_TIME)

    def test_interface(self) -> None:
        """Both watchers provide what they say."""
        verifyObject(INetwork, self.watcher)
        verifyObject(INetwork, StaticNetwork())

    def test_without_watchers(self) -> None:
        """While nobody watches, the list is made when asked for, and nothing else runs."""
        self.assertEqual(self.watcher.interfaces(), (LO,))
        self.listed.append(ETH0)
        self.assertEqual(self.watcher.interfaces(), (LO, ETH0))
        self.assertEqual((self.bell.opened, self.clock.getDelayedCalls()), (0, []))

    def test_change(self) -> None:
        """A change is told to every watcher, and the list is then the new one."""
        self.watch("one")
        self.watch("two")
        self.listed.append(ETH0)
        self.assertEqual(self.watcher.interfaces(), (LO,))
        self.rung()
        self.assertEqual(self.told, ["one", "two"])
        self.assertEqual(self.watcher.interfaces(), (LO, ETH0))

    def test_no_change(self) -> None:
        """A change that leaves the list as it was is told to nobody."""
        self.watch()
        self.rung()
        self.assertEqual(self.told, [])

    def test_many_signs(self) -> None:
        """Many signs of one change make one new list."""
        self.watch()
        before = self.times_listed
        for _ in range(20):
            assert self.bell.ring is not None
            self.bell.ring()
        self.clock.advance(SETTLING_TIME)
        self.assertEqual(self.times_listed, before + 1)
        self.listed.append(ETH0)
        self.rung()
        self.assertEqual(self.told, ["watcher"])

    def test_end(self) -> None:
        """Who ended the watch is told nothing; ending twice is harmless; with the last one everything stops."""
        end, other_end = self.watch("one"), self.watch("two")
        end()
        end()
        self.listed.append(ETH0)
        self.rung()
        self.assertEqual(self.told, ["two"])
        assert self.bell.ring is not None
        self.bell.ring()
        other_end()
        self.assertIsNone(self.bell.ring)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_watched_again(self) -> None:
        """After everything stopped, watching begins anew, with the list as it is then."""
        self.watch()()
        self.listed.append(ETH0)
        self.watch()
        self.assertEqual(self.bell.opened, 2)
        self.assertEqual(self.watcher.interfaces(), (LO, ETH0))

    def test_watcher_with_a_bug(self) -> None:
        """A watcher that raises is logged, and does not keep the news from the others."""

        def fail() -> None:
            raise ZeroDivisionError

        self.watcher.watch(fail)
        self.watch()
        self.listed.append(ETH0)
        self.rung()
        self.assertEqual(self.told, ["watcher"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_without_bell(self) -> None:
        """Where the kernel does not tell, the list is made again and again, until nobody watches."""
        self.watcher = NetworkWatcher(self.clock, self.listing, no_bell)
        end = self.watch()
        self.clock.pump([POLL_PERIOD] * 3)
        self.assertEqual(self.told, [])
        self.listed.append(ETH0)
        self.clock.advance(POLL_PERIOD)
        self.assertEqual(self.told, ["watcher"])
        end()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ListTests(SynchronousTestCase):
    """This very machine."""

    def test_loopback(self) -> None:
        """Every machine has a loopback interface with its address."""
        (found,) = [each for each in list_interfaces() if each.loopback]
        self.assertIn(("127.0.0.1", 8), found.addresses)
        self.assertEqual((found.name, found.index), (loopback().name, loopback().index))

    def test_networks(self) -> None:
        """Own networks are those of all interfaces but loopback."""
        self.assertEqual(
            networks_of([LO, ETH0]),
            (ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("fe80::/64")),
        )


class SourceTests(SynchronousTestCase):
    """From where the system would send."""

    def test_source(self) -> None:
        """The system says from where it would send, or that there is no way."""
        self.assertEqual(source_towards("127.0.0.9"), "127.0.0.1")
        self.assertIsNone(source_towards("255.255.255.255"))


class KernelTests(TestCase):
    """A real kernel, in a network of its own."""

    timeout = 90

    async def test_come_and_go(self) -> None:
        """Interfaces and addresses that come and go are seen."""
        self.assertEqual(
            await run_in_namespace(reactor, Path(__file__).with_name("namespace_network.py")), "ok\n"
        )

    def test_ended(self) -> None:
        """When nobody watches any more nothing is left in the reactor; trial fails the test if there is."""
        watcher = NetworkWatcher(reactor)
        end = watcher.watch(lambda: None)
        self.assertEqual(list(watcher.interfaces()), list_interfaces())
        end()
