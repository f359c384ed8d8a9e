"""Tests for p2pship.bearer.hip.bearer, over real sockets on loopback: the contract, and what is its own."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from p2pship.address import Locator
from p2pship.bearer.hip.association import UNUSED_TIME, Noticed
from p2pship.bearer.hip.numbers import NotifyType, PacketType, ParameterType
from p2pship.bearer.hip.packet import Builder, parse
from p2pship.bearer.hip.parameters import Notification
from p2pship.bearer.rto import INITIAL
from p2pship.errors import NotReached
from p2pship.journal import REFUSAL_LINES
from tests.bearer import fakes
from tests.bearer.contract import BearerContract
from tests.bearer.fakes import device
from tests.bearer.hip.pair import HOST, HIPPair


class HIPBearerTests(HIPPair, BearerContract, TestCase):
    """The contract of all bearers."""


class OwnTests(HIPPair, TestCase):
    """What no other bearer does."""

    async def test_told_once(self) -> None:
        """What the other side finds wrong with our packets is in the log once, and counted."""
        _, far = await self.connect()
        with capturedLogs() as logs:
            for _ in range(3):
                far.association.notify(NotifyType.BLOCKED_BY_POLICY)
                self.bob._act()
                await self.turn()
                self.advance(1.1)
        self.assertEqual(self.journal.counts["hip.noticed"], 1)
        told = [str(event["fact"]) for event in logs if "fact" in event]
        self.assertEqual(told, [f"{HOST} says BLOCKED_BY_POLICY of what we sent"])

    async def test_told_without_end(self) -> None:
        """Attack: who has an association says that all we send is wrong, in every way; the log is not filled with it."""
        near, _ = await self.connect()
        with capturedLogs() as logs:
            for number in range(1_000):
                self.alice._told(Noticed(near.association, Notification(number)))
        self.assertEqual(len(logs), REFUSAL_LINES)
        self.assertEqual(self.journal.counts["hip.noticed"], 1_000)

    async def test_waited_in_vain(self) -> None:
        """What does not come is not waited for without end, also not where trial does not look at the time."""
        self.patch(fakes, "MOST_WAITING", 0.01)
        with self.assertRaises(AssertionError) as raised:
            await self.until(lambda: False)
        self.assertIn("waited in vain", str(raised.exception))

    async def test_legacy(self) -> None:
        """The MODP groups are offered where they are switched on, in both roles, and nowhere else."""
        for legacy, offered, chosen in ((False, b"\7\x08", 7), (True, b"\7\x08\4\3", 4)):
            made = self.bearer(device("carol"), legacy=legacy)
            self.successResultOf(made.listen(self.accepted.append, lambda: None))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.bind((HOST, 0))
                other.settimeout(1)
                dial = made.dial(
                    device("bob").key, [Locator("hip", HOST, other.getsockname()[1])], device("carol")
                )
                i1 = parse(other.recv(2000)[4:])
                dial.addErrback(lambda failure: failure.trap(NotReached))
                asked = Builder(PacketType.I1, device("alice").hit, made._hosts.device.own.hit)
                asked.add(ParameterType.DH_GROUP_LIST, b"\4")
                other.sendto(bytes(4) + asked.octets(), (HOST, made.locators()[0].port))
                await self.turn()
                r1 = parse(other.recv(2000)[4:])
            for packet in (i1, r1):
                self.assertEqual(packet.need(ParameterType.DH_GROUP_LIST), offered)
            self.assertEqual(r1.need(ParameterType.DIFFIE_HELLMAN)[0], chosen)

    async def test_unused(self) -> None:
        """A link that nobody uses, and nobody closes, is closed in the end on both sides."""
        *_, near_told, far_told = await self.talk()
        await self.until(lambda: near_told.losses and far_told.losses, step=UNUSED_TIME / 10)
        self.assertIn("nobody used it", near_told.losses + far_told.losses)
        self.assertEqual((self.alice._links, self.bob._links), ({}, {}))

    async def test_dialled_while_stopping(self) -> None:
        """Who stops takes no further link, though it waits for the last words of others to arrive."""
        await self.talk()
        for port in self.alice._sockets:
            reactor.removeReader(port)
        carol = self.bearer(device("carol"))
        where = self.bob.locators()
        stopped: list[Any] = []
        self.bearers.remove(self.bob)
        self.bob.stop().addBoth(stopped.append)
        dialled: list[Any] = []
        carol.dial(device("bob").key, where, device("carol")).addBoth(dialled.append)
        await self.until(lambda: dialled and not carol._links)
        self.assertEqual((self.accepted, stopped), ([], []))
        await self.until(lambda: stopped, step=0.1)

    async def test_timer(self) -> None:
        """One timer runs for all that is to be done, and packets that change nothing do not set it anew."""
        await self.connect()
        timer = self.bob._signalling._timer
        for _ in range(5):
            self.bob._act()
        self.assertIs(self.bob._signalling._timer, timer)

    async def test_round_trip(self) -> None:
        """Both ends know the round trip from the base exchange, so that a lost hello is not waited for a whole second."""
        near, far, _, far_told = await self.talk()
        self.assertLess(near._arq._sender.round_trip.timeout, INITIAL)
        near.send(b"hello")
        await self.until(lambda: far_told.frames)
        self.assertLess(far._arq._sender.round_trip.timeout, INITIAL)
