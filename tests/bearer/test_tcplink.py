"""Tests for p2pship.bearer.tcplink: who is let in, and who comes between, over real sockets on loopback."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from p2pship.address import Locator
from p2pship.bearer.admission import MOST_FROM_ONE_SOURCE
from p2pship.bearer.channel import LAST_COUNTER, RecordSealer
from p2pship.bearer.exchange import Dialler, Listener
from p2pship.bearer.exchangewire import ANSWER_SIZE, OPENING_SIZE
from p2pship.bearer.framing import LARGEST_FRAME, datagram_record, frame_record
from tests.bearer import strangers
from tests.bearer.between import Between
from tests.bearer.fakes import Recorder, device
from tests.bearer.streampair import HOST, TCPPair


class StrangerTests(TCPPair, TestCase):
    """Who is not let in, and what they can cost."""

    async def turned_away(self, says: bytes) -> None:
        """Knock and say something; check that the connection is ended at once, without a word."""
        stranger = strangers.knock(reactor, self.port, says)
        await self.until(lambda: stranger.lost)
        self.assertEqual((self.accepted, stranger.heard, self.journal.counts["tcp.refused"]), ([], b"", 1))

    async def test_garbage(self) -> None:
        """Something else than an opening ends the connection."""
        await self.turned_away(b"GET / HTTP/1.1\r\n".ljust(OPENING_SIZE))

    async def test_other_device(self) -> None:
        """Who dials another device hears nothing: not even who is here."""
        await self.turned_away(Dialler("tcp", device("eve"), os.urandom, device("carol").key).opening())

    async def test_other_bearer(self) -> None:
        """An exchange that was begun for the bearer ``udp`` comes to nothing here."""
        eve = Dialler("udp", device("eve"), os.urandom, device("bob").key)
        stranger = strangers.knock(reactor, self.port, eve.opening())
        await self.until(lambda: len(stranger.heard) == ANSWER_SIZE)
        stranger.transport.write(b"\3\1" + bytes(64))
        await self.until(lambda: stranger.lost)
        self.assertEqual(self.accepted, [])

    async def test_own_key(self) -> None:
        """Who has this device's own key is a mirror or a thief."""
        there, here = device("carol"), device("bob")
        said = Dialler("tcp", here, os.urandom, there.key).opening()
        meant = Dialler("tcp", there, os.urandom, here.key).opening()
        await self.turned_away(said[:100] + meant[100:])

    async def test_mute(self) -> None:
        """Who says nothing, or stops in the middle, is out after 5 s."""
        opening = Dialler("tcp", device("eve"), os.urandom, device("bob").key).opening()
        crowd = [strangers.knock(reactor, self.port, says) for says in (b"", opening[:-1], opening)]
        await self.until(lambda: crowd[2].heard and len(self.bob._links) == 3)
        self.advance(4.9)
        self.assertTrue(all(stranger.lost is None for stranger in crowd))
        self.advance(0.1)
        await self.until(lambda: all(stranger.lost for stranger in crowd))
        self.assertEqual((self.accepted, self.journal.counts["tcp.refused"]), ([], 3))

    async def test_many_from_one_place(self) -> None:
        """Only so many may be at the door from one address, and who is honest comes in beside them."""
        crowd = [strangers.knock(reactor, self.port) for _ in range(MOST_FROM_ONE_SOURCE + 3)]
        await self.until(lambda: sum(stranger.lost is not None for stranger in crowd) == 3)
        self.assertEqual(self.journal.counts["tcp.over_limit"], 3)
        await self.connect()

    async def test_octet_by_octet(self) -> None:
        """However slowly the octets come, the link is made, and what came with the last of them is kept."""
        eve = Dialler("tcp", device("eve"), os.urandom, device("bob").key)
        stranger = strangers.knock(reactor, self.port)
        await self.until(lambda: stranger.transport)
        await self.drip(stranger, eve.opening())
        await self.until(lambda: len(stranger.heard) == ANSWER_SIZE)
        closing = eve.received(stranger.heard)
        assert closing is not None
        await self.drip(stranger, closing[:-1])
        frame = RecordSealer(eve.send_key).seal(frame_record(b"early"))
        stranger.transport.write(closing[-1:] + frame[:7])
        await self.until(lambda: self.accepted)
        self.assertEqual(self.accepted[0].proof, device("eve").key)
        told = Recorder()
        self.accepted[0].start(told)
        await self.drip(stranger, frame[7:])
        await self.until(lambda: told.frames)
        self.assertEqual(told.frames, [b"early"])

    async def drip(self, stranger: strangers.Stranger, data: bytes) -> None:
        """Let a stranger say something octet by octet."""
        for octet in data:
            stranger.transport.write(bytes([octet]))
            await deferLater(reactor, 0, lambda: None)

    async def test_unstarted_reads_little(self) -> None:
        """A link that nobody starts keeps no more than one small read."""
        eve = Dialler("tcp", device("eve"), os.urandom, device("bob").key)
        stranger = strangers.knock(reactor, self.port, eve.opening())
        await self.until(lambda: len(stranger.heard) == ANSWER_SIZE)
        stranger.transport.write(eve.received(stranger.heard))
        flood = RecordSealer(eve.send_key)
        for _ in range(20):
            stranger.transport.write(flood.seal(frame_record(bytes(LARGEST_FRAME))))
        await self.until(lambda: self.accepted)
        for _ in range(50):
            await deferLater(reactor, 0, lambda: None)
        self.assertLessEqual(self.accepted[0]._reader.waiting, 4096)
        told = Recorder()
        self.accepted[0].start(told)
        await self.until(lambda: len(told.frames) == 20)

    async def test_worn_out(self) -> None:
        """When the key's counters are used up the link ends, rather than use one twice."""
        near, _far, near_told, far_told = await self.talk()
        near._sealer = RecordSealer(bytes(16), LAST_COUNTER + 1)
        near.send(b"one too many")
        await self.until(lambda: near_told.losses and far_told.losses)
        self.assertIn("as often as it may be", near_told.losses[0])
        self.assertEqual(far_told.frames, [])


class BetweenTests(TCPPair, TestCase):
    """Who sits on the way."""

    def setUp(self) -> None:
        super().setUp()
        self.between = Between(reactor, lambda: self.port)
        self.addCleanup(self.between.stop)

    def way(self) -> list[Locator]:
        """Return where Alice thinks that Bob is."""
        return [Locator("tcp", HOST, self.between.port)]

    async def talk(self) -> tuple[Any, Any, Recorder, Recorder]:
        """Return both ends of a link that leads through the one between, started."""
        ends: list[Any] = []
        self.alice.dial(device("bob").key, self.way(), device("alice")).addBoth(ends.append)
        await self.until(lambda: ends and self.accepted)
        near_told, far_told = Recorder(), Recorder()
        near, far = ends[0], self.accepted.pop()
        near.start(near_told)
        far.start(far_told)
        return near, far, near_told, far_told

    async def test_passes_on(self) -> None:
        """Who passes everything on reads all of it: nothing is encrypted, and that is what the bearer says."""
        near, far, near_told, far_told = await self.talk()
        near.send(b"alice calls bob")
        far.cast(b"voice")
        await self.until(lambda: far_told.frames and near_told.datagrams)
        self.assertIn(b"alice calls bob", self.between.forth)
        self.assertIn(b"voice", self.between.back)
        self.assertEqual((near.encrypted, far.encrypted), (False, False))

    async def test_altered(self) -> None:
        """One octet altered, wherever it is in header, body or MAC, ends the link; nothing is delivered, and what was altered is counted."""
        for at in (0, 1, 3, 4, 10, 324, 339):
            near, _far, near_told, far_told = await self.talk()
            self.between.tamper = lambda forth, data, at=at: flipped(data, at) if forth else data  # type: ignore[misc]
            near.send(b"pay bob 10 euros" * 20)
            near.send(b"more" * 100)  # what a longer length reaches into
            await self.until(lambda: near_told.losses and far_told.losses)  # noqa: B023
            self.assertEqual(far_told.frames, [], at)
            self.between.tamper = passed
        self.assertEqual(self.journal.counts["tcp.forged"], 5)

    async def attack(self, forth: bool, wanted: Sequence[bytes], say: Any) -> Recorder:
        """Send three frames, let the one between say what ``say`` makes of them; return who was told what.

        Check that the link ended, that this was counted, and that no more frames came than those wanted.
        """
        near, far, near_told, far_told = await self.talk()
        kept: list[bytes] = []
        self.between.tamper = lambda forwards, data: kept.append(data) or b"" if forwards == forth else data  # type: ignore[func-returns-value]
        sender, told = (near, far_told) if forth else (far, near_told)
        for number in range(3):
            sender.send(b"frame %d" % number)
        await self.until(lambda: len(b"".join(kept)) == 3 * 27)
        records = b"".join(kept)
        self.between.say(*say([records[at : at + 27] for at in (0, 27, 54)]))
        other = near_told if forth else far_told
        await self.until(lambda: near_told.losses and far_told.losses)
        self.assertEqual(told.frames, list(wanted))
        self.assertEqual((other.frames, self.journal.counts["tcp.forged"]), ([], 1))
        return told

    async def test_replayed(self) -> None:
        """A frame that comes twice ends the link."""
        await self.attack(True, [b"frame 0"], lambda records: (True, records[0] * 2))

    async def test_reordered(self) -> None:
        """So do frames in another order."""
        await self.attack(True, [], lambda records: (True, records[1] + records[0]))

    async def test_left_out(self) -> None:
        """So does one that is missing."""
        await self.attack(False, [b"frame 0"], lambda records: (False, records[0] + records[2]))

    async def test_reflected(self) -> None:
        """So does what a side sent itself."""
        await self.attack(True, [], lambda records: (False, records[0]))

    async def test_kind_swapped(self) -> None:
        """So does a frame that is made a datagram."""
        await self.attack(True, [], lambda records: (True, b"\2" + records[0][1:]))

    async def test_injected(self) -> None:
        """So does a record without a valid MAC."""
        await self.attack(True, [], lambda records: (True, datagram_record(b"noise") + bytes(16)))

    async def test_recorded_link(self) -> None:
        """A whole link that was recorded, said again to the listener, comes to nothing."""
        near, _far, near_told, far_told = await self.talk()
        near.send(b"open the door")
        await self.until(lambda: far_told.frames)
        near.close("enough")
        await self.until(lambda: near_told.losses and far_told.losses)
        stranger = strangers.knock(reactor, self.port, self.between.forth)
        await self.until(lambda: stranger.lost)
        self.assertEqual((self.accepted, self.journal.counts["tcp.refused"]), ([], 1))

    async def test_recorded_listener(self) -> None:
        """Nor is a dialler taken in by what the listener said before."""
        await self.talk()
        recorded = self.between.back

        def instead(_forth: bool, _data: bytes) -> bytes:
            self.between.say(False, recorded)
            return b""

        self.between.tamper = instead
        error = await self.refused(device("bob").key, self.way())
        self.assertIn("signature", str(error))

    async def test_swapped_keys(self) -> None:
        """Who puts in keys of their own, on both sides at once, is refused by both."""
        mallory_near = Listener("tcp", device("mallory"), os.urandom)
        mallory_far = Dialler("tcp", device("mallory"), os.urandom, device("bob").key)

        def swap(forth: bool, data: bytes) -> bytes:
            if forth and len(data) == OPENING_SIZE:
                return data[:34] + mallory_far.opening()[34:67] + data[67:]
            if not forth and len(data) == ANSWER_SIZE:
                meant = Dialler("tcp", device("alice"), os.urandom, device("mallory").key)
                mine = mallory_near.received(meant.opening())
                assert mine is not None
                return data[:34] + mine[34:67] + data[67:]
            return data

        self.between.tamper = swap
        error = await self.refused(device("bob").key, self.way())
        self.assertIn("signature", str(error))
        self.assertEqual(self.accepted, [])

    async def test_mirror(self) -> None:
        """Who sends back what a dialler says is refused."""
        self.between.tamper = lambda forth, data: self.between.say(False, data) or b""  # type: ignore[func-returns-value]
        error = await self.refused(device("bob").key, self.way())
        self.assertIn("kind 1", str(error))

    async def test_cut(self) -> None:
        """Who cuts the connection loses the link for both."""
        _near, _far, near_told, far_told = await self.talk()
        for side in self.between.sides:
            side.cut()
        await self.until(lambda: near_told.losses and far_told.losses)


def passed(_forth: bool, data: bytes) -> bytes:
    """Alter nothing."""
    return data


def flipped(data: bytes, at: int) -> bytes:
    """Return octets with one altered."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
