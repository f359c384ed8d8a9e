"""Tests for p2pship.bearer.hip.hosts, over real sockets on loopback: several Host Identities of one node."""

from __future__ import annotations

import os
from itertools import count

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip import host as host_module
from p2pship.bearer.hip.dialling import Failed
from p2pship.bearer.hip.diffiehellman import OFFERED_GROUPS
from p2pship.bearer.hip.host import Host
from p2pship.bearer.hip.hostidentity import OwnHostIdentity
from p2pship.bearer.hip.hosts import Hosts, Stir
from p2pship.bearer.hip.load import Load
from p2pship.bearer.hip.packet import parse
from p2pship.bearer.hip.path import Send
from p2pship.bearer.hip.r1limit import R1Limit
from p2pship.bearer.hip.responder import Rejected
from p2pship.errors import NotReached
from p2pship.identity.device import Device
from p2pship.identity.hostkeys import KeyAlgorithm, new_host_key
from tests.bearer.fakes import device
from tests.bearer.hip.deskcase import ALGORITHMS, DeskCase, hit, host_key
from tests.bearer.hip.hosts import BEGIN, TwoHosts, host, path, reach

MANY = 200
"Devices of one node."


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


class Counting(Host):
    """Counts how often it is asked for something."""

    asked = 0

    def take(self) -> list[object]:
        self.asked += 1
        return super().take()

    def due(self) -> float | None:
        self.asked += 1
        return super().due()


class ManyTests(TestCase):
    """As many devices as a node has identities."""

    def setUp(self) -> None:
        devices = [Device.new() for _ in range(MANY)]
        self.one, self.another = (devices[number].hit for number in (1, 2))
        self.spis = count(0x1000)
        self.hosts = Hosts(devices[0], self.make, lambda _: False, BEGIN)
        self.hosts.become(devices, (), BEGIN)
        self.far = host(OwnHostIdentity(Device.new().private_key), os.urandom)

    def make(self, own: OwnHostIdentity, load: Load, limit: R1Limit, now: float, stir: Stir) -> Host:
        def new_spi() -> int:
            return next(self.spis)

        return Counting(own, OFFERED_GROUPS, os.urandom, new_spi, load, limit, now, reach, stir=stir)

    def asked(self) -> dict[bytes, int]:
        """Return how often each was asked that was, by HIT."""
        return {each.own.hit: each.asked for each in self.hosts if isinstance(each, Counting) and each.asked}

    def test_idle(self) -> None:
        """A packet for one of them costs nothing of the others, nor do those that are idle cost time."""
        self.far.dial(self.one, [path(0)], BEGIN)
        (i1,) = [thing for thing in self.far.take() if isinstance(thing, Send)]
        self.hosts.received(parse(i1.octets), path(1), BEGIN)
        (r1,) = self.hosts.take()
        self.assertIsInstance(r1, Send)
        self.assertEqual((self.hosts.take(), self.asked()), ([], {self.one: 2}))
        due = self.hosts.due()
        assert due is not None
        self.hosts.timer_fired(due)
        self.assertEqual((self.hosts.take(), self.asked()), ([], {self.one: 4}))

    def test_times(self) -> None:
        """Each does what is due when that is, and who fails is told as the one that dialled."""
        for number, hit_of_ours in enumerate((self.one, self.another)):
            dialling = self.hosts.get(hit_of_ours)
            assert dialling is not None
            dialling.dial(self.far.own.hit, [path(1)], BEGIN + number / 10)
        failed: list[Failed] = []
        self.hosts.take()
        while (due := self.hosts.due()) is not None and len(failed) < 2:
            dues = [each.due() for each in self.hosts]
            self.assertLessEqual(due, min(each for each in dues if each is not None))
            self.hosts.timer_fired(due)
            failed += [thing for thing in self.hosts.take() if isinstance(thing, Failed)]
        self.assertEqual(
            [(each.own, each.peer) for each in failed],
            [(self.one, self.far.own.hit), (self.another, self.far.own.hit)],
        )

    def test_full(self) -> None:
        """The associations of all of them are counted: who comes to another one when there are too many is told so."""
        self.patch(host_module, "MOST_ASSOCIATIONS", 1)
        one, another = self.hosts.get(self.one), self.hosts.get(self.another)
        assert one is not None and another is not None
        two = self.meet(self.far, one)
        self.assertRaises(Rejected, self.meet, self.far, another)
        self.assertEqual(len(another.take()), 1)
        self.assertEqual((self.hosts.load.associations, any(another.associations())), (1, False))
        association = two.associations()[1]
        association.drop("done")
        one.close(association, BEGIN, "done")
        self.assertEqual(self.hosts.load.associations, 0)
        self.meet(host(OwnHostIdentity(Device.new().private_key), os.urandom), another)

    def meet(self, dialling: Host, dialled: Host) -> TwoHosts:
        """Make an association."""
        two = TwoHosts(dialling, dialled)
        two.dial()
        two.talk()
        return two

    def test_removed(self) -> None:
        """One that is removed says what became of its dialling, and is due no more when that has ended."""
        dialling = self.hosts.get(self.one)
        assert dialling is not None
        dialling.dial(self.far.own.hit, [path(1)], BEGIN)
        self.hosts.become((), (), BEGIN)
        self.assertEqual([thing.own for thing in self.hosts.take() if isinstance(thing, Failed)], [self.one])
        while (due := self.hosts.due()) is not None:
            self.assertLess(due, BEGIN + 60)
            self.hosts.timer_fired(due)
            self.assertEqual(self.hosts.take(), [])
