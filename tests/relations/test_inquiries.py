"""Attacks by a stolen device that is the only one of its person's with which a friend has a link."""

from __future__ import annotations

from random import Random
from typing import Any

from zope.interface.verify import verifyObject

from p2pship.interfaces import IFindReceiver
from p2pship.relations import inquiries
from p2pship.relations.devicefacts import StatementHeard
from p2pship.relations.inquiries import AT_ONCE, LOOK_SECONDS, PAUSE, SPREAD, Inquiries, _Inquiry
from tests.overlay.nodes import ALICE, BOB, Directory
from tests.relations.devices import Device, DevicesCase
from tests.scale import SEED

AN_HOUR = 3600.0
"Seconds between searches in the tests that wait for several."

SEARCHED = LOOK_SECONDS + 1
"Seconds after which a search that is due has ended."


class InquiriesTests(DevicesCase):
    """Alice, who knows Bob, has a link with his laptop alone, whose program believes nothing that takes it out."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.first, self.thief = self.alice_and_bobs()
        self.thief.keyring.adopt_statement = lambda *_: False  # type: ignore[method-assign]
        self.inquiries = self.asking(self.alice)
        self.alice.befriend(self.first)
        self.thief.gathering.stop()
        self.thief.reach(ALICE)
        self.peer = self.alice.peer_on(self.thief)
        self.clock.pass_time(PAUSE)

    def asking(self, device: Device) -> Inquiries:
        """Have a device ask about those with whom it has links."""
        self.finder = Directory(self.clock)
        self.finder.nodes = self.directory.nodes
        asking = Inquiries(
            device.clock,
            device.keyring,
            self.finder,
            device.overlay,
            device.journal,
            device.overlay.statement_received,
            Random(SEED).randbytes,
        )
        asking.start()
        return asking

    def asked(self) -> int:
        """Return how often Bob was asked for."""
        return self.finder.asked.count(BOB)

    def talk(self) -> None:
        """Let a call be up between the laptop and Alice."""
        self.peer.watch(True)
        self.thief.peer(ALICE).watch(True)

    def revoke(self) -> None:
        """Revoke the laptop, where nobody but the lookups hears of it."""
        self.first.keyring.revoke_device(BOB, self.thief.digest)
        self.first.gathering.stop()
        self.clock.pass_time(1)
        self.assertEqual(self.peer.over, "")

    def assert_gone(self) -> None:
        """Check that Alice has ended the laptop, and believes nothing of it any more."""
        self.assertIn("no longer lists", self.peer.over)
        self.assertTrue(any(isinstance(fact, StatementHeard) for fact in self.alice.facts))
        self.assertFalse(self.alice.keyring.lists(self.first.own.key, self.thief.keyring.device.key))

    def test_while_a_link_is_up(self) -> None:
        """However long the device talks on, it is ended when Alice asks again."""
        self.patch(inquiries, "EVERY", AN_HOUR)
        self.talk()
        self.clock.pass_time(SEARCHED)
        self.revoke()
        self.clock.pass_time(AN_HOUR * (1 + SPREAD) + SEARCHED)
        self.assert_gone()

    def test_call(self) -> None:
        """When it calls, it is ended as soon as Alice has asked."""
        self.revoke()
        self.peer.watch(True)
        self.clock.pass_time(SEARCHED)
        self.assert_gone()

    def test_new_link(self) -> None:
        """When it comes again, too."""
        self.revoke()
        self.peer.close("it comes again")
        self.clock.pass_time(1)
        self.thief.reach(ALICE)
        self.peer = self.alice.peer_on(self.thief)
        self.clock.pass_time(SEARCHED)
        self.assert_gone()

    def test_rotated(self) -> None:
        """So is it where the identity key was replaced as well."""
        self.first.keyring.rotate(BOB)
        self.revoke()
        self.peer.watch(True)
        self.clock.pass_time(SEARCHED)
        self.assert_gone()

    def test_seldom(self) -> None:
        """Links that come and go, and calls, make nobody ask more than once in five minutes; and then now and then."""
        self.patch(inquiries, "EVERY", AN_HOUR)
        self.first.gathering.stop()
        before = self.asked()
        for _ in range(60):
            self.peer.watch(True)
            self.clock.pass_time(50)
            self.peer.watch(False)
            self.clock.pass_time(10)
        self.assertLessEqual(self.asked() - before, AN_HOUR / PAUSE + 1)
        self.talk()
        self.clock.pass_time(PAUSE)
        before = self.asked()
        self.clock.pass_time(4 * AN_HOUR)
        self.assertIn(self.asked() - before, (3, 4, 5))
        self.assertEqual(self.peer.over, "")

    def test_strangers(self) -> None:
        """A stranger is looked for only when there is a call."""
        carol = self.device("carol@example.com")
        carol.reach(ALICE)
        self.clock.pass_time(PAUSE)
        self.assertNotIn("carol@example.com", self.finder.asked)
        self.alice.peer_on(carol).watch(True)
        self.clock.pass_time(SEARCHED)
        self.assertIn("carol@example.com", self.finder.asked)

    def test_many(self) -> None:
        """No more than a few searches are under way, and all end with the node."""
        self.finder.silent = True
        friends = [self.device(f"friend{number}@example.com") for number in range(AT_ONCE + 2)]
        self.alice.befriend(*friends)
        for friend in friends:
            friend.reach(ALICE)
        before = len(self.finder.searches)
        self.clock.pass_time(3 * LOOK_SECONDS)
        searches: list[Any] = self.finder.searches[before:]
        self.assertEqual([search.cancelled for search in searches], [False] * AT_ONCE)
        self.inquiries.stop()
        self.assertEqual([search.cancelled for search in searches], [True] * AT_ONCE)

    def test_interface(self) -> None:
        """A search keeps its contract."""
        verifyObject(IFindReceiver, _Inquiry(self.inquiries, (ALICE, BOB)))
