"""Tests for p2pship.bearer.hip.desk, over real sockets on loopback: what people ask of it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase, TestCase

from p2pship.bearer.hip.desk import read_address, read_hit
from p2pship.errors import LocalError, NotReached
from p2pship.identity.hostkeys import KeyAlgorithm
from tests.bearer.fakes import Recorder, device
from tests.bearer.hip.deskcase import ALGORITHMS, DeskCase, hit, host_key


class DeskTests(DeskCase, TestCase):
    """What is asked."""

    async def test_close(self) -> None:
        """An association is closed with its link, and both sides hear it."""
        near = await self.linked()
        told = Recorder()
        near.start(told)
        await self.turn()
        [closed] = self.pinger.desk.close(hit(device("bob")))
        self.assertEqual(closed["peer"], hit(device("bob")))
        await self.until(lambda: told.losses and not self.pinged._links)
        self.assertEqual(told.losses, ["the user closed the association"])
        with self.assertRaises(LocalError):
            self.pinger.desk.close(hit(device("bob")))

    async def test_close_one(self) -> None:
        """With several associations with one host, only that of the HIT that is named is closed."""
        key = host_key(KeyAlgorithm.P384)
        await self.done(self.pinged.dial(device("alice").key, self.pinger.locators(), device("bob")))
        whom = f"{hit(device('alice'))}@{self.at(self.pinger)}"
        under_way = self.pinged.desk.ping(whom, own=hit(key), number=50)
        await self.until(lambda: len(self.pinged.desk.associations()) == 2)
        [closed] = self.pinged.desk.close(hit(device("alice")), hit(key))
        self.assertEqual(closed["own"], hit(key))
        await self.assert_refused(under_way, NotReached, "ended")
        [left] = self.pinged.desk.associations()
        self.assertEqual(left["own"], hit(device("bob")))

    async def test_associations(self) -> None:
        """All are described, or those with one host; each with its SPIs and, once frames have passed, how long a round trip takes."""
        near = await self.linked()
        [ours] = self.pinger.desk.associations(hit(device("bob")))
        [theirs] = self.pinged.desk.associations()
        self.assertEqual((ours["spi_in"], ours["spi_out"]), (theirs["spi_out"], theirs["spi_in"]))
        self.assertEqual(ours["spi_in"], f"0x{near.association.inbound.spi:08x}")
        self.assertEqual(theirs["round_trip"], None)
        self.assertGreater(ours["round_trip"] or 0.0, 0.0)
        for other in (hit(device("carol")), "bob"):
            self.assertRaises(LocalError, self.pinger.desk.associations, other)

    async def test_show(self) -> None:
        """All Host Identities are shown, with what strangers asked of them."""
        await self.ping()
        shown = self.pinged.desk.show()
        self.assertEqual(
            [one["algorithm"] for one in shown["identities"]][1:], [n for n, _ in ALGORITHMS.values()]
        )
        self.assertEqual(shown["listening"], [self.at(self.pinged)])
        self.assertEqual((shown["difficulty"], shown["r1s_limited"]), (8, 0))
        self.assertGreaterEqual(shown["i1s"], 1)


class ReadingTests(SynchronousTestCase):
    """What people write."""

    def test_addresses(self) -> None:
        """An address may have a port, and brackets where they are due."""
        for text, at in (
            ("192.0.2.1", ("192.0.2.1", 10500)),
            ("192.0.2.1:5", ("192.0.2.1", 5)),
            ("2001:db8::1", ("2001:db8::1", 10500)),
            ("[2001:db8::1]", ("2001:db8::1", 10500)),
            ("[2001:db8::1]:5", ("2001:db8::1", 5)),
        ):
            self.assertEqual(read_address(text), at)
        for text in ("", "example.com", "192.0.2.1:0", "192.0.2.1:x", "192.0.2.1:70000", "1:2:3"):
            self.assertRaises(LocalError, read_address, text)

    def test_hits(self) -> None:
        """A HIT is written as an IPv6 address."""
        self.assertEqual(read_hit("2001:21::1"), bytes.fromhex("20010021000000000000000000000001"))
        for text in ("", "192.0.2.1", "2001:21::1/64", "x"):
            self.assertRaises(LocalError, read_hit, text)
