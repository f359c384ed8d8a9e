"""Tests for p2pship.bearer.hip.hosts, over real sockets on loopback: several Host Identities of one node."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.errors import NotReached
from p2pship.identity.hostkeys import KeyAlgorithm, new_host_key
from tests.bearer.fakes import device
from tests.bearer.hip.deskcase import ALGORITHMS, DeskCase, hit, host_key


class SeveralTests(DeskCase, TestCase):
    """Several Host Identities of one node."""

    async def test_both_roles(self) -> None:
        """Each kind of Host Identity is pinged, and pings."""
        for algorithm, (name, suite) in ALGORITHMS.items():
            key = host_key(algorithm)
            report = await self.ping(key)
            self.assertEqual((report["received"], report["peer"]), (4, hit(key)))
            self.assertIn(name, report["algorithms"])
            back = self.pinged.desk.ping(
                f"{hit(device('alice'))}@{self.at(self.pinger)}", own=hit(key), number=2
            )
            await self.until(lambda: self.pinger.desk.associations())
            [seen] = self.pinger.desk.associations()
            self.assertEqual((seen["peer_algorithm"], seen["hit_suite"]), (name, suite))
            self.assertEqual((await self.done(back))["received"], 2)
            await self.until(lambda: not self.pinger.desk.associations())

    async def test_no_links(self) -> None:
        """Only the device's own Host Identity gets links."""
        under_way = self.pinger.desk.ping(
            f"{hit(host_key(KeyAlgorithm.P384))}@{self.at(self.pinged)}", number=1
        )
        await self.until(lambda: self.pinged.desk.associations())
        self.assertEqual(self.pinged.desk.associations()[0]["carries"], "echo")
        await self.done(under_way)
        self.assertEqual(self.links, [])
        await self.ping(number=1)
        self.assertEqual(len(self.links), 1)

    async def test_each_other(self) -> None:
        """Two of one node reach each other, and each has its own end of the association."""
        whom = f"{hit(host_key(KeyAlgorithm.P384))}@{self.at(self.pinged)}"
        report = await self.done(self.pinged.desk.ping(whom))
        self.assertEqual((report["received"], report["own"]), (4, hit(device("bob"))))

    async def test_come_and_go(self) -> None:
        """One that is added answers at once; one that is removed answers no more, and its associations end."""
        key = new_host_key(KeyAlgorithm.P256)
        self.keys.become(key)
        shown = self.pinged.desk.show()["identities"]
        self.assertEqual(
            [(one["hit"], one["device"]) for one in shown], [(hit(device("bob")), True), (hit(key), False)]
        )
        under_way = self.pinger.desk.ping(f"{hit(key)}@{self.at(self.pinged)}", number=50)
        await self.until(lambda: self.pinged.desk.associations())
        whom = f"{hit(device('carol'))}@{self.at(self.pinger)}"
        dialling = self.pinged.desk.ping(whom, own=hit(key))
        await self.turn()
        self.keys.become()
        await self.assert_refused(under_way, NotReached, "ended")
        await self.assert_refused(dialling, NotReached, "was removed")
        self.assertEqual(self.pinged._parties, {})
        whom = f"{hit(key)}@{self.at(self.pinged)}"
        await self.assert_refused(self.pinger.desk.ping(whom), NotReached, "no answer")
