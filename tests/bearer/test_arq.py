"""Tests for p2pship.bearer.arq: two ends and a simulated path."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from p2pship.bearer.arq import ARQ, GIVE_UP
from p2pship.bearer.arqreceiver import FIRST_WINDOW, WINDOW, FrameTooLong
from p2pship.bearer.arqwire import Ack, BadSegment, ack_segment, data_segment
from p2pship.bearer.pathmtu import SIZES, PathMTU
from p2pship.bearer.rto import SHORTEST, SHORTEST_PROBE
from p2pship.errors import LocalError, RemoteError
from tests.bearer.arqpath import OVERHEAD, Path, always, rough
from tests.scale import SEED, scaled

SEEDS = range(SEED, SEED + scaled(4, 40))


def frames(count: int, seed: int = 1, most: int = 3000) -> list[bytes]:
    """Return different frames of many sizes."""
    random = Random(seed)
    return [b"%d " % number + random.randbytes(random.randrange(most)) for number in range(count)]


class CleanPathTests(TestCase):
    """Nothing is lost."""

    def test_sizes(self) -> None:
        """Frames of all sizes arrive in order, both ways, and none is sent twice."""
        path = Path(always(0.02))
        sent = [bytes([size % 251]) * size for size in (0, 1, 1200, 1206, 1207, 65_600, 3, 0, 65_536)]
        path.send(0, *sent)
        path.send(1, *reversed(sent))
        path.run()
        self.assertEqual(path.frames, (sent[::-1], sent))
        self.assertEqual([end.resent + end.repeated for end in path.ends], [0, 0])

    def test_no_retransmission(self) -> None:
        """On a clean path nothing is ever sent again, however long it is and however much is sent."""
        for delay in (0.0, 0.001, 0.05, 0.3, 0.49):
            path = Path(always(delay))
            sent = frames(300)
            path.send(0, *sent)
            path.run()
            self.assertEqual(path.frames[1], sent)
            self.assertEqual((path.ends[0].resent, path.ends[1].repeated), (0, 0), delay)

    def test_small_jitter(self) -> None:
        """Segments that overtake each other a little are not taken for lost."""
        path = Path(lambda number: [0.05 + (0.004 if number % 7 == 3 else 0.0)])
        for frame in frames(200, most=200):
            path.send(0, frame)
            path.run(0.003)
        path.run()
        self.assertEqual(len(path.frames[1]), 200)
        self.assertEqual(path.ends[0].resent, 0)

    def test_quiet(self) -> None:
        """When all has arrived nothing more is to be done: no timer runs, and no datagram is sent."""
        path = Path(always(0.01))
        path.send(0, b"hello")
        path.run()
        self.assertEqual([end.due() for end in path.ends], [None, None])
        self.assertEqual(path.datagrams, [2, 2], "a window each, the frame and its acknowledgement")

    def test_goodput(self) -> None:
        """Two megabytes take a few round trips more than the window needs."""
        path = Path(always(0.05))
        began = path.now
        path.send(0, *[bytes(50_000)] * 40)
        path.run()
        self.assertEqual(len(path.frames[1]), 40)
        self.assertLess(path.now - began, 0.1 * (2_000_000 / WINDOW + 10))

    def test_few_octets(self) -> None:
        """Small frames cost little: one datagram carries what waits."""
        path = Path(always(0.05))
        path.send(0, *[b"x" * 20] * 1000)
        path.run()
        self.assertLess(path.octets[0], 1000 * 24 * 1.1 + sum(SIZES))


class RoughPathTests(TestCase):
    """Much is lost, repeated and overtaken."""

    def test_everything_once(self) -> None:
        """With 30 % of all datagrams lost both ways, repeats and reordering, every frame arrives once and in order."""
        for seed in SEEDS:
            path = Path(rough(seed, 0.3, 0.02, 0.04, 0.1), rough(seed + 1000, 0.3, 0.02, 0.04, 0.1))
            sent = frames(120, seed), frames(120, seed + 1)
            for ours, theirs in zip(*sent, strict=True):
                path.send(0, ours)
                path.send(1, theirs)
                path.run(0.02)
            path.run()
            self.assertEqual(path.frames, (sent[1], sent[0]), seed)
            self.assertIsNone(path.ends[0].given_up(path.now))

    @given(
        st.lists(st.sampled_from([0, 1, 1, 1, 2]), max_size=60),
        st.lists(st.sampled_from([0, 1, 1, 1, 2]), max_size=60),
        st.lists(st.floats(0.0, 0.2), min_size=1, max_size=10),
        st.lists(st.integers(0, 5000), min_size=1, max_size=12),
    )
    def test_any_pattern(
        self, there: list[int], back: list[int], delays: list[float], sizes: list[int]
    ) -> None:
        """Whatever is lost, repeated and delayed at the beginning, every frame arrives once and in order."""

        def fate(pattern: list[int]):  # type: ignore[no-untyped-def]
            return lambda number: (
                [delays[(number + copy) % len(delays)] for copy in range(pattern[number])]
                if number < len(pattern)
                else [0.01]
            )

        path = Path(fate(there), fate(back))
        sent = [b"%d" % number + bytes(size) for number, size in enumerate(sizes)]
        path.send(0, *sent)
        path.send(1, *sent)
        path.run(20_000)
        self.assertEqual(path.frames, (sent, sent))

    def test_goodput(self) -> None:
        """With a tenth lost on a way of 100 ms there and back, a megabyte takes less than a minute."""
        path = Path(rough(5, 0.1, 0.05), rough(6, 0.1, 0.05))
        began = path.now
        path.send(0, *[bytes(25_000)] * 40)
        path.run()
        self.assertEqual(len(path.frames[1]), 40)
        self.assertLess(path.now - began, 60)
        self.assertLess(path.octets[0], 1_000_000 * 1.5, "and little was sent in vain")

    def test_lost_tail(self) -> None:
        """The last segment's loss is noticed after two round trips, and not only after the timeout (RFC 8985 §7)."""
        path = Path(lambda number: [] if number == 11 else [0.03], always(0.03))
        path.send(0, b"measured")
        path.run()
        began = path.now
        window = path.ends[0]._sender._window
        before = window.octets
        path.send(0, *[bytes(1150)] * 10)
        path.run()
        self.assertEqual(len(path.frames[1]), 11)
        self.assertAlmostEqual(path.now - began, 0.06 + 2 * 0.06 + 0.06, 3)
        self.assertEqual(path.ends[0].resent, 1)
        self.assertLess(window.octets, before, "it counts as lost")

    def test_lost_flight(self) -> None:
        """When all of a flight is lost, the answer to what was sent again shows it: the rest does not wait for another timeout."""
        path = Path(lambda number: [] if 2 <= number < 5 else [0.03], always(0.03))
        path.send(0, b"measured")
        path.run()
        began = path.now
        path.send(0, *[bytes(1150)] * 3)
        path.run()
        self.assertEqual(len(path.frames[1]), 4)
        self.assertAlmostEqual(path.now - began, 2 * 0.06 + 0.06 + 0.06, 3)

    def test_lost_twice(self) -> None:
        """The tail is sent again early once: when that is lost too, the timeout has its turn, and doubles."""
        path = Path(lambda number: [] if 2 <= number < 5 else [0.01], always(0.01))
        path.send(0, b"measured")
        path.run()
        began = path.now
        path.send(0, b"hello")
        path.run()
        self.assertEqual(path.frames[1], [b"measured", b"hello"])
        self.assertAlmostEqual(path.now - began, SHORTEST_PROBE + SHORTEST + 2 * SHORTEST + 0.02, 3)

    def test_fast_retransmission(self) -> None:
        """What three later ones overtook is sent again at once, and the window halves once for a burst of losses."""
        path = Path(lambda number: [] if number in (4, 6) else [0.05])
        path.settle()
        before = path.ends[0]._sender._window.octets
        path.send(0, *[bytes(1100)] * 10)
        began = path.now
        path.run()
        self.assertLess(path.now - began, 0.21, "two round trips")
        self.assertEqual(path.ends[0].resent, 2)
        self.assertEqual(path.ends[0]._sender._window.octets, before // 2)

    def test_lost_acknowledgements(self) -> None:
        """Acknowledgements that are lost cost nothing while later ones arrive."""
        path = Path(
            lambda number: [0.02 + 0.001 * (number % 20)], lambda number: [] if number % 3 else [0.02]
        )
        path.send(0, *[bytes(10_000)] * 30)
        path.run()
        self.assertEqual(len(path.frames[1]), 30)
        self.assertLess(path.ends[0].resent, 16)

    def test_pause(self) -> None:
        """After a pause of ten seconds in which nothing passes it goes on, and starts slowly."""
        closed = False
        path = Path(lambda _number: [] if closed else [0.02])
        path.send(0, *[bytes(10_000)] * 10)
        path.run()
        closed = True
        path.send(0, *[bytes(10_000)] * 10)
        path.run(10)
        self.assertLess(path.ends[0]._sender._window.octets, 5000)
        self.assertIsNone(path.ends[0].given_up(path.now))
        closed = False
        path.run(6)
        self.assertEqual(len(path.frames[1]), 20)


class EndTests(TestCase):
    """How it ends."""

    def test_given_up(self) -> None:
        """When nothing is acknowledged for 30 s the channel is given up; while nothing waits it is not."""
        path = Path(lambda number: [0.02] if number < 2 else [])
        path.send(0, b"hello")
        path.run()
        self.assertIsNone(path.ends[0].given_up(path.now + 10_000))
        path.send(0, b"anybody?")
        path.run(GIVE_UP - 6)
        self.assertIsNone(path.ends[0].given_up(path.now))
        began = path.datagrams[0]
        path.run(8)
        self.assertIn("30 s", path.ends[0].given_up(path.now) or "")
        self.assertLess(began, 30, "it is asked ever more rarely")

    def test_ended(self) -> None:
        """The end is told after the last frame, and reliably."""
        for seed in SEEDS:
            path = Path(rough(seed, 0.3, 0.02, 0.02))
            path.send(0, *frames(5))
            path.ends[0].end()
            path.flush(0)
            path.run()
            self.assertEqual(path.frames[1], frames(5))
            self.assertTrue(path.ends[1].ended and path.ends[0].done)

    def test_used_up(self) -> None:
        """A channel whose numbers are used up says so."""
        path = Path(always(0.0))
        path.ends[0]._sender.next_number = 2**32 - 10_000
        self.assertIn("used up", path.ends[0].given_up(path.now) or "")


class WindowTests(TestCase):
    """What somebody can make us keep."""

    def test_first_window(self) -> None:
        """Before it is released an end takes a few octets; the rest waits, and comes afterwards."""
        path = Path(always(0.02), released=False)
        path.send(0, *[bytes(3000)] * 20)
        path.run(5)
        self.assertEqual(path.ends[1].kept, FIRST_WINDOW)
        self.assertFalse(path.ends[0].writable)
        path.release(1)
        path.run()
        self.assertEqual(len(path.frames[1]), 20)

    def test_lost_opening(self) -> None:
        """When the word that the window is open is lost, the sender asks."""
        released = False
        path = Path(always(0.02), lambda number: [] if released and number < 20 else [0.02], False)
        path.send(0, *[bytes(3000)] * 20)
        path.run(20)
        self.assertIsNone(path.ends[0].given_up(path.now), "an end that answers is not given up")
        released = True
        path.release(1)
        path.run()
        self.assertEqual(len(path.frames[1]), 20)

    def test_writable(self) -> None:
        """The sender says when it has enough, and takes more all the same."""
        end = ARQ(PathMTU(OVERHEAD))
        self.assertTrue(end.writable)
        for _ in range(10):
            end.send(bytes(10_000))
        end.outgoing(0.0)
        self.assertFalse(end.writable)
        self.assertEqual(end.waiting, 100_040 - FIRST_WINDOW)

    def test_too_long(self) -> None:
        """A frame above the limit is refused as soon as its length is there; one of ours that is too long is a bug."""
        path = Path(always(0.0))
        self.assertRaises(LocalError, path.ends[0].send, bytes(65_601))
        path.ends[1].limit = 100
        path.reading[1] = False
        path.send(0, bytes(100), bytes(101))
        path.run()
        given = path.ends[1].frames()
        self.assertEqual(next(given), bytes(100))
        self.assertRaises(FrameTooLong, next, given)

    def test_hostile_sender(self) -> None:
        """Whoever sends single octets, overlaps and leaves gaps is answered, and makes us keep the window at most."""
        random = Random(7)
        end = ARQ(PathMTU(OVERHEAD))
        end.release()
        refused = 0
        for number in range(1, 5000):
            offset, size = random.choice(
                [(random.randrange(5, WINDOW * 2), 1), (random.randrange(5, WINDOW), random.randrange(1200))]
            )
            try:
                end.received(data_segment(number, offset, bytes(size)), 1.0)
            except BadSegment:
                refused += 1
            self.assertLessEqual(end.kept, WINDOW)
            self.assertLess(len(end.outgoing(1.0)), 2)
        self.assertGreater(refused, 500)

    def test_hostile_receiver(self) -> None:
        """Whoever acknowledges what was never sent is refused; who acknowledges wildly gets what we have, no more."""
        random = Random(8)
        end = ARQ(PathMTU(OVERHEAD))
        for _ in range(20):
            end.send(bytes(5000))
        sent = len(end.outgoing(0.0))
        for newest, taken in ((sent + 1, 0), (sent, FIRST_WINDOW + 1), (2**32 - 1, 2**63)):
            self.assertRaises(BadSegment, end.received, ack_segment(Ack(newest, taken, 2**64 - 1)), 0.0)
        segments = 0
        for _ in range(2000):
            start = random.randrange(1, 100_000)
            ack = Ack(
                random.randrange(200), random.randrange(1000), 2**64 - 1, ((start + 1001, start + 2000),)
            )
            try:
                end.received(ack_segment(ack), 0.01)
            except BadSegment:
                continue
            segments += len(end.outgoing(0.01))
        self.assertLess(segments, 4000)

    def test_garbage(self) -> None:
        """Garbage is refused, and what is under way goes on."""
        random = Random(9)
        path = Path(rough(3, 0.1, 0.02))
        sent = frames(50)
        path.send(0, *sent)
        for _ in range(500):
            path.step()
            for end in (0, 1):
                segment = bytes([random.randrange(6)]) + random.randbytes(random.randrange(40))
                try:
                    path.ends[end].received(segment, path.now)
                except RemoteError:
                    path.refused += 1
        self.assertGreater(path.refused, 100)
