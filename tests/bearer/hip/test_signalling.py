"""Tests for p2pship.bearer.hip.signalling, over real sockets on loopback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.signalling import MOST_TAKEN, MOST_WAITING
from p2pship.interfaces import ILink
from p2pship.neighbours import UNKNOWN, Hop
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

    async def check_crowded(self, taken: float, hop: Hop) -> None:
        """Fill a part of the socket: no R1 goes there, a link goes on, and the R1 leaves when there is room."""
        _, far, told, _ = await self.talk()
        carol = self.bearer(device("carol"))
        (port,) = self.bob._sockets
        self.patch(self.bob._neighbours, "hop", lambda _: hop)
        crowd = self.patch(port, "taken", lambda: taken)
        dialled: list[Any] = []
        carol.dial(device("bob").key, self.bob.locators(), device("carol")).addBoth(dialled.append)
        far.send(b"still here")
        await self.until(lambda: self.journal.counts["hip.unsent"] and told.frames)
        self.assertEqual(dialled, [])
        crowd.restore()
        await self.until(lambda: dialled)
        self.assertTrue(ILink.providedBy(dialled[0]))

    async def test_crowded(self) -> None:
        """No R1 is sent while half of the room is taken by what was sent to others, as those may not be there."""
        await self.check_crowded(MOST_TAKEN + 0.01, Hop(on_link=True, found=True))

    async def test_absent(self) -> None:
        """Nor to who may not be there, while a quarter is."""
        await self.check_crowded(MOST_WAITING + 0.01, UNKNOWN)

    async def test_present(self) -> None:
        """Who is there has its R1 as long as half of the room is left."""
        await self.talk()
        (port,) = self.bob._sockets
        self.patch(self.bob._neighbours, "hop", lambda _: Hop(on_link=False, found=True))
        self.patch(port, "taken", lambda: MOST_TAKEN)
        carol = self.bearer(device("carol"))
        dialled: list[Any] = []
        carol.dial(device("bob").key, self.bob.locators(), device("carol")).addBoth(dialled.append)
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
