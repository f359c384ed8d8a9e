"""From whom a media port takes packets, and where it sends."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import HostPort
from p2pship.media.latch import PATIENCE, Latch

PHONE = "192.0.2.10"
SHOWN = HostPort(PHONE, 4000)


class LatchTests(SynchronousTestCase):
    """The phone shows 192.0.2.10:4000 at time 100."""

    def setUp(self) -> None:
        """Show the address."""
        self.latch = Latch(PHONE)
        self.latch.show(SHOWN, 100.0)

    def test_nothing_shown(self) -> None:
        """Before the phone's SDP is known there is no target, and nobody is taken for the phone."""
        latch = Latch(PHONE)
        self.assertIsNone(latch.target)
        self.assertFalse(latch.admits(PHONE, 4000, 1000.0))

    def test_shown_address_is_the_target(self) -> None:
        """Packets go to the address of the SDP before anything came from it."""
        self.assertEqual(self.latch.target, SHOWN)

    def test_shown_address_locks(self) -> None:
        """Once the shown address spoke, no other is taken, however long it is silent."""
        self.assertTrue(self.latch.admits(PHONE, 4000, 100.1))
        self.assertFalse(self.latch.admits(PHONE, 4002, 5000.0))
        self.assertTrue(self.latch.admits(PHONE, 4000, 5000.0))
        self.assertEqual(self.latch.target, SHOWN)

    def test_other_port_must_wait(self) -> None:
        """Another port of the phone's host is refused while the shown one may still speak."""
        self.assertFalse(self.latch.admits(PHONE, 4002, 100.0 + PATIENCE - 0.01))
        self.assertEqual(self.latch.target, SHOWN)

    def test_other_port_latches(self) -> None:
        """After the wait the first other port of the phone's host is taken, and packets go there."""
        self.assertTrue(self.latch.admits(PHONE, 4002, 100.0 + PATIENCE))
        self.assertEqual(self.latch.target, HostPort(PHONE, 4002))
        self.assertTrue(self.latch.admits(PHONE, 4002, 103.0))

    def test_latches_once(self) -> None:
        """The second other port is refused."""
        self.assertTrue(self.latch.admits(PHONE, 4002, 103.0))
        self.assertFalse(self.latch.admits(PHONE, 4004, 104.0))
        self.assertEqual(self.latch.target, HostPort(PHONE, 4002))

    def test_shown_address_wins_late(self) -> None:
        """The shown address takes over from one that latched, which is then refused for good."""
        self.latch.admits(PHONE, 4002, 103.0)
        self.assertTrue(self.latch.admits(PHONE, 4000, 104.0))
        self.assertEqual(self.latch.target, SHOWN)
        self.assertFalse(self.latch.admits(PHONE, 4002, 200.0))

    def test_other_host_never(self) -> None:
        """A host that the phone does not signal from is refused, with the right port too."""
        self.assertFalse(self.latch.admits("192.0.2.66", 4000, 100.0))
        self.assertFalse(self.latch.admits("192.0.2.66", 4000, 500.0))

    def test_media_on_another_host(self) -> None:
        """The SDP may show another host than the phone signals from: that exact address is the phone's."""
        self.latch.show(HostPort("192.0.2.20", 5000), 100.0)
        self.assertTrue(self.latch.admits("192.0.2.20", 5000, 100.0))

    def test_phone_beside_the_node_is_heard_at_once(self) -> None:
        """A phone that shows its network address and sends from where it signals, at the port shown, need not wait; the
        shown address still takes over, and the other is then refused."""
        self.latch.show(HostPort("192.0.2.20", 5000), 100.0)
        self.assertTrue(self.latch.admits(PHONE, 5000, 100.0))
        self.assertEqual(self.latch.target, HostPort(PHONE, 5000))
        self.assertFalse(self.latch.admits(PHONE, 5002, 200.0))
        self.assertTrue(self.latch.admits("192.0.2.20", 5000, 201.0))
        self.assertFalse(self.latch.admits(PHONE, 5000, 202.0))

    def test_new_address_begins_anew(self) -> None:
        """A re-INVITE that moves the phone unlocks the old address and locks the new one."""
        self.latch.admits(PHONE, 4000, 101.0)
        moved = HostPort(PHONE, 6000)
        self.latch.show(moved, 200.0)
        self.assertEqual(self.latch.target, moved)
        self.assertFalse(self.latch.admits(PHONE, 4000, 200.5))
        self.assertTrue(self.latch.admits(PHONE, 6000, 200.6))
        self.assertFalse(self.latch.admits(PHONE, 4000, 300.0))

    def test_same_address_keeps_the_lock(self) -> None:
        """A session refresh with the same address opens nothing."""
        self.latch.admits(PHONE, 4000, 101.0)
        self.latch.show(SHOWN, 900.0)
        self.assertFalse(self.latch.admits(PHONE, 4002, 1000.0))

    def test_same_address_keeps_the_latch(self) -> None:
        """A session refresh does not take packets away from the port that latched."""
        self.latch.admits(PHONE, 4002, 103.0)
        self.latch.show(SHOWN, 900.0)
        self.assertEqual(self.latch.target, HostPort(PHONE, 4002))

    def test_wait_counts_from_the_last_showing(self) -> None:
        """The answer, that comes long after the early offer, gives the phone its 2 s again."""
        self.latch.show(SHOWN, 130.0)
        self.assertFalse(self.latch.admits(PHONE, 4002, 131.0))
        self.assertTrue(self.latch.admits(PHONE, 4002, 132.0))
