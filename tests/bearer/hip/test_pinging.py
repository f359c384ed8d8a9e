"""Tests for p2pship.bearer.hip.pinging, over real sockets on loopback: echoes between HITs."""

from __future__ import annotations

import socket

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SkipTest, TestCase

from p2pship.bearer.hip.numbers import PacketType
from p2pship.bearer.hip.packet import parse
from p2pship.errors import LocalError, NotReached
from p2pship.identity.hostkeys import KeyAlgorithm
from tests.bearer.fakes import Recorder, device
from tests.bearer.hip.deskcase import DeskCase, hit, host_key
from tests.bearer.hip.pair import HOST


class PingTests(DeskCase, TestCase):
    """Echoes between HITs, by associations that are made for them and others."""

    async def test_base_exchange(self) -> None:
        """A ping makes an association if there is none, all echoes come back, and it is closed afterwards on both sides."""
        report = await self.ping()
        self.assertEqual((report["sent"], report["received"], report["made"]), (4, 4, True))
        self.assertEqual((report["own"], report["peer"]), (hit(device("alice")), hit(device("bob"))))
        self.assertGreater(report["least"], 0)
        self.assertIn("AES-GCM-16", report["algorithms"])
        await self.until(lambda: not self.pinged.desk.associations())
        self.assertEqual(self.pinger.desk.associations(), [])
        self.assertEqual((self.pinger._parties, self.pinged._parties), ({}, {}))

    async def test_ipv6(self) -> None:
        """An IPv6 address is written in brackets, with its port."""
        near, far = (self.bearer(device(name), listen=("::1",)) for name in ("alice", "bob"))
        for bearer in (near, far):
            self.successResultOf(bearer.listen(lambda link: None, lambda: None))
        [at] = far.desk.show()["listening"]
        report = await self.done(near.desk.ping(f"{hit(device('bob'))}@{at}"))
        self.assertEqual((report["received"], report["address"]), (4, at))
        self.assertTrue(at.startswith("[::1]:"))

    async def test_standing(self) -> None:
        """A link's association is pinged as it is, and neither it nor the link is closed afterwards."""
        link = await self.linked()
        told = Recorder()
        link.start(told)
        report = await self.ping()
        self.assertEqual((report["made"], report["received"]), (False, 4))
        [association] = self.pinger.desk.associations()
        self.assertEqual(association["carries"], "link")
        self.assertEqual(told.losses, [])
        self.assertIsNotNone(link.echoes.last)

    async def test_hit_alone(self) -> None:
        """A HIT is pinged over the association that stands, of whichever HIT of ours; without one it is asked where it is."""
        await self.assert_refused(self.pinger.desk.ping(hit(device("bob"))), LocalError, "HIT@ADDRESS")
        await self.linked()
        report = await self.done(self.pinger.desk.ping(hit(device("bob"))))
        self.assertEqual((report["made"], report["received"]), (False, 4))
        self.assertEqual(report["address"], self.at(self.pinged))
        key = hit(host_key(KeyAlgorithm.P384))
        under_way = self.pinger.desk.ping(f"{key}@{self.at(self.pinged)}", number=50)
        await self.until(lambda: len(self.pinged.desk.associations()) == 2)
        self.pinged.desk.close(hit(device("alice")), hit(device("bob")))
        back = await self.done(self.pinged.desk.ping(hit(device("alice"))))
        self.assertEqual((back["own"], back["received"]), (key, 4))
        await self.done(under_way)

    async def test_known_as(self) -> None:
        """A host that knows one HIT of ours only hears of no other, though the ping names an address and not that HIT."""
        key = host_key(KeyAlgorithm.P384)
        whom = f"{hit(key)}@{self.at(self.pinged)}"
        under_way = self.pinger.desk.ping(whom, number=50)
        await self.until(lambda: self.pinged.desk.associations())
        back = f"{hit(device('alice'))}@{self.at(self.pinger)}"
        self.assertEqual((await self.done(self.pinged.desk.ping(back)))["own"], hit(key))
        named = await self.done(self.pinged.desk.ping(back, own=hit(device("bob"))))
        self.assertEqual((named["own"], named["made"]), (hit(device("bob")), True))
        await self.done(under_way)

    async def test_same_way_back(self) -> None:
        """The host that was pinged pings back over the same association, which only the one who made it closes."""
        under_way = self.pinger.desk.ping(f"{hit(device('bob'))}@{self.at(self.pinged)}", number=20)
        await self.until(lambda: self.pinged.desk.associations())
        for bearer in (self.pinged, self.pinger):
            await self.turn()
            self.assertEqual(bearer.desk.associations()[0]["carries"], "echo")
        back = await self.done(self.pinged.desk.ping(f"{hit(device('alice'))}@{self.at(self.pinger)}"))
        self.assertEqual((back["made"], back["received"]), (False, 4))
        self.assertEqual((await self.done(under_way))["received"], 20)

    async def test_forgotten(self) -> None:
        """Who has made an association and answers no echo over it may have begun anew: it is dialled, unless a link is carried."""
        back = f"{hit(device('alice'))}@{self.at(self.pinger)}"
        for has_spoken, made, received in ((False, True, 4), (True, False, 0)):
            await self.linked()
            await self.until(lambda: self.links)
            self.links.pop().has_spoken = has_spoken
            [association] = self.pinger._links
            association.drop("it was forgotten")
            self.pinger._hosts.device._settle(association, self.clock.seconds())
            self.pinger._signalling.act()
            report = await self.done(self.pinged.desk.ping(back))
            self.assertEqual((report["made"], report["received"]), (made, received))

    async def test_no_answer(self) -> None:
        """Where nobody answers, it is said what may be the matter."""
        stranger = hit(device("carol"))
        whom = f"{stranger}@{self.at(self.pinged)}"
        await self.assert_refused(self.pinger.desk.ping(whom), NotReached, "with that HIT?")
        self.assertEqual(self.pinged.desk.show()["refused"].keys(), {"invalid_hit"})

    async def test_slow(self) -> None:
        """A program that takes its time gets what it has once: it might take the same I2 again as another one (RFC 7401 §6.9, step 20)."""
        deaf = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(deaf.close)
        deaf.bind((HOST, 0))
        deaf.setblocking(False)
        under_way = self.pinger.desk.ping(f"{hit(device('carol'))}@{HOST}:{deaf.getsockname()[1]}")
        for seconds in (0.0, 1.9, 0.2):
            self.advance(seconds)
            await self.turn()
            if seconds < 1.9:
                self.assertEqual(parse(deaf.recv(2048)[4:]).type, PacketType.I1)
            self.assertRaises(BlockingIOError, deaf.recv, 2048)
        under_way.cancel()
        await self.assert_refused(under_way, CancelledError, "")

    async def test_slow_echo(self) -> None:
        """Where the base exchange took three seconds, an echo may take almost as long."""
        whom = f"{hit(device('bob'))}@{self.at(self.pinged)}"
        under_way = self.pinger.desk.ping(whom, number=1)
        self.advance(3.0)
        while not self.pinger.desk.associations():
            self.advance(0)
            await self.turn()
        self.advance(0)  # the request leaves
        self.advance(2.9)
        self.assertEqual((await self.done(under_way))["received"], 1)

    async def test_mistakes(self) -> None:
        """What cannot be tried is refused at once, and it is said what to do."""
        good = f"{hit(device('bob'))}@{self.at(self.pinged)}"
        for whom, more, text in (
            ("2001:db8::1@127.0.0.1", {}, "is no HIT"),
            ("bob@127.0.0.1", {}, "`p2pship find` shows"),
            (f"{hit(device('bob'))}@bob.example", {}, "is no address"),
            (f"{hit(device('alice'))}@127.0.0.1", {}, "--as HIT"),
            ("127.0.0.1", {}, "opportunistic = true"),
            (good, {"raw": True}, "raw = true"),
            (good, {"own": hit(device("carol"))}, "device key list"),
            (good, {"number": 0}, "1 to 50"),
        ):
            await self.assert_refused(self.pinger.desk.ping(whom, **more), LocalError, text)

    async def test_given_up(self) -> None:
        """A ping that is not wanted any longer ends its base exchange, and another one may follow at once."""
        whom = f"{hit(device('carol'))}@{self.at(self.pinged)}"
        for _ in range(2):
            under_way = self.pinger.desk.ping(whom)
            await self.turn()
            under_way.cancel()
            await self.assert_refused(under_way, CancelledError, "")
            self.assertIsNone(self.pinger._hosts.due())

    async def test_given_up_when_made(self) -> None:
        """A ping may be given up just when its association is made."""
        under_way = self.pinger.desk.ping(f"{hit(device('bob'))}@{self.at(self.pinged)}")
        await self.until(lambda: self.pinger.desk.associations())
        under_way.cancel()
        await self.assert_refused(under_way, CancelledError, "")
        self.assertEqual((await self.ping())["received"], 4)

    async def test_dialled_meanwhile(self) -> None:
        """A dial while a ping is under way makes a link of its own; the ping says that its association has ended."""
        under_way = self.pinger.desk.ping(f"{hit(device('bob'))}@{self.at(self.pinged)}", number=20)
        await self.until(lambda: self.pinger.desk.associations())
        link = await self.linked()
        self.assertEqual(link.proof, device("bob").key)
        await self.assert_refused(under_way, NotReached, "give the command again")
        [association] = self.pinger.desk.associations()
        self.assertEqual(association["carries"], "link")

    async def test_dial_given_up(self) -> None:
        """A dial of the same host that is given up takes no ping with it, nor the other way round: who is left goes on waiting."""
        whom, where = f"{hit(device('carol'))}@{self.at(self.pinged)}", self.pinged.locators()
        pinging = self.pinger.desk.ping(whom)
        dialling = self.pinger.dial(device("carol").key, where, device("alice"))
        dialling.cancel()
        self.failureResultOf(dialling, CancelledError)
        self.assertNoResult(pinging)
        again = self.pinger.dial(device("carol").key, where, device("alice"))
        pinging.cancel()
        self.failureResultOf(pinging, CancelledError)
        self.assertNoResult(again)
        again.cancel()
        self.failureResultOf(again, CancelledError)
        self.assertIsNone(self.pinger._hosts.due())

    async def test_stopped(self) -> None:
        """A bearer that stops ends its pings, and its associations."""
        under_way = self.pinger.desk.ping(f"{hit(device('bob'))}@{self.at(self.pinged)}", number=50)
        dialling = self.pinger.desk.ping(f"{hit(device('carol'))}@{self.at(self.pinged)}")
        await self.until(lambda: self.pinger.desk.associations())
        await self.done(self.pinger.stop())
        await self.assert_refused(dialling, NotReached, "stopping")
        await self.assert_refused(under_way, NotReached, "ended")


class RawTests(DeskCase, TestCase):
    """HIP and ESP in IP itself."""

    async def test_raw(self) -> None:
        """A ping goes in IP itself where that is on, and wished, though an association for echoes stands in UDP."""
        near, far = (self.bearer(device(name), raw=True) for name in ("alice", "bob"))
        for bearer in (near, far):
            self.successResultOf(bearer.listen(lambda link: None, lambda: None))
        if not far.desk.show()["raw"]:
            raise SkipTest("this needs CAP_NET_RAW")
        whom = f"{hit(device('bob'))}@{HOST}"
        report = await self.done(near.desk.ping(whom, raw=True))
        self.assertEqual((report["received"], report["encapsulated"], report["address"]), (4, False, HOST))
        await self.until(lambda: not far.desk.associations())
        in_udp = near.desk.ping(f"{whom}:{far._sockets.number}", number=20)
        await self.until(near.desk.associations)
        report = await self.done(near.desk.ping(whom, raw=True))
        self.assertEqual((report["received"], report["encapsulated"]), (4, False))
        await self.assert_refused(in_udp, NotReached, "ended")
        whom = f"{hit(device('carol'))}@{HOST}"
        await self.assert_refused(near.desk.ping(whom, raw=True), NotReached, "protocols 139 and 50")


class OpportunisticTests(DeskCase, TestCase):
    """Whoever is there."""

    opportunistic = True

    async def test_anybody(self) -> None:
        """Who is at an address is pinged without its HIT, and the report says who it was."""
        report = await self.done(self.pinger.desk.ping(self.at(self.pinged)))
        self.assertEqual((report["received"], report["peer"]), (4, hit(device("bob"))))
        await self.until(lambda: not self.pinged.desk.associations())

    async def test_standing(self) -> None:
        """Somebody with whom there is an association is pinged over that."""
        link = await self.linked()
        report = await self.done(self.pinger.desk.ping(self.at(self.pinged)))
        self.assertFalse(report["made"])
        self.assertEqual(self.pinger.desk.associations()[0]["carries"], "link")
        link.close("done")

    async def test_not_switched_on(self) -> None:
        """Who has not switched it on does not answer, and it is said so."""
        await self.assert_refused(self.pinger.desk.ping(self.at(self.bob)), NotReached, "names no HIT?")
