"""Announcements are spread in time."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.mainline.announce import EACH, REPEATED, Announcements


class AnnouncementsTests(SynchronousTestCase):
    """One after another."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.announced: list[bytes] = []
        self.announcements = Announcements(self.clock, self.announced.append)

    def test_spread(self) -> None:
        """The first goes at once, the others later, each once, and none that was dropped."""
        for infohash in (b"one", b"two", b"three", b"two", b"four"):
            self.announcements.add(infohash)
        self.announcements.drop(b"three")
        self.announcements.drop(b"five")
        self.assertEqual(self.announced, [b"one"])
        self.clock.pump([EACH] * 5)
        self.assertEqual(self.announced, [b"one", b"two", b"four"])

    def test_repeated(self) -> None:
        """What is announced for the first time, here or elsewhere, is announced some times more, until it is dropped."""
        for expected in (1 + len(REPEATED), 1, 1 + len(REPEATED)):
            self.announced.clear()
            self.announcements.add(b"one")
            self.clock.pump([1.0] * int(REPEATED[-1] + 1))
            self.assertEqual(self.announced, [b"one"] * expected)
            if expected == 1:
                self.announcements.moved()
        self.announcements.moved()
        self.announcements.add(b"one")
        self.announcements.drop(b"one")
        self.clock.advance(EACH)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_again(self) -> None:
        """After a silence one goes at once again."""
        self.announcements.add(b"one")
        self.clock.advance(EACH)
        self.announcements.add(b"one")
        self.assertEqual(self.announced, [b"one", b"one"])
        self.announcements.stop()

    def test_stopped(self) -> None:
        """Stopping leaves no timer."""
        for infohash in (b"one", b"two"):
            self.announcements.add(infohash)
        self.announcements.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(10)
        self.assertEqual(self.announced, [b"one"])
