"""Tests for several devices of one node: each makes and takes links of its own, comes and goes, and shows nothing of the others."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.host import GONE
from p2pship.bearer.hip.numbers import PacketType, ParameterType
from p2pship.bearer.hip.packet import parse
from p2pship.bearer.hip.parameters import decode_counter
from p2pship.bearer.hip.r1pool import CHANCE_OCTETS, STARTS_A_SECOND
from p2pship.bearer.hip.signalling import MARKER
from p2pship.errors import NotReached
from p2pship.identity.hit import format_hit
from tests.bearer.fakes import Recorder, device
from tests.bearer.hip.pair import HIPPair
from tests.bearer.hip.relayed import RelayedHIPPair

HOME, WORK = "home", "work"

SECOND = STARTS_A_SECOND << 8 * CHANCE_OCTETS
"By how much the count of R1s begins higher a second later."


class Case(HIPPair):
    """Bob's node has two devices beside its own."""

    def setUp(self) -> None:
        super().setUp()
        self.keyring = self.keyrings[self.bob]
        self.keyring.become(device(HOME), device(WORK))

    async def done(self, waiting: Deferred[Any]) -> Any:
        """Let time pass until there is a result; raises what it failed with."""
        outcome: list[Any] = []
        waiting.addBoth(outcome.append)
        await self.until(lambda: outcome, step=0.02)
        if isinstance(outcome[0], Failure):
            outcome[0].raiseException()
        return outcome[0]

    async def call(self, name: str) -> tuple[Any, Any, Recorder, Recorder]:
        """Return both ends of a link to a device of Bob's, started, and who is told what of each."""
        near = await self.done(self.alice.dial(device(name).key, self.bob.locators(), device("alice")))
        await self.until(lambda: self.accepted)
        far, near_told, far_told = self.accepted.pop(), Recorder(), Recorder()
        near.start(near_told)
        far.start(far_told)
        return near, far, near_told, far_told

    async def assert_refused(self, waiting: Deferred[Any], text: str) -> None:
        """Assert that a dial fails, with these words."""
        with self.assertRaises(NotReached) as raised:
            await self.done(waiting)
        self.assertIn(text, str(raised.exception))


class DeviceTests(Case, TestCase):
    """Links of several devices."""

    async def test_each_called(self) -> None:
        """Each is dialled by its own key, at the same place; the links are different ones, and carry what is theirs."""
        ends = {name: await self.call(name) for name in ("bob", HOME, WORK)}
        for name, (near, far, _, _) in ends.items():
            self.assertEqual((near.proof, far.own), (device(name).key, device(name).key))
            self.assertEqual((near.own, far.proof), (device("alice").key, device("alice").key))
            near.send(name.encode())
        await self.until(lambda: all(told.frames for *_, told in ends.values()))
        for name, (*_, told) in ends.items():
            self.assertEqual(told.frames, [name.encode()])

    async def test_each_calls(self) -> None:
        """Each dials as itself, at the same time as the others and the same device."""
        self.successResultOf(self.alice.listen(self.accepted.append, lambda: None))
        where = self.alice.locators()
        names = ("bob", HOME, WORK)
        dials = [self.bob.dial(device("alice").key, where, device(name)) for name in names]
        links = [await self.done(dial) for dial in dials]
        self.assertEqual([link.own for link in links], [device(name).key for name in names])
        await self.until(lambda: len(self.accepted) == 3)
        self.assertEqual({link.proof for link in self.accepted}, {device(name).key for name in names})
        again = await self.done(self.bob.dial(device("alice").key, where, device(WORK)))
        self.assertIs(again, links[2])

    async def test_comes(self) -> None:
        """One that is added can be reached at once."""
        await self.assert_refused(
            self.bob.dial(device("alice").key, self.alice.locators(), device("new")), "no device"
        )
        self.keyring.become(device(HOME), device("new"))
        near, *_ = await self.call("new")
        self.assertEqual(near.proof, device("new").key)

    async def test_goes(self) -> None:
        """One that is removed closes its links and is answered for no more; the others' links stay."""
        *_, near_told, far_told = await self.call(HOME)
        other, _, other_told, _ = await self.call(WORK)
        self.keyring.become(device(WORK))
        await self.until(lambda: near_told.losses and far_told.losses)
        self.assertEqual(far_told.losses, [GONE])
        other.send(b"still there")
        await self.turn()
        self.assertEqual(other_told.losses, [])
        await self.until(lambda: not self.bob._hosts.leaving)
        waiting = self.alice.dial(device(HOME).key, self.bob.locators(), device("alice"))
        await self.assert_refused(waiting, "no answer")
        await self.assert_refused(
            self.bob.dial(device("alice").key, self.bob.locators(), device(HOME)), "no device of this node"
        )
        self.assertEqual([link.own for link in self.bob._links.values()], [device(WORK).key])

    async def test_goes_while_dialling(self) -> None:
        """Who waits for a link of one that is removed hears so at once."""
        dial = self.bob.dial(device("alice").key, self.bob.locators(), device(HOME))
        failed: list[Failure] = []
        dial.addErrback(failed.append)
        self.keyring.become()
        self.assertIn(GONE, failed[0].getErrorMessage())
        self.assertIsNone(self.bob._hosts.due())

    async def test_comes_back(self) -> None:
        """One that is removed and added again is reached again, while its old links are still being closed."""
        _, _, near_told, _ = await self.call(HOME)
        self.keyring.become()
        self.keyring.become(device(HOME))
        self.assertTrue(self.bob._hosts.leaving)
        await self.call(HOME)
        self.assertEqual(len(near_told.losses), 1)

    async def test_reports(self) -> None:
        """A person sees which device of ours an association is of, and that all of them carry links."""
        near, *_ = await self.call(WORK)
        near.send(b"hello")
        [link] = self.bob._links.values()
        await self.until(lambda: link.has_spoken)
        [report] = self.bob.desk.associations()
        self.assertEqual((report["own"], report["carries"]), (format_hit(device(WORK).hit), "link"))
        shown = self.bob.desk.show()["identities"]
        self.assertEqual(
            [(one["device"], one["links"]) for one in shown], [(True, True)] + [(False, True)] * 2
        )


class SilentTests(Case, TestCase):
    """What strangers can find out."""

    def setUp(self) -> None:
        super().setUp()
        self.said: list[bytes] = []
        self._listen_in()

    def _listen_in(self) -> None:
        """Keep what is said by Bob's node from now on."""
        signalling = self.bob._signalling
        send = signalling._send

        def kept(send_: Any) -> None:
            self.said.append(send_.octets)
            send(send_)

        self.patch(signalling, "_send", kept)

    async def test_nothing_in_common(self) -> None:
        """No control packet of one device has the HIT or any key of another in it."""
        for name in (HOME, WORK):
            self.said.clear()
            near, *_ = await self.call(name)
            near.close("enough")
            await self.until(
                lambda: not any(self.alice._hosts.device.associations())
            )  # the CLOSE_ACK has come
            said = b"".join(self.said)
            own, others = device(name), {"bob", HOME, WORK} - {name}
            for octets in (own.hit, own.key[-64:]):
                self.assertIn(octets, said)
            for other in map(device, others):
                for octets in (other.hit, other.key[-64:], other.key[-64:-32]):
                    self.assertNotIn(octets, said)

    async def test_no_common_count(self) -> None:
        """How R1s are counted does not show that both began at the same moment; after a restart the count goes on."""
        for name in (HOME, WORK):
            await self.call(name)
        first = [count for octets in self.said if (count := _count(octets)) is not None]
        self.assertEqual(len(first), 2)
        self.assertGreater(abs(first[0] - first[1]), 100 * SECOND)
        self.advance(10)
        self.bearers.remove(self.bob)
        self.bob.stop()
        self.bob = self.bearer(device("bob"))
        self._listen_in()
        self.keyrings[self.bob].become(device(HOME))
        self.successResultOf(self.bob.listen(self.accepted.append, lambda: None))
        self.said.clear()
        self.alice.dial(device(HOME).key, self.bob.locators(), device("alice")).addErrback(lambda _: None)
        await self.until(lambda: any(map(_count, self.said)))
        again = next(filter(None, map(_count, self.said)))
        self.assertGreater(again, first[0])
        self.assertLess(again, first[0] + 100 * SECOND)

    async def test_nobody_in_particular(self) -> None:
        """Who asks for whoever is there hears of the node's own device, and never of another."""
        bearer = self.bearer(device("bob"), opportunistic=True)
        self.keyrings[bearer].become(device(HOME))
        self.successResultOf(bearer.listen(self.accepted.append, lambda: None))
        asking = self.bearer(device("carol"), opportunistic=True)
        self.successResultOf(asking.listen(self.accepted.append, lambda: None))
        report = await self.done(asking.desk.ping(f"127.0.0.1:{bearer._sockets.number}"))
        self.assertEqual(report["peer"], format_hit(device("bob").hit))


class LossTests(RelayedHIPPair, TestCase):
    """A device that goes where packets are lost."""

    async def test_closed_again(self) -> None:
        """The CLOSE of one that was removed is sent until it is confirmed, and nobody else gets an answer from it meanwhile."""
        keyring = self.keyrings[self.bob]
        keyring.become(device(HOME))
        near = await self.until_done(self.alice.dial(device(HOME).key, [self.locator], device("alice")))
        told, closes = Recorder(), []
        near.start(told)

        def back(datagram: bytes) -> list[tuple[float, bytes]]:
            if _is(PacketType.CLOSE, datagram):
                closes.append(datagram)
            return [(0.0, datagram)] if len(closes) > 2 else []

        self.relay.back = back
        keyring.become()
        carol = self.bearer(device("carol"))
        asked: list[Any] = []
        carol.dial(device(HOME).key, self.bob.locators(), device("carol")).addBoth(asked.append)
        await self.until(lambda: told.losses, step=0.05)
        self.assertEqual(len(closes), 3)
        await self.until(lambda: not self.bob._hosts.leaving, step=0.05)
        self.assertIsNone(self.bob._hosts.due())
        await self.until(lambda: asked, step=0.05)
        self.assertIn("no answer", str(asked[0]))

    async def until_done(self, waiting: Deferred[Any]) -> Any:
        """Return what comes of it, also if that is a failure."""
        outcome: list[Any] = []
        waiting.addBoth(outcome.append)
        await self.until(lambda: outcome, step=0.05)
        return outcome[0]


def _count(octets: bytes) -> int | None:
    """Return the count of an R1; None if it is another packet."""
    packet = parse(octets)
    return decode_counter(packet.need(ParameterType.R1_COUNTER)) if packet.type == PacketType.R1 else None


def _is(type_: PacketType, datagram: bytes) -> bool:
    return datagram.startswith(MARKER) and datagram[len(MARKER) + 2] & 0x7F == type_
