"""Tests for p2pship.bearer.datagramport."""

from __future__ import annotations

import socket
import sys
from typing import Any, cast

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReadDescriptor
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from p2pship.bearer import datagramport
from p2pship.bearer.datagramport import (
    BATCH,
    DatagramPort,
    bind,
    bind_everywhere,
    is_too_large,
    send_or_lose,
)
from p2pship.bearer.listening import NoSuchAddress
from p2pship.journal import Journal

HOST = "127.0.0.1"


class FakeReactor:
    """Knows its readers."""

    def __init__(self) -> None:
        self.readers: list[Any] = []
        self.addReader = self.readers.append
        self.removeReader = self.readers.remove


class Hearer:
    """A party that writes down what it hears."""

    def __init__(self, fails: bool = False, fails_afterwards: bool = False) -> None:
        self.heard: list[bytes] = []
        self.batches = 0
        self._fails = fails
        self._fails_afterwards = fails_afterwards

    def datagram_arrived(self, datagram: bytes, source: Any, port: DatagramPort) -> None:
        self.heard.append(datagram)
        if self._fails:
            raise ZeroDivisionError

    def batch_ended(self) -> None:
        self.batches += 1
        if self._fails_afterwards:
            raise ZeroDivisionError


class DatagramPortTests(TestCase):
    """One port."""

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.journal = Journal()
        self.parties: dict[bytes, Any] = {}
        self.strays: list[bytes] = []
        opened = bind(HOST, 0)
        self.port = DatagramPort(cast(Any, self.reactor), opened, self.parties, self.stray, self.journal)
        self.addCleanup(self.port.close)
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.sender.close)

    def stray(self, datagram: bytes, source: Any, port: DatagramPort) -> None:
        """Take what is for nobody."""
        self.strays.append(datagram)

    def say(self, *datagrams: bytes) -> None:
        """Send datagrams to the port."""
        for datagram in datagrams:
            self.sender.sendto(datagram, (HOST, self.port.number))

    def test_finds_parties(self) -> None:
        """Each datagram goes to the party whose id it begins with, the rest is stray; a batch ends once for each."""
        one, two = Hearer(), Hearer()
        self.parties.update({b"1111": one, b"2222": two})
        self.say(b"1111a", b"2222b", b"1111", b"", b"111", b"3333c")
        self.port.doRead()
        self.assertEqual((one.heard, two.heard), ([b"1111a", b"1111"], [b"2222b"]))
        self.assertEqual((one.batches, two.batches), (1, 1))
        self.assertEqual(self.strays, [b"", b"111", b"3333c"])

    def test_batch(self) -> None:
        """So many are taken at a time, that others have their turn."""
        self.say(*[b"x"] * (BATCH + 5))
        self.port.doRead()
        self.assertEqual(len(self.strays), BATCH)
        self.port.doRead()
        self.assertEqual(len(self.strays), BATCH + 5)

    def test_bug(self) -> None:
        """A bug met by one datagram is logged, and keeps nobody from the next one."""
        self.parties[b"1111"] = broken = Hearer(fails=True)
        self.say(b"1111", b"after")
        self.port.doRead()
        self.assertEqual((len(broken.heard), self.strays), (1, [b"after"]))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_bug_afterwards(self) -> None:
        """Nor does a bug met by what one link has to say close the port, or keep the others from saying theirs."""
        parties = [Hearer(fails_afterwards=True) for _ in range(2)]
        self.parties.update({b"1111": parties[0], b"2222": parties[1]})
        self.say(b"1111", b"2222")
        self.port.doRead()
        self.assertEqual([party.batches for party in parties], [1, 1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_largest(self) -> None:
        """The largest datagram that there is comes whole."""
        self.say(bytes(65_507))
        self.port.doRead()
        self.assertEqual(len(self.strays[0]), 65_507)

    def test_close(self) -> None:
        """A port that is closed is read no more, and may be closed again."""
        verifyObject(IReadDescriptor, self.port)
        self.assertEqual(self.reactor.readers, [self.port])
        self.port.connectionLost(None)  # type: ignore[arg-type]
        self.port.close()
        self.assertEqual((self.reactor.readers, self.port.fileno()), ([], -1))

    def test_unsent(self) -> None:
        """What the system does not take is counted; what is too large for the way is known as such."""
        with self.assertRaises(OSError) as caught:
            self.port.send(bytes(65_508), (HOST, 9))
        self.assertTrue(is_too_large(caught.exception))
        send_or_lose(self.port, bytes(65_508), (HOST, 9), self.journal)
        self.assertEqual(self.journal.counts["udp.unsent"], 1)

    def test_taken(self) -> None:
        """A port tells how much of its room is taken by what waits in the system; nothing where the system does not tell."""
        room = self.port._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        self.assertEqual(self.port.taken(), 0)
        for waiting in (room // 2, room // 4):
            told = waiting.to_bytes(4, sys.byteorder)
            self.patch(datagramport, "ioctl", lambda *_, told=told: told)
            self.assertEqual(self.port.taken(), waiting / room)
        self.patch(datagramport, "ioctl", self.refused)
        self.assertEqual(self.port.taken(), 0)

    def refused(self, *_: Any) -> bytes:
        """Tell nothing, as some systems."""
        raise OSError("not here")


class BindTests(TestCase):
    """Several addresses with one port number."""

    def bound(self, hosts: list[str], port: int) -> list[socket.socket]:
        """Return sockets that will be closed."""
        opened = bind_everywhere("udp", hosts, port)
        for each in opened:
            self.addCleanup(each.close)
        return opened

    def test_one_number(self) -> None:
        """All have the same number; one that this machine does not have is passed over."""
        opened = self.bound(["127.0.0.1", "192.0.2.1", "127.0.0.2"], 0)
        numbers = {each.getsockname()[1] for each in opened}
        self.assertEqual((len(opened), len(numbers)), (2, 1))

    def test_taken(self) -> None:
        """When the port is taken on one of them nothing is open."""
        (taken,) = self.bound(["127.0.0.2"], 0)
        port = taken.getsockname()[1]
        self.assertRaises(CannotListenError, bind_everywhere, "udp", ["127.0.0.1", "127.0.0.2"], port)
        self.bound(["127.0.0.1"], port)

    def test_none(self) -> None:
        """When this machine has none of them the error says which."""
        error = self.assertRaises(NoSuchAddress, bind_everywhere, "udp", ["192.0.2.1"], 0)
        self.assertIn("192.0.2.1", str(error))
