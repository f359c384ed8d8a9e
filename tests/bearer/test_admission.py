"""Tests for p2pship.bearer.admission."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.bearer.admission import Admission, source_of


class SourceTests(TestCase):
    """What counts as one place."""

    def test_sources(self) -> None:
        """An IPv4 address is one place; of IPv6 the whole network of a host is."""
        self.assertEqual(source_of("192.0.2.1"), "192.0.2.1")
        self.assertEqual(source_of("2001:db8::1"), source_of("2001:db8::ffff:2"))
        self.assertNotEqual(source_of("2001:db8::1"), source_of("2001:db8:0:1::1"))
        self.assertEqual(source_of("fe80::1%eth0"), "fe80::/64")


class AdmissionTests(TestCase):
    """Who may be at the door."""

    def test_one_source(self) -> None:
        """One place has only so many guests at the door: for another, the eldest of them has to go, and nobody else."""
        admission: Admission[int] = Admission(from_one_source=2)
        self.assertIsNone(admission.enter(9, "192.0.2.2"))
        entered = [admission.enter(guest, "192.0.2.1") for guest in range(4)]
        self.assertEqual(entered, [None, None, 0, 1])

    def test_room_again(self) -> None:
        """Nobody has to go for one who comes when another has left."""
        admission: Admission[int] = Admission(from_one_source=2)
        for guest in range(2):
            admission.enter(guest, "192.0.2.1")
        admission.leave(1)
        admission.leave(1)
        self.assertEqual([admission.enter(guest, "192.0.2.1") for guest in (4, 5)], [None, 0])

    def test_eldest_goes(self) -> None:
        """When there are too many in all, the eldest has to go."""
        admission: Admission[int] = Admission(in_all=2)
        entered = [admission.enter(guest, f"192.0.2.{guest}") for guest in range(4)]
        self.assertEqual(entered, [None, None, 0, 1])

    def test_stranger_leaves(self) -> None:
        """Who never entered may leave."""
        admission: Admission[int] = Admission(from_one_source=1)
        admission.leave(1)
        self.assertIsNone(admission.enter(1, "192.0.2.1"))
