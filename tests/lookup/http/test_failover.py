"""Two servers over one Redis, all of them real programs: one is killed under load, and nothing that was published is lost."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from p2pship.interfaces import ILookup
from p2pship.lookup.candidate import Question
from tests.lookup.http.lookupcase import LookupCase
from tests.lookup.http.publishers import ITEM, Publisher, lookup_key
from tests.lookup.http.server.redisserver import RedisServer
from tests.lookup.http.server.serverprocess import ServerProcess
from tests.scale import scaled

SLOTS = scaled(120, 2000)

KILLED_AT = SLOTS // 3
"Slots that have been published when one server is killed."

AT_ONCE = 20
"Slots that are being published at a time."


class FailoverTests(LookupCase):
    """Somebody who publishes on both servers, and somebody who searches."""

    timeout = 120

    async def test_killed_under_load(self) -> None:
        """Publishing never fails, as there is another server; all is found there, and on the other one when it is back."""
        folder = Path(self.mktemp()).absolute()
        redis = RedisServer(reactor, folder / "redis")
        await redis.start()
        self.addCleanup(redis.kill)
        servers = [
            ServerProcess(
                reactor, folder / name, (f"rendezvous.storage={redis.url}", "rendezvous.puts=1000000")
            )
            for name in ("one", "other")
        ]
        await gatherResults([Deferred.fromCoroutine(server.start()) for server in servers])
        self.addCleanup(servers[1].stop)
        where = [f"http://127.0.0.1:{server.port}" for server in servers]
        await self.published(servers[0], where)
        searcher = self.lookup(*where)
        await self.all_found(searcher)
        await servers[0].start()
        self.addCleanup(servers[0].stop)
        await self.all_found(self.lookup(where[0]))

    async def published(self, doomed: ServerProcess, where: list[str]) -> None:
        """Publish every slot, and kill a server meanwhile."""
        bob, publisher = self.lookup(*where), Publisher(1)
        for first in range(0, SLOTS, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, SLOTS))
            publishing = [bob.publish(publisher.slot(lookup_key(number)), ITEM) for number in numbers]
            if first <= KILLED_AT < first + AT_ONCE:
                await doomed.kill()
            await gatherResults(publishing)

    async def all_found(self, lookup: ILookup) -> None:
        """Look for every slot."""
        for number in range(SLOTS):
            self.assertEqual(await self.found(lookup, Question(lookup_key(number))), [ITEM])
