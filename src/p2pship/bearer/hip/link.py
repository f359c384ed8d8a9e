"""A link of the bearer ``hip``: one association, with frames and media inside its ESP."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from p2pship.address import HostPort, Locator
from p2pship.bearer.datagramlink import DatagramLink
from p2pship.bearer.datagramport import Address, DatagramPort
from p2pship.bearer.hip.association import Association
from p2pship.bearer.hip.inner import ICMPV6, BadInner, echo_answer
from p2pship.bearer.hip.way import HIPWay, Incoming
from p2pship.interfaces import ILink
from p2pship.journal import Journal

NAME = "hip"


@implementer(ILink)
class HIPLink(DatagramLink):
    """One link; it lives as long as its association."""

    name = NAME
    encrypted = True

    def __init__(
        self,
        clock: IReactorTime,
        journal: Journal,
        association: Association,
        dialled: bool,
        locator: Locator | None,
        closed: Callable[[HIPLink, str], None],
    ) -> None:
        """Make a link of an association that has just been made; ``closed`` is told when the link is over, and why."""
        agreement = association.agreement
        own, peer = agreement.own.hit, agreement.peer.hit
        way = HIPWay(clock, journal, association.outbound, own, peer, association.path, self._worn_out)
        super().__init__(clock, journal, way)
        self._way: HIPWay = way
        self._closed = closed
        self.association = association
        self.proof = agreement.peer.key
        self.dialled = dialled
        self.locator = locator
        self.incoming = Incoming(
            journal, association.inbound, self.taken, self._other, self._elsewhere, self.batch_ended, way
        )

    @property
    def remote(self) -> HostPort:
        path = self.association.path
        return HostPort(path.host, path.port)

    @property
    def path(self) -> str:
        return f"{NAME} {self.remote}"

    def taken(self, kind: int, data: bytes) -> None:
        self.association.data_received()
        super().taken(kind, data)

    def _elsewhere(self, source: Address, port: DatagramPort) -> None:
        """Hear that something true came from another address than the one that we send to."""

    def _other(self, next_header: int, inner: bytes) -> None:
        """Take what is not UDP: an ICMPv6 echo is answered, everything else counted."""
        agreement = self.association.agreement
        try:
            answer = (
                echo_answer(inner, agreement.own.hit, agreement.peer.hit) if next_header == ICMPV6 else None
            )
        except BadInner:
            answer = None
        if answer is None:
            self._journal.count("hip.unknown")
        else:
            self._way.send(ICMPV6, answer)

    def lost(self, reason: str) -> None:
        """Hear that the association has ended."""
        self._finish(reason)

    def _worn_out(self) -> None:
        self._finish("the keys are used up")

    def _gone(self) -> None:
        self._closed(self, self._reason)
