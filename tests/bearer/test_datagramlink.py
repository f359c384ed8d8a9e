"""Tests for p2pship.bearer.datagramlink: what holds for every link over datagrams, whatever seals them."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.bearer.carried import Carried
from p2pship.bearer.datagramlink import ALIVE_TIME, CLOSE_TIME, DatagramLink
from p2pship.bearer.fragments import Cutter
from p2pship.bearer.pathmtu import PathMTU
from p2pship.bearer.silence import STALL_TIME
from p2pship.errors import LocalError
from p2pship.journal import Journal
from tests.bearer.fakes import Recorder

OVERHEAD = 80


class FakeWay:
    """Writes down what is sent, and refuses what is larger than the first network carries."""

    def __init__(self) -> None:
        self.mtu = PathMTU(OVERHEAD)
        self.base_room = self.mtu.base_room
        self.sent: list[tuple[int, bytes]] = []
        self.largest = 65_535

    def put(self, kind: int, data: bytes) -> bool:
        if len(data) + OVERHEAD > self.largest and len(data) > self.base_room:
            self.mtu.refused(len(data), 0.0)
            return False
        self.sent.append((kind, data))
        return True


class Link(DatagramLink):
    """A link that counts how often it is gone."""

    name = "test"
    gone = 0

    @property
    def path(self) -> str:
        return "test"

    def _gone(self) -> None:
        self.gone += 1

    def lost_way(self) -> None:
        """Hear that nothing can be sent any more."""
        self._finish("worn out")


class _LinkCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.journal = Journal()
        self.way, self.other_way = FakeWay(), FakeWay()
        self.link = Link(self.clock, self.journal, self.way)
        self.other = Link(self.clock, self.journal, self.other_way)
        self.told, self.other_told = Recorder(), Recorder()

    def start(self) -> None:
        for link, told in ((self.link, self.told), (self.other, self.other_told)):
            link.limit = 65_600
            link.start(told)
        self.exchange()

    def carry(self, way: FakeWay, to: Link) -> int:
        """Give one link what the other has sent, and return how many datagrams that were."""
        sent, way.sent = way.sent, []
        for kind, data in sent:
            to.taken(kind, data)
        if sent:
            to.batch_ended()
        return len(sent)

    def exchange(self) -> None:
        """Carry everything until nothing is said any more."""
        self.clock.advance(0)
        while self.carry(self.way, self.other) + self.carry(self.other_way, self.link):
            self.clock.advance(0)

    def kinds(self) -> list[int]:
        return [kind for kind, _ in self.way.sent]


class WornOutWay(FakeWay):
    """A way whose link ends when something is sent, as when its keys may seal no more."""

    link: Link
    is_worn_out = False

    def put(self, kind: int, data: bytes) -> bool:
        if self.is_worn_out:
            self.link.lost_way()
        return super().put(kind, data)


class WornOutTests(SynchronousTestCase):
    """A link that ends while it sends."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.way = WornOutWay()
        self.link = self.way.link = Link(self.clock, Journal(), self.way)
        self.told = Recorder()
        self.link.start(self.told)
        self.clock.advance(0)

    def assert_over(self) -> None:
        """It is lost once, and nothing of it is left."""
        self.clock.advance(0)
        self.assertEqual((self.told.losses, self.link.gone), (["worn out"], 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_frame(self) -> None:
        """No timer waits for an acknowledgement of what was not sent."""
        self.way.is_worn_out = True
        self.link.send(b"frame")
        self.assert_over()

    def test_alive(self) -> None:
        """Nothing keeps a link alive that is over."""
        self.link.watch(True)
        self.way.is_worn_out = True
        self.clock.advance(ALIVE_TIME)
        self.assert_over()


class MediaTests(_LinkCase):
    """What is cast."""

    def test_one_piece(self) -> None:
        """What every path carries goes as it is."""
        self.start()
        for size in (0, 1, 160, self.way.base_room):
            self.link.cast(bytes(size))
        self.assertEqual(
            self.way.sent, [(Carried.MEDIA, bytes(size)) for size in (0, 1, 160, self.way.base_room)]
        )

    def test_parts(self) -> None:
        """What is larger goes in parts that every path carries, and the first probe with it."""
        self.start()
        self.link.cast(bytes(self.way.base_room + 1))
        parts = [data for kind, data in self.way.sent if kind == Carried.PART]
        self.assertEqual((len(parts), self.kinds()), (2, [Carried.PART, Carried.PART, Carried.SEGMENT]))
        self.assertLessEqual(max(map(len, parts)), self.way.base_room)
        self.exchange()
        self.assertEqual(self.other_told.datagrams, [bytes(self.way.base_room + 1)])

    def test_one_piece_when_known(self) -> None:
        """Once a larger size was found to pass, it goes in one piece; if the system refuses that after all, in parts."""
        self.start()
        self.link.cast(bytes(1400))
        self.exchange()
        self.assertGreater(self.link.largest_datagram, 1400)
        self.link.cast(bytes(1400))
        self.assertEqual(self.kinds(), [Carried.MEDIA])
        self.exchange()
        self.way.largest = 1300
        self.link.cast(bytes(1400))
        self.assertEqual(self.kinds()[:2], [Carried.PART, Carried.PART])
        self.exchange()
        self.assertEqual(self.other_told.datagrams, [bytes(1400)] * 3)

    def test_too_long(self) -> None:
        """What no link carries is our own error."""
        self.start()
        self.link.cast(bytes(65_600))
        self.assertRaises(LocalError, self.link.cast, bytes(65_601))

    def test_not_begun(self) -> None:
        """Media that comes before the link is started is of no use later; nothing comes to who has closed it."""
        self.link.taken(Carried.MEDIA, b"early")
        self.start()
        self.link.taken(Carried.MEDIA, b"in time")
        self.link.close("")
        self.link.taken(Carried.MEDIA, b"late")
        self.assertEqual(self.told.datagrams, [b"in time"])

    def test_parts_of_strangers(self) -> None:
        """Parts are not kept before the receiver takes more than a stranger's first words."""
        self.link.limit = 100
        self.link.start(self.told)
        self.clock.advance(0)
        for part in Cutter().cut(bytes(3000), 1000):
            self.link.taken(Carried.PART, part)
        self.assertEqual((self.told.datagrams, self.link._parts._unfinished), ([], {}))


class OtherTests(_LinkCase):
    """What else comes."""

    def test_question(self) -> None:
        """A question is answered with its octets; one of another size is not."""
        self.link.taken(Carried.QUESTION, b"8 octets")
        self.link.taken(Carried.QUESTION, b"7 octet")
        self.link.taken(Carried.QUESTION, b"")
        self.assertEqual(self.way.sent, [(Carried.REPLY, b"8 octets")])

    def test_unknown(self) -> None:
        """What is of no kind that is known does nothing; what is cut is counted."""
        self.start()
        for kind in (0, 15, 23, 255):
            self.link.taken(kind, b"data")
        for kind in (Carried.SEGMENT, Carried.PART):
            self.link.taken(kind, b"")
        self.link.batch_ended()
        self.assertEqual((self.told.frames, self.told.datagrams, self.told.losses), ([], [], []))
        self.assertEqual(self.journal.counts["test.malformed"], 2)

    def test_keep_alive(self) -> None:
        """A watched link says something every 15 s, and that it is stalled when nothing comes for five."""
        self.start()
        self.clock.advance(10 * ALIVE_TIME)
        self.assertEqual((self.way.sent, self.told.stalls), ([], 0))
        self.link.watch(True)
        for _ in range(3):
            self.clock.advance(ALIVE_TIME)
        self.assertEqual(self.kinds(), [Carried.ALIVE] * 3)
        self.assertEqual(self.told.stalls, 1)
        self.link.taken(Carried.ALIVE, b"")
        self.clock.advance(STALL_TIME)
        self.assertEqual(self.told.stalls, 2)
        self.link.watch(False)
        self.way.sent.clear()
        self.clock.advance(10 * ALIVE_TIME)
        self.assertEqual((self.way.sent, self.told.stalls), ([], 2))


class LifeTests(_LinkCase):
    """The end."""

    def assert_over(self, link: Link, told: Recorder, reason: str) -> None:
        self.clock.advance(0)
        self.assertEqual((told.losses, link.gone), ([reason], 1))
        self.assertEqual(self.clock.getDelayedCalls(), [], "nothing of it is left")

    def test_closed(self) -> None:
        """What was sent before arrives, then both ends are told once."""
        self.start()
        self.link.watch(True)
        self.link.send(b"last words")
        self.link.close("enough")
        self.link.close("again")
        self.link.send(b"too late")
        self.link.cast(b"too late")
        self.assertTrue(self.link.is_closing)
        self.exchange()
        self.assertEqual((self.other_told.frames, self.other_told.datagrams), ([b"last words"], []))
        self.assertEqual((self.told.losses, self.link.gone), (["enough"], 1))
        self.assert_over(self.other, self.other_told, "the other side closed the link")

    def test_closed_in_vain(self) -> None:
        """To nobody, it takes two seconds."""
        self.start()
        self.link.close("enough")
        self.clock.advance(CLOSE_TIME - 0.01)
        self.assertEqual(self.told.losses, [])
        self.clock.advance(0.01)
        self.assert_over(self.link, self.told, "enough")

    def test_goodbye(self) -> None:
        """Whom the other side tells that it has gone says nothing more."""
        self.start()
        self.link.taken(Carried.GOODBYE, b"")
        self.link.batch_ended()
        self.link.abort("again")
        self.assertEqual(self.way.sent, [])
        self.assert_over(self.link, self.told, "the other side closed the link")

    def test_aborted_before_start(self) -> None:
        """A link that was lost before it was started tells its receiver when it is."""
        self.link.abort("no use")
        self.assertEqual(self.kinds(), [Carried.GOODBYE])
        self.link.start(self.told)
        self.assert_over(self.link, self.told, "no use")

    def test_hostile_frame(self) -> None:
        """A frame that is longer than is taken ends the link."""
        self.start()
        self.link.limit = 10
        self.other.send(bytes(11))
        self.exchange()
        self.assertIn("too long", self.told.losses[0])

    def test_nothing_kept(self) -> None:
        """An idle link has no timers at all."""
        self.start()
        self.assertEqual(self.clock.getDelayedCalls(), [])
