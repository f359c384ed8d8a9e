"""What every bearer and every link must do, whatever they are made of.

A bearer's tests inherit :class:`BearerContract`, and a class that makes it a pair of bearers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zope.interface.verify import verifyObject

from p2pship.address import Locator
from p2pship.bearer.listening import NoSuchAddress
from p2pship.errors import LocalError, NotReached
from p2pship.interfaces import IBearer, ILink
from tests.bearer.fakes import Recorder, device

Case: Any = object
"A twisted.trial TestCase at run time; the methods below are called on one."


class Closer(Recorder):
    """Closes its link when it is told of a frame, or of a datagram."""

    def __init__(self, link: ILink, kind: str) -> None:
        super().__init__()
        self._link = link
        self._kind = kind

    def frame_received(self, frame: bytes) -> None:
        super().frame_received(frame)
        if self._kind == "frame":
            self._link.close("inside")

    def datagram_received(self, datagram: bytes) -> None:
        super().datagram_received(datagram)
        if self._kind == "datagram":
            self._link.close("inside")


class BearerPair(Case):
    """Two bearers, ``alice`` and ``bob``; bob listens."""

    other_device = "another device answered"
    "what is said when another device than the one dialled is there; a listener that is not meant may just say nothing"
    alice: Any
    bob: Any
    accepted: list[Any]

    async def until(self, condition: Callable[[], object], step: float = 0.0) -> None:
        """Let things happen until the condition holds, and ``step`` seconds pass each time that it does not."""
        raise NotImplementedError

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        raise NotImplementedError

    async def connect(self) -> tuple[Any, Any]:
        """Return the two ends of a link that nobody has started: alice's, who dialled, and bob's."""
        dial = self.alice.dial(device("bob").key, self.bob.locators(), device("alice"))
        ends: list[Any] = []
        dial.addBoth(ends.append)
        await self.until(lambda: ends)
        self.assertTrue(ILink.providedBy(ends[0]), ends)
        await self.until(lambda: self.accepted)
        return ends[0], self.accepted.pop()

    async def talk(self) -> tuple[Any, Any, Recorder, Recorder]:
        """Return the two ends of a link, started, and who is told what of each."""
        near, far = await self.connect()
        near_told, far_told = Recorder(), Recorder()
        near.start(near_told)
        far.start(far_told)
        return near, far, near_told, far_told

    async def refused(self, key: bytes, locators: list[Locator]) -> NotReached:
        """Dial in vain, and return why."""
        dial = self.alice.dial(key, locators, device("alice"))
        outcome: list[Any] = []
        dial.addBoth(outcome.append)
        await self.until(lambda: outcome)
        error = getattr(outcome[0], "value", None)
        assert isinstance(error, NotReached), outcome
        return error


class BearerContract(BearerPair):
    """What must hold for them."""

    async def test_interfaces(self) -> None:
        """The bearer and both ends of its links provide their interfaces."""
        near, far = await self.connect()
        verifyObject(IBearer, self.alice)
        verifyObject(ILink, near)
        verifyObject(ILink, far)

    async def test_ends(self) -> None:
        """Each end knows the other's key and who dialled where."""
        near, far = await self.connect()
        self.assertEqual((near.proof, far.proof), (device("bob").key, device("alice").key))
        self.assertEqual((near.own, far.own), (far.proof, near.proof))
        self.assertEqual((near.dialled, far.dialled), (True, False))
        self.assertEqual((near.locator, far.locator), (self.bob.locators()[0], None))
        self.assertEqual(near.remote.port, self.bob.locators()[0].port)
        self.assertEqual(near.path, f"{self.bob.name} {near.remote}")
        self.assertEqual((near.encrypted, far.encrypted), (self.alice.encrypted, self.bob.encrypted))

    async def test_nothing_before_start(self) -> None:
        """What is sent before the other end is started waits for it, and comes in order."""
        near, far = await self.connect()
        for number in range(20):
            near.send(b"%d" % number)
        self.advance(1)
        told = Recorder()
        far.start(told)
        self.assertEqual(told.frames, [], "start itself delivers nothing")
        await self.until(lambda: len(told.frames) == 20)
        self.assertEqual(told.frames, [b"%d" % number for number in range(20)])

    async def test_order_and_size(self) -> None:
        """Frames of every size arrive whole and in order, in both directions at once."""
        near, far, near_told, far_told = await self.talk()
        frames = [bytes([size % 251]) * size for size in (0, 1, 2, 1000, 16_384, 16_385, 65_600, 3)]
        for frame in frames:
            near.send(frame)
            far.send(frame)
        await self.until(lambda: len(near_told.frames) == len(far_told.frames) == len(frames))
        self.assertEqual(near_told.frames, frames)
        self.assertEqual(far_told.frames, frames)

    async def test_datagrams(self) -> None:
        """Datagrams arrive as datagrams."""
        near, far, near_told, far_told = await self.talk()
        near.cast(b"to bob")
        far.cast(b"x" * near.largest_datagram)
        await self.until(lambda: near_told.datagrams and far_told.datagrams)
        self.assertEqual(far_told.datagrams, [b"to bob"])
        self.assertEqual(near_told.datagrams, [b"x" * near.largest_datagram])
        self.assertEqual(near_told.frames + far_told.frames, [])

    async def test_too_long(self) -> None:
        """A frame or datagram that is too long is our own bug, and the link goes on."""
        near, _far, _near_told, far_told = await self.talk()
        self.assertRaises(LocalError, near.send, bytes(65_601))
        self.assertRaises(LocalError, near.cast, bytes(65_601))
        near.send(b"after")
        near.cast(b"after")
        await self.until(lambda: far_told.frames and far_told.datagrams)
        self.assertEqual((far_told.frames, far_told.datagrams), ([b"after"], [b"after"]))

    async def test_writable(self) -> None:
        """A link that is not read says so, says when it can take more, and loses nothing."""
        near, far = await self.connect()
        near_told, far_told = Recorder(), Recorder()
        near.start(near_told)
        self.assertTrue(near.writable)
        for number in range(40):
            near.send(bytes([number]) * 60_000)
        self.assertFalse(near.writable)
        told: list[bool] = []
        near_told.link_writable = lambda: told.append(near.writable)  # type: ignore[method-assign]
        far.start(far_told)
        await self.until(lambda: told and len(far_told.frames) == 40)
        self.assertTrue(all(told), "it is when it says so: who is told sends again")
        self.assertTrue(near.writable)
        self.assertEqual([frame[0] for frame in far_told.frames], list(range(40)))

    async def test_close(self) -> None:
        """Frames sent before ``close`` arrive; then both ends are told once that it is over."""
        near, far, near_told, far_told = await self.talk()
        for number in range(10):
            near.send(bytes([number]) * 30_000)
        near.close("enough")
        near.close("again")
        near.send(b"too late")
        near.cast(b"too late")
        await self.until(lambda: near_told.losses and far_told.losses)
        self.assertEqual(near_told.losses, ["enough"])
        self.assertEqual(len(far_told.losses), 1)
        self.assertEqual([frame[0] for frame in far_told.frames], list(range(10)))
        self.assertEqual(far_told.datagrams, [])
        far.close("harmless")
        far.send(b"harmless")
        far.cast(b"harmless")
        self.advance(10)
        self.assertEqual((len(near_told.losses), len(far_told.losses)), (1, 1))

    async def test_both_close(self) -> None:
        """Both ends may close at once; each is told its own reason."""
        near, far, near_told, far_told = await self.talk()
        near.close("near")
        far.close("far")
        await self.until(lambda: near_told.losses and far_told.losses)
        self.assertEqual((near_told.losses, far_told.losses), (["near"], ["far"]))

    async def test_close_inside(self) -> None:
        """A receiver may close the link while it is told of a frame or datagram; it then hears of its end alone."""
        await self.close_inside("frame")
        await self.close_inside("datagram")

    async def close_inside(self, kind: str) -> None:
        """Close a link when the first frame or datagram comes, with more behind it."""
        near, far = await self.connect()
        near_told, far_told = Recorder(), Closer(far, kind)
        near.start(near_told)
        far.start(far_told)
        for _ in range(5):
            near.send(b"frame")
            near.cast(b"datagram")
        await self.until(lambda: near_told.losses and far_told.losses)
        self.assertEqual(far_told.events.index(kind), len(far_told.events) - 1)
        self.assertEqual((far_told.losses, len(near_told.losses)), (["inside"], 1))

    async def test_lost_before_start(self) -> None:
        """Who starts a link that is over gets what came before, and is told once that it is lost."""
        near, far = await self.connect()
        near.send(b"hello and goodbye")
        near.close("enough")
        near_told, far_told = Recorder(), Recorder()
        near.start(near_told)
        await self.until(lambda: near_told.losses, step=1)
        far.start(far_told)
        self.assertEqual(far_told.losses, [])
        await self.until(lambda: far_told.losses)
        self.assertEqual(far_told.frames, [b"hello and goodbye"])
        self.assertEqual(len(far_told.losses), 1)

    async def test_close_unstarted(self) -> None:
        """A link that is closed before it is started delivers nothing when it is."""
        near, far = await self.connect()
        near.send(b"unheard")
        far.close("not wanted")
        told = Recorder()
        far.start(told)
        await self.until(lambda: told.losses, step=1)
        self.assertEqual((told.losses, told.frames), (["not wanted"], []))

    async def test_stalled(self) -> None:
        """A watched link on which nothing comes for 5 s says so once; what comes later ends that silence."""
        near, far, told, _far_told = await self.talk()
        near.watch(True)
        self.advance(4.9)
        self.assertEqual(told.stalls, 0)
        far.cast(b"a sign of life")
        await self.until(lambda: told.datagrams)
        self.advance(4.9)
        self.assertEqual(told.stalls, 0)
        self.advance(0.1)
        self.advance(20)
        self.assertEqual(told.stalls, 1)
        far.send(b"here again")
        await self.until(lambda: told.frames)
        self.advance(5)
        self.assertEqual(told.stalls, 2)

    async def test_not_watched(self) -> None:
        """A link that is not watched, or no longer, may be silent."""
        near, _far, told, _far_told = await self.talk()
        self.advance(60)
        near.watch(True)
        near.watch(True)
        self.advance(3)
        near.watch(False)
        self.advance(60)
        self.assertEqual((told.stalls, told.losses), (0, []))

    async def test_limit(self) -> None:
        """A frame above the limit that an end has set ends the link, and is not delivered."""
        near, far, near_told, far_told = await self.talk()
        far.limit = 4096
        near.send(bytes(4096))
        near.send(bytes(4097))
        await self.until(lambda: near_told.losses and far_told.losses)
        self.assertEqual(far_told.frames, [bytes(4096)])
        self.assertIn("too long", far_told.losses[0])

    async def test_other_device(self) -> None:
        """Whoever proves another key than the one dialled is not reached."""
        error = await self.refused(device("carol").key, self.bob.locators())
        self.assertIn(self.other_device, str(error))
        self.assertIn(str(self.bob.locators()[0]), str(error))

    async def test_nobody_there(self) -> None:
        """A dial fails when nobody listens, and says where; without locators too."""
        locator = Locator(self.bob.name, "127.0.0.1", 1)
        error = await self.refused(device("bob").key, [locator])
        self.assertIn(str(locator), str(error))
        await self.refused(device("bob").key, [])

    async def test_own_key(self) -> None:
        """A device does not dial itself."""
        await self.refused(device("alice").key, self.bob.locators())

    async def test_second_locator(self) -> None:
        """A dial goes on to the next locator when one fails."""
        nobody = Locator(self.bob.name, "127.0.0.1", 1)
        dial = self.alice.dial(device("bob").key, [nobody, *self.bob.locators()], device("alice"))
        ends: list[Any] = []
        dial.addBoth(ends.append)
        await self.until(lambda: ends)
        self.assertEqual(ends[0].locator, self.bob.locators()[0])

    async def test_stop(self) -> None:
        """A bearer that stops closes its links, is then dialled in vain, and says when all is done."""
        _near, _far, near_told, far_told = await self.talk()
        locators = self.bob.locators()
        stopped: list[Any] = []
        self.bob.stop().addBoth(stopped.append)
        await self.until(lambda: stopped)
        self.assertEqual(stopped, [None])
        await self.until(lambda: near_told.losses and far_told.losses)
        self.assertEqual(self.bob.locators(), [])
        await self.refused(device("bob").key, locators)


class ListenContract(BearerPair):
    """Where a bearer with sockets listens; the pair has ``bearer``, which makes another one, and ``port``, bob's."""

    bearer: Any
    port: Any

    def test_taken_port(self) -> None:
        """When the port is taken, the next free one is."""
        carol = self.bearer(device("carol"), port=self.port)
        self.successResultOf(carol.listen(self.accepted.append, lambda: None))
        self.assertGreater(carol.locators()[0].port, self.port)

    def test_no_such_address(self) -> None:
        """When this machine has none of the addresses to listen on, listening fails with the reason."""
        carol = self.bearer(device("carol"), listen=("192.0.2.1",))
        failure = self.failureResultOf(carol.listen(self.accepted.append, lambda: None), NoSuchAddress)
        self.assertIn("192.0.2.1", failure.getErrorMessage())
        self.assertIn(f"listen in [bearer.{carol.name}]", failure.getErrorMessage())
        self.assertEqual(carol.locators(), [])

    def test_some_addresses(self) -> None:
        """An address that this machine does not have does not keep it from listening on the others."""
        carol = self.bearer(device("carol"), listen=("192.0.2.1", "127.0.0.1"))
        self.successResultOf(carol.listen(self.accepted.append, lambda: None))
        self.assertEqual([locator.host for locator in carol.locators()], ["127.0.0.1"])
