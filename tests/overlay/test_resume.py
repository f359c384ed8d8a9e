"""Tests for what becomes of a peer whose link breaks: nothing is lost, nothing comes twice, or everybody is told."""

from __future__ import annotations

from random import Random
from shutil import rmtree

from twisted.internet.defer import Deferred

from p2pship.errors import PeerLost, PeerRestarted, RemoteError
from p2pship.lookup.candidate import Found
from p2pship.overlay.redial import CALL_SECONDS, SENDER_SECONDS
from tests.overlay.nodes import ALICE, BOB, STRANGER, OverlayCase


class ResumeTests(OverlayCase):
    """A link that breaks while something is under way."""

    def test_resent(self) -> None:
        """What was sent into a link that is gone comes over the next one, once."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        self.network.links[0].cut()
        answers = self.watch(peer.send("test", b"x"))
        self.clock.pass_time(0.1)
        self.network.links[0].lose()
        self.clock.pass_time(1)
        self.assertEqual((answers, bob.test.payloads), ([b"took x"], [b"x"]))
        self.assertIsNone(peer.lost_since)
        self.assertEqual((alice.test.lost, bob.test.lost), ([], []))

    def test_cancelled(self) -> None:
        """What its sender has cancelled is not taken when it has to be sent again, and what followed it is."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        self.network.links[0].cut()
        given_up = peer.send("test", b"given up")
        self.watch(given_up)
        answers = self.watch(peer.send("test", b"x"))
        self.clock.pass_time(0.1)
        given_up.cancel()
        self.network.links[0].lose()
        self.clock.pass_time(1)
        self.assertEqual((answers, bob.test.payloads), ([b"took x"], [b"x"]))
        self.assertEqual((alice.test.lost, bob.test.lost), ([], []))

    def test_answer_resent(self) -> None:
        """When only the answer was lost, it comes again, and the payload is not taken again."""
        alice, bob = self.two()
        peer = alice.reach(BOB)

        def answer(payload: bytes) -> bytes:
            self.network.links[0].cut()
            return b"took " + payload

        bob.test.answer = answer
        answers = self.watch(peer.send("test", b"x"))
        self.clock.pass_time(0.1)
        self.assertEqual((answers, bob.test.payloads), ([], [b"x"]))
        self.network.links[0].lose()
        self.clock.pass_time(1)
        self.assertEqual((answers, bob.test.payloads), ([b"took x"], [b"x"]))

    def test_answer_later(self) -> None:
        """An answer that is ready only after the link was replaced goes over the new one."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        later: Deferred[bytes] = Deferred()
        bob.test.answer = lambda _: later
        answers = self.watch(peer.send("test", b"x"))
        self.clock.pass_time(0.1)
        self.network.links[0].lose()
        self.clock.pass_time(1)
        later.callback(b"done")
        self.clock.pass_time(0.1)
        self.assertEqual((answers, bob.test.payloads), ([b"done"], [b"x"]))

    def test_many_breaks(self) -> None:
        """Wherever links break, in whatever order: each payload is taken once, in order, and answered."""
        for seed in range(25):
            self._break_often(Random(seed))

    def _break_often(self, random: Random) -> None:
        self.setUp()
        alice, bob = self.two(random=random)
        peer = alice.reach(BOB)
        back = bob.peer(ALICE)
        answers, backs = [], []
        sent = [b"%d" % number for number in range(60)]
        for body in sent:
            answers.append(self.watch(peer.send("test", body)))
            backs.append(self.watch(back.send("test", body * random.randrange(1, 2000))))
            self.clock.pass_time(random.choice((0, 0, 0.001, 0.003, 0.2)))
            if random.random() < 0.2:
                self._break(random)
        self.clock.pass_time(20)
        self.assertEqual(bob.test.payloads, sent)
        self.assertEqual([answer[0] for answer in answers], [b"took " + body for body in sent])
        self.assertEqual([len(answer) for answer in backs], [1] * 60)
        self.assertEqual(len(alice.test.payloads), 60)
        self.assertEqual((alice.test.lost, bob.test.lost), ([], []))
        self.assertLessEqual(len(self.links_between(alice, bob)), 1)

    def _break(self, random: Random) -> None:
        if self.network.links:
            link = random.choice(self.network.links)
            if random.random() < 0.5:
                link.cut()
                self.clock.pass_time(random.random() / 100)
            link.lose()

    def test_new_session(self) -> None:
        """After a restart of the other node, what was under way fails, and everybody hears of it once."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        bob.test.answer = lambda _: Deferred()
        lost = self.watch(peer.send("test", b"x"))
        self.clock.pass_time(0.1)
        bob.kill()
        again = self.node(BOB, state=bob.state)
        again.test.answer = lambda _: b"new"
        alice.links()[0].lose()
        self.clock.pass_time(2)
        self.assertIsInstance(lost[0], PeerRestarted)
        self.assertEqual(alice.test.lost, ["the other node was restarted"])
        self.assertEqual(again.test.payloads, [])
        self.assertEqual(self.watch(peer.send("test", b"y")), [])
        self.clock.pass_time(1)
        self.assertEqual(again.test.payloads, [b"y"])
        self.assertIsNone(peer.lost_since)

    def test_another_identity(self) -> None:
        """Attack: whoever has the device's key comes back with another identity; what was under way has failed, and is nothing for them."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        bob.test.answer = lambda _: Deferred()
        lost = self.watch(peer.send("test", b"x"))
        self.clock.pass_time(0.1)
        bob.kill()
        rmtree(bob.state / "identities")
        again = self.node(BOB, state=bob.state)
        again.reach(ALICE)
        self.clock.pass_time(20)
        self.assertEqual([type(error) for error in lost], [PeerLost])
        self.assertEqual(again.test.payloads, [])

    def test_restarted_calls_first(self) -> None:
        """A node that was restarted and calls first is met anew; the old link gives way."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        bob.test.answer = lambda _: Deferred()
        lost = self.watch(peer.send("test", b"x"))
        self.clock.pass_time(0.1)
        bob.kill()
        again = self.node(BOB, state=bob.state)
        back = again.reach(ALICE)
        self.assertIsInstance(lost[0], PeerLost)
        answers = self.watch(back.send("test", b"z"))
        self.clock.pass_time(1)
        self.assertEqual((answers, len(alice.test.lost)), ([b"took z"], 1))

    def test_sender_deadline(self) -> None:
        """Without a call, the other device is dialled for 32 s; then what waits fails."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        bob.kill()
        alice.links()[0].lose()
        lost = self.watch(peer.send("test", b"x"))
        self.clock.pass_time(SENDER_SECONDS - 1)
        self.assertEqual(lost, [])
        assert peer.lost_since is not None
        self.clock.pass_time(8)
        self.assertIsInstance(lost[0], PeerLost)
        self.assertEqual(len(alice.test.lost), 1)
        self.assertEqual(alice.overlay.peers(), ())

    def test_call_deadline(self) -> None:
        """With a call up, the other device is dialled for 60 s."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        peer.watch(True)
        bob.kill()
        alice.links()[0].lose()
        self.clock.pass_time(CALL_SECONDS - 1)
        self.assertEqual(alice.test.lost, [])
        self.clock.pass_time(8)
        self.assertEqual(len(alice.test.lost), 1)
        self.assertTrue(peer.over)

    def test_refused_at_last(self) -> None:
        """Who is refused when the link is dialled again is not let in any more: everything under way ends at once."""
        willing = [True]
        alice, bob = self.node(ALICE), self.node(BOB, admit=lambda *_: willing[0])
        peer = alice.reach(BOB)
        peer.watch(True)
        willing.clear()
        willing.append(False)
        alice.links()[0].lose()
        self.clock.pass_time(1)
        self.assertEqual((alice.test.lost, alice.links()), (["the other node refused us"], []))
        self.assertTrue(peer.over)
        self.assertEqual(bob.test.lost, [])

    def test_back_off(self) -> None:
        """Attempts to reach a lost peer become rarer."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        peer.watch(True)
        bob.kill()
        before = len(self.directory.asked)
        alice.links()[0].lose()
        self.clock.pass_time(1)
        self.assertIn(len(self.directory.asked) - before, (2, 3))
        self.clock.pass_time(20)
        self.assertLess(len(self.directory.asked) - before, 12)

    def test_nothing_under_way(self) -> None:
        """A link that breaks while nothing is under way is not dialled again before something is to be sent."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        self.clock.pass_time(1)
        self.network.links[0].lose()
        self.clock.pass_time(5)
        self.assertEqual(self.network.links, [])
        self.assertIsNotNone(peer.lost_since)
        answers = self.watch(peer.send("test", b"x"))
        self.clock.pass_time(1)
        self.assertEqual((answers, bob.test.lost), ([b"took x"], []))

    def test_watch_redials(self) -> None:
        """A call that begins while there is no link has it dialled."""
        alice, _bob = self.two()
        peer = alice.reach(BOB)
        self.network.links[0].lose()
        self.clock.pass_time(1)
        peer.watch(True)
        self.clock.pass_time(1)
        self.assertTrue(peer.path)

    def test_moved(self) -> None:
        """A device that has moved is reached where the finder says it is now."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        peer.watch(True)
        bob.bearer.move()
        self.network.links[0].lose()
        self.clock.pass_time(1)
        self.assertIn(str(bob.locators()[0].port), peer.path)

    def test_not_found_any_longer(self) -> None:
        """A device that the finder no longer knows is dialled where it was last."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        peer.watch(True)
        self.directory.nodes.remove(bob)
        self.network.links[0].lose()
        self.clock.pass_time(1)
        self.assertTrue(peer.path)

    def test_found_nowhere(self) -> None:
        """So is one that is found without a place where it could be dialled, as behind a router."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        peer.watch(True)
        self.patch(bob, "found", lambda aor: Found(bob.papers(aor), (), STRANGER, "memory"))
        self.network.links[0].lose()
        self.clock.pass_time(1)
        self.assertTrue(peer.path)

    def test_close(self) -> None:
        """A peer that is closed is closed on the other side too, and can be reached anew."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        waits = self.watch(bob.peer(ALICE).send("test", b"x"))
        peer.close("enough")
        self.clock.pass_time(1)
        self.assertEqual((alice.test.lost, bob.test.lost), (["enough"], ["enough"]))
        self.assertIsInstance(waits[0], RemoteError)
        self.assertIsInstance(self.watch(peer.send("test", b""))[0], PeerLost)
        self.assertIsNot(alice.reach(BOB), peer)

    def test_cancelled_payload(self) -> None:
        """A payload that was cancelled before it was sent is never sent; one that was is answered to nobody."""
        alice, bob = self.two()
        peer = alice.reach(BOB)
        self.network.links[0].lose()
        self.clock.pass_time(0.001)
        unsent = peer.send("test", b"unsent")
        unsent.addErrback(lambda _: None)
        unsent.cancel()
        sent = peer.send("test", b"sent")
        sent.addErrback(lambda _: None)
        self.clock.pass_time(1)
        late = peer.send("test", b"late")
        late.addErrback(lambda _: None)
        late.cancel()
        self.clock.pass_time(1)
        self.assertEqual(bob.test.payloads, [b"sent", b"late"])
