"""Attacks with a stolen device, and what friends and own devices do when it is revoked."""

from __future__ import annotations

from typing import Any

from p2pship.errors import BadPapers
from p2pship.identity.validity import SKEW, STATEMENT_LIFETIME
from p2pship.identity.verdict import Acquaintance, NameGrade
from p2pship.identity.verify import papers_from
from p2pship.journal import PeerGone
from p2pship.relations.statements import NAME
from p2pship.relations.statementwire import News, write
from p2pship.trust.pins import BY_CONFIRMING
from tests.overlay.nodes import ALICE, BOB
from tests.relations.devices import Device, DevicesCase

CAROL = "carol@example.com"


class RevocationTests(DevicesCase):
    """Bob's second device is stolen; the first one revokes it."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.first, self.thief = self.alice_and_bobs()
        # The thief's program believes no statement that takes the device out.
        self.thief.keyring.adopt_statement = lambda *_: False  # type: ignore[method-assign]

    def _hits(self, device: Device, aor: str) -> set[bytes]:
        """Return the HITs of a person's devices that a device has links with."""
        return {peer.hit for peer in device.overlay.peers() if peer.aor == aor and peer.path}

    def _refused(self, who: str) -> bool:
        """Let the thief call somebody, and tell whether they would not talk."""
        reached = self.thief.people(who)
        self.clock.pass_time(8)
        return not [peer for peer in reached.peers if peer.hit != self.thief.hit]

    def test_live_links(self) -> None:
        """Within a second of the push a friend has closed the live link with it, and keeps that with the other device."""
        self.alice.reach(BOB)
        self.assertEqual(self._hits(self.alice, BOB), {self.first.hit, self.thief.hit})
        self.first.keyring.revoke_device(BOB, self.thief.digest)
        self.clock.pass_time(1)
        self.assertEqual(self._hits(self.alice, BOB), {self.first.hit})
        self.assertEqual(self._hits(self.thief, ALICE), set())
        self.assertTrue(any(isinstance(fact, PeerGone) for fact in self.alice.facts))

    def test_own_links(self) -> None:
        """The device that revokes it closes its own link with it, at the latest after it had a second to hear why."""
        self.assertIn(self.thief.hit, self._hits(self.first, BOB))
        self.first.keyring.revoke_device(BOB, self.thief.digest)
        self.clock.pass_time(1.5)
        self.assertNotIn(self.thief.hit, self._hits(self.first, BOB))

    def test_rising_sequences_after_push(self) -> None:
        """Who heard the push refuses it for ever, though its records have ever higher sequence numbers."""
        self.alice.reach(BOB)
        self.first.keyring.revoke_device(BOB, self.thief.digest)
        for _ in range(3):
            self.clock.pass_time(100)
            self.assertTrue(self._refused(ALICE))
            self.assertRaises(BadPapers, self.alice.keyring.check, self.thief.papers(BOB))

    def test_rising_sequences_after_hello(self) -> None:
        """Who had no link when it was revoked refuses it from the next hello of the other device on."""
        self.first.keyring.revoke_device(BOB, self.thief.digest)
        self.assertFalse(self._refused(ALICE))  # nothing was heard yet
        self.assertEqual(self.first.reach(ALICE).path[:6], "memory")
        self.clock.pass_time(1)
        self.assertEqual(self._hits(self.alice, BOB), {self.first.hit})
        for _ in range(3):
            self.clock.pass_time(100)
            self.assertTrue(self._refused(ALICE))

    def test_unheard(self) -> None:
        """Who hears of nothing believes it until the stolen statement expires, and no longer."""
        self.first.keyring.revoke_device(BOB, self.thief.digest)
        last = self.thief.papers(BOB).statement
        now = last.issued + STATEMENT_LIFETIME + SKEW + 1
        identity = self.thief.keyring.identity(BOB)
        assert identity is not None
        late = self.thief.keyring.record_for(identity, self.thief.locators(), now)
        self.assertRaises(BadPapers, papers_from, last.raw, late, now)

    def test_own_devices(self) -> None:
        """A device of the same person that was off when the stolen one was revoked learns it from the search, and refuses it."""
        third = self.another(self.first, BOB)
        self.clock.pass_time(300)
        self.apart(third)
        self.first.keyring.revoke_device(BOB, self.thief.digest)
        third.ledger.put(BOB, "contact", CAROL, {"name": "Carol"})
        self.joined()
        self.assertEqual(third.listed(BOB), {self.first.digest, third.digest})
        self.assertEqual(self.thief.entries(BOB), {})
        self.assertEqual(self.first.entries(BOB), third.entries(BOB))
        self.assertNotIn(self.thief.hit, self._hits(third, BOB))

    def test_was_off(self) -> None:
        """A device that was off when the list changed reaches a friend who knows the new one at once, with its old list."""
        laptop = self.another(self.first, BOB)
        self.clock.pass_time(300)
        self.apart(laptop)
        self.alice.reach(BOB)
        self.first.keyring.revoke_device(BOB, self.thief.digest)
        self.clock.pass_time(5)
        self.first.kill()
        self.network.heal()
        self.assertEqual(laptop.reach(ALICE).hit, self.alice.hit)
        self.assertIn(laptop.hit, self._hits(self.alice, BOB))
        newest = max(peer.newer.version for peer in self.alice.overlay.peers() if peer.newer is not None)
        self.assertEqual(newest, self.first.own.stated().version)  # type: ignore[attr-defined]
        self.assertTrue(self._refused(ALICE))

    def test_was_off_and_called(self) -> None:
        """It is called by the friend as well, though it still shows the old list."""
        laptop = self.another(self.first, BOB)
        self.clock.pass_time(300)
        self.apart(laptop)
        self.alice.reach(BOB)
        self.first.keyring.revoke_device(BOB, self.thief.digest)
        self.clock.pass_time(5)
        self.first.kill()
        self.network.heal()
        reached = self.alice.people(BOB)
        self.clock.pass_time(10)
        hits = {peer.hit for peer in reached.peers}
        self.assertIn(laptop.hit, hits)
        self.assertNotIn(self.thief.hit, hits)

    def test_given_away(self) -> None:
        """A device that was not stolen but given away hears that it is out, and stops using the identity."""
        honest = self.another(self.first, BOB)
        self.clock.pass_time(5)
        self.first.keyring.revoke_device(BOB, honest.digest)
        self.clock.pass_time(2)
        self.assertIsNone(honest.keyring.identity(BOB))

    def test_signed_apart(self) -> None:
        """What two owner's devices signed apart is put together: the revoked one stays out, the new one stays in."""
        owner = self.another(self.first, BOB, owner=True)
        self.clock.pass_time(300)
        self.apart(self.first, owner)
        new = self.device()
        self.first.keyring.revoke_device(BOB, self.thief.digest)
        self.clock.pass_time(10)
        owner.keyring.add_device(BOB, new.keyring.device.listed)
        self.joined()
        expected = {self.first.digest, owner.digest, new.digest}
        self.assertEqual((self.first.listed(BOB), owner.listed(BOB)), (expected, expected))


class RotationTests(DevicesCase):
    """Bob gives his identity a new key while there are links, as somebody may have the old one."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.device(ALICE), self.device(BOB)
        self.alice.befriend(self.bob)
        self.bob.reach(ALICE)
        self.old = self.bob.own.key

    def _hits(self) -> set[bytes]:
        """Return the HITs of the devices of Bob that Alice has links with."""
        return {peer.hit for peer in self.alice.overlay.peers() if peer.aor == BOB and peer.path}

    def test_followed(self) -> None:
        """Within a second a friend knows him by the new key, and what was under way goes on."""
        peer = self.alice.peer(BOB)
        self.bob.keyring.rotate(BOB)
        self.clock.pass_time(1)
        assert peer.papers is not None
        self.assertEqual(peer.papers.statement.key, self.bob.own.key)
        self.assertEqual((peer.over, self.alice.test.lost, self.bob.test.lost), ("", [], []))
        self.assertIs(peer.verdict.acquaintance, Acquaintance.CONTACT)
        pin = self.alice.pins.get(ALICE, BOB)
        assert pin is not None
        self.assertEqual(pin.key, self.bob.own.key)

    def test_link_is_lost(self) -> None:
        """A link that is lost afterwards is dialled again by the new key, and the session goes on."""
        self.bob.keyring.rotate(BOB)
        self.clock.pass_time(1)
        for link in self.bob.links():
            link.lose()
        answered = self.watch(self.alice.peer(BOB).send("test", b"again"))
        self.clock.pass_time(10)
        self.assertEqual((answered, self.alice.test.lost), ([b"took again"], []))

    def test_thief(self) -> None:
        """What somebody with the old key has listed loses its links at once, whichever way the new key is heard of."""
        for greeted in (False, True):
            thief = self.another(self.bob, BOB, owner=True)
            thief.keyring.adopt_statement = lambda *_: False  # type: ignore[method-assign]
            self.bob.keyring.adopt_statement = lambda *_: False  # type: ignore[method-assign]
            planted = self.another(thief, BOB, owner=True)
            planted.reach(ALICE)
            self.assertIn(planted.hit, self._hits())
            if greeted:
                self.alice.peer_on(self.bob).close("to be greeted anew")
                self.clock.pass_time(1)
            self.bob.keyring.revoke_device(BOB, thief.digest)
            self.bob.keyring.rotate(BOB)
            if greeted:
                self.bob.reach(ALICE)
            self.clock.pass_time(1)
            self.assertEqual(self._hits(), {self.bob.hit})
            for device in (thief, planted):
                device.kill()

    def test_confirmed(self) -> None:
        """Who has compared the safety number follows no new key: its links end, and the pin stays."""
        self.alice.pins.make(ALICE, BOB, self.old, BY_CONFIRMING)
        self.bob.keyring.rotate(BOB)
        self.clock.pass_time(1)
        pin = self.alice.pins.get(ALICE, BOB)
        assert pin is not None
        self.assertEqual((pin.key, self._hits()), (self.old, set()))
        self.assertTrue(any("not the one that was confirmed" in str(fact) for fact in self.alice.facts))

    def test_hello_under_way(self) -> None:
        """Who answers a hello that left before, and so has the old key in it, hears of the new one some seconds later."""
        carol = self.device(CAROL)
        carol.befriend(self.bob)
        self.network.latency = 0.2
        self.bob.people(CAROL)
        while not any(peer.aor == CAROL for peer in carol.overlay.peers() + self.bob.overlay.peers()):
            self.clock.pass_time(0.1)
            if any(peer.greeting for peer in self.bob.overlay._peers) and self.bob.own.key == self.old:
                self.bob.keyring.rotate(BOB)
        pin = carol.pins.get(CAROL, BOB)
        assert pin is not None
        self.assertEqual(pin.key, self.old)
        self.clock.pass_time(7)
        pin = carol.pins.get(CAROL, BOB)
        assert pin is not None
        self.assertEqual(pin.key, self.bob.own.key)

    def test_two_successors(self) -> None:
        """Of two keys to which the old one gave way, as the thief of a backup makes another one, the one heard of first stays."""
        thief = self.another(self.bob, BOB, owner=True)
        thief.keyring.adopt_statement = lambda *_: False  # type: ignore[method-assign]
        self.bob.keyring.adopt_statement = lambda *_: False  # type: ignore[method-assign]
        self.bob.keyring.revoke_device(BOB, thief.digest)
        self.bob.keyring.rotate(BOB)
        self.clock.pass_time(1)
        thief.keyring.rotate(BOB)
        thief.reach(ALICE)
        pin = self.alice.pins.get(ALICE, BOB)
        assert pin is not None
        self.assertEqual(pin.key, self.bob.own.key)
        self.assertIs(self.alice.peer_on(thief).verdict.name, NameGrade.CHANGED)

    def test_not_heard(self) -> None:
        """A device that was off during the rotation, and still shows the old key, is let in if the new one lists it, and is called."""
        laptop = self.another(self.bob, BOB)
        self.clock.pass_time(5)
        self.apart(laptop)
        laptop.gathering.stop()
        self.bob.keyring.rotate(BOB)
        self.clock.pass_time(1)
        self.apart(self.bob)
        self.network.heal()
        self.network.partition([self.bob.bearer], [self.alice.bearer, laptop.bearer])
        self.assertEqual(laptop.own.key, self.old)
        self.assertEqual(laptop.reach(ALICE).hit, self.alice.hit)
        self.assertIn(laptop.hit, self._hits())
        self.assertIs(self.alice.peer_on(laptop).verdict.acquaintance, Acquaintance.CONTACT)

    def test_own_device(self) -> None:
        """Another device of his, which does not hold the key, follows, and its links with friends stay."""
        laptop = self.another(self.bob, BOB)
        self.clock.pass_time(5)
        laptop.reach(ALICE)
        self.bob.keyring.rotate(BOB)
        self.clock.pass_time(2)
        self.assertEqual(laptop.own.key, self.bob.own.key)
        self.assertEqual(self._hits(), {self.bob.hit, laptop.hit})
        keys = {peer.papers.statement.key for peer in self.alice.overlay.peers() if peer.papers}
        self.assertEqual(keys, {self.bob.own.key})


class PushTests(DevicesCase):
    """Attacks by pushing statements."""

    def _push(self, device: Device, raw: bytes) -> Any:
        """Let a device of Bob's push a statement to Alice, and return the answer or the exception."""
        (result,) = self._pushes(device, write(News(raw)))
        return result

    def _pushes(self, device: Device, payload: bytes) -> list[Any]:
        results = self.watch(device.peer(ALICE).send(NAME, payload))
        self.clock.pass_time(0.5)
        return results

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.device(ALICE), self.device(BOB)
        self.bob.reach(ALICE)

    def _statement(self, device: Device, aor: str) -> bytes:
        identity = device.keyring.identity(aor)
        assert identity is not None
        return bytes(identity.statement)

    def test_older(self) -> None:
        """An older statement of one's own takes nothing back."""
        old = self._statement(self.bob, BOB)
        stolen = self.another(self.bob, BOB)
        stolen.keyring.adopt_statement = lambda *_: False  # type: ignore[method-assign]
        listing = self._statement(self.bob, BOB)
        self.clock.pass_time(1)
        self.bob.keyring.revoke_device(BOB, stolen.digest)
        self.clock.pass_time(1)
        self.assertEqual(self._push(self.bob, old), b"")
        self.assertIn("but", str(self._push(self.bob, listing)))
        self.assertRaises(BadPapers, self.alice.keyring.check, stolen.papers(BOB))

    def test_somebody_elses(self) -> None:
        """A statement of another person, or of the same name with another key, is refused, and ends nothing."""
        carol, liar = self.device(CAROL), self.device(BOB)
        carol.reach(ALICE)
        known = {peer.aor for peer in self.alice.overlay.peers()}
        self.clock.pass_time(5)
        for raw, why in (
            (self._statement(carol, CAROL), "not that"),
            (self._statement(liar, BOB), "not by the key"),
        ):
            self.assertIn(why, str(self._push(self.bob, raw)))
        self.assertEqual({peer.aor for peer in self.alice.overlay.peers() if peer.path}, known)

    def test_garbage(self) -> None:
        """Garbage is refused; a statement that is no longer valid, too."""
        raw = self._statement(self.bob, BOB)
        for wrong in (b"", raw[:-1], raw[:-1] + bytes([raw[-1] ^ 1]), bytes(3000), None):
            payload = b"\xff" if wrong is None else write(News(wrong))
            self.assertIsInstance(self._pushes(self.bob, payload)[0], Exception)

    def test_flood(self) -> None:
        """Statements that change without end are refused after some, and taken again later."""
        payload = write(News(self._statement(self.bob, BOB)))
        results = [self._pushes(self.bob, payload)[0] for _ in range(20)]
        self.assertEqual(results[:8], [b""] * 8)
        self.assertIsInstance(results[-1], Exception)
        self.clock.pass_time(60)
        self.assertEqual(self._pushes(self.bob, payload), [b""])
