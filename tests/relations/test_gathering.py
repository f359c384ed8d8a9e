"""Tests of how own devices are looked for."""

from __future__ import annotations

from tests.overlay.nodes import ALICE, BOB
from tests.relations.devices import DevicesCase


class GatheringTests(DevicesCase):
    """Looks."""

    def test_alone(self) -> None:
        """An identity with one device is not looked for."""
        self.device(BOB)
        self.clock.pass_time(1000)
        self.assertEqual(self.directory.asked, [])

    def test_meet(self) -> None:
        """Two devices of one person meet by themselves, and once in a while again."""
        _, first, second = self.alice_and_bobs()
        self.assertTrue(any(peer.hit == second.hit and peer.path for peer in first.overlay.peers()))
        before = len(self.directory.asked)
        self.clock.pass_time(1000)
        self.assertIn(len(self.directory.asked) - before, range(4, 24))

    def test_people(self) -> None:
        """Who asks the overlay for their own name reaches their other devices, and not only this one."""
        _, first, second = self.alice_and_bobs()
        reached = first.people(BOB)
        self.clock.pass_time(6)
        self.assertIn(second.hit, {peer.hit for peer in reached.peers})

    def test_impostor(self) -> None:
        """Who publishes under our own name with another key is neither adopted nor told anything."""
        _, first, second = self.alice_and_bobs()
        impostor = self.device(BOB)
        first.ledger.put(BOB, "contact", ALICE, {"name": "Alice"})
        self.clock.pass_time(600)
        self.assertEqual((impostor.entries(BOB), second.entries(BOB)), ({}, first.entries(BOB)))
        self.assertEqual(first.listed(BOB), {first.digest, second.digest})

    def test_removed(self) -> None:
        """An identity that is removed here is looked for no more, and nothing fails."""
        _, _first, second = self.alice_and_bobs()
        second.keyring.remove(BOB)
        second.gathering.look(BOB)
        self.clock.pass_time(600)
        self.assertEqual(second.entries(BOB), {})
