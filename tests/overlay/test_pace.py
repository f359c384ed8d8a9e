"""Tests for :mod:`p2pship.overlay.pace`: hello after hello over one link."""

from __future__ import annotations

from dataclasses import replace

from p2pship.overlay import conduit, pace
from p2pship.overlay.wire import Bye, Ending, Hello
from tests.overlay.nodes import BOB, OverlayCase
from tests.overlay.strangers import Stranger


class PaceTests(OverlayCase):
    """A stranger whose first hello has passed."""

    def setUp(self) -> None:
        super().setUp()
        self.bob, self.home = self.node(BOB), self.node("mallory@example.com")

    def stranger(self) -> Stranger:
        """Dial Bob's node."""
        return Stranger(self, self.bob, self.home)

    def test_many_hellos(self) -> None:
        """A link that brings hellos and takes them back without end is closed, and has cost no more than a few of them."""
        stranger = self.stranger()
        stranger.greet(BOB)
        self.clock.pass_time(0.01)
        hello = stranger.body(BOB)
        for number in range(3, 2000, 2):
            stranger.send(Hello(replace(hello, session=number).encode()), number)
            stranger.send(Bye(Ending.PAUSED, ""), number)
        self.clock.pass_time(pace.LONGEST_WAIT)
        self.assertEqual(len(stranger.lost), 1)
        self.assertIn("faster", str(self.bob.facts[-1]))
        answered = sum(isinstance(frame, Hello) for frame in stranger.frames)
        self.assertLessEqual(answered, 3 + pace.AT_ONCE)
        self.assertEqual(self.bob.overlay._conduits._pace._next, {})

    def test_hellos_in_turn(self) -> None:
        """Those that are many, but not too many, are all answered, one after the other."""
        stranger = self.stranger()
        stranger.greet(BOB)
        self.clock.pass_time(0.01)
        hello, many = stranger.body(BOB), conduit.MAX_PEERS - 2
        for number in range(many):
            stranger.send(Hello(replace(hello, session=number + 9).encode()), 2 * number + 3)
        self.clock.pass_time(many / pace.A_SECOND)
        self.assertEqual(sum(isinstance(frame, Hello) for frame in stranger.frames), 1 + many)
        self.assertGreater(stranger.times[-1] - stranger.times[1], (many - pace.AT_ONCE - 2) / pace.A_SECOND)

    def test_clock_set_back(self) -> None:
        """What the next turn was before this machine's clock was set back keeps nobody out."""
        kept = pace.Pace()
        for _ in range(pace.AT_ONCE):
            kept.wait("there", 10_000.0)
        self.assertEqual(kept.wait("there", 100.0), 0.0)
        self.assertEqual(kept.wait("elsewhere", 100.0), 0.0)
