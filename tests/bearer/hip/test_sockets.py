"""Tests for p2pship.bearer.hip.sockets, with real sockets on loopback."""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import Locator
from p2pship.bearer.datagramport import DatagramPort
from p2pship.bearer.hip.rawport import RawPort
from p2pship.bearer.hip.sockets import Sockets, listened_hosts, path_of
from p2pship.journal import Journal
from p2pship.network import Interface
from tests.bearer.fakes import has_ipv6

ONE, OTHER, THIRD = "127.0.0.2", "127.0.0.3", "127.0.0.4"


class NoReactor(Clock):
    """Keeps nothing of what it should watch."""

    def addReader(self, reader: Any) -> None:
        """Watch nothing."""

    removeReader = addReader


class FakeRawPort(RawPort):
    """A raw port without sockets."""

    def __init__(self, host: str) -> None:
        self.host, self.number, self.ipv6 = host, 0, ":" in host
        self.is_open = True

    def close(self) -> None:
        self.is_open = False


class SocketsTests(SynchronousTestCase):
    """One socket for each address."""

    def setUp(self) -> None:
        self.raw: list[FakeRawPort] = []
        self.forbidden = False
        self.sockets = Sockets(self.adopt, None)
        self.addCleanup(lambda: self.sockets.close())

    def adopt(self, opened: socket.socket) -> DatagramPort:
        reactor: Any = NoReactor()
        return DatagramPort(reactor, opened, {}, lambda *_: None, Journal())

    def open_raw(self, host: str) -> RawPort:
        if self.forbidden:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        self.raw.append(FakeRawPort(host))
        return self.raw[-1]

    def ports(self) -> dict[str, DatagramPort]:
        return {port.host: port for port in self.sockets if not isinstance(port, RawPort)}

    def test_one_number(self) -> None:
        """All have the same port number, each its own address."""
        self.sockets.listen([ONE, OTHER], 0)
        ports = self.ports()
        self.assertEqual((list(ports), self.sockets.hosts), ([ONE, OTHER], [ONE, OTHER]))
        self.assertEqual({port.number for port in ports.values()}, {self.sockets.number})
        self.assertGreater(self.sockets.number, 0)
        self.assertTrue(all(port in self.sockets for port in ports.values()))

    def test_taken(self) -> None:
        """A number that another program has is refused, and nothing is open then."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind((OTHER, 0))
            self.assertRaises(CannotListenError, self.sockets.listen, [ONE, OTHER], taken.getsockname()[1])
        self.assertEqual(list(self.sockets), [])

    def test_change(self) -> None:
        """Addresses that come get a socket with that number; those that go lose theirs; the others keep theirs, in the new order."""
        self.sockets.listen([ONE, OTHER], 0)
        before, number = self.ports(), self.sockets.number
        self.assertTrue(self.sockets.change([THIRD, OTHER]))
        after = self.ports()
        self.assertEqual((self.sockets.hosts, list(after)), ([THIRD, OTHER], [THIRD, OTHER]))
        self.assertIs(after[OTHER], before[OTHER])
        self.assertEqual((before[ONE].fileno(), after[THIRD].number), (-1, number))
        self.assertFalse(self.sockets.change([OTHER, THIRD]), "the same addresses")
        self.assertEqual(self.sockets.hosts, [OTHER, THIRD])

    def test_change_in_vain(self) -> None:
        """An address that cannot be used yet changes nothing, however often it is tried; it is told when somebody asks for it, once."""
        self.sockets.listen([ONE], 0)
        with capturedLogs() as logged:
            for _ in range(2):
                self.assertFalse(self.sockets.change([ONE, "192.0.2.1"]))
        self.assertEqual((self.sockets.hosts, list(logged)), ([ONE], []))
        for lines in (1, 0):
            with capturedLogs() as logged:
                self.sockets.tell_missing()
            self.assertEqual(len(logged), lines)
        self.sockets.change([ONE])
        self.assertEqual(self.sockets.missing, {})

    def test_towards(self) -> None:
        """A remote address is reached from the socket that the system would take, or one that is like it."""
        self.sockets.listen([ONE], 0)
        self.assertIs(self.sockets.towards(OTHER), self.ports()[ONE])
        self.assertIs(self.sockets.towards(ONE), self.ports()[ONE])

    def test_towards_without_listening(self) -> None:
        """Who does not listen dials from a socket that is opened then, once for each address of ours."""
        found = self.sockets.towards(OTHER)
        assert found is not None
        self.assertIs(self.sockets.towards(THIRD), found)
        self.assertEqual((self.sockets.hosts, self.sockets.number, len(list(self.sockets))), ([], 0, 1))

    def test_listening_after_dialling(self) -> None:
        """The socket from which an address dialled that was not listened on is closed as soon as it is: others know that port alone."""
        dialled = self.sockets.towards(OTHER)
        assert dialled is not None
        self.sockets.listen([ONE], 0)
        self.sockets.change([ONE, dialled.host])
        found = self.sockets.towards(OTHER)
        assert found is not None
        self.assertEqual((dialled.fileno(), found.number), (-1, self.sockets.number))
        self.assertNotIn(dialled, self.sockets)

    def test_alike(self) -> None:
        """From loopback nothing leaves this machine, and IPv4 reaches no IPv6."""
        self.sockets.listen([ONE, OTHER], 0)
        self.assertEqual([port.host for port in self.sockets.alike("127.0.0.1")], [ONE, OTHER])
        self.assertEqual((self.sockets.alike("192.0.2.1"), self.sockets.alike("::1")), ([], []))

    def test_raw(self) -> None:
        """Where it is wanted each address also has raw sockets, which come and go with it; raw paths have the port 0."""
        self.sockets = Sockets(self.adopt, self.open_raw)
        self.sockets.listen([ONE, OTHER], 0)
        self.assertEqual(self.sockets.raw_hosts, [ONE, OTHER])
        self.sockets.change([OTHER, THIRD])
        self.assertEqual([raw.is_open for raw in self.raw], [False, True, True])
        self.assertEqual(self.sockets.raw_hosts, [OTHER, THIRD])
        paths = self.sockets.paths_to(Locator("hip", OTHER, 10500))
        self.assertEqual([(path.own_host, path.port) for path in paths], [(OTHER, 10500), (OTHER, 0)])
        self.assertEqual([path.is_encapsulated for path in paths], [True, False])
        self.assertTrue(all(not path.port for path in self.sockets.reach(OTHER, 0)))
        self.assertEqual(len(self.sockets.reach(OTHER, 10500)), 2)

    def test_raw_forbidden(self) -> None:
        """Where raw sockets are forbidden the rest works, and the log says so once, not for each address."""
        self.forbidden = True
        self.sockets = Sockets(self.adopt, self.open_raw)
        with capturedLogs() as logged:
            self.sockets.listen([ONE, THIRD], 0)
        self.assertEqual((self.sockets.hosts, self.sockets.raw_hosts), ([ONE, THIRD], []))
        [line] = map(formatEvent, logged)
        self.assertIn("CAP_NET_RAW", str(line))
        self.assertEqual(len(self.sockets.paths_to(Locator("hip", OTHER, 10500))), 1)

    def test_paths(self) -> None:
        """The path to an address is the same as that of what comes from there, with IPv4 and IPv6."""
        hosts = [(ONE, "127.0.0.9")] + ([("::1", "::1")] if has_ipv6() else [])
        for own, their in hosts:
            self.sockets = Sockets(self.adopt, None)
            self.sockets.listen([own], 0)
            (path,) = self.sockets.paths_to(Locator("hip", their, 10500))
            source = (their, 10500, 0, 0) if ":" in their else (their, 10500)
            self.assertEqual(path, path_of(self.ports()[own], source))
            self.assertEqual((path.own_host, path.host, path.port), (own, their, 10500))
            self.sockets.close()

    def test_close(self) -> None:
        """All are closed, also those that only dialled."""
        self.sockets.listen([ONE], 0)
        ports = list(self.sockets)
        self.sockets.close()
        self.assertEqual((list(self.sockets), [port.fileno() for port in ports]), ([], [-1]))

    def test_none_after_it(self) -> None:
        """Whoever asks for a way when all are closed is told of none, and no socket is opened that nobody would close."""
        self.sockets.close()
        self.assertEqual(
            (self.sockets.towards(OTHER), self.sockets.reach(OTHER, 1), list(self.sockets)), (None, [], [])
        )


class HostsTests(SynchronousTestCase):
    """Which addresses are listened on."""

    def test_listened(self) -> None:
        """Those of the interfaces where any will do, without those that nobody else reaches; and those that are named."""
        interface = Interface(
            "eth0", 2, (("192.0.2.1", 24), ("2001:db8::1", 64)), loopback=False, multicast=True
        )
        self.assertEqual(listened_hosts(("0.0.0.0",), [interface]), ["192.0.2.1"])
        self.assertEqual(sorted(listened_hosts(("0.0.0.0", "::"), [interface])), ["192.0.2.1", "2001:db8::1"])
        self.assertEqual(listened_hosts(("127.0.0.1",), [interface]), ["127.0.0.1"])
