"""Tests for p2pship.bearer.hip.desk and what it asks: pings, guests and several Host Identities, over real sockets on loopback."""

from __future__ import annotations

from functools import cache
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from p2pship.bearer.carried import Carried
from p2pship.bearer.hip.bearer import HIPBearer
from p2pship.bearer.hip.desk import read_address, read_hit
from p2pship.bearer.hip.guests import GUEST_TIME, MOST_FROM_ONE_SOURCE
from p2pship.errors import LocalError, NotReached
from p2pship.identity.hit import format_hit, hit_of
from p2pship.identity.hostkeys import HostKey, KeyAlgorithm, new_host_key
from tests.bearer.fakes import FakeDevice, Recorder, device
from tests.bearer.hip.pair import HOST, HIPPair

ALGORITHMS = {
    KeyAlgorithm.P256: ("ECDSA P-256", "ECDSA/SHA-384"),
    KeyAlgorithm.P384: ("ECDSA P-384", "ECDSA/SHA-384"),
    KeyAlgorithm.RSA_2048: ("RSA", "RSA/SHA-256"),
}


@cache
def host_key(algorithm: KeyAlgorithm) -> HostKey:
    """Return a key of this kind, the same each time."""
    return new_host_key(algorithm)


def hit(owner: FakeDevice | HostKey) -> str:
    """Return somebody's HIT as people write it."""
    return format_hit(hit_of(owner.key))


class DeskCase(HIPPair):
    """Alice, who pings, and Bob, who listens."""

    opportunistic = False

    def setUp(self) -> None:
        super().setUp()
        self.pinger = self.bearer(device("alice"), opportunistic=self.opportunistic)
        self.pinged = self.bearer(device("bob"), opportunistic=self.opportunistic)
        self.links: list[Any] = []
        self.keys = self.keyrings[self.pinged].host_keys
        self.keys.become(*map(host_key, KeyAlgorithm))
        for bearer, links in ((self.pinger, []), (self.pinged, self.links)):
            self.successResultOf(bearer.listen(links.append, lambda: None))

    def at(self, bearer: HIPBearer) -> str:
        """Return where a bearer listens."""
        return f"{HOST}:{bearer._sockets.number}"

    async def done(self, waiting: Deferred[Any], step: float = 0.01) -> Any:
        """Let time pass until a ping is over, and return how it went."""
        outcome: list[Any] = []
        waiting.addBoth(outcome.append)
        await self.until(lambda: outcome, step)
        if isinstance(outcome[0], Failure):
            outcome[0].raiseException()
        return outcome[0]

    async def ping(self, owner: FakeDevice | HostKey | None = None, **more: Any) -> Any:
        """Ping Bob's bearer by one of its HITs, his device's if none is named."""
        whom = f"{hit(owner or device('bob'))}@{self.at(self.pinged)}"
        return await self.done(self.pinger.desk.ping(whom, **more))

    async def assert_refused(self, waiting: Deferred[Any], error: type[Exception], text: str) -> None:
        """Assert that a ping fails, with these words."""
        with self.assertRaises(error) as raised:
            await self.done(waiting, step=0.1)
        self.assertIn(text, str(raised.exception))


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
        locator = self.pinged.locators()[0]
        link = await self.done(self.pinger.dial(device("bob").key, [locator], device("alice")))
        told = Recorder()
        link.start(told)
        report = await self.ping()
        self.assertEqual((report["made"], report["received"]), (False, 4))
        [association] = self.pinger.desk.associations()
        self.assertEqual(association["carries"], "link")
        self.assertEqual(told.losses, [])

    async def test_same_way_back(self) -> None:
        """The host that was pinged pings back over the same association, which only the one who made it closes."""
        under_way = self.pinger.desk.ping(f"{hit(device('bob'))}@{self.at(self.pinged)}", number=20)
        await self.until(lambda: self.pinged.desk.associations())
        back = await self.done(self.pinged.desk.ping(f"{hit(device('alice'))}@{self.at(self.pinger)}"))
        self.assertEqual((back["made"], back["received"]), (False, 4))
        self.assertEqual((await self.done(under_way))["received"], 20)

    async def test_no_answer(self) -> None:
        """Where nobody answers, it is said what may be the matter."""
        stranger = hit(device("carol"))
        whom = f"{stranger}@{self.at(self.pinged)}"
        await self.assert_refused(self.pinger.desk.ping(whom), NotReached, "with that HIT?")
        self.assertEqual(self.pinged.desk.show()["refused"].keys(), {"invalid_hit"})

    async def test_mistakes(self) -> None:
        """What cannot be tried is refused at once, and it is said what to do."""
        good = f"{hit(device('bob'))}@{self.at(self.pinged)}"
        for whom, more, text in (
            ("2001:db8::1@127.0.0.1", {}, "is no HIT"),
            ("bob@127.0.0.1", {}, "is no HIT"),
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

    async def test_dialled_meanwhile(self) -> None:
        """A dial while a ping is under way makes a link of its own; the ping says that its association has ended."""
        under_way = self.pinger.desk.ping(f"{hit(device('bob'))}@{self.at(self.pinged)}", number=20)
        await self.until(lambda: self.pinger.desk.associations())
        link = await self.done(self.pinger.dial(device("bob").key, self.pinged.locators(), device("alice")))
        self.assertEqual(link.proof, device("bob").key)
        await self.assert_refused(under_way, NotReached, "give the command again")
        [association] = self.pinger.desk.associations()
        self.assertEqual(association["carries"], "link")

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
        """A ping goes in IP itself where that is on, and wished."""
        near, far = (self.bearer(device(name), raw=True) for name in ("alice", "bob"))
        for bearer in (near, far):
            self.successResultOf(bearer.listen(lambda link: None, lambda: None))
        if not far.desk.show()["raw"]:
            raise SkipTest("this needs CAP_NET_RAW")
        whom = f"{hit(device('bob'))}@{HOST}"
        report = await self.done(near.desk.ping(whom, raw=True))
        self.assertEqual((report["received"], report["encapsulated"], report["address"]), (4, False, HOST))
        await self.until(lambda: not far.desk.associations())
        whom = f"{hit(device('carol'))}@{HOST}"
        await self.assert_refused(near.desk.ping(whom, raw=True), NotReached, "protocols 139 and 50")


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
        link = await self.done(self.pinger.dial(device("bob").key, self.pinged.locators(), device("alice")))
        report = await self.done(self.pinger.desk.ping(self.at(self.pinged)))
        self.assertFalse(report["made"])
        self.assertEqual(self.pinger.desk.associations()[0]["carries"], "link")
        link.close("done")

    async def test_not_switched_on(self) -> None:
        """Who has not switched it on does not answer, and it is said so."""
        await self.assert_refused(self.pinger.desk.ping(self.at(self.bob)), NotReached, "no answer")


class GuestTests(DeskCase, TestCase):
    """Those who never say hello."""

    async def greeted_by_nobody(self) -> Any:
        """Have an association made whose link the other side's node closes, as no hello comes; return Bob's end."""
        await self.done(self.pinger.dial(device("bob").key, self.pinged.locators(), device("alice")))
        await self.until(lambda: self.links)
        [link] = self.links
        link.start(Recorder())
        self.pinger_link().retire()  # as another implementation, which knows nothing of links
        link.close("no hello passed within 5 s")
        await self.until(lambda: link.association in self.pinged._guests, step=0.1)
        return link

    def pinger_link(self) -> Any:
        """Return Alice's link."""
        [link] = self.pinger._links.values()
        return link

    async def test_silent(self) -> None:
        """An association over which nothing has come outlives its link for a minute; then it is closed."""
        link = await self.greeted_by_nobody()
        self.assertEqual(self.pinged.desk.associations()[0]["carries"], "echo")
        self.advance(GUEST_TIME / 2)
        self.assertIn(link.association, self.pinged._guests)
        self.advance(GUEST_TIME / 2 + 1)
        await self.until(lambda: not self.pinged._links)

    async def test_pinged(self) -> None:
        """As long as it pings, a foreign host keeps its association."""
        await self.greeted_by_nobody()
        far = self.pinger_link()
        replies: list[bytes] = []
        far.echoes.listen(b"id", replies.append)
        for number in range(6):
            far.echoes.ask(b"id", number, b"data")
            await self.until(lambda: replies)
            self.assertEqual(replies.pop()[2:], b"data")
            self.advance(GUEST_TIME / 2)
        self.advance(GUEST_TIME)
        await self.until(lambda: not self.pinged._links)

    async def test_nothing_else(self) -> None:
        """A guest that sends what links carry gets no link for it: that is counted, and dropped."""
        link = await self.greeted_by_nobody()
        before = self.journal.counts["hip.unknown"]
        for number in range(3):
            self.pinger_link()._way.put(Carried.MEDIA, b"%d" % number)
            self.pinger_link()._way.put(Carried.SEGMENT, b"%d" % number)
        await self.until(lambda: self.journal.counts["hip.unknown"] >= before + 6)
        self.assertEqual((len(self.links), link.has_spoken), (1, False))

    async def test_our_kind(self) -> None:
        """One over which frames came is closed with its link, as ever."""
        near = await self.done(self.pinger.dial(device("bob").key, self.pinged.locators(), device("alice")))
        await self.until(lambda: self.links)
        near.start(Recorder())
        near.cast(b"something")
        await self.until(lambda: self.links[0].has_spoken)
        self.links[0].abort("no hello passed within 5 s")
        self.assertEqual(self.pinged._links, {})

    async def test_dialled_again(self) -> None:
        """A guest is no link: who is dialled gets a new one."""
        link = await self.greeted_by_nobody()
        locators = self.pinger.locators()
        again = await self.done(self.pinged.dial(device("alice").key, locators, device("bob")))
        self.assertIsNot(again, link)
        self.assertNotIn(link.association, self.pinged._links)

    async def test_bounded(self) -> None:
        """Those who come from one place push out the eldest, not each other's memory."""
        owners = [FakeDevice() for _ in range(MOST_FROM_ONE_SOURCE + 2)]
        bearers = [self.bearer(owner) for owner in owners]
        for owner, bearer in zip(owners, bearers, strict=True):
            self.successResultOf(bearer.listen(lambda link: None, lambda: None))
            self.links.clear()
            await self.done(bearer.dial(device("bob").key, self.pinged.locators(), owner))
            await self.until(lambda: self.links)
            next(iter(bearer._links.values())).retire()
            self.links[0].start(Recorder())
            self.links[0].abort("no hello")
        self.assertEqual(len(self.pinged._links), MOST_FROM_ONE_SOURCE)
        await self.until(lambda: not bearers[0]._links)


class ReportTests(DeskCase, TestCase):
    """What is said."""

    async def test_associations(self) -> None:
        """Both ends agree on who has sent how much, and on the algorithms."""
        near = await self.done(self.pinger.dial(device("bob").key, self.pinged.locators(), device("alice")))
        near.start(Recorder())
        for number in range(5):
            near.cast(b"%d" % number)
        await self.until(lambda: self.pinged.desk.associations()[0]["packets_received"] >= 5)
        [here], [there] = self.pinger.desk.associations(), self.pinged.desk.associations()
        self.assertEqual(here["packets_sent"], there["packets_received"])
        self.assertEqual(here["octets_sent"], there["octets_received"])
        self.assertEqual((here["dialled"], there["dialled"]), (True, False))
        self.assertEqual(here["peer_address"], self.at(self.pinged))
        for key in ("dh_group", "cipher", "esp_suite"):
            self.assertEqual(here[key], there[key])
        self.assertEqual((there["lost"], there["replayed"], there["forged"]), (0, 0, 0))

    async def test_losses(self) -> None:
        """What was lost, came twice, or was forged is counted, also once the keys have changed."""
        near = await self.done(self.pinger.dial(device("bob").key, self.pinged.locators(), device("alice")))
        near.start(Recorder())
        port, at = near._way.port, near._way.address
        kept = [near.association.outbound.seal(59, bytes(8)) for _ in range(4)]
        for packet in (kept[0], kept[3], kept[3], kept[0][:-1] + b"\0"):
            port.send(packet, at)
        await self.until(lambda: self.pinged.desk.associations()[0]["replayed"] >= 1)
        await self.turn()
        self.pinger._house.tired(near.association)
        await self.until(lambda: self.pinged.desk.associations()[0]["rekeys"])
        self.advance(11)
        near.cast(b"after")
        await self.turn()
        [there] = self.pinged.desk.associations()
        self.assertEqual(there["lost"], 2)
        self.assertEqual(there["replayed"] + there["forged"], 2)

    async def test_close(self) -> None:
        """An association is closed with its link, and both sides hear it."""
        near = await self.done(self.pinger.dial(device("bob").key, self.pinged.locators(), device("alice")))
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
