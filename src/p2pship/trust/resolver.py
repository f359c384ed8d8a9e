"""Questions to the system's DNS resolvers with everything that DNSSEC needs, over UDP, and TCP where that is too small."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError, ConnectionLost
from twisted.internet.protocol import DatagramProtocol, connectionDone
from twisted.protocols.basic import Int16StringReceiver
from twisted.python.failure import Failure

from p2pship.address import HostPort
from p2pship.trust.dnssec import DNSFailed

if TYPE_CHECKING:
    from dns.message import Message

WAIT = 1.0
"Seconds for one resolver to answer."

MOST_RESOLVERS = 3

LARGEST = 1232
"Octets of an answer over UDP that no network has to cut into pieces (RFC 9715 §3.2)."


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
    """Asks each resolver in turn; nothing is believed but that the answer is one to the question."""

    def __init__(self, reactor: Any, servers: list[HostPort] | None = None) -> None:
        """``servers`` None: those of the system, read at the first question."""
        self._reactor = reactor
        self._servers = servers

    async def ask(self, name: str, kind: str) -> Message:
        """Return the answer to a question.

        :raises DNSFailed: if there is none.
        """
        import dns.exception
        import dns.flags
        import dns.message

        if self._servers is None:
            self._servers = system_resolvers()
        try:
            question = dns.message.make_query(name, kind, want_dnssec=True, payload=LARGEST)
        except dns.exception.DNSException as error:
            raise DNSFailed(f"{name} is no name for the DNS: {error}") from None
        question.flags |= dns.flags.CD
        for server in self._servers:
            answer = await self._asked(server, question)
            if answer is not None and answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                return answer
        raise DNSFailed("the DNS does not answer")

    async def _asked(self, server: HostPort, question: Message) -> Message | None:
        import dns.flags

        octets = question.to_wire()
        answer = await self._within(_Datagrams(server, question), octets)
        if answer is None or not answer.flags & dns.flags.TC:
            return answer
        return await self._by_stream(server, question, octets)

    async def _within(self, asked: _Datagrams, octets: bytes) -> Message | None:
        port = self._reactor.listenUDP(0, asked, interface="::" if ":" in asked.server.host else "")
        try:
            asked.transport.write(octets, (asked.server.host, asked.server.port))  # type: ignore[union-attr]
            return await asked.answer.addTimeout(WAIT, self._reactor)
        except (TimeoutError, OSError):
            return None
        finally:
            port.stopListening()

    async def _by_stream(self, server: HostPort, question: Message, octets: bytes) -> Message | None:
        kind = TCP6ClientEndpoint if ":" in server.host else TCP4ClientEndpoint
        asked = _Stream(question)
        try:
            await connectProtocol(kind(self._reactor, server.host, server.port, timeout=WAIT), asked)
            asked.sendString(octets)
            return await asked.answer.addTimeout(WAIT, self._reactor)
        except (TimeoutError, ConnectError, ConnectionLost, DNSFailed):
            return None
        finally:
            asked.hang_up()


class _Datagrams(DatagramProtocol):
    """One question over UDP from a port of its own."""

    def __init__(self, server: HostPort, question: Message) -> None:
        self.server = server
        self.answer: Deferred[Message] = Deferred()
        self._question = question

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        answer = _read(datagram, self._question)
        if addr[:2] == (self.server.host, self.server.port) and answer is not None and not self.answer.called:
            self.answer.callback(answer)


class _Stream(Int16StringReceiver):
    """One question over TCP (RFC 7766)."""

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

    try:
        answer = dns.message.from_wire(octets)
    except (dns.exception.DNSException, ValueError):
        return None
    return answer if question.is_response(answer) and answer.question else None
