"""Tests for p2pship.bearer.hip.diallers, over real sockets on loopback: dials to a device with which an association stands."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from p2pship.address import Locator
from p2pship.bearer.hip.association import State
from p2pship.bearer.hip.diallers import DOUBT_TIME
from p2pship.errors import NotReached
from tests.bearer.fakes import Recorder, device
from tests.bearer.hip.pair import HOST, HIPPair


class DiallersTests(HIPPair, TestCase):
    """Alice has a link to Bob, and dials him again."""

    async def dial(self, locators: Any = None) -> Any:
        """Dial once more; returns the link, or why there is none."""
        results: list[Any] = []
        where = self.bob.locators() if locators is None else locators
        self.alice.dial(device("bob").key, where, device("alice")).addBoth(results.append)
        await self.until(lambda: results, step=0.01)
        return results[0]

    async def bob_is_restarted(self) -> None:
        """Let Bob's node be killed, and begin anew at the same port."""
        number = self.bob.locators()[0].port
        self.bearers.remove(self.bob)
        self.bob._sockets.close()
        self.bob = self.bearer(device("bob"), port=number)
        self.accepted.clear()
        self.successResultOf(self.bob.listen(self.accepted.append, lambda: None))
        self.assertEqual(self.bob.locators()[0].port, number)

    async def test_same_link(self) -> None:
        """If Bob is there, it is the link that there is, and no other is made."""
        near, *_ = await self.talk()
        began = self.clock.seconds()
        self.assertIs(await self.dial(), near)
        self.assertLess(self.clock.seconds() - began, DOUBT_TIME)
        self.assertEqual(self.accepted, [])

    async def test_nowhere_new(self) -> None:
        """He need not be at any locator that is given now."""
        near, *_ = await self.talk()
        self.assertIs(await self.dial([]), near)

    async def test_restarted(self) -> None:
        """If he knows nothing of the link any more, there is another one soon, and the old one is lost."""
        near, _, hears, _ = await self.talk()
        await self.bob_is_restarted()
        began = self.clock.seconds()
        made = await self.dial()
        self.assertIsNot(made, near)
        self.assertTrue(made.dialled)
        self.assertLess(self.clock.seconds() - began, DOUBT_TIME + 0.3)
        await self.until(lambda: hears.losses and self.accepted, step=0.01)
        told = Recorder(), Recorder()
        for link, receiver in ((made, told[0]), (self.accepted[0], told[1])):
            link.start(receiver)
        made.send(b"again")
        await self.until(lambda: told[1].frames)
        self.assertEqual(told[1].frames, [b"again"])

    async def test_restarted_unnoticed(self) -> None:
        """Nobody dials, as there is a link: when it is told where he is, another takes its place, and is there for who dials then."""
        near, _, hears, _ = await self.talk()
        await self.bob_is_restarted()
        began = self.clock.seconds()
        near.watch(True)
        await self.until(lambda: hears.seeks, step=0.01)
        hears.seeks[0](self.bob.locators())
        hears.seeks[0](self.bob.locators())
        await self.until(lambda: hears.losses, step=0.01)
        self.assertLess(self.clock.seconds() - began, 1.3)
        made = await self.dial()
        told = Recorder(), Recorder()
        await self.until(lambda: self.accepted)
        self.assertEqual(len(self.accepted), 1)
        for link, receiver in zip((made, *self.accepted), told, strict=True):
            link.start(receiver)
        made.send(b"again")
        await self.until(lambda: told[1].frames)

    async def test_restarted_for_nobody(self) -> None:
        """If nobody dials then, that link is over before the other side is tired of waiting for a hello: who dials later gets one that is heard."""
        near, _, hears, _ = await self.talk()
        await self.bob_is_restarted()
        near.watch(True)
        await self.until(lambda: hears.seeks, step=0.01)
        hears.seeks[0](self.bob.locators())
        await self.until(lambda: self.accepted, step=0.01)
        began = self.clock.seconds()
        await self.until(lambda: not self.bob._links, step=0.05)
        self.assertLess(self.clock.seconds() - began, 5)
        self.assertEqual(self.alice._links, {})
        made, told = await self.dial(), Recorder()
        await self.until(lambda: len(self.accepted) == 2)
        self.accepted[1].start(told)
        made.start(Recorder())
        made.send(b"again")
        await self.until(lambda: told.frames)
        self.advance(6)
        self.assertFalse(made.is_closing)

    async def test_gone(self) -> None:
        """If he is nowhere, the dial fails; the link is not lost by that."""
        _, _, hears, _ = await self.talk()
        self.bearers.remove(self.bob)
        where = self.bob.locators()
        self.bob._sockets.close()
        failure = await self.dial(where)
        self.assertIsInstance(failure.value, NotReached)
        self.assertIn(HOST, str(failure.value))
        self.assertEqual(hears.losses, [])
        failure = await self.dial([])
        self.assertIn("does not answer", str(failure.value))

    async def test_closing(self) -> None:
        """A link that is being closed is not given to anybody: another one is made."""
        near, *_ = await self.talk()
        near.close("enough")
        made = await self.dial()
        self.assertIsNot(made, near)

    async def test_closing_meanwhile(self) -> None:
        """Nor is one that is closed while it is found out whether he is there: he is, and another one is made."""
        near, *_ = await self.talk()
        results: list[Any] = []
        self.alice.dial(device("bob").key, self.bob.locators(), device("alice")).addBoth(results.append)
        near._put = lambda kind, data: True  # so that closing takes a while
        near.close("enough")
        await self.until(lambda: results, step=0.01)
        self.assertTrue(results[0].dialled)
        self.assertIsNot(results[0], near)

    async def test_further_locators(self) -> None:
        """Who dials while he is asked adds where he may be: he is dialled there too when he knows nothing of the link any more."""
        near, *_ = await self.talk()
        await self.bob_is_restarted()
        results: list[Any] = []
        for where in ([Locator("hip", HOST, 9)], self.bob.locators()):
            self.alice.dial(device("bob").key, where, device("alice")).addBoth(results.append)
        await self.until(lambda: len(results) == 2, step=0.01)
        self.assertTrue(results[0].dialled)
        self.assertIs(results[0], results[1])
        self.assertIsNot(results[0], near)

    async def test_dialled_by_who_waited(self) -> None:
        """Who dials again as soon as he is there, hears nothing of how the dial before it ended."""
        near, *_ = await self.talk()
        results: list[Any] = []

        def again(link: object) -> None:
            self.alice.dial(device("bob").key, self.bob.locators(), device("alice")).addBoth(results.append)

        self.alice.dial(device("bob").key, self.bob.locators(), device("alice")).addCallback(again)
        self.advance(DOUBT_TIME)
        self.assertIs(self.alice._hosts.device.state(self.bob._hosts.device.own.hit), State.I1_SENT)
        await self.until(lambda: results, step=0.01)
        self.assertEqual(results, [near])

    async def test_cancelled(self) -> None:
        """Who waits no longer disturbs nothing."""
        near, *_ = await self.talk()
        dialled = self.alice.dial(device("bob").key, [], device("alice"))
        dialled.addErrback(lambda _: None)
        dialled.cancel()
        self.advance(DOUBT_TIME * 2)
        self.assertIs(await self.dial(), near)
        self.assertEqual(self.accepted, [])
