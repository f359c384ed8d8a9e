"""Tests of questions to resolvers that lose them, refuse them, cut their answers short or lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.logger import ILogObserver, formatEvent, globalLogPublisher
from twisted.protocols.basic import Int16StringReceiver
from twisted.trial.unittest import TestCase

from p2pship.address import HostPort
from p2pship.testing.programs import free_ports
from p2pship.trust import resolver
from p2pship.trust.dnssec import DNSFailed
from p2pship.trust.resolver import LARGEST_STREAM, MOST_RECORDS, WAITS, Resolver, _Datagrams

NAME = "p2pship-test.net."

Answer = Callable[[dns.message.Message], dns.message.Message | None]


def full(question: dns.message.Message) -> dns.message.Message:
    """Answer with an address."""
    answer = dns.message.make_response(question)
    answer.answer.append(dns.rrset.from_text(question.question[0].name, 300, "IN", "A", "203.0.113.7"))
    return answer


def cut(question: dns.message.Message) -> dns.message.Message:
    """Answer that it is too much for a datagram."""
    answer = dns.message.make_response(question)
    answer.flags |= dns.flags.TC
    return answer


def failing(question: dns.message.Message) -> dns.message.Message:
    """Answer that the resolver cannot find out."""
    answer = dns.message.make_response(question)
    answer.set_rcode(dns.rcode.SERVFAIL)
    return answer


def of_another(question: dns.message.Message) -> dns.message.Message:
    """Answer another question."""
    other = dns.message.make_query("evil.example.", "A", id=question.id)
    return full(other)


def guessed(question: dns.message.Message) -> dns.message.Message:
    """Answer as somebody who has to guess the number of the question."""
    answer = full(question)
    answer.id ^= 1
    return answer


class Server(DatagramProtocol):
    """A resolver on loopback that answers each datagram as the next of ``answers`` does, the last one for ever; None is lost."""

    def __init__(self, case: TestCase, *answers: Answer | None) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.at = HostPort("127.0.0.1", free_ports(1))
        real: Any = reactor
        self.port = real.listenUDP(self.at.port, self, interface=self.at.host)
        case.addCleanup(self.port.stopListening)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Answer."""
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        said = answer(dns.message.from_wire(datagram)) if answer is not None else None
        if said is not None:
            self.port.write(said.to_wire(), addr)


class Stream(Int16StringReceiver):
    """Answers over TCP, with so many octets that nobody has asked for."""

    more = 0

    def stringReceived(self, string: bytes) -> None:
        """Answer."""
        answer = full(dns.message.from_wire(string))
        for at in range(self.more // 1000):
            text = " ".join(["x" * 250] * 4)
            answer.additional.append(dns.rrset.from_text(f"{at}.", 300, "IN", "TXT", text))
        self.sendString(answer.to_wire(max_size=65_535))


class ResolverTests(TestCase):
    """One or two resolvers. All but the first wait is long, so that a busy machine changes nothing."""

    def setUp(self) -> None:
        """Have patience."""
        self.patch(resolver, "WAITS", (WAITS[0], 5.0, 5.0))

    async def addresses(self, *servers: Server) -> list[str]:
        """Return what they say that the name has."""
        answer = await Resolver(reactor, [each.at for each in servers]).ask(NAME, "A")
        return [record.to_text() for records in answer.answer for record in records]

    async def test_quiet(self) -> None:
        """A question leaves nothing in the log: there are many, about everybody whom one knows."""
        server = Server(self, full)
        events: list[Any] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        await self.addresses(server)
        self.assertEqual([formatEvent(event) for event in events], [])

    async def test_lost(self) -> None:
        """A question, or its answer, that is lost is repeated to the only resolver that there is."""
        server = Server(self, None, full)
        self.assertEqual(await self.addresses(server), ["203.0.113.7"])
        self.assertGreater(server.asked, 1)

    async def test_next(self) -> None:
        """A resolver that is dead, or cannot find out, is not the only one that is asked."""
        for first in (None, failing):
            dead, alive = Server(self, first), Server(self, full)
            self.assertEqual(await self.addresses(dead, alive), ["203.0.113.7"])
            self.assertTrue(dead.asked)

    async def test_too_many(self) -> None:
        """An answer with more records than any of use has is not read: whoever writes them could keep the node busy for a second."""

        def many(question: dns.message.Message) -> dns.message.Message:
            addresses = [f"203.0.113.{at}" for at in range(MOST_RECORDS + 1)]
            answer = dns.message.make_response(question)
            answer.answer.append(
                dns.rrset.from_text_list(question.question[0].name, 300, "IN", "A", addresses)
            )
            return answer

        server, other = Server(self, many), Server(self, full)
        self.assertEqual(await self.addresses(server, other), ["203.0.113.7"])

    async def test_prefers_the_living(self) -> None:
        """A resolver that answered is asked first then, so that a dead one before it costs its time once."""
        dead, alive = Server(self, None), Server(self, full)
        asking = Resolver(reactor, [dead.at, alive.at])
        for _ in range(3):
            await asking.ask(NAME, "A")
        self.assertLess(dead.asked, alive.asked)

    async def test_other_network(self) -> None:
        """Where the system has other resolvers than before, as a laptop has in another network, those are asked."""
        here, there = Server(self, full), Server(self, full)
        where = [here.at]
        self.patch(resolver, "system_resolvers", lambda: list(where))
        asking = Resolver(reactor)
        await asking.ask(NAME, "A")
        self.assertFalse(there.asked)
        where[:] = [there.at]
        await asking.ask(NAME, "A")
        self.assertTrue(there.asked)

    @given(st.binary(max_size=200))
    def test_garbage(self, octets: bytes) -> None:
        """What is no message is no answer, and nothing else comes of it."""
        question = dns.message.make_query(NAME, "A", id=1)
        begun = full(question).to_wire()
        for text in (octets, begun[:12] + octets, begun[: len(octets) % len(begun)] + octets):
            read = resolver._read(text, question)
            self.assertTrue(read is None or read.question == question.question)

    async def test_refused(self) -> None:
        """One that says that it cannot find out is not asked again, and the question fails at once if there is no other."""
        server = Server(self, failing)
        with self.assertRaises(DNSFailed):
            await self.addresses(server)
        self.assertLess(server.asked, len(WAITS))

    async def test_not_the_answer(self) -> None:
        """What answers another question, or one with another number, is not looked at; the true answer may still come."""
        for wrong in (of_another, guessed):
            server = Server(self, wrong, full)
            self.assertEqual(await self.addresses(server), ["203.0.113.7"])

    async def test_cut(self) -> None:
        """What is cut short is asked for over TCP; what is larger than any answer of use is not read, nor parsed."""
        server = Server(self, cut)
        factory: Any = Factory.forProtocol(Stream)
        real: Any = reactor
        listening = real.listenTCP(server.at.port, factory, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        for more in (0, LARGEST_STREAM * 3 // 4):
            self.patch(Stream, "more", more)
            self.assertEqual(await self.addresses(server), ["203.0.113.7"])
        self.patch(Stream, "more", LARGEST_STREAM + 1000)
        with self.assertRaises(DNSFailed):
            await self.addresses(server)

    def test_not_from_there(self) -> None:
        """What comes from elsewhere is not even read: reading costs, and anybody may send."""
        asked = _Datagrams(HostPort("192.0.2.1", 53), dns.message.make_query(NAME, "A"))
        read: list[bytes] = []
        self.patch(resolver, "_read", lambda octets, _: read.append(octets))
        for sender in (("192.0.2.2", 53), ("192.0.2.1", 54), ("192.0.2.1", 53)):
            asked.datagram_received(bytes(100), sender)
        self.assertEqual(len(read), 1)

    def test_link_local(self) -> None:
        """A resolver that is named with the interface behind which it is, as on many home networks, is known by its address."""
        question = dns.message.make_query(NAME, "A")
        asked = _Datagrams(HostPort("fe80::1%eth0", 53), question)
        asked.datagram_received(full(question).to_wire(), ("fe80::2", 53))
        self.assertNoResult(asked.answer)
        asked.datagram_received(full(question).to_wire(), ("fe80::1", 53))
        self.assertTrue(self.successResultOf(asked.answer).answer)
