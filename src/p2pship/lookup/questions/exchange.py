"""Asks and answers: the sockets, the timer and the own addresses behind :mod:`p2pship.lookup.questions.machine` and the shelf."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from p2pship.address import BadAddress, HostPort, canonical_host, is_loopback, is_public
from p2pship.interfaces import INetwork
from p2pship.journal import Journal
from p2pship.lookup.candidate import Candidate, Slot
from p2pship.lookup.questions.machine import Inquiry
from p2pship.lookup.questions.port import QuestionPort, open_socket
from p2pship.lookup.questions.shelf import Shelf, Silence
from p2pship.lookup.questions.targets import is_usable, network_of
from p2pship.lookup.questions.wire import QUESTION_LENGTH, Answer, BadMessage, Question, packed
from p2pship.lookup.rates import Rate, RateLimit
from p2pship.network import IPNetwork, networks_of
from p2pship.storage.ports import Ports

MOST_EXTERNAL = 4
"Addresses that others say this node has, such as a router's: one of each family, and the ones before a change."

ASKED_OF_NETWORK = Rate(20.0, 40.0)
"Questions to one IPv4 /24 or IPv6 /48, of all searches: one address there answers no more."

ASKED_IN_ALL = Rate(160.0, 160.0)
"""Questions of all searches, as many as one has at its quickest: who knows a name can make a search for it fetch forty pieces, each with
64 questions to whom he names."""

ANYWHERE = ("0.0.0.0", "::")


class Exchange:
    """The questions of a lookup that finds addresses, and this node's answers to those that others ask.

    ``name`` is the lookup's: candidates have it, and the counters begin with it. ``private``: whether addresses are asked, too, that
    mean something on a private network only.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        name: str,
        network: INetwork,
        ports: Ports,
        random: Callable[[int], bytes],
        journal: Journal,
        *,
        listen: Sequence[str] = ANYWHERE,
        port: int = 0,
        private: bool = False,
    ) -> None:
        self._reactor = reactor
        self._name = name
        self._network = network
        self._kept_ports = ports
        self._random = random
        self._journal = journal
        self._listen = tuple(listen)
        self._preferred = port
        self._may_ask = is_usable if private else is_public
        self._shelf = Shelf(reactor.seconds())
        self._may_send = RateLimit(ASKED_OF_NETWORK, ASKED_IN_ALL, reactor.seconds())
        self._ports: list[QuestionPort] = []
        self._inquiries: list[Asking] = []
        self._own: dict[bytes, str] = {}
        self._external: list[str] = []
        self._networks: tuple[IPNetwork, ...] = ()
        self._unwatch: Callable[[], None] = _nothing
        self._timer: Any = None

    @property
    def port(self) -> int:
        """The port at which this node is asked; 0 while it is not."""
        return self._ports[0].port if self._ports else 0

    def start(self) -> None:
        """Open the sockets.

        :raises LocalError: if there can be none.
        """
        where = " and ".join(self._listen)
        chosen = self._kept_ports.choose(self._name, self._preferred, where, "udp", self._open)
        self._ports = chosen.listening
        self._unwatch = self._network.watch(self._addresses_changed)
        self._addresses_changed()

    def stop(self) -> None:
        """End all that is asked, and close the sockets; harmless when repeated."""
        self._inquiries.clear()
        self._set_timer()
        self._unwatch()
        self._unwatch = _nothing
        for port in self._ports:
            port.close()
        self._ports = []

    def ask(
        self, lookup_key: bytes, receive: Callable[[Candidate], object], noted: Callable[[str], object]
    ) -> Asking:
        """Begin to ask for what is under a lookup key, those addresses that :meth:`Asking.found` is told.

        ``noted`` is told of each question, in words.
        """
        asking = Asking(self, Inquiry(lookup_key, self._may_ask, self._random), receive, noted)
        self._inquiries.append(asking)
        return asking

    def publish(self, slot: Slot, item: bytes) -> None:
        """Answer questions with an item from now on.

        :raises LocalError: if it does not fit into an answer.
        """
        self._shelf.publish(slot, item)

    def withdraw(self, slot: Slot) -> bool:
        """Answer no more questions with what the slot holds; tell whether nothing is left under its lookup key."""
        return self._shelf.withdraw(slot)

    def told_external(self, host: str) -> None:
        """Hear that others see this node at an address, as behind a router that passes questions on.

        They may lie: whom they name could then pass questions on to this node, to get what is sealed. So they are believed only while
        no address of that family is public that this node knows of itself.
        """
        try:
            host = canonical_host(host)
        except BadAddress:
            return
        if host not in self._external and self._may_ask(host):
            self._external = [*self._external, host][-MOST_EXTERNAL:]
            self._addresses_changed()

    def _open(self, port: int) -> list[QuestionPort]:
        opened: list[QuestionPort] = []
        for host in self._listen:
            try:
                made = open_socket(host, opened[0].port if opened else port)
            except CannotListenError as error:
                if host == "::" and opened:  # this machine has no IPv6
                    self.log.info("{name} asks over IPv4 alone: {error}", name=self._name, error=error)
                    continue
                for each in opened:
                    each.close()
                raise
            opened.append(QuestionPort(self._reactor, made, self._received))
        return opened

    def _addresses_changed(self) -> None:
        interfaces = self._network.interfaces()
        hosts = [host for interface in interfaces for host, _ in interface.addresses]
        hosts += [host for host in self._listen if host not in ANYWHERE]
        self._own = {packed(host): host for host in hosts}
        self._networks = networks_of(interfaces)
        public = {":" in host for host in hosts if is_public(host)}
        self._shelf.set_own([*hosts, *(each for each in self._external if (":" in each) not in public)])

    # What the inquiries do.

    def advance(self) -> None:
        """Send what is due, and come back when more is."""
        now = self._reactor.seconds()
        for asking in tuple(self._inquiries):
            for datagram, host, port in asking.inquiry.to_send(now):
                if self._may_send.allows(network_of(host), now):
                    asking.noted(f"asks {HostPort(host, port)}")
                    self._send(datagram, host, port)
                else:  # it counts as lost
                    asking.noted(f"does not ask {HostPort(host, port)}: too much is asked at once")
                    self._count("held_back")
        self._set_timer()

    def end(self, asking: Asking) -> None:
        """Forget an inquiry; harmless when it is forgotten."""
        if asking in self._inquiries:
            self._inquiries.remove(asking)
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        due = [due for asking in self._inquiries if (due := asking.inquiry.due()) is not None]
        if due:
            self._timer = self._reactor.callLater(max(0.0, min(due) - self._reactor.seconds()), self.advance)

    def _send(self, datagram: bytes, host: str, port: int, source: str | None = None) -> None:
        for each in self._ports:
            if each.is_ipv6 == (":" in host):
                self._try_to_send(each, datagram, host, port, source)
                return
        self._count("unsent")

    def _try_to_send(
        self, through: QuestionPort, datagram: bytes, host: str, port: int, source: str | None
    ) -> None:
        try:
            through.write(datagram, host, port, source)
        except OSError:
            self._count("unsent")

    # What comes.

    def _received(self, through: QuestionPort, datagram: bytes, host: str, port: int) -> None:
        try:
            if len(datagram) == QUESTION_LENGTH:  # no answer is as long
                self._question_received(through, datagram, host, port)
            else:
                self._answer_received(datagram, host, port)
        except BadMessage:
            self._count("garbage")

    def _question_received(self, through: QuestionPort, datagram: bytes, host: str, port: int) -> None:
        question = Question.parse(datagram)
        answer = self._shelf.answer(question, datagram, host, self._reactor.seconds())
        if isinstance(answer, Silence):
            self._count(f"silent.{answer.value}")
            return
        self._try_to_send(through, answer, host, port, self._own.get(question.asked))

    def _answer_received(self, datagram: bytes, host: str, port: int) -> None:
        answer = Answer.parse(datagram)
        for asking in tuple(self._inquiries):
            item = asking.inquiry.answer_received(answer, host, port)
            if item is not None:
                asking.receive(self._candidate(item, host))
                self.advance()
                return
        self._count("ignored")

    def _candidate(self, item: bytes, host: str) -> Candidate:
        address = ipaddress.ip_address(host)
        on_link = any(address in network for network in self._networks)
        return Candidate(item, self._name, is_loopback(host), on_link, host)

    def _count(self, what: str) -> None:
        self._journal.count(f"{self._name}.{what}")


class Asking:
    """What is asked of those whose addresses are found."""

    def __init__(
        self,
        exchange: Exchange,
        inquiry: Inquiry,
        receive: Callable[[Candidate], object],
        noted: Callable[[str], object],
    ) -> None:
        self._exchange = exchange
        self.inquiry = inquiry
        self.receive = receive
        self.noted = noted

    def found(self, host: str, port: int, told: int = 0) -> bool:
        """Ask whoever is at an address, as far as the limits allow; tell whether that may be.

        ``told`` is the same for all that were told in one answer.
        """
        if self.inquiry.exhausted:
            return False
        before = self.inquiry.due()
        try:
            taken = self.inquiry.found(canonical_host(host), port, told)
        except BadAddress:
            return False
        if taken and self.inquiry.due() != before:  # of a crowd, few can be asked now
            self._exchange.advance()
        return taken

    def cancel(self) -> None:
        """Ask and tell nothing more; harmless when repeated."""
        self._exchange.end(self)


def _nothing() -> None:
    """Do nothing."""
