"""Tests for p2pship.bearer.streamlink, as its bearers use it: what waits, and how links end."""

from __future__ import annotations

import socket
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from p2pship.bearer.sendqueue import MOST_DATAGRAMS
from tests.bearer import strangers
from tests.bearer.fakes import Recorder
from tests.bearer.streampair import StreamPair, TCPPair, TLSPair


class FlowCases(StreamPair):
    """What waits, where, and how much of it."""

    async def stuck(self) -> tuple[Any, Any, Recorder]:
        """Return a link whose far end does not read and whose path is full, and who is told what of the near end."""
        near, far = await self.connect()
        told = Recorder()
        near.start(told)
        for _ in range(60):
            near.send(bytes(60_000))
        self.assertFalse(near.writable)
        waiting = 0
        while waiting != near._queue.waiting:
            waiting = near._queue.waiting
            for _ in range(20):
                await deferLater(reactor, 0, lambda: None)
        self.assertGreater(waiting, 0)
        return near, far, told

    async def test_bounded(self) -> None:
        """What the transport and the socket hold for us is little: the rest waits where we can see it."""
        near, _far, _told = await self.stuck()
        held = near._socket
        self.assertLess(len(held.dataBuffer) + held._tempDataLen, 2 * 65_600 + 4096)

    async def test_late_media(self) -> None:
        """Of many datagrams that wait only the newest are kept; they overtake frames, and the rest is counted."""
        near, far, _told = await self.stuck()
        for number in range(1000):
            near.cast(b"%d" % number)
        self.assertEqual(self.journal.counts[f"{self.alice.name}.media_dropped"], 1000 - MOST_DATAGRAMS)
        near.send(b"last")
        far_told = Recorder()
        far.start(far_told)
        await self.until(lambda: b"last" in far_told.frames)
        self.assertEqual(
            far_told.datagrams, [b"%d" % number for number in range(1000 - MOST_DATAGRAMS, 1000)]
        )
        first = far_told.events.index("datagram")
        self.assertEqual(far_told.events[first : first + MOST_DATAGRAMS], ["datagram"] * MOST_DATAGRAMS)
        self.assertGreater(far_told.events[first:].count("frame"), 5, "frames that waited longer came after")

    async def test_old_media(self) -> None:
        """A datagram that has waited 0.2 s is not sent any more."""
        near, far, _told = await self.stuck()
        near.cast(b"old")
        self.advance(0.15)
        near.cast(b"new")
        self.advance(0.1)
        far_told = Recorder()
        far.start(far_told)
        await self.until(lambda: len(far_told.frames) == 60)
        self.assertEqual(far_told.datagrams, [b"new"])
        self.assertEqual(self.journal.counts[f"{self.alice.name}.media_dropped"], 1)

    async def test_never_taken(self) -> None:
        """Who lets more than 4 MiB wait is not waited for."""
        near, _far, told = await self.stuck()
        for _ in range(70):
            near.send(bytes(60_000))
        await self.until(lambda: told.losses)
        self.assertIn("does not take", told.losses[0])

    async def test_close_stuck(self) -> None:
        """Closing a link whose other end does not read takes 2 s."""
        near, _far, told = await self.stuck()
        near.close("enough")
        self.advance(1.9)
        for _ in range(10):
            await deferLater(reactor, 0, lambda: None)
        self.assertEqual(told.losses, [])
        self.advance(0.1)
        await self.until(lambda: told.losses)
        self.assertEqual(told.losses, ["enough"])

    async def test_reset(self) -> None:
        """A connection that is reset loses the link."""
        _near, far, near_told, far_told = await self.talk()
        far.abort("crashed")
        await self.until(lambda: near_told.losses and far_told.losses)
        self.assertEqual((len(near_told.losses), far_told.losses), (1, ["crashed"]))

    async def test_socket_options(self) -> None:
        """The socket sends at once, keeps little, and notices that the other side is gone."""
        near, _far = await self.connect()
        handle = near._socket.getHandle()
        self.assertTrue(handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        self.assertTrue(handle.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            self.assertEqual(handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), 30_000)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            self.assertEqual(handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT), 8192)


class TLSFlowTests(TLSPair, FlowCases, TestCase):
    """Within TLS."""


class TCPFlowTests(TCPPair, FlowCases, TestCase):
    """In the clear, with a MAC on each record."""


class TLSEndTests(TLSPair, TestCase):
    """Ends that only TLS tells apart."""

    async def test_cut_short(self) -> None:
        """A connection that ends without TLS saying so loses the link, and is not taken for a close."""
        owner = ec.generate_private_key(ec.SECP256R1())
        stranger = strangers.knock_with_tls(reactor, self.port, strangers.equipped(owner))
        await self.until(lambda: self.accepted)
        told = Recorder()
        self.accepted[0].start(told)
        self.advance(0)
        stranger.transport.transport.loseConnection()
        await self.until(lambda: told.losses)
        self.assertNotIn("closed", told.losses[0])

    async def test_forged_record(self) -> None:
        """Octets that TLS did not protect end the link, and none of them is delivered."""
        owner = ec.generate_private_key(ec.SECP256R1())
        stranger = strangers.knock_with_tls(reactor, self.port, strangers.equipped(owner))
        await self.until(lambda: self.accepted)
        told = Recorder()
        self.accepted[0].start(told)
        self.accepted[0].send(b"hello")
        await self.until(lambda: stranger.heard)
        stranger.transport.transport.write(b"\x17\x03\x03\x00\x20" + bytes(32))
        await self.until(lambda: told.losses)
        self.assertEqual((told.frames, len(told.losses)), ([], 1))
