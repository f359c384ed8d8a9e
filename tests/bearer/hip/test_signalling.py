"""Tests for p2pship.bearer.hip.signalling, over real sockets on loopback."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from tests.bearer.hip.pair import HIPPair


class SignallingTests(HIPPair, TestCase):
    """What is left to do when the bearer has stopped."""

    def of(self, bearer: Any) -> list[Any]:
        """Return the delayed calls of a bearer's signalling."""
        calls = [call for call in self.clock.getDelayedCalls() if call.func == bearer._signalling._time_came]
        return [call for call in calls if call.active()]

    async def stop(self, bearer: Any) -> None:
        self.bearers.remove(bearer)
        stopped: list[Any] = []
        bearer.stop().addBoth(stopped.append)
        await self.until(lambda: stopped)

    async def test_closing(self) -> None:
        """No timer runs any more, though the associations were closed a moment ago and no CLOSE_ACK has come."""
        await self.talk()
        self.assertEqual(len(self.of(self.alice)), 1)
        await self.stop(self.alice)
        self.assertEqual(self.of(self.alice), [])
