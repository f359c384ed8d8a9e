"""Tests of phones that are slow, mute or greedy over TCP, with real sockets: nobody else suffers, and memory is bounded."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall, deferLater

from p2pship.interfaces import ISIPHop
from p2pship.sip import connection, tcp
from p2pship.sip.message import Message, Request, response_to
from tests.sip.exchange import received_request
from tests.sip.phone_sockets import StreamPhone, reactor, send
from tests.sip.test_transport import TransportTests as _TransportTests

REQUEST = received_request("OPTIONS", "SIP/2.0/TCP x.example.com").encode()
LARGE = b"x" * 20_000


class SlowPhoneTests(_TransportTests):
    """Each has a bad neighbour."""

    async def check_served(self) -> None:
        """Check that an ordinary phone, which connects now, is served."""
        phone = await self.stream_phone()
        before = len(self.receiver.items)
        phone.transport.write(REQUEST)
        await self.receiver.until(
            lambda: any(self.is_from(phone, item) for item in self.receiver.items[before:])
        )

    def is_from(self, phone: StreamPhone, item: tuple[Message, ISIPHop]) -> bool:
        """Tell whether a message came from a phone."""
        return bool(item[1].address == phone.address)

    async def test_connects_only(self) -> None:
        """Who connects and says nothing makes room for others, the oldest first; who has spoken stays."""
        self.patch(tcp, "MAX_CONNECTIONS_OF_HOST", 4)
        spoken = await self.stream_phone()
        spoken.transport.write(REQUEST)
        await self.receiver.holds(1)
        idle = [await self.stream_phone() for _ in range(3)]
        await self.check_served()
        await idle[0].is_closed()
        self.assertTrue(spoken.open and idle[1].open and idle[2].open)
        self.assertEqual(self.journal.counts["sip.tcp_idle"], 1)
        self.assertEqual(self.transport.connections, 4)

    async def test_all_connections(self) -> None:
        """The same holds for all connections together."""
        self.patch(tcp, "MAX_CONNECTIONS", 3)
        idle = [await self.stream_phone() for _ in range(3)]
        await self.check_served()
        await idle[0].is_closed()

    async def test_many_connections(self) -> None:
        """A host that connects without end has never more than its share open, and another phone is served meanwhile."""
        phones = await gatherResults([self.stream() for _ in range(3 * tcp.MAX_CONNECTIONS_OF_HOST)])
        self.assertLessEqual(self.transport.connections, tcp.MAX_CONNECTIONS_OF_HOST)
        await self.check_served()
        for phone in phones:
            phone.transport.loseConnection()
        await gatherResults([phone.is_closed() for phone in phones])

    def stream(self) -> Deferred[StreamPhone]:
        """Connect."""
        return Deferred.fromCoroutine(self.stream_phone())

    async def test_octet_by_octet(self) -> None:
        """Who sends a message an octet at a time is cut off when its time is over, and others are served meanwhile."""
        self.patch(connection, "PATIENCE", 0.5)
        slow = await self.stream_phone()
        octets = iter(REQUEST)
        begun = reactor.seconds()
        drip = LoopingCall(lambda: slow.transport.write(bytes([next(octets)])))
        drip.start(0.05)
        await self.check_served()
        await slow.is_closed()
        drip.stop()
        self.assertGreaterEqual(reactor.seconds() - begun, 0.4)
        self.assertEqual(self.journal.counts["sip.tcp_slow"], 1)

    async def test_never_reads(self) -> None:
        """Who asks and reads no answer is cut off when too much waits, and others are served meanwhile."""
        greedy = await self.stream_phone()
        greedy.transport.pauseProducing()
        greedy.transport.write(REQUEST)
        request, hop = await self.received()
        assert isinstance(request, Request)
        response = response_to(request, 200)
        response.body = LARGE
        while not self.journal.counts["sip.tcp_unread"]:
            send(hop, response).addErrback(lambda _: None)
            await deferLater(reactor, 0)
        await self.check_served()
        greedy.transport.resumeProducing()

    async def test_more_than_can_be_served(self) -> None:
        """Who sends faster than is served has to wait: nothing is lost, and no more than a little is held."""
        held = 0
        serve: Callable[[Message, ISIPHop], None] = self.receiver.message_received

        def watch(message: Message, origin: ISIPHop) -> None:
            nonlocal held
            held = max(held, len(self.intake))
            serve(message, origin)

        self.receiver.message_received = watch  # type: ignore[method-assign]
        greedy = await self.stream_phone()
        greedy.transport.write(REQUEST * 5_000)
        await self.receiver.holds(5_000)
        await self.check_served()
        self.assertLess(held * len(REQUEST), connection.MAX_UNSERVED + 2 * 65_536)
        self.assertEqual(self.journal.counts["sip.flood"], 0)
