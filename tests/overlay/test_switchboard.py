"""Tests for :mod:`p2pship.overlay.switchboard`: reaching people, and what is then said."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from p2pship.errors import NotReached, PayloadRefused
from p2pship.interfaces import IOverlay, IPeer, IReaching
from p2pship.journal import PeerGone, PeerMoved, PeerReached
from p2pship.lookup.candidate import Answer
from p2pship.overlay.switchboard import TIDY_SECONDS
from tests.overlay.nodes import ALICE, BOB, OverlayCase, Reached


class ReachTests(OverlayCase):
    """Two nodes and a directory."""

    def test_interfaces(self) -> None:
        """The switchboard and its peers keep their contracts."""
        alice, _bob = self.two()
        verifyObject(IOverlay, alice.overlay)
        verifyObject(IPeer, alice.reach(BOB))
        verifyObject(IReaching, alice.overlay.people(BOB, alice.own, Reached()))

    def test_people(self) -> None:
        """A person's device is found, dialled and greeted, and both sides know each other by papers."""
        alice, bob = self.two()
        reached = alice.people(BOB)
        self.clock.pass_time(0.5)
        (peer,), (outcome,) = reached.peers, reached.outcomes
        self.assertEqual((peer.aor, peer.hit, peer.own_hit), (BOB, bob.hit, alice.hit))
        self.assertEqual(peer.device_key, bob.keyring.device.key)
        self.assertTrue(peer.encrypted)
        self.assertIsNone(peer.lost_since)
        self.assertEqual([tried.reached for tried in outcome.tried], [True])
        self.assertEqual(outcome.tried, tuple(reached.stages))
        assert outcome.find is not None
        self.assertEqual(outcome.find.asked[0].answer, Answer.COMPLETED)
        self.assertEqual(bob.peer(ALICE).identity.aor, BOB)
        self.assertEqual([type(fact) for fact in bob.facts[1:]], [PeerReached])
        self.assertTrue(bob.keyring.met(ALICE))

    def test_stages(self) -> None:
        """It is told how long the lookup, the dial and the hello took."""
        self.network.latency = 0.1
        alice, _bob = self.two()
        reached = alice.people(BOB)
        self.clock.pass_time(2)
        (tried,) = reached.stages
        self.assertAlmostEqual(tried.lookup_seconds, 0.0, 1)
        self.assertAlmostEqual(tried.dial_seconds, 0.2, 1)
        self.assertAlmostEqual(tried.hello_seconds, 0.2, 1)

    def test_send(self) -> None:
        """Payloads go both ways and are answered."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        answers = self.watch(peer.send("test", b"hello"))
        back = self.watch(bob.peer(ALICE).send("sip", b"INVITE"))
        self.clock.pass_time(0.1)
        self.assertEqual((answers, back), ([b"took hello"], [b"took INVITE"]))
        self.assertEqual((bob.test.payloads, alice.sip.payloads), ([b"hello"], [b"INVITE"]))

    def test_connected_at_once(self) -> None:
        """Who is connected on every device is told without a search."""
        alice, _bob = self.two()
        peer = alice.reach(BOB)
        asked = len(self.directory.asked)
        reached = alice.people(BOB)
        self.clock.settle()
        self.assertEqual(reached.peers, [peer])
        self.assertIsNone(reached.outcomes[0].find)
        self.assertEqual(reached.stages[0].lookup, "link")
        self.assertEqual(len(self.directory.asked), asked)

    def test_nothing_told_before_return(self) -> None:
        """The receiver hears nothing before it has the search in hand."""
        alice, _bob = self.two()
        alice.reach(BOB)
        reached = alice.people(BOB)
        self.assertEqual((reached.peers, reached.outcomes), ([], []))

    def test_one_link_for_several_peers(self) -> None:
        """Two identities of a node reach the same device over one link, as peers of their own."""
        alice, bob = self.node(ALICE, "eve@example.com"), self.node(BOB, "bill@example.com")
        first = alice.reach(BOB)
        second = alice.reach(BOB, alice.keyring.identities()[1])
        third = bob.reach("eve@example.com", bob.keyring.identities()[1])
        self.assertEqual(len(self.links_between(alice, bob)), 1)
        self.assertEqual(len({first, second}), 2)
        self.assertEqual(len(alice.greeted()[0].berths), 3)
        answers = self.watch(third.send("test", b"x"))
        self.clock.pass_time(0.1)
        self.assertEqual(answers, [b"took x"])
        self.assertEqual(alice.test.peers[0].identity.aor, "eve@example.com")

    def test_at_once_for_two_identities(self) -> None:
        """Two identities that want the same device at the same time make one link."""
        alice, bob = self.node(ALICE, "eve@example.com"), self.node(BOB)
        both = [alice.people(BOB, identity) for identity in alice.keyring.identities()]
        self.clock.pass_time(0.5)
        self.assertEqual([len(reached.peers) for reached in both], [1, 1])
        self.assertEqual(len(self.links_between(alice, bob)), 1)

    def test_waiters_share(self) -> None:
        """Who wants the same peer at the same time gets the same one, by one dial."""
        alice, bob = self.two()
        both = [alice.people(BOB), alice.people(BOB)]
        one = self.watch(alice.overlay.peer(BOB, alice.own, bob.hit))
        self.clock.pass_time(0.5)
        self.assertEqual(both[0].peers, both[1].peers)
        self.assertEqual(one, both[0].peers)
        self.assertEqual(bob.journal.counts["PeerReached"], 1)

    def test_cancel(self) -> None:
        """A cancelled search tells nothing, and takes nothing from who waits for the same."""
        self.network.latency = 0.1
        alice, _bob = self.two()
        cancelled = Reached()
        search = alice.overlay.people(BOB, alice.own, cancelled)
        other = alice.people(BOB)
        self.clock.pass_time(0.1)
        search.cancel()
        search.cancel()
        self.clock.pass_time(1)
        self.assertEqual((cancelled.peers, cancelled.outcomes), ([], []))
        self.assertEqual((len(other.peers), len(other.outcomes)), (1, 1))
        self.assertEqual(alice.overlay.peers(), tuple(other.peers))
        self.assertEqual(alice.reach(BOB), other.peers[0])

    def test_tidied_meanwhile(self) -> None:
        """A peer that is being dialled is not taken for one that nobody wants."""
        self.network.latency = 0.1
        alice, _bob = self.two()
        self.clock.pass_time(TIDY_SECONDS - 0.1)
        peer = alice.reach(BOB)
        self.assertEqual(alice.overlay.peers(), (peer,))

    def test_cancel_all(self) -> None:
        """When nobody waits any longer, there is no link and no peer."""
        self.network.latency = 0.1
        alice, bob = self.two()
        reached = Reached()
        search = alice.overlay.people(BOB, alice.own, reached)
        self.clock.pass_time(0.35)
        search.cancel()
        self.clock.pass_time(10)
        self.assertEqual(reached.peers, [])
        self.assertEqual(self.links_between(alice, bob), [])
        self.assertEqual((alice.overlay.peers(), bob.greeted()), ((), []))

    def test_nobody(self) -> None:
        """Nobody of that name: the outcome says that a lookup completed, and that the name was never met."""
        alice, _bob = self.two()
        reached = alice.people("nobody@example.com")
        self.clock.pass_time(0.5)
        (outcome,) = reached.outcomes
        self.assertEqual((outcome.tried, outcome.met), ((), False))
        assert outcome.find is not None
        self.assertEqual(outcome.find.found, 0)

    def test_finder_silent(self) -> None:
        """A finder that never ends is cut off after 5 s."""
        alice, _bob = self.two()
        self.directory.silent = True
        reached = alice.people(BOB)
        self.clock.pass_time(4.9)
        self.assertEqual(reached.outcomes, [])
        self.clock.pass_time(0.2)
        find = reached.outcomes[0].find
        assert find is not None
        self.assertEqual(find.asked[0].answer, Answer.TIMED_OUT)
        self.assertTrue(self.directory.searches[0].cancelled)

    def test_dial_unanswered(self) -> None:
        """A device that does not answer costs 5 s in all, and the reason is told."""
        alice, bob = self.two()
        self.network.partition([alice.bearer], [bob.bearer])
        reached = alice.people(BOB)
        self.clock.pass_time(5.2)
        (tried,) = reached.outcomes[0].tried
        self.assertFalse(tried.reached)
        self.assertTrue(tried.reason)

    def test_peer(self) -> None:
        """One device is reached by its HIT; another HIT is not."""
        alice, bob = self.two()
        right = self.watch(alice.overlay.peer(BOB, alice.own, bob.hit))
        wrong = self.watch(alice.overlay.peer(BOB, alice.own, bytes(16)))
        self.clock.pass_time(0.5)
        self.assertEqual(right[0].hit, bob.hit)
        self.assertIsInstance(wrong[0], NotReached)
        again = self.watch(alice.overlay.peer(BOB, alice.own, bob.hit))
        self.assertEqual(again, right)

    def test_peer_in_time(self) -> None:
        """Reaching one device takes 5 s at most."""
        alice, bob = self.two()
        self.directory.silent = True
        result = self.watch(alice.overlay.peer(BOB, alice.own, bob.hit))
        self.clock.pass_time(5.1)
        self.assertIsInstance(result[0], NotReached)

    def test_unknown_subprotocol(self) -> None:
        """A payload for what the other node does not take part in is refused at once."""
        alice, _bob = self.two()
        self.assertIsInstance(self.watch(alice.reach(BOB).send("http", b""))[0], PayloadRefused)

    def test_moved(self) -> None:
        """A link that goes another way is told to the journal, for each whom it carries."""
        alice, _bob = self.two()
        berth = alice.reach(BOB).berth
        assert berth is not None
        berth._conduit.path_changed("memory elsewhere")
        self.assertEqual(alice.facts[-1], PeerMoved(ALICE, BOB, "memory elsewhere"))

    def test_stop(self) -> None:
        """A node that stops tells its peers, and what they wait for fails."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        bob.test.answer = lambda _: None
        stopped = self.watch(bob.overlay.stop())
        self.clock.pass_time(0.5)
        self.assertEqual(stopped, [None])
        self.assertEqual(alice.test.lost, ["the other node is stopping"])
        self.assertEqual(alice.facts[-1], PeerGone(ALICE, BOB, "the other node is stopping"))
        self.assertTrue(peer.over)
        self.assertEqual((alice.overlay.peers(), bob.overlay.peers()), ((), ()))

    def test_nothing_left(self) -> None:
        """After both nodes have stopped, no timer is left."""
        alice, bob = self.two()
        alice.reach(BOB).send("test", b"x")
        alice.reach(ALICE)
        self.clock.pass_time(0.1)
        for node in (alice, bob):
            node.overlay.stop()
            node.bearer.stop()
        self.clock.pass_time(3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_at_any_moment(self) -> None:
        """A node that stops while it searches, dials or says hello reaches nobody afterwards, and leaves no timer."""
        for step in range(12):
            self.setUp()
            self.network.latency = 0.1
            alice, bob = self.two()
            reached = alice.people(BOB)
            one = self.watch(alice.overlay.peer(BOB, alice.own, bob.hit))
            self.clock.pass_time(0.05 * step)
            told = len(reached.peers)
            alice.overlay.stop()
            alice.bearer.stop()
            self.clock.pass_time(6)
            self.assertEqual(len(reached.peers), told)
            self.assertEqual((len(reached.outcomes), len(one)), (1, 1))
            self.assertEqual((alice.overlay.peers(), self.network.links), ((), []))
            bob.overlay.stop()
            bob.bearer.stop()
            self.clock.pass_time(3)
            self.assertEqual(self.clock.getDelayedCalls(), [])
