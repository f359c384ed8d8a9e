"""Tests of the transport towards phones, over real sockets."""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import binary, integers, sampled_from
from twisted.internet.defer import CancelledError, gatherResults
from twisted.internet.error import CannotListenError
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from p2pship.address import BadAddress, HostPort
from p2pship.errors import LocalError
from p2pship.interfaces import ISIPHop
from p2pship.journal import Journal
from p2pship.sip import tcp
from p2pship.sip.allowance import BURST_OF_NAME
from p2pship.sip.connection import Connection
from p2pship.sip.intake import Intake
from p2pship.sip.message import Request, parse, response_to
from p2pship.sip.transactions import TransactionLayer
from p2pship.sip.transport import PhoneTransport
from p2pship.sip.udp import NotSent
from p2pship.testing.programs import free_ports
from tests.sip.exchange import Callee, counting_random, make_request, received_request
from tests.sip.phone_sockets import (
    HOST,
    DatagramPhone,
    ListeningPhone,
    Receiver,
    StreamPhone,
    connect,
    reactor,
    send,
)


class TransportTests(TestCase):
    """A transport that listens on loopback."""

    def setUp(self) -> None:
        self.journal = Journal()
        self.receiver = Receiver()
        self.intake = Intake(reactor, self.journal)
        self.transport = PhoneTransport(reactor, self.receiver, self.journal, self.intake)
        self.transport.listen(HOST, 0)
        self.port = self.transport.port
        self.addCleanup(self.transport.stop)

    def datagram_phone(self) -> DatagramPhone:
        """Make a phone with a UDP socket."""
        phone = DatagramPhone()
        self.addCleanup(phone.port.stopListening)
        return phone

    async def stream_phone(self) -> StreamPhone:
        """Make a phone with a TCP connection."""
        phone = await connect(self.port)
        self.addCleanup(phone.is_closed)
        self.addCleanup(phone.transport.loseConnection)
        return phone

    def listening_phone(self) -> ListeningPhone:
        """Make a phone that takes TCP connections."""
        phone = ListeningPhone()
        self.addCleanup(phone.port.stopListening)
        return phone

    async def received(self, number: int = 1) -> tuple[Request, ISIPHop]:
        """Wait for so many messages in all, and return the last."""
        await self.receiver.holds(number)
        message, origin = self.receiver.items[number - 1]
        assert isinstance(message, Request)
        return message, origin


class UDPTests(TransportTests):
    """Phones over UDP."""

    async def test_request_and_response(self) -> None:
        """A request comes with its hop; with rport the answer goes back to the source, from the same port."""
        phone = self.datagram_phone()
        phone.send(
            received_request("OPTIONS", "SIP/2.0/UDP x.example.com;branch=z9hG4bK1;rport").encode(), self.port
        )
        request, origin = await self.received()
        self.assertEqual(request.via.received, HOST)
        self.assertEqual(request.via.rport, phone.address.port)
        await send(origin, response_to(request, 200))
        await phone.holds(1)
        self.assertEqual(phone.items[0][1], HostPort(HOST, self.port))
        self.assertTrue(phone.items[0][0].startswith(b"SIP/2.0 200 OK\r\n"))

    async def test_hop(self) -> None:
        """A hop says what it is, and two that lead to the same place have the same key."""
        phone = self.datagram_phone()
        phone.send(received_request("OPTIONS", "SIP/2.0/UDP x.example.com").encode(), self.port)
        _, origin = await self.received()
        verifyObject(ISIPHop, origin)
        self.assertFalse(origin.reliable)
        self.assertEqual(origin.transport, "UDP")
        self.assertEqual(origin.sent_by, f"127.0.0.1:{self.port}")
        self.assertEqual(origin.description, f"phone udp {phone.address}")
        self.assertEqual(origin.address, phone.address)
        self.assertEqual(origin.key, self.transport.hop_for(HOST, phone.address.port, "UDP").key)
        self.assertNotEqual(origin.key, self.transport.hop_for(HOST, phone.address.port, "TCP").key)

    async def test_response_to_sent_by(self) -> None:
        """Without rport the answer goes to the port in sent-by (§18.2.2)."""
        phone, other = self.datagram_phone(), self.datagram_phone()
        via = f"SIP/2.0/UDP x.example.com:{other.address.port};branch=z9hG4bK1"
        phone.send(received_request("OPTIONS", via).encode(), self.port)
        request, origin = await self.received()
        await send(origin, response_to(request, 200))
        await other.holds(1)
        self.assertEqual(phone.items, [])

    async def test_request_to_phone(self) -> None:
        """A request goes to the address, whatever its Via says."""
        phone = self.datagram_phone()
        await send(
            self.transport.hop_for(HOST, phone.address.port, "UDP"),
            received_request("OPTIONS", "SIP/2.0/UDP elsewhere;maddr=192.0.2.1"),
        )
        await phone.holds(1)
        self.assertTrue(phone.items[0][0].startswith(b"OPTIONS sip:bob@example.com SIP/2.0\r\n"))

    async def test_response_from_phone(self) -> None:
        """A response comes as it is."""
        phone = self.datagram_phone()
        sent = response_to(received_request("OPTIONS", "SIP/2.0/UDP 127.0.0.1;rport"), 200).encode()
        phone.send(sent, self.port)
        await self.receiver.holds(1)
        self.assertEqual(self.receiver.items[0][0].encode(), sent)

    async def test_garbage(self) -> None:
        """What is no SIP is counted; a request that can be answered gets 400 and says why; nobody is disturbed."""
        phone = self.datagram_phone()
        good = received_request("OPTIONS", "SIP/2.0/UDP x;rport").encode()
        short = good.replace(b"Content-Length: 0", b"Content-Length: 9")
        phone.send(b"GET / HTTP/1.1\r\n\r\n", self.port)
        phone.send(bytes(range(256)), self.port)
        phone.send(short.replace(b"OPTIONS", b"ACK"), self.port)
        phone.send(
            response_to(received_request("OPTIONS", "SIP/2.0/UDP x;rport"), 200).encode()[:60], self.port
        )
        phone.send(short, self.port)
        phone.send(good, self.port)
        await self.received()
        await phone.holds(1)
        self.assertEqual(len(phone.items), 1)
        answer = parse(phone.items[0][0])
        self.assertRegex(phone.items[0][0], b"^SIP/2.0 400 .*body")
        self.assertIsNotNone(answer.to.tag)
        self.assertEqual(self.journal.counts["sip.garbage"], 5)

    async def test_keep_alives(self) -> None:
        """Line ends and datagrams of up to four octets keep a path open, and mean nothing."""
        phone = self.datagram_phone()
        for datagram in (b"", b"\0", b"\0\0\0\0", b"\r\n\r\n", b"\r\n" * 10, b"jaK"):
            phone.send(datagram, self.port)
        phone.send(received_request("OPTIONS", "SIP/2.0/UDP x;rport").encode(), self.port)
        await self.received()
        self.assertEqual(phone.items, [])
        self.assertEqual(self.journal.counts["sip.garbage"], 0)

    async def test_no_via(self) -> None:
        """A request without a Via has nobody to answer."""
        phone = self.datagram_phone()
        phone.send(make_request("OPTIONS").encode(), self.port)
        phone.send(received_request("OPTIONS", "SIP/2.0/UDP x;rport").encode(), self.port)
        request, _ = await self.received()
        self.assertEqual(len(request.values("Via")), 1)
        self.assertEqual(self.journal.counts["sip.garbage"], 1)
        self.assertEqual(phone.items, [])

    async def test_unreadable_via(self) -> None:
        """A request whose Via cannot be read goes on as it came, and an answer to it to where it came from."""
        phone = self.datagram_phone()
        phone.send(received_request("OPTIONS", "SIP/2.0/UDP x;;").encode(), self.port)
        request, origin = await self.received()
        self.assertEqual(request.lines("Via"), ["SIP/2.0/UDP x;;"])
        await send(origin, response_to(request, 400))
        await phone.holds(1)
        self.assertTrue(phone.items[0][0].startswith(b"SIP/2.0 400 "))

    async def test_large(self) -> None:
        """A message of the largest size passes; a larger one fails."""
        phone = self.datagram_phone()
        hop = self.transport.hop_for(HOST, phone.address.port, "UDP")
        large = received_request("MESSAGE", "SIP/2.0/UDP x;rport")
        large.body = bytes(65_000)
        await send(hop, large)
        phone.send(large.encode(), self.port)
        await gatherResults([phone.holds(1), self.receiver.holds(1)])
        self.assertEqual(len(phone.items[0][0]), len(large.encode()))
        self.assertEqual(len(self.receiver.items[0][0].body), 65_000)
        large.body = bytes(66_000)
        await self.assertFailure(send(hop, large), NotSent)

    async def test_cannot_send(self) -> None:
        """An address of the other family, or a response without a way back, fails."""
        sixth = self.transport.hop_for("::1", 5060, "UDP")
        await self.assertFailure(send(sixth, make_request("OPTIONS")), NotSent)
        hop = self.transport.hop_for(HOST, 5060, "UDP")
        failure = self.failureResultOf(send(hop, response_to(make_request("OPTIONS"), 200)))
        self.assertIn("via", failure.getErrorMessage())

    async def test_after_stop(self) -> None:
        """Nothing can be sent when the transport has stopped."""
        await self.transport.stop()
        for name in ("UDP", "TCP"):
            hop = self.transport.hop_for(HOST, 5060, name)
            await self.assertFailure(send(hop, make_request("OPTIONS")), NotSent)


class TCPTests(TransportTests):
    """Phones over TCP."""

    def request(self, number: int = 1, port: int | None = None) -> bytes:
        """Make a request as a phone sends it over TCP."""
        sent_by = "x.example.com" if port is None else f"x.example.com:{port}"
        return received_request("OPTIONS", f"SIP/2.0/TCP {sent_by};branch=z9hG4bK{number}", number).encode()

    async def test_request_and_response(self) -> None:
        """The answer goes back over the connection on which the request came."""
        phone = await self.stream_phone()
        phone.transport.write(self.request())
        request, origin = await self.received()
        verifyObject(ISIPHop, origin)
        self.assertTrue(origin.reliable)
        self.assertEqual(origin.transport, "TCP")
        self.assertEqual(origin.description, f"phone tcp {phone.address}")
        self.assertEqual(request.via.received, HOST)
        await send(origin, response_to(request, 200))
        await phone.hears(b"\r\n\r\n")
        self.assertTrue(phone.data.startswith(b"SIP/2.0 200 OK\r\n"))

    async def test_framing(self) -> None:
        """Messages are cut apart however they arrive, and a ping among them is answered with a pong."""
        phone = await self.stream_phone()
        data = self.request(1) + b"\r\n\r\n" + self.request(2)
        for octet in data[:300]:
            phone.transport.write(bytes([octet]))
        phone.transport.write(data[300:])
        await self.received(2)
        self.assertEqual([message.cseq[0] for message, _ in self.receiver.items], [1, 2])
        await phone.hears(b"\r\n")
        self.assertEqual(phone.data, b"\r\n")

    async def test_not_sip(self) -> None:
        """Something else is cut off at its first line."""
        phone = await self.stream_phone()
        phone.transport.write(b"GET / HTTP/1.1\r\n")
        await phone.is_closed()
        self.assertEqual(phone.data, b"")
        self.assertEqual(self.journal.counts["sip.garbage"], 1)

    async def test_lost_framing(self) -> None:
        """A length that cannot be read is answered, and ends the connection; what came before is served."""
        phone = await self.stream_phone()
        bad = self.request(2).replace(b"Content-Length: 0", b"Content-Length: many")
        phone.transport.write(self.request(1) + bad)
        await phone.is_closed()
        self.assertTrue(phone.data.startswith(b"SIP/2.0 400 "))
        self.assertEqual(len(self.receiver.items), 1)

    async def test_bad_message(self) -> None:
        """A bad message whose end is known is answered, and the connection goes on."""
        phone = await self.stream_phone()
        phone.transport.write(self.request(1).replace(b"To: ", b"nonsense\r\nTo: ") + self.request(2))
        request, _ = await self.received()
        self.assertEqual(request.cseq[0], 2)
        await phone.hears(b"SIP/2.0 400 ")
        self.assertEqual(self.journal.counts["sip.garbage"], 1)

    async def test_request_over_the_phones_connection(self) -> None:
        """A request to the address from which the phone connected uses that connection."""
        phone = await self.stream_phone()
        phone.transport.write(self.request())
        await self.received()
        hop = self.transport.hop_for(HOST, phone.address.port, "TCP")
        await send(hop, make_request("NOTIFY"))
        await phone.hears(b"NOTIFY")
        self.assertEqual(self.transport.connections, 1)

    async def test_connects(self) -> None:
        """Where there is no connection one is made; what was sent meanwhile follows in order, and then it is used."""
        phone = self.listening_phone()
        hop = self.transport.hop_for(HOST, phone.address.port, "TCP")
        await gatherResults([send(hop, make_request("MESSAGE", number)) for number in (1, 2, 3)])
        await send(hop, make_request("MESSAGE", 4))
        await phone.holds(1)
        await phone.items[0].hears(b"CSeq: 4 ")
        found = [phone.items[0].data.index(b"CSeq: %d " % number) for number in (1, 2, 3, 4)]
        self.assertEqual(found, sorted(found))
        self.assertEqual(len(phone.items), 1)

    async def test_answer_over_a_connection_that_was_made(self) -> None:
        """What a phone sends over a connection that this node made is taken."""
        phone = self.listening_phone()
        await send(self.transport.hop_for(HOST, phone.address.port, "TCP"), make_request("OPTIONS"))
        await phone.holds(1)
        phone.items[0].transport.write(self.request())
        _, origin = await self.received()
        self.assertEqual(origin.address, phone.address)

    async def test_response_when_the_connection_is_gone(self) -> None:
        """A connection to the port in sent-by is made (§18.2.2)."""
        listening = self.listening_phone()
        phone = await self.stream_phone()
        phone.transport.write(self.request(port=listening.address.port))
        request, origin = await self.received()
        phone.transport.loseConnection()
        await phone.is_closed()
        while self.transport.connections:
            await phone.holds(0)
        await send(origin, response_to(request, 200))
        await listening.holds(1)
        await listening.items[0].hears(b"SIP/2.0 200 OK")

    async def test_refused(self) -> None:
        """A phone that takes no connection cannot be sent to."""
        hop = self.transport.hop_for(HOST, free_ports(1), "TCP")
        sendings = [send(hop, make_request("OPTIONS")) for _ in range(2)]
        for sending in sendings:
            await self.assertFailure(sending, NotSent)
        self.assertEqual(self.transport.connections, 0)

    async def test_taken_back(self) -> None:
        """A message that waits for its connection can be taken back."""
        phone = self.listening_phone()
        hop = self.transport.hop_for(HOST, phone.address.port, "TCP")
        first, second = send(hop, make_request("MESSAGE", 1)), send(hop, make_request("MESSAGE", 2))
        first.cancel()
        await self.assertFailure(first, CancelledError)
        await second
        await phone.holds(1)
        await phone.items[0].hears(b"CSeq: 2 ")
        self.assertNotIn(b"CSeq: 1 ", phone.items[0].data)

    async def test_too_much_waits(self) -> None:
        """Only so much may wait for a connection, and only so many connections be made."""
        self.patch(tcp, "MAX_WAITING", 2)
        self.patch(tcp, "MAX_CONNECTIONS", 1)
        hop = self.transport.hop_for(HOST, free_ports(1), "TCP")
        waiting = [send(hop, make_request("OPTIONS")) for _ in range(2)]
        await self.assertFailure(send(hop, make_request("OPTIONS")), NotSent)
        other = self.transport.hop_for(HOST, free_ports(1), "TCP")
        await self.assertFailure(send(other, make_request("OPTIONS")), NotSent)
        for sending in waiting:
            await self.assertFailure(sending, NotSent)

    async def test_too_many_connections(self) -> None:
        """One address may have only so many connections; when one ends, there is room again."""
        self.patch(tcp, "MAX_CONNECTIONS_OF_HOST", 2)
        first, second = await self.stream_phone(), await self.stream_phone()
        for phone in (first, second):
            phone.transport.write(self.request())
        await self.received(2)
        third = await self.stream_phone()
        await third.is_closed()
        self.assertEqual(self.journal.counts["sip.tcp_refused"], 1)
        first.transport.loseConnection()
        while self.transport.connections > 1:
            await first.holds(0)
        fourth = await self.stream_phone()
        fourth.transport.write(self.request())
        await self.received(3)

    async def test_does_not_read(self) -> None:
        """A phone that never reads is cut off before it costs much memory."""
        phone = await self.stream_phone()
        phone.transport.pauseProducing()
        phone.transport.write(self.request())
        request, origin = await self.received()
        large = response_to(request, 200)
        large.body = bytes(60_000)
        refused: list[Failure] = []
        while not refused:
            send(origin, large).addErrback(refused.append)
        self.assertIsNotNone(refused[0].check(NotSent))
        self.assertEqual(self.journal.counts["sip.tcp_unread"], 1)
        phone.transport.resumeProducing()
        await phone.is_closed()

    async def test_stop(self) -> None:
        """At the end every connection is closed, those being made too."""
        phone = await self.stream_phone()
        phone.transport.write(self.request())
        await self.received()
        hop = self.transport.hop_for(HOST, self.listening_phone().address.port, "TCP")
        sending = send(hop, make_request("BYE"))
        await self.transport.stop()
        await self.assertFailure(sending, NotSent)
        await phone.is_closed()
        self.assertEqual(self.transport.connections, 0)


class ListenTests(TestCase):
    """Ports."""

    def setUp(self) -> None:
        self.transport = PhoneTransport(reactor, Receiver(), Journal(), Intake(reactor, Journal()))
        self.addCleanup(self.transport.stop)

    def test_taken(self) -> None:
        """A port that is taken for UDP or for TCP is not listened to at all, and another can be tried."""
        udp = DatagramPhone()
        self.addCleanup(udp.port.stopListening)
        tcp_phone = ListeningPhone()
        self.addCleanup(tcp_phone.port.stopListening)
        for taken in (udp.address.port, tcp_phone.address.port):
            self.assertRaises(CannotListenError, self.transport.listen, HOST, taken)
            self.assertEqual(self.transport.port, 0)
        self.transport.listen(HOST, 0)
        self.assertGreater(self.transport.port, 0)

    async def test_works_after_a_port_was_taken(self) -> None:
        """What was tried in vain leaves nothing behind that disturbs."""
        tcp_phone = ListeningPhone()
        self.addCleanup(tcp_phone.port.stopListening)
        self.assertRaises(CannotListenError, self.transport.listen, HOST, tcp_phone.address.port)
        self.transport.listen(HOST, 0)
        phone = DatagramPhone()
        self.addCleanup(phone.port.stopListening)
        await send(self.transport.hop_for(HOST, phone.address.port, "UDP"), make_request("OPTIONS"))
        await phone.holds(1)
        self.assertEqual(phone.items[0][1].port, self.transport.port)

    def test_own_address_on_all_interfaces(self) -> None:
        """Listening on all interfaces, the node's own address is the one that the phone sees."""
        self.transport.listen("0.0.0.0", 0)
        for name in ("UDP", "TCP"):
            hop = self.transport.hop_for(HOST, 5070, name)
            self.assertEqual(hop.sent_by, f"127.0.0.1:{self.transport.port}")

    def test_wrong_use(self) -> None:
        """A hop needs an address literal, and UDP or TCP."""
        self.assertRaises(BadAddress, self.transport.hop_for, "x.example.com", 5060, "UDP")
        self.assertRaises(LocalError, self.transport.hop_for, HOST, 5060, "TLS")


class FloodTests(TransportTests):
    """Phones that register without end."""

    def flood(self, transport: str) -> bytes:
        """Make many REGISTERs for one name."""
        return received_request("REGISTER", f"SIP/2.0/{transport} x.example.com").encode()

    async def test_datagrams(self) -> None:
        """Over UDP what is too much is dropped; another request of the same phone is served, and so are others."""
        mad, good = self.datagram_phone(), self.datagram_phone()
        for _ in range(120):
            mad.send(self.flood("UDP"), self.port)
        for phone in (mad, good):
            phone.send(received_request("OPTIONS", "SIP/2.0/UDP x.example.com").encode(), self.port)
        await self.receiver.until(lambda: self.methods().count("OPTIONS") == 2)
        self.check_flood()

    async def test_stream(self) -> None:
        """Over TCP, too; the connection goes on."""
        mad = await self.stream_phone()
        request = received_request("OPTIONS", "SIP/2.0/TCP x.example.com").encode()
        mad.transport.write(self.flood("TCP") * 120 + request)
        await self.receiver.until(lambda: self.methods().count("OPTIONS") == 1)
        self.check_flood()

    def methods(self) -> list[str]:
        """Return what has come to be served."""
        return [message.method for message, _ in self.receiver.items]

    def check_flood(self) -> None:
        """Check that the burst was served, with what was earned meanwhile, and the rest counted."""
        served = self.methods().count("REGISTER")
        self.assertTrue(BURST_OF_NAME <= served < 120, served)
        self.assertEqual(self.journal.counts["sip.flood"], 120 - served)


class FuzzTests(SynchronousTestCase):
    """Anybody's datagrams."""

    good = received_request("INVITE", "SIP/2.0/UDP x.example.com:5070;branch=z9hG4bK1;rport").encode()

    @given(binary(max_size=40), integers(0, len(good)), integers(0, 40), sampled_from(["UDP", "TCP"]))
    def test_damaged_request(self, junk: bytes, at: int, length: int, transport: str) -> None:
        """Whatever is damaged in a request, nothing is raised and nothing is logged as a fault of ours."""
        journal = Journal()
        user = Callee(Clock(), 486, 1.0)
        layer = TransactionLayer(user.clock, user, counting_random(), journal)
        phones = PhoneTransport(MemoryReactorClock(), layer, journal, Intake(user.clock, journal))
        data = self.good[:at] + junk + self.good[at + length :]
        if transport == "UDP":
            phones._datagram_received(data, (HOST, 5070))
        else:
            phones._stream_received(data, Connection(phones._pool, dialled=False))
        user.clock.pump([0.5] * 80)
        self.assertEqual(len(user.heard) + journal.counts["sip.garbage"], 1)
        self.assertEqual(self.flushLoggedErrors(), [])
