"""Tests of vouches that are asked for and given, and attacks on them: forged, expired, taken back, without consent."""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from p2pship.errors import LocalError, PayloadRefused
from p2pship.identity.verdict import Acquaintance
from p2pship.interfaces import ISubprotocol
from p2pship.relations.introducefacts import VouchAsked, VouchNotTaken, VouchReceived, VouchTakenBack
from p2pship.relations.introducewire import Ask, Give, TakenBack, read, write
from p2pship.relations.introductions import CHECK_EVERY, NAME
from p2pship.trust.introductions import sign_introduction
from tests.overlay.nodes import ALICE, BOB
from tests.relations.devices import Device, DevicesCase

CAROL, EVE = "carol@example.com", "eve@example.com"
DAY = 24 * 3600


class IntroductionTests(DevicesCase):
    """Alice knows Bob, Bob knows Alice and Carol; Alice wants to know whether Carol is Carol."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob, self.carol = self.device(ALICE), self.device(BOB), self.device(CAROL)
        self.alice.befriend(self.bob)
        self.bob.befriend(self.alice, self.carol)

    def _ask(self) -> None:
        self.alice.introductions.ask(ALICE, CAROL, BOB)
        self.clock.pass_time(8)

    def _give(self, seconds: int = 100 * DAY) -> None:
        self.bob.introductions.give(BOB, CAROL, ALICE, seconds)
        self.clock.pass_time(8)

    def _counts(self) -> bool:
        """Tell whether a vouch for Carol counts for Alice."""
        return bool(self.alice.vouches.of(ALICE, CAROL, self.carol.own.key))

    def _told(self, device: Device, kind: type) -> int:
        return len([fact for fact in device.facts if isinstance(fact, kind)])

    def _vouch(self, signer: Device, **changes: Any) -> bytes:
        """Return a vouch of Bob for Carol to Alice, changed, that ``signer`` signs."""
        now = int(self.clock.seconds())
        values: dict[str, Any] = {
            "voucher": BOB,
            "key": signer.own.key,
            "subject": CAROL,
            "subject_key": self.carol.own.key,
            "audience": ALICE,
            "issued": now,
            "expires": now + DAY,
            "serial": bytes(8),
        }
        return sign_introduction(signer.own.sign, **(values | changes))

    def _sent(self, sender: Device, payload: bytes, to: str = ALICE) -> Any:
        (result,) = self._results(sender, payload, to)
        return result

    def _results(self, sender: Device, payload: bytes, to: str) -> list[Any]:
        results = self.watch(sender.reach(to).send(NAME, payload))
        self.clock.pass_time(1)
        return results

    def test_interface(self) -> None:
        """It is what it says."""
        verifyObject(ISubprotocol, self.alice.introductions)

    def test_given(self) -> None:
        """Asked, agreed to and given: Carol is introduced to Alice from then on."""
        self._ask()
        self.assertEqual(
            [(one.asker, one.subject) for one in self.bob.introductions.questions(BOB)], [(ALICE, CAROL)]
        )
        self.assertEqual(self._told(self.bob, VouchAsked), 1)
        self._give()
        self.assertTrue(self._counts())
        self.assertEqual(self._told(self.alice, VouchReceived), 1)
        self.assertEqual(
            (self.bob.introductions.questions(BOB), self.alice.introductions.asked(ALICE)), ([], [])
        )
        self.assertIs(self.alice.reach(CAROL).verdict.acquaintance, Acquaintance.INTRODUCED)

    def test_without_consent(self) -> None:
        """However often somebody asks, nothing is given before the owner agrees, and nothing after they refused."""
        for _ in range(3):
            self._ask()
        self.assertEqual(read(self._sent(self.alice, write(Ask(CAROL)), BOB)), Give(b""))
        self.assertEqual((self._counts(), self._told(self.bob, VouchAsked)), (False, 1))
        self.assertTrue(self.bob.introductions.refuse(BOB, CAROL, ALICE))
        self._ask()
        self.clock.pass_time(2 * DAY)
        self.assertEqual((self._counts(), self.bob.introductions.questions(BOB)), (False, []))

    def test_tells_nothing(self) -> None:
        """Asking about somebody unknown is answered as asking about a contact, and bothers nobody."""
        known, unknown = (self._sent(self.alice, write(Ask(who)), BOB) for who in (CAROL, EVE))
        self.assertEqual(known, unknown)
        self.assertEqual([one.subject for one in self.bob.introductions.questions(BOB)], [CAROL])

    def test_strangers(self) -> None:
        """Who is no contact, or has the name of one and another key, may ask nothing and bring nothing."""
        eve, liar = self.device(EVE), self.device(ALICE)
        for who in (eve, liar):
            reached = who.people(BOB)
            self.clock.pass_time(6)
            for peer in reached.peers:
                for message in (Ask(CAROL), Give(self._vouch(self.bob)), TakenBack((bytes(8),))):
                    (result,) = self.watch(peer.send(NAME, write(message))) or [PayloadRefused()]
                    self.clock.pass_time(1)
                    self.assertIsInstance(result, PayloadRefused)
        self.assertEqual(self.bob.introductions.questions(BOB), [])

    def test_not_asked(self) -> None:
        """A true vouch that nobody asked for is not taken."""
        self.assertIsInstance(self._sent(self.bob, write(Give(self._vouch(self.bob)))), PayloadRefused)
        self.assertFalse(self._counts())

    def test_forged(self) -> None:
        """A vouch that another signed, for another, or that was altered, is not taken though one was asked for."""
        self._ask()
        good = self._vouch(self.bob)
        wrong = [
            self._vouch(self.carol),
            self._vouch(self.carol, voucher=EVE),
            self._vouch(self.bob, audience=EVE),
            self._vouch(self.bob, subject=EVE),
            good[:-1] + bytes([good[-1] ^ 1]),
            good[:-1],
            b"\xd2",
        ]
        for number, raw in enumerate(wrong):
            self.assertIsInstance(self._sent(self.bob, write(Give(raw))), PayloadRefused, number)
        self.assertEqual((self._counts(), self._told(self.alice, VouchNotTaken)), (False, len(wrong)))
        self.assertEqual(self._sent(self.bob, write(Give(good))), b"")
        self.assertTrue(self._counts())

    def test_other_key(self) -> None:
        """A vouch says which key: for another one of the same name it does not count."""
        self._ask()
        self._give()
        impostor = self.device(CAROL)
        self.assertEqual(self.alice.vouches.of(ALICE, CAROL, impostor.own.key), [])

    def test_expired(self) -> None:
        """A vouch does not count when its time is over, and is not taken then."""
        self._ask()
        self._give(seconds=DAY)
        self.assertTrue(self._counts())
        self.clock.rightNow += DAY + 1000
        self.assertFalse(self._counts())
        late = self._vouch(
            self.bob, issued=int(self.clock.seconds()) - 3 * DAY, expires=int(self.clock.seconds()) - 2 * DAY
        )
        self.alice.introductions.ask(ALICE, CAROL, BOB)
        self.assertIsInstance(self._sent(self.bob, write(Give(late))), PayloadRefused)

    def test_taken_back(self) -> None:
        """A vouch that is taken back no longer counts at once, and does not come back when it is sent again."""
        self._ask()
        self._give()
        (given,) = self.bob.introductions.given(BOB)
        self.bob.introductions.take_back(BOB, CAROL, ALICE)
        self.clock.pass_time(8)
        self.assertEqual((self._counts(), self._told(self.alice, VouchTakenBack)), (False, 1))
        self.alice.introductions.ask(ALICE, CAROL, BOB)
        self.assertIsInstance(self._sent(self.bob, write(Give(given.vouch.raw))), PayloadRefused)
        self.assertFalse(self._counts())

    def test_another_key(self) -> None:
        """A vouch for a key that the third person has left is given no more, and forgotten where it is within a day."""
        self._ask()
        self._give()
        self.assertTrue(self._counts())
        self.bob.reach(CAROL)
        old = self.carol.own.key
        self.carol.keyring.rotate(CAROL)
        self.clock.pass_time(CHECK_EVERY + 10)
        self.assertEqual(self.alice.vouches.of(ALICE, CAROL, old), [])
        self._ask()
        self.assertEqual(self.alice.vouches.all(ALICE), [])
        self._give()
        self.assertTrue(self._counts())

    def test_taken_back_while_away(self) -> None:
        """Who could not be told that it was taken back asks within a day."""
        self._ask()
        self._give()
        self.apart(self.alice)
        self.bob.introductions.take_back(BOB, CAROL, ALICE)
        self.clock.pass_time(20)
        self.assertTrue(self._counts())
        self.network.heal()
        self.clock.pass_time(DAY + 100)
        self.assertFalse(self._counts())

    def test_given_while_away(self) -> None:
        """Who was away when the owner agreed asks again within a day, and gets it."""
        self._ask()
        self.apart(self.alice)
        self._give()
        self.assertFalse(self._counts())
        self.network.heal()
        self.clock.pass_time(DAY + 100)
        self.assertTrue(self._counts())

    def test_somebody_elses(self) -> None:
        """Nobody takes back what another has vouched for."""
        self._ask()
        self._give()
        self.alice.befriend(self.carol)
        self.carol.befriend(self.alice)
        (vouch,) = self.alice.vouches.all(ALICE)
        self._sent(self.carol, write(TakenBack((vouch.serial,))))
        self.assertTrue(self._counts())

    def test_too_many_questions(self) -> None:
        """A friend who asks about everybody bothers the owner with eight at most."""
        for number in range(20):
            self.bob.contacts.add(BOB, f"person{number}@example.com")
            self._sent(self.alice, write(Ask(f"person{number}@example.com")), BOB)
            self.clock.pass_time(10)
        self.assertEqual(len(self.bob.introductions.questions(BOB)), 8)

    def test_wrong_use(self) -> None:
        """What cannot be is refused with what to do."""
        bob = self.bob.introductions
        self.assertRaises(LocalError, bob.give, BOB, CAROL, ALICE)
        self.assertRaises(LocalError, bob.take_back, BOB, CAROL, ALICE)
        self.assertRaises(LocalError, bob.ask, BOB, ALICE, ALICE)
        self.assertRaises(LocalError, bob.ask, BOB, ALICE, EVE)
        self.assertRaises(LocalError, bob.ask, EVE, ALICE, BOB)
        self.assertFalse(bob.refuse(BOB, CAROL, ALICE))
        self._ask()
        self.bob.pins.remove(BOB, CAROL)
        self.assertRaises(LocalError, bob.give, BOB, CAROL, ALICE)
