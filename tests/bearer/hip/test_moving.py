"""Tests of links over HIP that move: addresses that come and go, paths that fall silent (RFC 8046, RFC 8047)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from p2pship.address import Locator
from p2pship.bearer.arqreceiver import FIRST_WINDOW
from p2pship.bearer.hip.peerlocator import Status
from p2pship.bearer.hip.settings import HIPSettings
from p2pship.journal import Journal
from tests.bearer.fakes import FakeNetwork, Recorder, device
from tests.bearer.hip.pair import HOST, HIPPair
from tests.bearer.roughrelay import RoughRelay

ANYWHERE = HIPSettings(listen=("0.0.0.0",), port=0)


class MovingTests(HIPPair, TestCase):
    """Two nodes with several addresses each, all of them on loopback."""

    def setUp(self) -> None:
        super().setUp()
        self.networks = {"alice": FakeNetwork("127.0.0.2"), "bob": FakeNetwork("127.0.0.3")}
        self.journal = Journal()
        self.alice, self.bob = (
            self.bearer_at(ANYWHERE, device(name), self.networks[name]) for name in ("alice", "bob")
        )
        for bearer in (self.alice, self.bob):
            self.successResultOf(bearer.listen(self.accepted.append, lambda: None))

    async def exchange(self, near: Any, far: Any, told: tuple[Recorder, Recorder], word: bytes) -> None:
        """Assert that frames and datagrams get through in both directions."""
        for link, (_, hears) in ((near, told), (far, told[::-1])):
            link.send(word)
            await self.until(lambda hears=hears: word in hears.frames)  # type: ignore[misc]
            for _ in range(200):
                link.cast(word)
                self.advance(0.02)
                await self.turn()
                if word in hears.datagrams:
                    break
            self.assertIn(word, hears.datagrams)

    async def ready(self) -> tuple[Any, Any, tuple[Recorder, Recorder]]:
        near, far, *told = await self.talk()
        both = told[0], told[1]
        for link in (near, far):
            link.limit = 65_536
        await self.exchange(near, far, both, b"before")
        return near, far, both

    async def test_moves(self) -> None:
        """A node whose address is another one now is followed, by frames and media, without a new link."""
        near, far, told = await self.ready()
        self.networks["alice"].become("127.0.0.4")
        await self.until(lambda: far.remote.host == "127.0.0.4")
        await self.exchange(near, far, told, b"after")
        self.assertEqual((told[0].losses, told[1].losses), ([], []))
        self.assertEqual(told[0].paths, [f"{near.path} from 127.0.0.4"])
        self.assertEqual(told[1].paths, [f"{far.path} from 127.0.0.3"])
        [report] = self.bob.desk.associations()
        self.assertEqual((report["moves"], report["peer_address"].split(":")[0]), (1, "127.0.0.4"))
        self.assertEqual(report["locators"], ["127.0.0.4"])
        self.assertGreater(report["moved"], report["since"])

    async def test_moves_back(self) -> None:
        """It may move as often as it likes, also back, and from either side."""
        near, far, told = await self.ready()
        for turn, host in enumerate(("127.0.0.4", "127.0.0.2", "127.0.0.5")):
            self.networks["bob"].become(host)
            await self.until(lambda host=host: near.remote.host == host)  # type: ignore[misc]
            await self.exchange(near, far, told, b"%d" % turn)

    async def test_silent_path(self) -> None:
        """When nothing comes along the path in use while somebody listens, another one is taken."""
        self.networks["bob"].become("127.0.0.3", "127.0.0.6")
        near, far, told = await self.ready()
        self.networks["bob"].become("127.0.0.3", "127.0.0.6", "127.0.0.7")
        await self.until(lambda: len(near.association.paths.locators()) > 1)
        used = near.remote.host
        for bearer in (self.alice, self.bob):
            for port in bearer._sockets:
                self.cut(port, used)
        near.watch(True)
        far.watch(True)
        began = self.clock.seconds()
        await self.until(lambda: near.remote.host != used and far.path, step=0.01)
        await self.exchange(near, far, told, b"after")
        self.assertLess(self.clock.seconds() - began, 1.0)

    async def test_way_taken(self) -> None:
        """When a new interface takes and loses what leaves from the address in use, as a VPN does that gets the default route, the other
        side hears of the new address all the same, and nobody goes back to the old one, from which nothing arrives."""
        near, far, told = await self.ready()
        near.watch(True)
        far.watch(True)
        moves = [
            (self.alice, "alice", far, "127.0.0.2", "127.0.0.6"),
            (self.bob, "bob", near, "127.0.0.3", "127.0.0.7"),
        ]
        for bearer, name, other, old, new in moves:
            for port in bearer._sockets:
                self.cut_outward(port)
            self.networks[name].become(old, new)

            def went(other: Any = other, new: str = new) -> bool:
                near.cast(b"voice")
                far.cast(b"voice")
                return bool(other.remote.host == new)

            began = self.clock.seconds()
            await self.until(went, step=0.01)
            self.assertLess(self.clock.seconds() - began, 1.0)
            await self.exchange(near, far, told, name.encode())
        ways = ["127.0.0.3 from 127.0.0.6", "127.0.0.7 from 127.0.0.6"]
        self.assertEqual(
            [path.replace(f":{near.remote.port}", "") for path in told[0].paths],
            [f"hip {way}" for way in ways],
        )

    async def test_asked_soon(self) -> None:
        """With a call up something comes at least every quarter of a second, on hold and when only one side speaks: it is asked for."""
        near, far, _ = await self.ready()
        near.watch(True)
        far.watch(True)
        for is_speaking in (False, True):
            heard = {near: self.clock.seconds(), far: self.clock.seconds()}
            octets, longest = dict.fromkeys(heard, 0), 0.0
            until = self.clock.seconds() + 2
            while self.clock.seconds() < until:
                if is_speaking:
                    near.cast(b"voice")
                self.advance(0.01)
                await self.turn()
                for link, at in heard.items():
                    longest = max(longest, self.clock.seconds() - at)
                    if link.octets_received > octets[link]:
                        heard[link], octets[link] = self.clock.seconds(), link.octets_received
            self.assertLess(longest, 0.275, is_speaking)  # two steps for the way

    async def test_told_when_watched(self) -> None:
        """When a call begins, both know all of each other's addresses; before, and with one address only, nothing is said of them."""
        for name, hosts in (("alice", ("127.0.0.2", "127.0.0.8")), ("bob", ("127.0.0.3", "127.0.0.9"))):
            self.networks[name].become(*hosts)
        near, far, _ = await self.ready()
        self.assertEqual([len(link.association.paths.locators()) for link in (near, far)], [1, 1])
        near.watch(True)
        far.watch(True)
        await self.until(lambda: all(len(link.association.paths.locators()) == 2 for link in (near, far)))

    async def test_stranger(self) -> None:
        """Attack: who has proven a key and said no hello yet learns no other address of ours, only where we are when we have moved."""
        self.networks["alice"].become("127.0.0.2", "127.0.0.8")
        near, far = await self.connect()
        for link in (near, far):
            link.limit = FIRST_WINDOW
            link.start(Recorder())
        self.networks["alice"].become("127.0.0.2", "127.0.0.8", "127.0.0.10")
        await self.pass_time(2.0)
        self.assertEqual(self.known(far), ["127.0.0.2"])
        self.networks["alice"].become("127.0.0.8", "127.0.0.10")
        await self.until(lambda: far.remote.host != "127.0.0.2")
        await self.pass_time(2.0)
        self.assertEqual(self.known(far), [far.remote.host])
        near.watch(True)
        await self.pass_time(2.0)
        self.assertEqual(self.known(far), [far.remote.host])
        near.limit = 65_536
        await self.until(lambda: len(self.known(far)) == 2)
        self.networks["alice"].become("127.0.0.8", "127.0.0.10", "127.0.0.11")
        await self.until(lambda: len(self.known(far)) == 3)

    async def pass_time(self, seconds: float) -> None:
        until = self.clock.seconds() + seconds
        await self.until(lambda: self.clock.seconds() >= until)

    def known(self, link: Any) -> list[str]:
        """Return where a link may find its other side."""
        known = link.association.paths.locators()
        return [each.host for each in known if each.status is not Status.DEPRECATED]

    async def test_both_move(self) -> None:
        """When both move at once, the link says soon that it is astray, and goes on where it is told that the other side is."""
        near, far, told = await self.ready()
        near.watch(True)
        far.watch(True)
        began = self.clock.seconds()
        self.networks["alice"].become("127.0.0.4")
        self.networks["bob"].become("127.0.0.5")
        await self.until(lambda: told[0].seeks, step=0.01)
        self.assertLess(self.clock.seconds() - began, 1.0)
        self.assertEqual(told[0].stalls, 0)
        told[0].seeks[0]([Locator("tls", "127.0.0.1", 1), *self.bob.locators()])
        await self.until(lambda: near.remote.host == "127.0.0.5" and far.remote.host == "127.0.0.4")
        await self.exchange(near, far, told, b"after")
        self.assertLess(self.clock.seconds() - began, 2.0)
        self.assertEqual((told[0].losses, told[1].losses), ([], []))

    async def test_sought_in_vain(self) -> None:
        """A link that is told wrong places, or nothing, or told too late, is none the worse."""
        near, far, told = await self.ready()
        near.watch(True)
        self.networks["bob"].become()
        await self.until(lambda: len(told[0].seeks) > 1, step=0.01)
        told[0].seeks[0]([])
        told[0].seeks[0]([Locator("hip", "127.0.0.77", 9)])
        self.networks["bob"].become("127.0.0.5")
        told[0].seeks[0](self.bob.locators())
        await self.exchange(near, far, told, b"after")
        near.close("enough")
        await self.until(lambda: told[0].losses, step=0.1)
        told[0].seeks[0](self.bob.locators())
        self.assertEqual(len(told[0].losses), 1)

    async def test_address_comes_back(self) -> None:
        """An address that goes and comes back has another socket, which is used then, though the path looks the same."""
        near, far, told = await self.ready()
        self.networks["alice"].become()
        self.advance(0.1)
        self.networks["alice"].become("127.0.0.2")
        await self.exchange(near, far, told, b"after")
        await self.exchange(near, far, told, b"and again")

    async def test_lost_questions(self) -> None:
        """However many questions were asked where nobody is, the next one is taken: the other side never saw the others."""
        near, far, told = await self.ready()
        near.association.credit.earn(1_000_000)  # as after a minute of a call
        for number in range(60):
            near._house.found(near.association, [Locator("hip", "127.0.1.1", 1000 + number)])
            await self.turn()
        self.networks["bob"].become("127.0.0.5")
        self.networks["alice"].become("127.0.0.4")
        near._house.found(near.association, self.bob.locators())
        await self.until(lambda: near.remote.host == "127.0.0.5")
        await self.exchange(near, far, told, b"after")

    def cut(self, port: Any, host: str) -> None:
        """Lose what is sent from or to an address."""
        send = port.send
        port.send = lambda datagram, at: len(datagram) if host in (at[0], port.host) else send(datagram, at)

    def cut_outward(self, port: Any) -> None:
        """Lose what is sent from an address, wherever to."""
        port.send = lambda datagram, at: len(datagram)


class RouterTests(HIPPair, TestCase):
    """A node with two addresses behind a router that gives it another one."""

    async def test_told_of_others(self) -> None:
        """What the other side is told of addresses behind the router, as when a call begins, does not lead it away from where it hears us."""
        behind = self.bearer_at(ANYWHERE, device("carol"), FakeNetwork("127.0.0.2", "127.0.0.8"))
        self.successResultOf(behind.listen(self.accepted.append, lambda: None))
        router = RoughRelay(self.clock, self.bob.locators()[0].port)
        self.addCleanup(router.close)
        dialled: list[Any] = []
        outside = [Locator("hip", HOST, router.port)]
        behind.dial(device("bob").key, outside, device("carol")).addBoth(dialled.append)
        await self.until(lambda: dialled and self.accepted)
        near, far = dialled[0], self.accepted.pop()
        for link in (near, far):
            link.limit = 65_536
            link.start(Recorder())
        used = far.remote
        near.watch(True)
        await self.until(lambda: len(far.association.paths.locators()) > 1)
        self.assertEqual((far.remote, far.traffic.moves), (used, 0))
