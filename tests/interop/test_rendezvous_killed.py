"""Rendezvous servers that are killed under load, as real processes: no put that was accepted is lost."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.lookup.http.server.accepted import Putters
from tests.lookup.http.server.browsing import Browser
from tests.lookup.http.server.redisserver import RedisServer
from tests.lookup.http.server.serverprocess import ServerProcess
from tests.scale import scaled

MANY = ("rendezvous.puts=100000.0", "rendezvous.questions=100000.0", "rendezvous.slots_each=1000000")
"What lets one address put as much as it can."


class SQLiteTests(TestCase):
    """One server with a file."""

    async def test_killed(self) -> None:
        """It is killed in the middle of puts and started again; whatever it said it had taken is there."""
        server = ServerProcess(reactor, Path(self.mktemp()), MANY)
        for _ in range(scaled(2, 20)):
            await server.start()
            browser = self.asking(server)
            putters = Putters([browser])
            ended = putters.begin()
            await putters.when_accepted(100)
            await server.kill()
            await ended
            await server.start()
            self.assertEqual(await putters.missing(self.asking(server)), [])
            await server.stop()

    def asking(self, server: ServerProcess) -> Browser:
        """Return somebody who asks it, until the test ends."""
        browser = server.browser()
        self.addCleanup(browser.close)
        return browser


class RedisTests(TestCase):
    """Two servers over one Redis."""

    async def test_front_end_killed(self) -> None:
        """One is killed under load: its clients go on with the other, where everything is that either had taken.

        Then Redis itself is killed under load, and still has it when it is back.
        """
        redis = RedisServer(reactor, Path(self.mktemp()))
        self.addCleanup(lambda: Deferred.fromCoroutine(redis.kill()))
        await redis.start()
        shared = (*MANY, f'rendezvous.storage="{redis.url}"')
        one, other = (ServerProcess(reactor, Path(self.mktemp()), shared) for _ in range(2))
        await one.start()
        await other.start()
        browsers = [server.browser() for server in (one, other)]
        for browser in browsers:
            self.addCleanup(browser.close)
        putters = Putters(browsers)
        ended = putters.begin()
        await putters.when_accepted(100)
        await one.kill()
        await putters.when_accepted(100)
        await redis.kill()
        putters.end()
        await ended
        await redis.start()
        self.assertEqual(await putters.missing(browsers[1]), [])
        await other.stop()
