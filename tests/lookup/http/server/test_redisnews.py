"""What is told to a Redis server that comes and goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.http.server import redisnews
from p2pship.lookup.http.server.redisnews import RedisNews
from p2pship.lookup.http.server.store import StoreFailed


class Gone(Exception):
    """There is no connection."""


class FakeRedis:
    """A client, and what it subscribes with; it keeps what it was told while there is a connection, and answers nothing."""

    def __init__(self) -> None:
        self.gone = False
        self.told: list[tuple[str, bytes]] = []
        self.connection = self
        self.disconnected = 0

    def disconnect(self) -> None:
        """End the connection."""
        self.disconnected += 1

    def pubsub(self) -> FakeRedis:
        """Return what subscribes."""
        return self

    def subscribe(self, channel: bytes) -> None:
        """Be told to subscribe."""
        self._tell("subscribe", channel)

    def unsubscribe(self, channel: bytes) -> None:
        """Be told to unsubscribe."""
        self._tell("unsubscribe", channel)

    def ping(self, word: bytes) -> None:
        """Be told to answer."""
        self._tell("ping", word)

    def get_message(self, timeout: float) -> dict[str, Any] | None:
        """Bring nothing."""
        return None

    def _tell(self, order: str, word: bytes) -> None:
        if self.gone:
            raise Gone
        self.told.append((order, word))


class RedisNewsTests(SynchronousTestCase):
    """Orders, of which the thread carries out those that wait at each turn."""

    def setUp(self) -> None:
        self.redis = FakeRedis()
        heard: Callable[..., None] = self.fail
        self.news = RedisNews(None, self.redis, Gone, b"base", heard, self.fail)

    def test_gone(self) -> None:
        """What the server could not be told while it was gone it is told when it is back, in order, and nothing twice."""
        self.redis.gone = True
        self.news.listen(b"one")
        for _ in range(3):
            self.assertRaises(Gone, self.news._turn)
        self.news.listen(b"one")
        self.redis.gone = False
        self.news._turn()
        self.news._turn()
        self.assertEqual(self.redis.told, [("subscribe", b"one"), ("ping", b"0"), ("ping", b"1")])

    def test_gone_for_long(self) -> None:
        """So many orders wait and no more; whoever wants to listen then hears at once that it is not possible now."""
        self.patch(redisnews, "MOST_ORDERS", 10)
        for number in range(5):
            listening = self.news.listen(b"%d" % number)
            listening.cancel()
            self.failureResultOf(listening, CancelledError)
        self.failureResultOf(self.news.listen(b"more"), StoreFailed)
        self.news._turn()
        self.assertNoResult(self.news.listen(b"more"))

    def test_silent(self) -> None:
        """A server that says nothing is asked for a word, once, and then left for a new connection to it."""
        clock = Clock()
        self.patch(redisnews, "monotonic", clock.seconds)
        heard: Callable[..., None] = self.fail
        news = RedisNews(None, self.redis, Gone, b"base", heard, self.fail)
        for seconds in (9, 2, 1, 7):
            clock.advance(seconds)
            news._turn()
        self.assertEqual((self.redis.told, self.redis.disconnected), ([("ping", b"alive")], 0))
        for seconds in (2, 1):
            clock.advance(seconds)
            news._turn()
        self.assertEqual(self.redis.disconnected, 1)
