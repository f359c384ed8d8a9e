"""Tests for :mod:`p2pship.overlay.local`: a node that talks to itself."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from p2pship.errors import LocalError, NotReached
from p2pship.interfaces import IBearer, ILink, IPeer
from p2pship.overlay.local import LARGEST, MAX_DATAGRAMS, WINDOW, LocalBearer
from p2pship.overlay.peer import Peer
from p2pship.overlay.reach import Tried
from tests.bearer.fakes import FakeDevice
from tests.overlay.nodes import ALICE, BOB, DeafReceiver, OverlayCase, Reached

OWN, OTHER, STRANGER = FakeDevice(), FakeDevice(), FakeDevice()


class Taker(DeafReceiver):
    """Keeps what comes."""

    def __init__(self) -> None:
        self.heard: list[bytes | str] = []

    def frame_received(self, frame: bytes) -> None:
        """Keep it."""
        self.heard.append(frame)

    def datagram_received(self, datagram: bytes) -> None:
        """Keep it."""
        self.heard.append(datagram)

    def link_writable(self) -> None:
        """Note it."""
        self.heard.append("writable")

    def link_lost(self, reason: str) -> None:
        """Note it."""
        self.heard.append("lost " + reason)


class LocalLinkTests(OverlayCase):
    """The link itself."""

    def setUp(self) -> None:
        super().setUp()
        self.bearer = LocalBearer(self.clock, lambda: (OWN, OTHER))
        made: list[ILink] = []
        self.bearer.listen(made.append, lambda: None)
        self.dialled = self.successResultOf(self.bearer.dial(OTHER.key, (), OWN))
        (self.listening,) = made
        self.takers = Taker(), Taker()

    def start(self) -> None:
        """Start both ends."""
        self.dialled.start(self.takers[0])
        self.listening.start(self.takers[1])

    def test_interfaces(self) -> None:
        """The bearer and both ends keep their contracts."""
        verifyObject(IBearer, self.bearer)
        for link, own, other in ((self.dialled, OWN, OTHER), (self.listening, OTHER, OWN)):
            verifyObject(ILink, link)
            self.assertEqual((link.own, link.proof), (own.key, other.key))
            self.assertEqual((link.encrypted, link.path), (True, "local"))
        self.assertEqual((self.dialled.dialled, self.listening.dialled), (True, False))

    def test_in_order(self) -> None:
        """What is sent comes in order, after media, not before the next turn, and not before the start."""
        self.dialled.send(b"1")
        self.dialled.cast(b"2")
        self.clock.settle()
        self.assertEqual(self.takers[1].heard, [])
        self.start()
        self.dialled.send(b"3")
        self.assertEqual(self.takers[1].heard, [])
        self.clock.settle()
        self.assertEqual(self.takers[1].heard, [b"2", b"1", b"3"])

    def test_close(self) -> None:
        """What was sent arrives before the end; both sides hear of that once."""
        self.start()
        self.dialled.send(b"1")
        self.dialled.close("enough")
        self.dialled.close("again")
        self.listening.send(b"late")
        self.clock.settle()
        self.assertEqual(self.takers[1].heard, [b"1", "lost enough"])
        self.assertEqual(self.takers[0].heard, ["lost enough"])

    def test_closed_by_what_came(self) -> None:
        """Who closes it because of a frame hears of the end once, and gets what came before that; nothing breaks afterwards."""
        self.start()
        taken = self.takers[1].frame_received

        def take(frame: bytes) -> None:
            taken(frame)
            self.listening.close("enough")

        self.takers[1].frame_received = take  # type: ignore[method-assign]
        self.dialled.send(b"1")
        self.dialled.send(b"2")
        self.clock.settle()
        self.assertEqual(self.takers[1].heard, [b"1", b"2", "lost enough"])
        self.assertEqual(self.takers[0].heard, ["lost enough"])

    def test_writable(self) -> None:
        """It is not writable while a window waits, and says when it is again."""
        self.start()
        for _ in range(WINDOW // LARGEST + 1):
            self.dialled.send(bytes(LARGEST))
        self.assertFalse(self.dialled.writable)
        self.clock.settle()
        self.assertTrue(self.dialled.writable)
        self.assertEqual(self.takers[0].heard, ["writable"])

    def test_datagrams_bounded(self) -> None:
        """Of the datagrams that nobody takes in time the oldest are dropped: a late one is worth nothing."""
        self.start()
        sent = [b"%d" % number for number in range(MAX_DATAGRAMS + 5)]
        for datagram in sent:
            self.dialled.cast(datagram)
        self.clock.settle()
        self.assertEqual(self.takers[1].heard, sent[5:])

    def test_misuse(self) -> None:
        """It leads nowhere else, and carries no more than links do."""
        for other, own in ((STRANGER, OWN), (OWN, STRANGER)):
            self.failureResultOf(self.bearer.dial(other.key, (), own), NotReached)
        self.assertRaises(LocalError, self.dialled.send, bytes(LARGEST + 1))
        self.bearer.stop()
        self.assertRaises(LocalError, self.bearer.dial, OTHER.key, (), OWN)


class Eager(Reached):
    """Hands something over as soon as a peer is reached."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[bool] = []

    def peer_reached(self, peer: IPeer, tried: Tried) -> None:
        """Do so."""
        self.taken.append(peer.hand_over("test", object(), 1))


class LocalPeerTests(OverlayCase):
    """Identities of one node that reach each other."""

    def setUp(self) -> None:
        super().setUp()
        self.node_of_both = self.node(ALICE, BOB)

    def other_end(self, peer: Peer) -> Peer:
        """Return the peer at the other end of a local link."""
        (other,) = [
            one
            for one in self.node_of_both.overlay.peers()
            if one is not peer and (one.aor, one.identity.aor) == (peer.identity.aor, peer.aor)
        ]
        return other

    def test_two_identities(self) -> None:
        """One identity reaches the other by the same hello as anybody, over the local link."""
        peer = self.node_of_both.reach(BOB)
        self.assertEqual((peer.path, peer.encrypted, peer.hit), ("local", True, self.node_of_both.hit))
        answers = [self.watch(peer.send("test", b"x")), self.watch(self.other_end(peer).send("test", b"y"))]
        self.clock.settle()
        self.assertEqual(answers, [[b"took x"], [b"took y"]])
        self.assertEqual(
            [one.identity.aor for one in self.node_of_both.test.peers],
            [self.other_end(peer).identity.aor, ALICE],
        )

    def test_oneself(self) -> None:
        """An identity can reach itself: the two ends are peers of their own."""
        peer = self.node_of_both.reach(ALICE)
        other = self.other_end(peer)
        answers = [self.watch(peer.send("test", b"x")), self.watch(other.send("test", b"y"))]
        self.clock.settle()
        self.assertEqual(answers, [[b"took x"], [b"took y"]])
        self.assertEqual(self.node_of_both.test.peers, [other, peer])
        self.assertEqual(self.node_of_both.reach(ALICE), peer)

    def test_resumes(self) -> None:
        """Both ends of a local conversation find each other again after the link was closed for idleness."""
        for called in (ALICE, BOB):
            peer = self.node_of_both.reach(called)
            other = self.other_end(peer)
            self.clock.pass_time(400)
            self.assertEqual((peer.path, other.path), ("", ""))
            for one in (other, peer):
                answers = self.watch(one.send("test", b"x"))
                self.clock.pass_time(1)
                self.assertEqual(answers, [b"took x"])
                self.clock.pass_time(400)
        self.assertEqual(self.node_of_both.test.lost, [])

    def test_own_and_other_devices(self) -> None:
        """Who calls an own name reaches this node and the person's other devices that are found."""
        here, elsewhere = self.node_of_both.keyring, self.node()
        here.add_device(ALICE, elsewhere.keyring.device.listed)
        bundle = here.bundle(ALICE, with_key=True)
        elsewhere.keyring.adopt_identity(
            ALICE, bundle.raw, (), b"", bundle.private_key, elsewhere.keyring.device
        )
        reached = self.node_of_both.people(ALICE)
        self.clock.pass_time(0.5)
        self.assertEqual({peer.hit for peer in reached.peers}, {self.node_of_both.hit, elsewhere.hit})
        self.assertEqual([tried.lookup for tried in reached.stages], ["local", "memory"])

    def test_handed_over(self) -> None:
        """A thing is given to the other half itself, but only when both sides have looked at each other's papers."""
        node, recorder, early = self.node_of_both, self.node_of_both.test, Eager()
        node.overlay.people(BOB, node.own, early)
        self.clock.pass_time(0.5)
        self.assertEqual(early.taken, [False])
        peer, thing = node.reach(BOB), object()
        other = self.other_end(peer)
        self.assertTrue(peer.hand_over("test", thing, 10))
        self.assertTrue(other.hand_over("test", thing, 20))
        self.assertEqual(recorder.things, [(other, thing, 10), (peer, thing, 20)])
        self.assertFalse(peer.hand_over("unknown", thing, 10))

    def test_overtakes_nothing(self) -> None:
        """What could be handed over is sent while a payload that was sent before it has not been taken."""
        peer = self.node_of_both.reach(BOB)
        peer.send("test", b"x")
        self.clock.settle()
        peer.send("test", b"y")
        self.assertFalse(peer.hand_over("test", object(), 10))
        self.clock.settle()
        self.assertTrue(peer.hand_over("test", object(), 10))

    def test_handing_over_keeps_the_link(self) -> None:
        """A link over which things are handed is not idle; when it is closed for idleness, they are sent again."""
        peer = self.node_of_both.reach(BOB)
        peer.send("test", b"x")
        for _ in range(5):
            self.clock.pass_time(200)
            self.assertTrue(peer.hand_over("test", object(), 10))
        self.clock.pass_time(400)
        self.assertFalse(peer.hand_over("test", object(), 10))
        peer.close("enough")
        self.assertFalse(peer.hand_over("test", object(), 10))

    def test_handed_to_nobody_else(self) -> None:
        """Nothing is handed to another node: it is sent."""
        elsewhere = self.node("carol@example.com")
        peer = self.node_of_both.reach("carol@example.com")
        peer.send("test", b"x")
        self.clock.pass_time(1)
        self.assertFalse(peer.hand_over("test", object(), 10))
        self.assertEqual((elsewhere.test.payloads, elsewhere.test.things), ([b"x"], []))

    def test_media(self) -> None:
        """Media goes over the local link too."""
        peer = self.node_of_both.reach(BOB)
        other = self.other_end(peer)
        packets: list[tuple[int, bytes]] = []
        flow = other.open_flow(lambda number, packet: packets.append((number, packet)))
        peer.cast(flow, b"rtp")
        peer.cast(flow + 1, b"rtcp")
        self.clock.settle()
        self.assertEqual(packets, [(flow, b"rtp"), (flow + 1, b"rtcp")])

    def test_later_answer(self) -> None:
        """An answer that comes later is delivered."""
        peer = self.node_of_both.reach(BOB)
        later: Deferred[bytes] = Deferred()
        self.node_of_both.test.answer = lambda _: later
        answers = self.watch(peer.send("test", b"x"))
        self.clock.pass_time(1000)
        later.callback(b"at last")
        self.clock.settle()
        self.assertEqual(answers, [b"at last"])

    def test_peer(self) -> None:
        """Our own device can be asked for by its HIT."""
        node = self.node_of_both
        one = self.watch(node.overlay.peer(BOB, node.own, node.hit))
        self.clock.pass_time(0.1)
        self.assertEqual(one[0].path, "local")
