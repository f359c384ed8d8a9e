"""Tests for p2pship.bearer.hip.rawport, with real raw sockets on loopback where this program may open them."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any
from unittest import SkipTest, mock

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from p2pship.bearer.datagramport import DatagramPort, Party
from p2pship.bearer.hip import rawport
from p2pship.bearer.hip.rawport import RawPort
from p2pship.bearer.hip.settings import HIPSettings
from p2pship.journal import Journal
from tests.bearer.fakes import FakeNetwork, device, has_ipv6
from tests.bearer.hip.pair import HIPPair


def need_raw_sockets() -> None:
    """Skip the test where raw sockets are forbidden."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, 139).close()
    except PermissionError:
        raise SkipTest("raw sockets need CAP_NET_RAW") from None


class Hears(Party):
    """A party that writes down what comes."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, Any]] = []

    def datagram_arrived(self, datagram: bytes, source: Any, port: DatagramPort) -> None:
        self.heard.append((datagram, source))

    def batch_ended(self) -> None:
        """Answer nothing."""


class RawPortTests(TestCase):
    """The two sockets of an address."""

    def setUp(self) -> None:
        need_raw_sockets()
        self.party = Hears()
        self.control: list[tuple[bytes, Any]] = []
        self.stray: list[bytes] = []

    def open(self, host: str) -> RawPort:
        opened = RawPort(
            reactor,
            host,
            {b"\1\2\3\4": self.party},
            lambda datagram, source, port: self.stray.append(datagram),
            lambda datagram, source, port: self.control.append((datagram, source)),
            Journal(),
        )
        self.addCleanup(opened.close)
        return opened

    async def until(self, condition: Any) -> None:
        while not condition():
            await deferLater(reactor, 0.001, lambda: None)

    async def passes(self, one: str, other: str, source: tuple[Any, ...]) -> None:
        """Assert that ESP and control packets go from one address to another, as they were sent."""
        near, far = self.open(one), self.open(other)
        self.assertEqual((near.host, near.number, near.control.number), (one, 0, 0))
        to = (other, *source[1:])
        near.send(b"\1\2\3\4 is ESP", to)
        near.send(b"\4\3\2\1 is of nobody", to)
        near.control.send(b"control", to)
        await self.until(lambda: self.party.heard and self.stray and self.control)
        self.assertEqual(self.party.heard, [(b"\1\2\3\4 is ESP", source)])
        self.assertEqual((self.stray, self.control), ([b"\4\3\2\1 is of nobody"], [(b"control", source)]))
        far.close()
        far.close()
        self.assertEqual((far.fileno(), far.control.fileno()), (-1, -1))

    async def test_ipv4(self) -> None:
        """With IPv4, where the system gives the IP header as well, which is left out."""
        await self.passes("127.0.0.2", "127.0.0.3", ("127.0.0.2", 0))

    async def test_ipv6(self) -> None:
        """With IPv6, where it does not. A node hears its own packets there, as it has no other address on loopback."""
        if not has_ipv6():
            raise SkipTest("there is no IPv6 here")
        port = self.open("::1")
        self.assertTrue(port.ipv6)
        port.send(b"\1\2\3\4 is ESP", ("::1", 0, 0, 0))
        port.control.send(b"control", ("::1", 0, 0, 0))
        await self.until(lambda: self.party.heard and self.control)
        source = ("::1", 0, 0, 0)
        self.assertEqual(
            (self.party.heard, self.control), ([(b"\1\2\3\4 is ESP", source)], [(b"control", source)])
        )


class HeaderTests(SynchronousTestCase):
    """The IPv4 header."""

    def test_left_out(self) -> None:
        """It is as long as it says, with options or without, and what is cut gives nothing rather than an error."""
        for words in range(5, 16):
            datagram = bytes([0x40 | words]) + bytes(4 * words - 1) + b"payload"
            received = rawport._without_header(lambda size, whole=datagram: (whole, "there"))  # type: ignore[misc]
            self.assertEqual(received(65_535), (b"payload", "there"))
        for cut in (b"\x45", b"\x45" + bytes(10), b"\x4f" + bytes(30)):
            received = rawport._without_header(lambda size, whole=cut: (whole, "there"))  # type: ignore[misc]
            self.assertEqual(received(65_535), (b"", "there"))


class ForbiddenTests(SynchronousTestCase):
    """Where raw sockets are forbidden."""

    def test_nothing_left(self) -> None:
        """If the second cannot be had, the first is closed again, and the error says why."""
        opened: list[mock.Mock] = []

        def open_one(*_: object) -> mock.Mock:
            if opened:
                raise PermissionError(errno.EPERM, "Operation not permitted")
            opened.append(mock.Mock(family=socket.AF_INET))
            return opened[-1]

        with mock.patch.object(socket, "socket", open_one):
            self.assertRaises(PermissionError, RawPort, None, "127.0.0.1", {}, print, print, Journal())
        opened[0].close.assert_called_once_with()


class RawLinkTests(HIPPair, TestCase):
    """A link in IP itself, when UDP does not pass."""

    def setUp(self) -> None:
        need_raw_sockets()
        super().setUp()
        self.alice, self.bob = (
            self.bearer_at(HIPSettings(listen=(host,), port=0, raw=True), device(name), FakeNetwork(host))
            for name, host in (("alice", "127.0.0.2"), ("bob", "127.0.0.3"))
        )
        for bearer in (self.alice, self.bob):
            self.successResultOf(bearer.listen(self.accepted.append, lambda: None))
            for port in bearer._sockets:
                if not isinstance(port, RawPort):
                    port.send = lambda datagram, at: len(datagram)

    async def test_talk(self) -> None:
        """Frames and datagrams of all sizes pass in both directions; a large one goes in two packets of at most 1280 octets at first."""
        sent: list[int] = []
        near, far, near_told, far_told = await self.talk()
        self.assertEqual((near.remote.port, near._way.port.number), (0, 0))
        send = near._way.port.send

        def watched(datagram: bytes, at: Any) -> int:
            sent.append(len(datagram))
            return int(send(datagram, at))

        near._way.port.send = watched
        near.cast(bytes(1460))
        self.assertEqual((sent[0], sent[0] + 20 <= 1280), (sent[1], True), sent)
        await self.until(lambda: far_told.datagrams.pop() == bytes(1460) if far_told.datagrams else False)
        sizes = (0, 1, 160, 1200, 1225, 1226, 1227, 1300, 1460)
        for size in sizes:
            near.cast(bytes(size))
            far.cast(bytes(size))
            near.send(os.urandom(size))
            await self.turn()
        self.assertLessEqual(max(sent) + 20, 1500)
        await self.until(lambda: len(far_told.datagrams) == len(near_told.datagrams) == len(sizes))
        await self.until(lambda: len(far_told.frames) == len(sizes))
        self.assertEqual(sorted(map(len, far_told.datagrams)), sorted(sizes))
        self.assertEqual(sorted(map(len, near_told.datagrams)), sorted(sizes))
