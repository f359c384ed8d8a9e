"""Two HIP bearers with a relay between that does what bad networks and bad people do."""

from __future__ import annotations

from typing import Any

from p2pship.address import Locator
from p2pship.interfaces import ILink
from tests.bearer.fakes import device
from tests.bearer.hip.pair import HOST, HIPPair
from tests.bearer.roughrelay import RoughRelay


class RelayedHIPPair(HIPPair):
    """What one says to the other goes over :attr:`relay`."""

    def setUp(self) -> None:
        super().setUp()
        self.relay = RoughRelay(self.clock, self.bob.locators()[0].port)
        self.addCleanup(self.relay.close)
        self.locator = Locator("hip", HOST, self.relay.port)

    async def connect(self) -> tuple[Any, Any]:
        """Return the two ends of a link over the relay; dials again if that fails, as the overlay does."""
        near = None
        while near is None:
            near = await self.dialled()
        await self.until(lambda: self.accepted)
        return near, self.accepted.pop()

    async def dialled(self) -> Any:
        """Return what one dial makes: a link, or None."""
        done: list[Any] = []
        self.alice.dial(device("bob").key, [self.locator], device("alice")).addBoth(done.append)
        await self.until(lambda: done)
        return done[0] if ILink.providedBy(done[0]) else None
