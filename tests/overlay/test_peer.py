"""Tests for :mod:`p2pship.overlay.peer` and :mod:`p2pship.overlay.payloads`: answers, refusals, media, misbehaviour."""

from __future__ import annotations

from types import NoneType
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from p2pship.errors import LocalError, PayloadRefused, PeerLost, RemoteError
from p2pship.interfaces import ILinkReceiver
from p2pship.overlay import payloads
from p2pship.overlay.confirmations import CONFIRM_DELAY
from p2pship.overlay.hello import MAX_SUBPROTOCOLS
from p2pship.overlay.machine import CONFIRM_FRAMES
from p2pship.overlay.wire import Ack, Bye, Ending, Hello, Nack, Payload, Received, Refused
from tests.overlay.nodes import ALICE, BOB, OverlayCase, Recorder
from tests.overlay.strangers import Stranger


def cancel(failure: Failure, other: Deferred[Any]) -> None:
    """Cancel something else because this has failed."""
    failure.trap(PeerLost)
    other.cancel()


class PayloadTests(OverlayCase):
    """What becomes of a payload."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.two()
        self.peer = self.alice.reach(BOB)

    def result(self) -> object:
        """Send a payload and return the answer, or the exception."""
        results = self.watch(self.peer.send("test", b"x"))
        self.clock.pass_time(0.1)
        return results[0]

    def test_no_answer(self) -> None:
        """None is an empty answer."""
        self.bob.test.answer = lambda _: None
        self.assertEqual(self.result(), b"")

    def test_refused(self) -> None:
        """What a subprotocol raises, at once or later, refuses the payload; the reason of a RemoteError is told."""
        self.bob.test.answer = lambda _: fail(RemoteError("not now"))
        refused = self.result()
        assert isinstance(refused, PayloadRefused)
        self.assertEqual(str(refused), "not now")

    def test_failed(self) -> None:
        """A bug of a subprotocol refuses the payload, is logged, and is not told."""
        self.bob.test.answer = lambda _: b"%d" % (1 // 0)
        refused = self.result()
        assert isinstance(refused, PayloadRefused)
        self.assertNotIn("division", str(refused))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_long_answer(self) -> None:
        """An answer that does not fit refuses the payload, and is logged."""
        self.bob.test.answer = lambda _: bytes(65_537)
        self.assertIsInstance(self.result(), PayloadRefused)
        self.assertEqual(len(self.flushLoggedErrors(LocalError)), 1)

    def test_largest(self) -> None:
        """The largest payload and the largest answer pass; a larger payload is our bug."""
        self.bob.test.answer = lambda payload: payload
        results = self.watch(self.peer.send("test", b"y" * 65_536))
        self.clock.pass_time(0.1)
        self.assertEqual(results, [b"y" * 65_536])
        self.assertRaises(LocalError, self.peer.send, "test", bytes(65_537))

    def test_many_unanswered(self) -> None:
        """So many may wait for their answers, on either side, and one more is refused; there is room again when one was answered."""
        self.patch(payloads, "MAX_UNANSWERED", 2)
        answers: list[Deferred[bytes]] = []

        def later(payload: bytes) -> Deferred[bytes]:
            answers.append(Deferred())
            return answers[-1]

        self.bob.test.answer = later
        taken = [self.peer.send("test", b"x") for _ in range(2)]
        self.failureResultOf(self.peer.send("test", b"x"), PayloadRefused)
        self.clock.pass_time(0.1)
        taken[0].cancel()  # which Bob does not hear
        self.failureResultOf(taken[0], CancelledError)
        refused = self.result()
        assert isinstance(refused, PayloadRefused)
        self.assertIn("to be answered already", str(refused))
        answers[0].callback(b"")
        self.peer.send("test", b"x")
        self.clock.pass_time(0.1)
        self.assertEqual(len(answers), 3)

    def test_answer_order(self) -> None:
        """Answers come as they are ready; payloads are taken in order."""
        waiting: list[Deferred[bytes]] = []

        def answer(_: bytes) -> Deferred[bytes]:
            waiting.append(Deferred())
            return waiting[-1]

        self.bob.test.answer = answer
        results = [self.watch(self.peer.send("test", b"%d" % number)) for number in range(3)]
        self.clock.pass_time(0.1)
        waiting[2].callback(b"third")
        waiting[0].callback(b"first")
        self.clock.pass_time(0.1)
        self.assertEqual(results, [[b"first"], [], [b"third"]])
        self.assertEqual(self.bob.test.payloads, [b"0", b"1", b"2"])

    def test_answer_after_end(self) -> None:
        """An answer that is ready when the peer has ended goes nowhere."""
        later: Deferred[bytes] = Deferred()
        self.bob.test.answer = lambda _: later
        self.watch(self.peer.send("test", b"x"))
        self.clock.pass_time(0.1)
        self.peer.close("enough")
        self.clock.pass_time(0.1)
        later.callback(b"late")
        self.assertEqual(self.bob.overlay.peers(), ())

    def test_one_failure_cancels_another(self) -> None:
        """Who gives up another payload or stream when one fails hears of each once."""
        self.bob.test.answer = lambda _: Deferred()
        pairs: list[list[Deferred[Any]]] = [
            [self.peer.send("test", b"1"), self.peer.send("test", b"2")],
            [self.peer.open_stream("test", b"", Protocol()) for _ in range(2)],
        ]
        results = []
        for first, second in pairs:
            first.addErrback(cancel, second)
            results += [self.watch(first), self.watch(second)]
        self.peer.close("enough")
        self.assertEqual(
            [[type(each) for each in result] for result in results], 2 * [[NoneType], [CancelledError]]
        )

    def test_answers_that_nobody_takes(self) -> None:
        """Who asks much and takes no answer is refused before the answers fill our memory."""
        waiting: list[Deferred[bytes]] = []

        def answer(_: bytes) -> Deferred[bytes]:
            waiting.append(Deferred())
            return waiting[-1]

        self.bob.test.answer = answer
        results = [self.watch(self.peer.send("test", b"x")) for _ in range(100)]
        self.clock.pass_time(0.1)
        self.bob.peer(ALICE).pull = lambda _: None  # type: ignore[method-assign, assignment]
        for each in waiting:
            each.callback(bytes(65_536))
        late = self.watch(self.peer.send("test", b"late"))
        self.clock.pass_time(0.1)
        del self.bob.peer(ALICE).pull
        self.bob.peer(ALICE).stir()
        self.clock.pass_time(1)
        self.assertIsInstance(late[0], PayloadRefused)
        self.assertEqual([len(each[0]) for each in results], [65_536] * 100)

    def test_subprotocol_fails_to_hear(self) -> None:
        """One that raises when a peer is lost keeps no other from hearing."""
        self.bob.sip.peer_lost = lambda peer, reason: 1 // 0  # type: ignore[assignment, method-assign]
        self.peer.close("enough")
        self.clock.pass_time(0.1)
        self.assertEqual(self.bob.test.lost, ["enough"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_send_from_peer_lost(self) -> None:
        """Who sends while hearing that the peer was lost gets a failure, not a surprise."""
        results: list[object] = []
        self.alice.test.peer_lost = lambda peer, reason: results.extend(  # type: ignore[method-assign]
            self.watch(peer.send("test", b"x"))
        )
        self.peer.close("enough")
        self.assertIsInstance(results[0], PeerLost)

    def test_offer(self) -> None:
        """A subprotocol is offered once, under a name that can be said."""
        overlay = self.alice.overlay
        for name in ("test", "Upper", "", "x" * 33):
            self.assertRaises(LocalError, overlay.offer, Recorder(name))
        for number in range(MAX_SUBPROTOCOLS - 2):
            overlay.offer(Recorder(f"more{number}"))
        self.assertRaises(LocalError, overlay.offer, Recorder("one-too-many"))


class MediaTests(OverlayCase):
    """Packets that are not kept."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.two()
        self.peer = self.alice.reach(BOB)
        self.other = self.bob.peer(ALICE)
        self.packets: list[tuple[int, bytes]] = []
        self.flow = self.peer.open_flow(lambda flow, packet: self.packets.append((flow, packet)))

    def test_cast(self) -> None:
        """A packet for a flow, or for the odd number after it, gets to its receiver."""
        self.other.cast(self.flow, b"rtp")
        self.other.cast(self.flow + 1, b"rtcp")
        self.clock.pass_time(0.1)
        self.assertEqual(self.packets, [(self.flow, b"rtp"), (self.flow + 1, b"rtcp")])

    def test_strays(self) -> None:
        """What is for nobody is counted and dropped."""
        self.peer.close_flow(self.flow)
        self.other.cast(self.flow, b"rtp")
        (link,) = self.links_between(self.bob, self.alice)
        for datagram in (b"", b"abc", b"\x00\x63\x00\x02x"):
            link.cast(datagram)
        self.clock.pass_time(0.1)
        self.assertEqual((self.packets, self.alice.journal.counts["overlay.stray_datagram"]), ([], 4))

    def test_across_links(self) -> None:
        """Flow numbers stay the same over the next link; what is cast while there is none is lost."""
        self.peer.watch(True)
        self.network.links[0].lose()
        self.clock.pass_time(0.001)
        self.other.cast(self.flow, b"lost")
        self.peer.cast(self.flow, b"lost")
        self.clock.pass_time(1)
        self.other.cast(self.flow, b"rtp")
        self.clock.pass_time(0.1)
        self.assertEqual(self.packets, [(self.flow, b"rtp")])

    def test_past_the_queue(self) -> None:
        """Media does not wait behind what is queued, and is heard of by nobody once the peer has ended."""
        self.peer.close("enough")
        self.other.cast(self.flow, b"rtp")
        self.clock.pass_time(0.1)
        self.assertEqual(self.packets, [])


class MisbehaviourTests(OverlayCase):
    """A stranger whose hello has passed, and who then breaks the rules."""

    def setUp(self) -> None:
        super().setUp()
        self.bob = self.node(BOB)
        self.stranger = Stranger(self, self.bob, self.node("mallory@example.com"))
        self.stranger.greet(BOB)
        self.clock.pass_time(0.01)
        self.stranger.send(Received(0))
        self.clock.pass_time(0.01)
        self.stranger.parcels.clear()

    def test_conduit(self) -> None:
        """What listens to the link keeps the contract."""
        verifyObject(ILinkReceiver, next(iter(self.bob.overlay._conduits)))

    def test_answers(self) -> None:
        """A payload is answered and confirmed; for a subprotocol that is not there it is refused."""
        self.stranger.send(Payload(1, 5, b"x"), 1, 1)
        self.stranger.send(Payload(9, 6, b"x"), 1, 2)
        self.clock.pass_time(CONFIRM_DELAY + 0.1)
        acked, refused, confirmed = self.stranger.frames
        assert isinstance(refused, Nack)
        self.assertEqual((acked, refused.id, confirmed), (Ack(5, b"took x"), 6, Received(2)))

    def test_duplicate(self) -> None:
        """A frame that came before is dropped and counted."""
        for _ in range(2):
            self.stranger.send(Payload(1, 5, b"x"), 1, 1)
        self.clock.pass_time(0.1)
        self.assertEqual(self.bob.test.payloads, [b"x"])
        self.assertEqual(self.bob.journal.counts["overlay.duplicate_frame"], 1)

    def test_confirmed_at_once(self) -> None:
        """After many frames, what came is confirmed at once."""
        for number in range(CONFIRM_FRAMES):
            self.stranger.send(Payload(1, number, b""), 1, number + 1)
        self.clock.pass_time(0.01)
        self.assertIn(Received(CONFIRM_FRAMES), self.stranger.frames)

    def test_broken_rules(self) -> None:
        """A gap, a confirmation of what was never sent, a second answer to a hello: each ends the peer, not the link."""
        for frame, number in ((Payload(1, 1, b""), 2), (Received(9), 0), (Refused(), 0), (Hello(b""), 0)):
            self.setUp()
            self.stranger.send(frame, 1, number)
            self.clock.pass_time(0.01)
            (bye,) = self.stranger.frames
            assert isinstance(bye, Bye)
            self.assertEqual(bye.ending, Ending.ENDED)
            self.assertEqual(self.bob.overlay.peers(), ())
            self.assertEqual(len(self.bob.test.lost), 1)

    def test_garbage(self) -> None:
        """A frame that is none ends the link."""
        self.stranger.link.send(b"\xff\x00\x01")
        self.clock.pass_time(0.01)
        self.assertEqual(len(self.stranger.lost), 1)

    def test_unknown_number(self) -> None:
        """What is for a number that nobody holds any longer is dropped and counted."""
        self.stranger.send(Payload(1, 1, b""), 5, 1)
        self.clock.pass_time(0.01)
        self.assertEqual(self.bob.journal.counts["overlay.stray_frame"], 1)
        self.assertEqual(self.stranger.lost, [])

    def test_number_used_again(self) -> None:
        """A number is opened once only."""
        self.stranger.send(Bye(Ending.ENDED, ""))
        self.stranger.greet(BOB, 1, session=8)
        self.clock.pass_time(0.1)
        self.assertEqual(len(self.stranger.lost), 1)

    def test_own_session_number(self) -> None:
        """Nobody may claim our own session number."""
        own = self.bob.peer("mallory@example.com").session.own
        self.stranger.greet(BOB, 3, session=own)
        self.clock.pass_time(0.1)
        self.assertEqual(self.stranger.frames, [Refused()])

    def test_answer_to_nothing(self) -> None:
        """An answer to what was never asked is dropped."""
        self.stranger.send(Ack(77, b""), 1, 1)
        self.stranger.send(Nack(78, ""), 1, 2)
        self.clock.pass_time(0.1)
        self.assertEqual(self.stranger.lost, [])

    def test_never_confirms(self) -> None:
        """Who asks much and confirms nothing is dropped before it costs us much."""
        for number in range(1, 8200):
            self.stranger.send(Payload(9, 1, b""), 1, number)
            if number % 500 == 0:
                self.clock.pass_time(0.01)
        self.clock.pass_time(0.1)
        self.assertEqual(self.bob.overlay.peers(), ())
