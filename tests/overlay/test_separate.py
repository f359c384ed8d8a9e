"""Tests for identities of one node that have devices of their own: who asks one of them learns nothing of the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from p2pship.bearer.streambearer import not_of
from p2pship.errors import NotReached, PeerLost
from p2pship.identity.papers import Papers
from p2pship.identity.statement import host_identity_hash, read_statement
from p2pship.identity.verdict import Verdict
from p2pship.interfaces import IDevice, IIdentity
from p2pship.overlay.hello import parse_hello
from p2pship.overlay.peer import Peer
from p2pship.overlay.wire import Hello, Refused, parse
from p2pship.testing.bearer import MemoryBearer, MemoryLink
from tests.overlay.nodes import ALICE, BOB, Node, OverlayCase
from tests.overlay.strangers import Stranger

HOME, WORK = "me@home.example", "alice@work.example"


class PlainBearer(MemoryBearer):
    """A bearer of the node's own device alone, as TLS is."""

    name = "plain"
    several = False

    def dial(self, device_key: bytes, locators: Any, own: IDevice) -> Deferred[Any]:
        """Dial, but as no other device."""
        if own.key != self.device.key:
            raise not_of(self.name, own)
        return super().dial(device_key, locators, own)


def only_plain(node: Node) -> list[MemoryBearer]:
    """Return no bearer for several devices."""
    return [PlainBearer(node.clock, node.network, node.keyring.device)]


class SeparateCase(OverlayCase):
    """A node with two identities that have devices of their own, and one that has not; and Bob's node."""

    def setUp(self) -> None:
        super().setUp()
        self.asked: list[str] = []
        self.alice = self.node(ALICE, admit=self.admit)
        self.home = self.alice.keyring.create(HOME, separate=True)
        self.work = self.alice.keyring.create(WORK, separate=True)
        self.bob = self.node(BOB)

    def admit(self, papers: Papers, called: str, verdict: Verdict) -> bool:
        """Let everybody in, and keep whom they called."""
        self.asked.append(called)
        return True

    def peers_of(self, node: Node) -> dict[str, Peer]:
        """Return a node's peers by the name of the other person."""
        return {peer.aor: peer for peer in node.overlay.peers()}


def keys_of(identity: IIdentity) -> list[bytes]:
    """Return what would tell whose device it is: its keys, of the Host Identity the part that is in all its forms."""
    device = identity.device
    return [device.key[-64:-32], device.publication_key, device.sealing_key]


class LinkTests(SeparateCase):
    """Links of each device."""

    def test_one_for_each(self) -> None:
        """Whoever is called as three identities of a node has three links, of three devices that share nothing."""
        for identity in (self.alice.own, self.home, self.work):
            peer = self.alice.reach(BOB, identity)
            self.assertEqual(peer.own_hit, identity.device.hit)
        proofs = {link.proof for link in self.bob.links()}
        self.assertEqual(proofs, {device.key for device in self.alice.keyring.devices()})
        self.assertEqual(len(self.alice.links()), 3)
        hits = {aor: peer.hit for aor, peer in self.peers_of(self.bob).items()}
        self.assertEqual(hits[HOME], self.home.device.hit)
        self.assertEqual(len(set(hits.values())), 3)

    def test_nothing_in_common(self) -> None:
        """Nothing of what passes for one identity has a key of another's device in it."""
        said: dict[bytes, bytes] = {}
        send = MemoryLink.send

        def kept(link: MemoryLink, frame: bytes) -> None:
            said[link.own] = said.get(link.own, b"") + frame
            send(link, frame)

        self.patch(MemoryLink, "send", kept)
        for identity in (self.home, self.work):
            self.alice.reach(BOB, identity)
        everybody = {self.alice.own, self.home, self.work}
        for one in (self.home, self.work):
            for octets in (*keys_of(one), one.aor.encode()):
                self.assertIn(octets, said[one.device.key])
            for other in everybody - {one}:
                for octets in (*keys_of(other), other.device.hit, other.key[-64:-32], other.aor.encode()):
                    self.assertNotIn(octets, said[one.device.key])

    def test_another_key(self) -> None:
        """Who has the name of one of them, and another key, is let in and not called by it, whether they came or are found."""
        self.node(HOME).reach(WORK)
        reached = self.alice.people(HOME, self.work)
        self.clock.pass_time(8)
        self.assertEqual([peer.hit for peer in reached.peers], [self.home.device.hit])

    def test_called(self) -> None:
        """Each is called at its own device, and the link that comes is of that."""
        for aor, identity in ((HOME, self.home), (WORK, self.work), (ALICE, self.alice.own)):
            peer = self.bob.reach(aor)
            self.assertEqual(peer.hit, identity.device.hit)
            self.assertEqual(peer.device_key, identity.device.key)
        own = {link.own for link in self.alice.links()}
        self.assertEqual(own, {device.key for device in self.alice.keyring.devices()})

    def test_each_other(self) -> None:
        """Two of one node reach each other over a local link, as two devices."""
        peer = self.alice.reach(WORK, self.home)
        self.assertEqual((peer.own_hit, peer.hit), (self.home.device.hit, self.work.device.hit))
        self.assertEqual(peer.path, "local")
        back = self.alice.reach(HOME, self.work)
        self.assertEqual((back.own_hit, back.hit), (self.work.device.hit, self.home.device.hit))
        answers = self.watch(peer.send("test", b"to work"))
        self.clock.pass_time(0.1)
        self.assertEqual(answers, [b"took to work"])
        self.assertEqual(len(list(self.alice.overlay._conduits)), 2, "both ends of one link")

    def test_removed(self) -> None:
        """When one is removed its links end, and those of the others stay."""
        for identity in (self.home, self.work):
            self.alice.reach(BOB, identity)
        self.alice.keyring.remove(HOME)
        self.clock.pass_time(1)
        self.assertEqual([peer.identity.aor for peer in self.alice.overlay.peers()], [WORK])
        self.assertEqual([link.own for link in self.alice.links()], [self.work.device.key])

    def test_given_one(self) -> None:
        """An identity that gets a device of its own starts anew: the old one is refused for it, the new one is found."""
        before = self.bob.reach(ALICE)
        node = self.alice.keyring.device
        self.assertEqual(before.hit, node.hit)
        self.alice.keyring.separate(ALICE)
        self.clock.pass_time(1)
        self.assertTrue(before.over)
        after = self.bob.reach(ALICE)
        self.assertEqual(after.hit, self.alice.own.device.hit)
        self.assertNotEqual(after.hit, node.hit)
        stranger = Stranger(self, self.alice, self.bob)
        stranger.greet(ALICE)
        self.clock.pass_time(0.1)
        self.assertEqual(stranger.frames, [Refused()])


class ProbeTests(SeparateCase):
    """Somebody asks the device of one identity for the others."""

    def setUp(self) -> None:
        super().setUp()
        self.mallory = self.node("mallory@example.com")

    def probe(self, device: IDevice, called: str) -> tuple[list[bytes], float, int]:
        """Say hello to a device of Alice's for a name; returns what is answered, after how long, and how often the link ended."""
        stranger = Stranger(self, self.alice, self.mallory, device)
        began = self.clock.seconds()
        stranger.greet(called)
        self.clock.pass_time(0.5)
        return stranger.raw, round(stranger.times[0] - began, 6), len(stranger.lost)

    def test_like_unknown(self) -> None:
        """A name that has another device is refused with the octets, and after the time, of one that is not there at all."""
        devices = {one.aor: one.device for one in self.alice.keyring.identities()}
        for aor, device in devices.items():
            unknown = self.probe(device, "nobody@example.com")
            self.assertEqual([parse(octets).frame for octets in unknown[0]], [Refused()])
            for other in devices.keys() - {aor}:
                self.assertEqual(self.probe(device, other), unknown, (aor, other))
            self.assertEqual([type(parse(self.probe(device, aor)[0][0]).frame)], [Hello])

    def test_same_work(self) -> None:
        """Nothing is asked about the other name: neither its rules, nor who is known to it."""
        judged: list[str] = []
        judge = self.alice.overlay._rejudging._trust.judge

        def kept(papers: Papers, own: IIdentity) -> Any:
            judged.append(own.aor)
            return judge(papers, own)

        self.patch(self.alice.overlay._rejudging._trust, "judge", kept)
        for called in ("nobody@example.com", WORK, ALICE):
            self.probe(self.home.device, called)
        self.assertEqual(judged, [HOME] * 3)
        self.assertEqual(self.asked, [""] * 3)

    def test_on_a_link_in_use(self) -> None:
        """The same is true of a second hello on a link over which one has passed."""
        stranger = Stranger(self, self.alice, self.mallory, self.home.device)
        stranger.greet(HOME)
        self.clock.pass_time(1)
        stranger.raw.clear()
        times = []
        for number, called in ((3, "nobody@example.com"), (5, WORK)):
            began, seen = self.clock.seconds(), len(stranger.times)
            stranger.greet(called, number)
            self.clock.pass_time(1)
            times.append(round(stranger.times[seen] - began, 6))
        frames = [parse(octets).frame for octets in stranger.raw]
        self.assertEqual([frame for frame in frames if not isinstance(frame, Hello)][-2:], [Refused()] * 2)
        self.assertEqual(times[0], times[1])

    def test_answers(self) -> None:
        """The answer of a device to a hello of ours is believed for the identity alone that asked."""
        self.alice.reach(BOB, self.home)
        (link,) = self.alice.links()
        self.assertEqual(link.own, self.home.device.key)
        conduit = next(iter(self.alice.overlay._conduits))
        (peer,) = self.alice.overlay.peers()
        other = self.alice.overlay.peer_of(self.bob.found(BOB), self.work)
        refused = self.assertRaises(
            PeerLost, conduit.greet, other, self.alice.overlay._dialling._vetting, None
        )
        self.assertIn("another device", str(refused))
        self.assertIs(peer.berth and peer.berth.link, link)

    def test_statements(self) -> None:
        """A newer statement that somebody tells one identity changes nothing of what they have with the others."""
        for identity in (self.home, self.work):
            self.alice.reach(BOB, identity)
        now = read_statement(self.bob.own.statement)
        digest = host_identity_hash(self.bob.keyring.device.key)
        newer: Any = replace(now, version=now.version + 1, revoked=(digest,))
        self.alice.overlay.statement_received(HOME, newer)
        self.clock.pass_time(1)
        self.assertEqual([peer.identity.aor for peer in self.alice.overlay.peers()], [WORK])
        self.assertEqual([link.own for link in self.alice.links()], [self.work.device.key])


class WithoutWayTests(OverlayCase):
    """Where no bearer is on that has links of several devices."""

    def test_no_way(self) -> None:
        """Nothing is named in hellos and records of a separate device, and it is said why nobody is reached."""
        alice, bob = self.node(ALICE, bearers=only_plain), self.node(BOB, bearers=only_plain)
        home = alice.keyring.create(HOME, separate=True)
        self.assertEqual(alice.overlay.locators(home), [])
        self.assertEqual(alice.overlay.locators(alice.own), alice.locators())
        self.assertEqual(alice.reach(BOB).hit, bob.hit)
        outcome = self.watch(alice.overlay.peer(BOB, home, bob.hit))
        self.clock.pass_time(6)
        self.assertIsInstance(outcome[0], NotReached)
        self.assertIn("switch on hip", str(outcome[0]))

    def test_locators(self) -> None:
        """Hellos of a separate device name the places alone at which it is reached."""

        def both(node: Node) -> list[MemoryBearer]:
            devices = node.keyring.devices
            arguments = (node.clock, node.network, node.keyring.device)
            return [MemoryBearer(*arguments, devices=devices), PlainBearer(*arguments)]

        alice, bob = self.node(ALICE, bearers=both), self.node(BOB, bearers=both)
        home = alice.keyring.create(HOME, separate=True)
        for identity, names in ((home, ["memory"]), (alice.own, ["memory", "plain"])):
            peer = alice.reach(BOB, identity)
            link = next(one for one in self.network.links if one.own == identity.device.key)
            vetting = alice.overlay._dialling._vetting
            body = parse_hello(vetting.hello(peer, link, True).body)
            record = bob.peer(identity.aor).papers
            assert record is not None
            self.assertEqual(sorted({one.bearer for one in record.record.locators}), names)
            self.assertEqual(body.called, BOB)
