"""Tests for p2pship.bearer.hip.signalling, over real sockets on loopback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import TestCase

from p2pship.interfaces import ILink
from tests.bearer.fakes import device
from tests.bearer.hip.pair import HIPPair


class SignallingTests(HIPPair, TestCase):
    """What is left to do when the bearer has stopped."""

    def of(self, bearer: Any) -> list[Any]:
        """Return the delayed calls of a bearer's signalling."""
        calls: Sequence[Any] = self.clock.getDelayedCalls()
        return [call for call in calls if call.func == bearer._signalling._time_came]

    async def stop(self, bearer: Any) -> None:
        self.bearers.remove(bearer)
        stopped: list[Any] = []
        bearer.stop().addBoth(stopped.append)
        await self.until(lambda: stopped)

    async def test_careless_receiver(self) -> None:
        """A receiver that fails when it is told something stops neither the time nor anybody else."""
        near, *_, told, _ = await self.talk()
        told.path_changed = _fail  # type: ignore[method-assign]
        self.advance(0)
        association = near.association
        path = association.path._replace(address=("127.0.0.1", 9), port=9)
        association._moved(path, True)
        association._moved(association.path, True)
        self.alice._act()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertEqual(near._way.path, association.path)
        self.assertEqual(len(self.of(self.alice)), 1)

    async def test_crowded(self) -> None:
        """No R1 is sent while what was sent to others fills the socket, as those may not be there; links go on, and the next R1 leaves."""
        _, far, told, _ = await self.talk()
        carol = self.bearer(device("carol"))
        (port,) = self.bob._sockets
        uncrowded = self.patch(port, "is_crowded", lambda: True)
        dialled: list[Any] = []
        carol.dial(device("bob").key, self.bob.locators(), device("carol")).addBoth(dialled.append)
        far.send(b"still here")
        await self.until(lambda: self.journal.counts["hip.unsent"] and told.frames)
        self.assertEqual(dialled, [])
        uncrowded.restore()
        await self.until(lambda: dialled)
        self.assertTrue(ILink.providedBy(dialled[0]))

    async def test_closing(self) -> None:
        """No timer runs any more, though the associations were closed a moment ago and no CLOSE_ACK has come."""
        await self.talk()
        self.assertEqual(len(self.of(self.alice)), 1)
        await self.stop(self.alice)
        self.assertEqual(self.of(self.alice), [])


def _fail(path: str) -> None:
    raise ZeroDivisionError
