"""Tests of requests that are too large for a datagram (RFC 3261 §18.1.1), over real sockets."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.trial.unittest import TestCase

from p2pship.journal import Journal
from p2pship.sip.intake import Intake
from p2pship.sip.large import LARGEST_REQUEST
from p2pship.sip.message import Request, parse, response_to
from p2pship.sip.transactions import TransactionLayer
from p2pship.sip.transport import PhoneTransport
from tests.sip.exchange import Callee, Caller, counting_random, make_request
from tests.sip.phone_sockets import HOST, DatagramPhone, ListeningPhone, reactor


def large(method: str = "INVITE", octets: int = 2_000) -> Request:
    """Make a request with a large body."""
    request = make_request(method)
    request.set("Content-Type", "text/plain")
    request.body = b"x" * octets
    return request


def is_free(port: int) -> bool:
    """Tell whether one could listen at a TCP port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


class LargeTests(TestCase):
    """A node, and a phone that is reached over UDP."""

    def setUp(self) -> None:
        self.caller = Caller()
        clock: Any = IReactorTime(reactor)
        self.layer = TransactionLayer(clock, Callee(clock, 500, 0.0), counting_random(), Journal())
        self.transport = PhoneTransport(reactor, self.layer, Journal(), Intake(clock, Journal()))
        self.transport.listen(HOST, 0)
        self.addCleanup(self.transport.stop)
        self.addCleanup(self.layer.stop)
        self.phone = self.new_phone()
        while not is_free(self.phone.address.port):
            self.phone = self.new_phone()
        self.caller.layer = self.layer
        self.caller.hop = self.transport.hop_for(HOST, self.phone.address.port, "UDP")

    def new_phone(self) -> DatagramPhone:
        """Open the UDP port of a phone."""
        phone = DatagramPhone()
        self.addCleanup(phone.port.stopListening)
        return phone

    def send(self, request: Request) -> None:
        """Send a request to the phone."""
        self.client = self.layer.send_request(request, self.caller.hop, self.caller)

    def also_tcp(self) -> ListeningPhone:
        """Let the phone listen for TCP, too."""
        stream = ListeningPhone.__new__(ListeningPhone)
        super(ListeningPhone, stream).__init__()
        stream.port = reactor.listenTCP(self.phone.address.port, stream, interface=HOST)
        self.addCleanup(stream.port.stopListening)
        return stream

    def sent_over_udp(self, number: int = 1) -> Request:
        """Return what the phone got over UDP."""
        message = parse(self.phone.items[number - 1][0])
        assert isinstance(message, Request)
        return message

    async def test_over_tcp(self) -> None:
        """It goes over TCP where the phone takes that, with a Via that says so; the answer finds its transaction."""
        listening = self.also_tcp()
        self.send(large())
        await listening.holds(1)
        stream = listening.items[0]
        await stream.hears(b"x" * 2_000)
        got = parse(stream.data)
        assert isinstance(got, Request)
        self.assertEqual((got.via.transport, got.via.sent_by), ("TCP", f"{HOST}:{self.transport.port}"))
        stream.transport.write(response_to(got, 486, to_tag="b1").encode())
        await stream.hears(b"ACK sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP")
        self.assertEqual((self.caller.heard, self.phone.items), (["486/INVITE"], []))
        stream.transport.loseConnection()

    async def test_refused(self) -> None:
        """A phone that listens for UDP alone gets it at once over UDP, in the same transaction; and the next one without asking."""
        self.send(large())
        await self.phone.holds(1)
        first = self.sent_over_udp()
        self.assertEqual((first.via.transport, first.via.branch), ("UDP", self.client.request.via.branch))
        self.assertEqual(first.body, b"x" * 2_000)
        self.send(large())
        await self.phone.holds(2)  # the first is sent again only after 0.5 s
        self.assertNotEqual(self.sent_over_udp(2).via.branch, first.via.branch)
        self.assertEqual(self.caller.heard, [])

    async def test_sent_again(self) -> None:
        """What went over UDP after all is sent again until it is answered, and its CANCEL and ACK take the same way."""
        self.send(large())
        await self.phone.holds(2)
        self.assertEqual(self.phone.items[0], self.phone.items[1])
        self.client.cancel()
        self.phone.send(response_to(self.sent_over_udp(), 180, to_tag="b1").encode(), self.transport.port)
        await self.phone.holds(3)
        self.assertEqual(
            (self.sent_over_udp(3).method, self.sent_over_udp(3).via.transport), ("CANCEL", "UDP")
        )
        self.phone.send(response_to(self.sent_over_udp(), 487, to_tag="b1").encode(), self.transport.port)
        await self.phone.holds(4)
        self.assertEqual(self.sent_over_udp(4).method, "ACK")

    async def test_no_answer_to_tcp(self) -> None:
        """Where a firewall swallows what comes for the TCP port, it goes over UDP after half a second."""
        with socket.socket() as full, socket.socket() as waiting, socket.socket() as second:
            full.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            full.bind((HOST, self.phone.address.port))
            full.listen(0)
            for each in (waiting, second):
                each.setblocking(False)
                each.connect_ex(full.getsockname())
            begun = reactor.seconds()
            self.send(large())
            await self.phone.holds(1)
            self.assertGreaterEqual(reactor.seconds() - begun, 0.4)
            self.send(large())
            await self.phone.until(lambda: len({item[0] for item in self.phone.items}) == 2)

    async def test_small(self) -> None:
        """What is small goes over UDP, up to 1,300 octets with our Via."""
        listening = self.also_tcp()
        self.send(large(octets=LARGEST_REQUEST - 100 - len(large(octets=100).encode()) + 100))
        await self.phone.holds(1)
        self.assertEqual(listening.items, [])
        self.assertLessEqual(len(self.phone.items[0][0]), LARGEST_REQUEST)

    async def test_acknowledgement(self) -> None:
        """An ACK with a large answer in it goes over UDP as well where there is no TCP."""
        self.layer.send_ack(large("ACK"), self.caller.hop)
        await self.phone.holds(1)
        self.assertEqual((self.sent_over_udp().method, self.sent_over_udp().via.transport), ("ACK", "UDP"))

    async def test_cancelled_before(self) -> None:
        """Who gives up while the connection is being made is not called afterwards."""
        self.send(large())
        self.client.cancel()
        self.send(make_request("OPTIONS"))
        await self.phone.holds(1)
        self.assertEqual(self.sent_over_udp().method, "OPTIONS")
