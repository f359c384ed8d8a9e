"""Tests for p2pship.neighbours; tests/namespace_neighbours.py asks a real kernel."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from p2pship.neighbours import UNKNOWN, Hop, Neighbours, open_netlink
from p2pship.testing.namespace import run_in_namespace

ROUTE = bytes(12)
TO_INTERFACE = b"\x08\0\4\0" + struct.pack("=i", 7)
STALE = struct.pack("=BxxxiHBB", 2, 7, 0x04, 0, 1)
FAILED = struct.pack("=BxxxiHBB", 2, 7, 0x20, 0, 1)


def answer(type_: int, body: bytes, sequence: int) -> bytes:
    """Return a message of the kernel."""
    return struct.pack("=IHHII", 16 + len(body), type_, 0, sequence, 0) + body


class NeighboursTests(SynchronousTestCase):
    """What is made of a kernel's answers; this one is the other end of a pair of sockets."""

    def setUp(self) -> None:
        near, self.kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        near.setblocking(False)
        for each in (near, self.kernel):
            self.addCleanup(each.close)
        self.neighbours = Neighbours(lambda: near)
        self.addCleanup(self.neighbours.close)

    def told(self, *answers: bytes) -> Hop:
        """Return what it says when the kernel answers so."""
        for each in answers:
            self.kernel.send(each)
        return self.neighbours.hop("192.0.2.3")

    def test_found(self) -> None:
        """A neighbour whose address the system has is found; the questions are as the kernel's headers say."""
        told = self.told(answer(24, ROUTE + TO_INTERFACE, 1), answer(28, STALE, 2))
        self.assertEqual(told, Hop(on_link=True, found=True))
        asked = b"\x08\0\1\0" + bytes((192, 0, 2, 3))
        self.assertEqual(
            [self.kernel.recv(4096) for _ in range(2)],
            [
                struct.pack("=IHHII", 36, 26, 1, 1, 0) + b"\2\x20" + bytes(10) + asked,
                struct.pack("=IHHII", 36, 30, 1, 2, 0)
                + b"\2\0\0\0"
                + struct.pack("=i", 7)
                + bytes(4)
                + asked,
            ],
        )

    def test_router(self) -> None:
        """The next hop is asked for where there is one, of whichever IP version."""
        gateway = b"\x08\0\5\0" + bytes((192, 0, 2, 254))
        self.assertEqual(
            self.told(answer(24, ROUTE + TO_INTERFACE + gateway, 1), answer(28, STALE, 2)),
            Hop(on_link=False, found=True),
        )
        via = struct.pack("=HHH", 22, 18, 10) + bytes(16) + bytes(2)
        self.assertEqual(
            self.told(answer(24, ROUTE + via + TO_INTERFACE, 3), answer(28, FAILED, 4)),
            Hop(on_link=False, found=False),
        )

    def test_not_found(self) -> None:
        """A neighbour that did not answer is not found; nor is one of whom the system knows nothing."""
        route = answer(24, ROUTE + TO_INTERFACE, 1)
        self.assertEqual(self.told(route, answer(28, FAILED, 2)), Hop(on_link=True, found=False))
        route = answer(24, ROUTE + TO_INTERFACE, 3)
        self.assertEqual(self.told(route, answer(2, struct.pack("=i", -2), 4)), UNKNOWN)

    def test_late(self) -> None:
        """The answer to an earlier question is passed over."""
        told = self.told(
            answer(24, ROUTE, 0),
            answer(24, ROUTE + TO_INTERFACE, 1),
            answer(24, ROUTE, 1),
            answer(28, STALE, 2),
        )
        self.assertTrue(told.found)

    def test_odd(self) -> None:
        """What cannot be made sense of says nothing: no answer, none whole, no interface, an attribute that has no end, no address."""
        self.assertEqual(self.told(), UNKNOWN)
        for number, odd in enumerate(
            (ROUTE, ROUTE[:5], ROUTE + TO_INTERFACE[:6], ROUTE + b"\0\0\4\0" * 3, ROUTE + b"\xff\xff\4\0")
        ):
            self.assertEqual(self.told(answer(24, odd, number + 2)), UNKNOWN, odd)
        self.assertEqual(self.told(b"short"), UNKNOWN)
        self.assertEqual(self.neighbours.hop("nowhere"), UNKNOWN)

    def test_no_netlink(self) -> None:
        """A system without it says nothing."""
        self.patch(socket, "AF_NETLINK", None)
        self.assertEqual(Neighbours(open_netlink).hop("127.0.0.1"), UNKNOWN)


class KernelTests(TestCase):
    """What the real one says."""

    async def test_kernel(self) -> None:
        """Neighbours and routers, found and not, over IPv4 and IPv6."""
        script = Path(__file__).with_name("namespace_neighbours.py")
        self.assertIn("as it should be", await run_in_namespace(reactor, script))
