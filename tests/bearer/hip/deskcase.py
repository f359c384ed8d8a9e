"""Two HIP bearers of which one asks things of its desk, over real sockets on loopback."""

from __future__ import annotations

from functools import cache
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from p2pship.bearer.hip.bearer import HIPBearer
from p2pship.identity.hit import format_hit, hit_of
from p2pship.identity.hostkeys import HostKey, KeyAlgorithm, new_host_key
from tests.bearer.fakes import FakeDevice, device
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
        self.keys = self.keyrings[self.pinged].host_keys
        self.keys.become(*map(host_key, KeyAlgorithm))
        self.links: list[Any] = []
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

    async def linked(self) -> Any:
        """Have a link made from Alice to Bob, and return her end."""
        return await self.done(self.pinger.dial(device("bob").key, self.pinged.locators(), device("alice")))

    async def assert_refused(self, waiting: Deferred[Any], error: type[Exception], text: str) -> None:
        """Assert that a ping fails, with these words."""
        with self.assertRaises(error) as raised:
            await self.done(waiting, step=0.1)
        self.assertIn(text, str(raised.exception))
