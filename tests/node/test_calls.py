"""Tests of whole calls, from phone to phone through two nodes."""

from __future__ import annotations

from twisted.internet.defer import gatherResults

from p2pship.journal import CallEnded, CallSetUp, CallStarted
from p2pship.testing.audio import compare, speech
from p2pship.testing.phone import Ending
from tests.node.calling import ALICE, BOB, NodeTestCase, statuses


class CallTests(NodeTestCase):
    """One call at a time, with phones that use UDP."""

    async def test_caller_hangs_up(self) -> None:
        """It rings, the caller hears it ring, it is answered, both hear each other, and the caller ends it."""
        alice, bob = await self.two_phones()
        call, rung = await self.ringing(alice, bob)
        self.assertEqual(statuses(call), [100, 180])
        await gatherResults([rung.answer(), call.answered])
        self.assertEqual(statuses(call), [100, 180, 200])
        await self.talk(call, rung)
        await call.hang_up()
        self.assertEqual(await rung.ended, Ending(remote=True))
        (set_up,), (started,) = self.told("alice", CallSetUp), self.told("alice", CallStarted)
        self.assertEqual((set_up.caller, set_up.callee), (ALICE, BOB))
        self.assertEqual((started.caller, started.callee), (ALICE, BOB))
        await self.eventually(lambda: bool(self.told("alice", CallEnded) and self.told("bob", CallEnded)))

    async def test_callee_hangs_up(self) -> None:
        """The one who was called ends it."""
        alice, bob = await self.two_phones()
        call, answered = await self.up(alice, bob)
        await self.talk(call, answered)
        await answered.hang_up()
        self.assertEqual(await call.ended, Ending(remote=True))


class TCPCallTests(CallTests):
    """The same with phones that use TCP."""

    transport = "tcp"


class SoundTests(NodeTestCase):
    """What people say."""

    async def test_sound(self) -> None:
        """What one says the other hears, both ways at the same time."""
        alice, bob = await self.two_phones()
        call, answered = await self.up(alice, bob)
        voices = speech(1.5, 1), speech(1.5, 2)
        await gatherResults([call.media.play(voices[0].samples), answered.media.play(voices[1].samples)])
        await self.talk(call, answered, packets=10)
        for voice, heard in zip(voices, (answered.media.sound(), call.media.sound()), strict=True):
            self.assertTrue(compare(voice, heard).alike, compare(voice, heard))
