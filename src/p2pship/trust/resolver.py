"""Questions to the system's DNS resolvers with everything that DNSSEC needs, over UDP, and TCP where that is too small."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError, ConnectionLost
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import Int16StringReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.address import HostPort
from p2pship.datagrams import read_waiting
from p2pship.trust.dnssec import DNSFailed

if TYPE_CHECKING:
    from dns.message import Message

WAITS = (0.3, 0.7, 1.0)
"""Seconds for a resolver to answer, the first time that it is asked and so on: datagrams get lost, and one resolver may be dead. The
first is short, as what others have asked for is answered at once; together they are what a person waits for at most."""

STREAM_WAIT = 1.0
"Seconds to connect to a resolver, and again for its answer."

MOST_RESOLVERS = 3

LARGEST = 1232
"Octets of an answer over UDP that no network has to cut into pieces (RFC 9715 §3.2)."

LARGEST_STREAM = 16_384
"Octets of an answer over TCP: the keys of a zone have 4,000 at most, and anybody's domain may have resolvers pass on 65,535."

MOST_RECORDS = 64
"""Records of an answer: more than any answer of use has, signatures included. Reading one can take 0.4 ms, as its name may have 127
labels, and anybody's domain may have resolvers pass on thousands."""

_COUNTS = struct.Struct("!6x3H")
"Where the head of a message says how many records there are, in three parts (RFC 1035 §4.1.1)."


def system_resolvers() -> list[HostPort]:
    """Return the resolvers of this machine; none if they cannot be read."""
    import dns.exception
    import dns.resolver

    try:
        servers = dns.resolver.Resolver().nameservers
    except (dns.exception.DNSException, OSError):
        return []
    return [HostPort(server, 53) for server in servers if isinstance(server, str)][:MOST_RESOLVERS]


class Resolver:
    """Asks each resolver in turn, and again, the one first that answered last; nothing is believed but that it is an answer to the question."""

    def __init__(self, reactor: Any, servers: Sequence[HostPort] | None = None) -> None:
        """``servers`` None: those that the system has at each question; in another network it has others."""
        self._reactor = reactor
        self._given = servers
        self._answered: HostPort | None = None

    async def ask(self, name: str, kind: str) -> Message:
        """Return the answer to a question.

        :raises DNSFailed: if there is none.
        """
        import dns.exception
        import dns.flags
        import dns.message

        try:
            question = dns.message.make_query(name, kind, want_dnssec=True, payload=LARGEST)
        except dns.exception.DNSException as error:
            raise DNSFailed(f"{name} is no name for the DNS: {error}") from None
        question.flags |= dns.flags.CD
        servers = self._in_order()
        for seconds in WAITS:
            for server in tuple(servers):
                answer = await self._asked(server, question, seconds)
                if answer is None:
                    continue
                if answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                    self._answered = server
                    return answer
                servers.remove(server)  # it cannot find out
        raise DNSFailed("the DNS does not answer")

    def _in_order(self) -> list[HostPort]:
        servers = system_resolvers() if self._given is None else self._given
        return sorted(servers, key=lambda each: each != self._answered)

    async def _asked(self, server: HostPort, question: Message, seconds: float) -> Message | None:
        import dns.flags

        octets = question.to_wire()
        answer = await self._within(_Datagrams(server, question), octets, seconds)
        if answer is None or not answer.flags & dns.flags.TC:
            return answer
        return await self._by_stream(server, question, octets)

    async def _within(self, asked: _Datagrams, octets: bytes, seconds: float) -> Message | None:
        try:
            asked.ask(self._reactor, octets)
            return await asked.answer.addTimeout(seconds, self._reactor)
        except (TimeoutError, OSError):  # OSError also where this machine has no IPv6, or no more files
            return None
        finally:
            asked.close()

    async def _by_stream(self, server: HostPort, question: Message, octets: bytes) -> Message | None:
        kind = TCP6ClientEndpoint if ":" in server.host else TCP4ClientEndpoint
        asked = _Stream(question)
        try:
            await connectProtocol(kind(self._reactor, server.host, server.port, timeout=STREAM_WAIT), asked)
            asked.sendString(octets)
            return await asked.answer.addTimeout(STREAM_WAIT, self._reactor)
        except (TimeoutError, ConnectError, ConnectionLost, DNSFailed):
            return None
        finally:
            asked.hang_up()


@implementer(IReadDescriptor)
class _Datagrams:
    """One question over UDP from a port of its own; not a port of the framework, which writes four lines to the log for each."""

    def __init__(self, server: HostPort, question: Message) -> None:
        self.server = server
        self.answer: Deferred[Message] = Deferred()
        # Where it comes from no interface is named.
        self._from = server.host.partition("%")[0], server.port
        self._question = question
        self._reactor: Any = None
        self._socket: socket.socket | None = None

    def ask(self, reactor: Any, octets: bytes) -> None:
        """Send the question.

        :raises OSError: if it cannot be sent.
        """
        family = socket.AF_INET6 if ":" in self.server.host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.sendto(octets, (self.server.host, self.server.port))
        self._reactor = reactor
        reactor.addReader(self)

    def close(self) -> None:
        """Hear nothing more; harmless when repeated."""
        if self._reactor is not None:
            self._reactor.removeReader(self)
        if self._socket is not None:
            self._socket.close()

    def doRead(self) -> None:
        """Take what has come."""
        assert self._socket is not None
        read_waiting(self._socket, LARGEST_STREAM, self.datagram_received)

    def fileno(self) -> int:
        """Return the socket's file descriptor, -1 without one."""
        return -1 if self._socket is None else self._socket.fileno()

    def connectionLost(self, reason: Failure) -> None:
        """Hear that the reactor reads it no longer; the question then ends in its own time."""

    def logPrefix(self) -> str:
        """Return what the framework's log calls it."""
        return "dns"

    def datagram_received(self, datagram: bytes, source: Any) -> None:
        """Take a datagram, if it is from the server that was asked: nobody else is to have us read 64 records each time."""
        if source[:2] != self._from or self.answer.called:
            return
        answer = _read(datagram, self._question)
        if answer is not None:
            self.answer.callback(answer)


class _Stream(Int16StringReceiver):
    """One question over TCP (RFC 7766)."""

    MAX_LENGTH = LARGEST_STREAM

    def __init__(self, question: Message) -> None:
        self.answer: Deferred[Message] = Deferred()
        self._question = question

    def stringReceived(self, string: bytes) -> None:
        answer = _read(string, self._question)
        if answer is not None and not self.answer.called:
            self.answer.callback(answer)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.answer.called:
            self.answer.errback(DNSFailed("the resolver hung up"))

    def hang_up(self) -> None:
        """Close the connection if there is one."""
        if self.transport is not None:
            self.transport.loseConnection()


def _read(octets: bytes, question: Message) -> Message | None:
    """Return an answer to the question; None for anything else."""
    import dns.exception
    import dns.message

    if len(octets) < _COUNTS.size or sum(_COUNTS.unpack_from(octets)) > MOST_RECORDS:
        return None
    try:
        answer = dns.message.from_wire(octets)
    except (dns.exception.DNSException, ValueError):
        return None
    return answer if question.is_response(answer) and answer.question else None
