"""Control packets between the sockets and the machines of our Host Identities, the machines' time, and the puzzles they want solved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from p2pship.bearer.datagramport import Address, DatagramPort
from p2pship.bearer.hip.dialling import Dialling, Solve
from p2pship.bearer.hip.hosts import Hosts
from p2pship.bearer.hip.numbers import PacketType
from p2pship.bearer.hip.packet import HEADER_SIZE, BadPacket, has_checksum, parse, with_checksum
from p2pship.bearer.hip.path import Path, Send
from p2pship.bearer.hip.rawport import RawPort
from p2pship.bearer.hip.sockets import path_of
from p2pship.bearer.hip.solving import Solving
from p2pship.journal import Journal
from p2pship.neighbours import Neighbours

MARKER = bytes(4)
"What tells a control packet from ESP (RFC 9028 §5.1)."

MOST_TAKEN = 0.5
"What may be taken of the room for what leaves by R1s: calls need the rest."

MOST_WAITING = 0.25
"What may be taken of it by R1s to neighbours that the system has not found: they must not keep others from theirs."

TYPE_AT = 2
"Where a packet of ours has its type (RFC 7401 §5.1)."


class Signalling:
    """Gives the machines what comes, and does what they want done."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        journal: Journal,
        hosts: Hosts,
        told: Callable[[object], None],
        refused: Callable[[BadPacket], None],
        neighbours: Neighbours,
    ) -> None:
        """``told`` gets what is to be done that is neither to send a packet nor to solve a puzzle; ``refused`` what was not valid."""
        self._reactor = reactor
        self._journal = journal
        self._hosts = hosts
        self._told = told
        self._refused = refused
        self._solving = Solving(reactor)
        self._neighbours = neighbours
        self._due = 0.0
        self._timer: IDelayedCall | None = None
        self._stopped = False

    def stray(self, datagram: bytes, source: Address, port: DatagramPort) -> None:
        """Take a datagram that is on no link: a control packet, or nothing of ours."""
        if datagram[:4] != MARKER or isinstance(port, RawPort):
            self._journal.count("hip.stray")
            return
        self._received(datagram[4:], path_of(port, source))

    def raw(self, datagram: bytes, source: Address, port: RawPort) -> None:
        """Take what came as IP protocol 139."""
        path = path_of(port, source)
        if len(datagram) < HEADER_SIZE or not has_checksum(datagram, path.host, path.own_host):
            self._journal.count("hip.bad_checksum")
            return
        self._received(datagram, path)

    def _received(self, octets: bytes, path: Path) -> None:
        try:
            self._hosts.received(parse(octets), path, self._reactor.seconds())
        except BadPacket as error:
            self._journal.count("hip.refused")
            self._refused(error)
        self.act()

    def act(self) -> None:
        """Do what the machines want done."""
        while things := self._hosts.take():
            for thing in things:
                match thing:
                    case Send():
                        self._send(thing)
                    case Solve():
                        self._solve(thing.dialling)
                    case _:
                        self._tell(thing)
        self._set_timer()

    def _tell(self, thing: object) -> None:
        try:
            self._told(thing)
        except Exception:  # noqa: BLE001 (what one link's receiver does wrong must not stop the time of all)
            self.log.failure("{thing} could not be told", thing=type(thing).__name__)

    def _send(self, send: Send) -> None:
        path = send.path
        port = path.carrier
        assert isinstance(port, DatagramPort)
        try:
            if send.octets[TYPE_AT] == PacketType.R1 and not self._has_room(port, path):
                self._journal.count("hip.unsent")
            elif isinstance(port, RawPort):
                port.control.send(with_checksum(send.octets, path.own_host, path.host), path.address)
            else:
                port.send(MARKER + send.octets, path.address)
        except OSError:
            self._journal.count("hip.unsent")

    def _has_room(self, port: DatagramPort, path: Path) -> bool:
        """Tell whether an R1, which anybody can ask for in anybody's name, leaves room for what matters more."""
        taken = (port.control if isinstance(port, RawPort) else port).taken()
        return taken <= MOST_WAITING or (taken <= MOST_TAKEN and self._neighbours.hop(path.host).found)

    def _solve(self, dialling: Dialling) -> None:
        solver = dialling.solver
        if solver is None:
            return

        def solved(solution: bytes) -> None:
            self._hosts.solved(dialling, solution, self._reactor.seconds())
            self.act()

        self._solving.add(solver, lambda: dialling.solver is solver and not self._stopped, solved)

    def _set_timer(self) -> None:
        due = None if self._stopped else self._hosts.due()
        if self._timer is not None and self._timer.active():
            if due is not None and self._due <= due:
                return
            self._timer.cancel()
        self._timer = None
        if due is not None:
            self._due = due
            self._timer = self._reactor.callLater(max(0.0, due - self._reactor.seconds()), self._time_came)

    def _time_came(self) -> None:
        self._timer = None
        self._hosts.timer_fired(self._reactor.seconds())
        self.act()

    def stop(self) -> None:
        """Let no more time pass for the machines, and work on no puzzle."""
        self._stopped = True
        self._set_timer()
