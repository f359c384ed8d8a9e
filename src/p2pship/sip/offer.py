"""The offer/answer exchange of one dialog (RFC 3264), with a media relay for each line.

A description that crosses the node is rewritten: towards the link it shows our device's HIT and flow numbers, towards
the phone it shows our own address and ports.

Theory of operation. At most one offer is outstanding. What a description is follows from where it stands and from that
(RFC 6337 §2.2); nobody says it. An offer is staged on the relays, its answer is too, and then both take effect; when the
transaction of an offer ends without an answer, what was staged is forgotten (RFC 6337 §3.4). Only the first offer takes
effect at once, because its sender must be ready to hear from the moment it is sent (RFC 3264 §5.1).

An answer in a provisional response that is not reliable (RFC 3262) may be said again, and a 2xx that differs from it counts,
as phones have it; but not after another exchange, such as an UPDATE in between. Everything else that stands where neither an
offer nor an answer may be (an offer while another is outstanding, an answer to nothing) is shown with the addresses that
there are already, opens nothing and means nothing: whoever gets it will refuse it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Self

from p2pship.address import HostPort
from p2pship.errors import LocalError, RemoteError
from p2pship.interfaces import IMediaRelay
from p2pship.sip.linepool import LinePool
from p2pship.sip.message import Response
from p2pship.sip.sdp import SDP, MediaLine

Transaction = tuple[bool, int]
"Whether our phone sent the request, and its CSeq number: that names a transaction of a dialog, and an INVITE with its ACK."


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a description stands."""

    by_phone: bool
    "whether our phone says it, or the peer"
    method: str
    "of the transaction's request; ACK for an ACK"
    transaction: Transaction
    "which transaction it is in"
    status: int = 0
    "of the response that it is in; 0 in a request"
    reliable: bool = False
    "whether that is a reliable provisional response (RFC 3262 §3)"

    @classmethod
    def of_response(cls, response: Response, method: str, transaction: Transaction) -> Self:
        """Return where the description in a response stands: who did not send the request says it."""
        reliable = response.status < 200 and response.first("RSeq") is not None
        return cls(not transaction[0], method, transaction, response.status, reliable)

    @property
    def is_tentative(self) -> bool:
        """Whether it is in a response that may be lost, and is said again in the 2xx (RFC 3261 §13.2.1)."""
        return 0 < self.status < 200 and not self.reliable


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that was made."""

    turn: Turn
    "where it stood"
    lines: tuple[MediaLine | None, ...]
    "its media lines; None for one that cannot be answered, because it is refused or not UDP"

    @property
    def waits_for_request(self) -> bool:
        """Whether the answer comes in a request: the ACK or the PRACK to the response that it was in."""
        return self.turn.status > 0


class Role(Enum):
    """What a description is."""

    OFFER = auto()
    ANSWER = auto()
    ANSWER_AGAIN = auto()
    NOTHING = auto()


class OfferAnswer:
    """Rewrites the descriptions of one dialog and owns its relays, one for each media line ever used."""

    __slots__ = (
        *("_again", "_answered", "_begun", "_closed", "_involved"),
        *("_last", "_pool", "_relays", "offer"),
    )

    def __init__(self, pool: LinePool, offer: Offer | None = None) -> None:
        """Begin; ``offer`` is the one in the INVITE, which this dialog answers."""
        self._pool = pool
        self.offer = offer
        "the offer that is outstanding"
        self._answered = offer  # the offer that was answered last
        self._again: Transaction | None = None  # whose answer may be said again
        self._involved = {offer.turn.transaction} if offer else set[Transaction]()  # INVITEs with an exchange
        self._begun = offer is not None
        self._relays: dict[int, IMediaRelay] = {}
        self._last: tuple[bool, bytes, bytes] | None = None  # who said what, and how it was shown
        self._closed = False

    def described(self, description: bytes, turn: Turn) -> bytes:
        """Take a description, and return it as the other side is to see it.

        :raises BadSDP: if it cannot be read.
        :raises LocalError: if no port or flow number is left.
        """
        role = self._role(turn)
        if role in (Role.ANSWER_AGAIN, Role.NOTHING) and self._last is not None:
            by_phone, said, shown = self._last
            if (by_phone, said) == (turn.by_phone, description):
                return shown
        sdp = SDP.parse(description)
        try:
            shown = self._rewritten(sdp, turn, role)
        except (RemoteError, LocalError):
            if role is Role.OFFER:
                self._forget()
            raise
        if role is Role.OFFER:
            self._offered(sdp, turn)
        elif role is not Role.NOTHING:
            self._agreed(turn)
        if role is not Role.NOTHING:
            self._last = turn.by_phone, description, shown
        return shown

    def over(self, transaction: Transaction, acknowledged: bool = True) -> None:
        """Hear that a transaction has ended: its offer, if nobody has answered it, is forgotten.

        An INVITE that was answered with 2xx ends with its ACK, which may be the answer (RFC 3261 §13.2.1): until then it is
        not ``acknowledged``.
        """
        offer = self.offer
        if offer is None or offer.turn.transaction != transaction:
            return
        if acknowledged or not offer.waits_for_request:
            self._forget()

    def close(self) -> None:
        """Give every relay back; harmless when repeated."""
        self._closed = True
        relays, self._relays = self._relays, {}
        for index, relay in relays.items():
            self._pool.give_back(index, relay)

    @property
    def relays(self) -> int:
        """How many lines have a relay."""
        return len(self._relays)

    def _role(self, turn: Turn) -> Role:
        """Return what a description is, by where it stands (RFC 6337 §2.2)."""
        offer = self.offer
        if turn.method == "ACK" or (turn.method == "PRACK" and offer is not None and not turn.status):
            return Role.ANSWER if self._is_answer_to_response(turn) else Role.NOTHING
        if not turn.status:
            return Role.OFFER if offer is None else Role.NOTHING
        if offer is not None:
            return self._role_in_response(offer, turn)
        if self._again == turn.transaction:
            return Role.ANSWER_AGAIN
        is_offer = turn.method == "INVITE" and turn.transaction not in self._involved
        return Role.OFFER if is_offer else Role.NOTHING

    def _is_answer_to_response(self, turn: Turn) -> bool:
        offer = self.offer
        if offer is None or not offer.waits_for_request or offer.turn.by_phone == turn.by_phone:
            return False
        return turn.method == "PRACK" or offer.turn.transaction == turn.transaction

    def _role_in_response(self, offer: Offer, turn: Turn) -> Role:
        if offer.turn.transaction != turn.transaction:
            return Role.NOTHING
        if not offer.waits_for_request:
            return Role.ANSWER
        return Role.OFFER if offer.turn.is_tentative else Role.NOTHING  # the 2xx says again what a 18x said

    def _offered(self, sdp: SDP, turn: Turn) -> None:
        self.offer = Offer(turn, tuple([line if _is_usable(line) else None for line in sdp.media]))
        self._again = None
        if turn.method == "INVITE":
            self._involved = {turn.transaction}
        if not self._begun:
            self._begun = True
            self._commit()

    def _agreed(self, turn: Turn) -> None:
        if self.offer is not None:
            self._answered, self.offer = self.offer, None
        self._again = turn.transaction if turn.is_tentative else None
        self._commit()

    def _forget(self) -> None:
        self.offer = None
        for relay in self._relays.values():
            relay.rollback()

    def _commit(self) -> None:
        for relay in self._relays.values():
            relay.commit()

    def _rewritten(self, sdp: SDP, turn: Turn, role: Role) -> bytes:
        shown = [self._shown(index, line, turn, role) for index, line in enumerate(sdp.media)]
        pool = self._pool
        return sdp.rewrite(pool.own_hit if turn.by_phone else pool.own_host, shown)

    def _shown(self, index: int, line: MediaLine, turn: Turn, role: Role) -> tuple[int, int] | None:
        """Stage a line on its relay, and return the two ports or flows that stand for it; None refuses it."""
        relay = self._relays.get(index)
        if not _is_usable(line):
            if relay is not None and role is not Role.NOTHING:
                relay.to_phone(None, None)
                relay.to_peer(None, None)
            return None
        if role is not Role.NOTHING:
            relay = self._staged(index, line, turn.by_phone, role)
        if relay is None:
            return None
        first = relay.flow if turn.by_phone else relay.port
        return first, first if line.rtcp_with_rtp else first + 1

    def _staged(self, index: int, line: MediaLine, by_phone: bool, role: Role) -> IMediaRelay | None:
        """Stage a line on its relay, taken when it is first used; None if an answer speaks of what was not offered."""
        offered = None if role is Role.OFFER else self._offered_line(index)
        if self._closed or (role is not Role.OFFER and offered is None):
            return None
        relay = self._relays.get(index)
        if relay is None:
            relay = self._relays[index] = self._pool.take(index)
        if (
            offered is not None
        ):  # said again, because this dialog may not have heard it, and RTCP may be apart after all
            _stage(relay, offered, not by_phone, line.muxed)
        _stage(relay, line, by_phone, line.muxed)
        return relay

    def _offered_line(self, index: int) -> MediaLine | None:
        offer = self.offer or self._answered
        return offer.lines[index] if offer is not None and index < len(offer.lines) else None


def _is_usable(line: MediaLine) -> bool:
    """Tell whether a line can have a relay: TCP cannot, and is offered on with port 0 (RFC 4145, RFC 4975, RFC 8856)."""
    return line.port > 0 and line.is_udp


def _stage(relay: IMediaRelay, line: MediaLine, by_phone: bool, muxed: bool) -> None:
    """Stage where one side wants a line; RTCP comes with RTP only if both sides agree to that (RFC 5761 §5.1.1)."""
    rtcp = line.rtcp if muxed else line.separate_rtcp
    if by_phone:
        relay.to_phone(line.rtp, rtcp)
    else:
        relay.to_peer(_port(line.rtp), _port(rtcp))


def _port(at: HostPort | None) -> int | None:
    return None if at is None else at.port
