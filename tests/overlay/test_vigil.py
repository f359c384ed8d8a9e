"""Tests for links that fall silent, and links that nobody needs: :mod:`p2pship.overlay.vigil` and the conduit's timers."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from p2pship.overlay.conduit import HELLO_SECONDS, IDLE_CHECK, IDLE_SECONDS
from p2pship.overlay.peers import FORGET_AFTER
from p2pship.overlay.vigil import GIVE_UP_AFTER, IDLE_AFTER, PROOF_SECONDS
from p2pship.overlay.wire import LINK, Bye, Ping, Pong, Received
from tests.overlay.nodes import ALICE, BOB, OverlayCase
from tests.overlay.strangers import Stranger

STALL = 5.0
"Seconds of silence after which a bearer speaks of a stall."


class StallTests(OverlayCase):
    """A call is up, and the link falls silent."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.two()
        self.peer = self.alice.reach(BOB)
        self.peer.watch(True)

    def test_pings(self) -> None:
        """A silent link with a call is pinged, so that it never stalls while the other side lives."""
        self.clock.pass_time(60)
        self.assertIsNone(self.peer.lost_since)
        self.assertEqual(len(self.links_between(self.alice, self.bob)), 1)

    def test_stall(self) -> None:
        """When nothing comes for 5 s, the peer is lost since then; the first frame that comes ends that."""
        link = self.network.links[0]
        link.cut()
        began = self.clock.seconds()
        self.clock.pass_time(STALL + 1.5)
        assert self.peer.lost_since is not None
        self.assertLess(abs(self.peer.lost_since - began - STALL), 1.1)
        link.mend()
        self.clock.pass_time(2)
        self.assertIsNone(self.peer.lost_since)
        self.assertEqual(self.links_between(self.alice, self.bob), [self.alice.links()[0]])

    def test_given_up(self) -> None:
        """After 5 s more it is given up, and another is dialled; the session goes on."""
        link = self.network.links[0]
        link.cut()
        answers = self.watch(self.peer.send("test", b"x"))
        self.clock.pass_time(STALL + GIVE_UP_AFTER + 1)
        self.assertIsNone(self.peer.lost_since)
        self.assertEqual((answers, self.alice.test.lost, self.bob.test.lost), ([b"took x"], [], []))
        self.assertTrue(self.peer.path)
        self.clock.pass_time(10)
        self.assertEqual(len(self.links_between(self.alice, self.bob)), 1)

    def test_unconfirmed(self) -> None:
        """Without a call, too, a link is given up on which something was sent and nothing comes."""
        self.peer.watch(False)
        self.clock.pass_time(1)
        link = self.network.links[0]
        link.cut()
        answers = self.watch(self.peer.send("test", b"x"))
        self.clock.pass_time(STALL + GIVE_UP_AFTER + 1)
        self.assertEqual(answers, [b"took x"])
        self.clock.pass_time(10)
        self.assertNotIn(link, self.links_between(self.alice, self.bob))

    def test_datagram_revives(self) -> None:
        """A media packet shows as well that the link lives."""
        packets: list[bytes] = []
        flow = self.peer.open_flow(lambda _, packet: packets.append(packet))
        link = self.network.links[0]
        link.cut()
        self.clock.pass_time(STALL + 1.5)
        link.mend()
        for end in self.network.links:
            end._way.clear()
        self.bob.peer(ALICE).cast(flow, b"rtp")
        self.clock.pass_time(0.01)
        self.assertEqual(packets, [b"rtp"])
        self.assertIsNone(self.peer.lost_since)

    def test_unwatched(self) -> None:
        """When the call has ended, nothing is watched, and nothing pinged."""
        self.peer.watch(True)
        self.peer.watch(False)
        self.assertTrue(self.peer.watched)
        self.peer.watch(False)
        self.network.links[0].cut()
        self.clock.pass_time(30)
        self.assertIsNone(self.peer.lost_since)

    def test_call_ends_while_stalled(self) -> None:
        """A call that ends while the link is stalled leaves the link alone."""
        self.network.links[0].cut()
        self.clock.pass_time(STALL + 1.5)
        self.peer.watch(False)
        self.assertIsNone(self.peer.lost_since)
        self.clock.pass_time(30)
        self.assertEqual(len(self.links_between(self.alice, self.bob)), 1)


class UsedAgainTests(OverlayCase):
    """A link that nothing was sent over for a while is used again."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.two()
        self.peer = self.alice.reach(BOB)
        self.clock.pass_time(IDLE_AFTER + 1)
        self.link = self.network.links[0]

    def test_died_unnoticed(self) -> None:
        """If nothing comes at once, another link is dialled, long before a caller gives up; what was sent arrives, once."""
        self.link.cut()
        answers = self.watch(self.peer.send("test", b"x"))
        self.clock.pass_time(PROOF_SECONDS + 0.5)
        self.assertEqual(answers, [b"took x"])
        self.assertEqual(self.bob.test.payloads, [b"x"])

    def test_alive(self) -> None:
        """If it lives, it stays."""
        answers = self.watch(self.peer.send("test", b"x"))
        self.peer.watch(True)
        self.clock.pass_time(PROOF_SECONDS + 1)
        self.assertEqual(answers, [b"took x"])
        self.assertIn(self.link, self.links_between(self.alice, self.bob))

    def test_just_used(self) -> None:
        """A link that was used a moment ago has more time."""
        self.watch(self.peer.send("test", b"x"))
        self.clock.pass_time(1)
        self.link.cut()
        self.watch(self.peer.send("test", b"y"))
        self.clock.pass_time(PROOF_SECONDS + 1)
        self.assertIn(self.link, self.links_between(self.alice, self.bob))


class PingTests(OverlayCase):
    """What goes over the wire."""

    def setUp(self) -> None:
        super().setUp()
        self.bob = self.node(BOB)
        self.stranger = Stranger(self, self.bob, self.node("mallory@example.com"))
        self.stranger.greet(BOB)
        self.clock.pass_time(0.01)
        self.stranger.send(Received(0))
        self.clock.pass_time(0.01)
        self.stranger.parcels.clear()

    def test_pong(self) -> None:
        """A ping is answered with its token."""
        self.stranger.send(Ping(42), LINK)
        self.clock.pass_time(0.01)
        self.assertEqual(self.stranger.frames, [Pong(42)])

    def test_ping(self) -> None:
        """After 2 s of silence a ping goes out; while anything comes, none does."""
        self.bob.peer("mallory@example.com").watch(True)
        for _ in range(5):
            self.clock.pass_time(1)
            self.stranger.send(Pong(0), LINK)
        self.assertEqual(self.stranger.frames, [])
        self.clock.pass_time(3.1)
        self.assertEqual(self.stranger.frames[0], Ping(1))


class IdleTests(OverlayCase):
    """Links that nobody needs."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.two()
        self.peer = self.alice.reach(BOB)

    def test_idle(self) -> None:
        """After 300 s with nothing under way the link is closed; the peer sleeps, and wakes when it is needed."""
        self.clock.pass_time(IDLE_SECONDS - 1)
        self.assertEqual(len(self.links_between(self.alice, self.bob)), 1)
        self.clock.pass_time(IDLE_CHECK + 1)
        self.assertEqual(self.links_between(self.alice, self.bob), [])
        self.assertEqual((self.alice.test.lost, self.bob.test.lost), ([], []))
        self.assertIsNone(self.peer.lost_since)
        answers = self.watch(self.bob.peer(ALICE).send("test", b"x"))
        self.clock.pass_time(1)
        self.assertEqual(answers, [b"took x"])

    def test_not_idle(self) -> None:
        """A call, or an answer that is awaited on either side, keeps it: no other is dialled in its place."""
        links = self.links_between(self.alice, self.bob)
        both = self.peer, self.bob.peer(ALICE)
        for peer in both:
            peer.watch(True)
        self.clock.pass_time(2 * IDLE_SECONDS)
        self.assertEqual(self.links_between(self.alice, self.bob), links)
        self.bob.test.answer = lambda _: Deferred()
        self.peer.send("test", b"x")
        for peer in both:
            peer.watch(False)
        self.clock.pass_time(2 * IDLE_SECONDS)
        self.assertEqual(self.links_between(self.alice, self.bob), links)

    def test_forgotten(self) -> None:
        """A peer that has slept for an hour is over; the next call begins a new session."""
        self.clock.pass_time(IDLE_SECONDS + FORGET_AFTER + 200)
        self.assertEqual((self.alice.overlay.peers(), len(self.alice.test.lost)), ((), 1))
        self.assertTrue(self.peer.over)
        self.assertIsNot(self.alice.reach(BOB), self.peer)

    def test_unused(self) -> None:
        """A link whose last peer has closed is closed by the side that dialled."""
        self.peer.close("enough")
        self.clock.pass_time(0.1)
        self.assertEqual(self.network.links, [])

    def test_unused_by_dialler(self) -> None:
        """The side that listened waits a little, and then closes it too."""
        stranger = Stranger(self, self.bob, self.node("mallory@example.com"))
        stranger.greet(BOB)
        self.clock.pass_time(2 * HELLO_SECONDS)
        stranger.send(Bye(1, "enough"))
        self.clock.pass_time(HELLO_SECONDS - 1)
        self.assertEqual(stranger.lost, [])
        self.clock.pass_time(2)
        self.assertEqual(len(stranger.lost), 1)
