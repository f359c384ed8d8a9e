"""A HIP association that stands: data may pass, addresses and keys may change, until one side closes it (RFC 7401 §4.4).

A machine: packets and the time are handed in; what it wants done it appends to the outbox of its host.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

from p2pship.bearer.hip.agreement import Agreement
from p2pship.bearer.hip.authentication import add_mac, add_signature, check_mac, check_signature
from p2pship.bearer.hip.composition import check
from p2pship.bearer.hip.credit import Credit
from p2pship.bearer.hip.esp import LAST, Inbound, Outbound
from p2pship.bearer.hip.hostidentity import OwnHostIdentity
from p2pship.bearer.hip.locatorset import unsupported
from p2pship.bearer.hip.notices import NoticeLimit
from p2pship.bearer.hip.numbers import NotifyType, PacketType, ParameterType
from p2pship.bearer.hip.packet import BadPacket, Builder, Packet, UnknownCritical
from p2pship.bearer.hip.parameters import Notification
from p2pship.bearer.hip.path import Path, Send
from p2pship.bearer.hip.paths import Paths
from p2pship.bearer.hip.persecond import PerSecond
from p2pship.bearer.hip.rekey import NewInbound, NewOutbound, OldInbound, Rekey
from p2pship.bearer.hip.updates import Updates, echoes

CLOSE_TIMEOUT = 0.5
"Seconds until CLOSE is sent again, doubled each time."

CLOSING_TIME = 4.0
"""Seconds for which a CLOSE is sent. RFC 7401 §4.4.3 has UAL + MSL, minutes, for hosts that keep nothing else; our caller has closed
the link, and a peer that has not heard it hears nothing else either."""

CLOSED_TIME = 4.0
"Seconds for which a CLOSE that comes again is answered: as long as one of ours would be sent."

COMPLETE_TIME = 10.0
"Seconds after which an exchange counts as complete at the Responder (RFC 7401 §6.9, step 21): all I2s have come then."

UNUSED_TIME = 600.0
"""Seconds without any packet after which an association is closed, when it is looked at next (the UAL of RFC 7401 §4.4.1, "minutes"). It is
twice as long as whoever uses links leaves them idle, so that only what nobody cares for any longer is left to it."""

MOST_NOTICED = 32
"Kinds of errors that are told of one association, each once."

MOST_NOTICES = 4
"""NOTIFYs that are looked at in a second: each costs a verification, and carries no MAC. Of a host that goes on to close what it has closed,
no more CLOSEs are."""

NONCE_SIZE = 16


class State(Enum):
    """RFC 7401 §4.4.2, Table 1."""

    UNASSOCIATED = "UNASSOCIATED"
    I1_SENT = "I1-SENT"
    I2_SENT = "I2-SENT"
    R2_SENT = "R2-SENT"
    ESTABLISHED = "ESTABLISHED"
    CLOSING = "CLOSING"
    CLOSED = "CLOSED"
    E_FAILED = "E-FAILED"


class Made(NamedTuple):
    """An association stands."""

    association: Association
    dialled: bool
    "whether we were the Initiator"


class Ended(NamedTuple):
    """An association carries nothing any more."""

    association: Association
    reason: str


class Moved(NamedTuple):
    """What we send takes another path from now on."""

    association: Association
    path: Path
    verified: bool
    "whether the other side has shown to be there"


class Rekeyed(NamedTuple):
    """The keys of an association change."""

    association: Association
    change: NewInbound | NewOutbound | OldInbound


class Noticed(NamedTuple):
    """The other side told of an error, for the first time."""

    association: Association
    notification: Notification


class Association:
    """One association, from the end of its base exchange to that of its CLOSE."""

    def __init__(
        self,
        agreement: Agreement,
        path: Path,
        state: State,
        now: float,
        random: Callable[[int], bytes],
        reach: Callable[[str, int], Sequence[Path]],
        new_spi: Callable[[], int],
        out: Callable[[object], None],
        notices: NoticeLimit,
    ) -> None:
        """Begin in R2-SENT or ESTABLISHED, on the path that the base exchange took, or in I2-SENT only to be closed.

        ``reach`` returns the paths to an address and port (see :class:`~p2pship.bearer.hip.paths.Paths`).
        """
        self.agreement = agreement
        self.state = state
        self.made_at = now
        self.round_trip: float | None = None
        "seconds, as the base exchange has measured; None if it has not"
        self._random = random
        self._out = out
        self.credit = Credit(now)
        "what may be sent to where the other side was never seen"
        self.updates = Updates(agreement, out)
        self.rekey = Rekey(agreement, self.updates, random, new_spi, self._rekeyed)
        leads = state is State.ESTABLISHED
        self.paths = Paths(
            self.updates, path, leads, random, reach, self._moved, lambda: self.rekey.inbound.spi, self.credit
        )
        self._complete_at: float | None = now + COMPLETE_TIME if state is State.R2_SENT else None
        self._notices = notices
        self._noticed: tuple[int, ...] = ()
        self._pace = PerSecond(MOST_NOTICES)
        self._look_at = now + UNUSED_TIME
        self._seen = 0, 0, 0
        self._controls = 0
        self._nonce = b""
        self._close: bytes = b""
        self._acknowledged: tuple[bytes, bytes] = b"", b""
        self._close_due = 0.0
        self._close_timeout = CLOSE_TIMEOUT
        self._over_at = 0.0

    @property
    def stands(self) -> bool:
        """Whether it carries anything."""
        return self.state in (State.R2_SENT, State.ESTABLISHED)

    @property
    def path(self) -> Path:
        """Where what we send goes."""
        return self.paths.current

    @property
    def inbound(self) -> Inbound:
        """What opens what comes."""
        return self.rekey.inbound

    @property
    def outbound(self) -> Outbound:
        """What seals what leaves."""
        return self.rekey.outbound

    def _rekeyed(self, change: NewInbound | NewOutbound | OldInbound) -> None:
        self._out(Rekeyed(self, change))

    def _moved(self, path: Path, verified: bool) -> None:
        self._out(Moved(self, path, verified))

    # data

    def data_received(self, spi: int) -> None:
        """Hear of the first data that came to an SPI: the other side has the R2, or the new keys."""
        self.rekey.data_received(spi)
        self._complete()

    def _complete(self) -> None:
        if self.state is State.R2_SENT:
            self.state, self._complete_at = State.ESTABLISHED, None

    # control packets

    def received(self, packet: Packet, path: Path, now: float) -> None:
        """Take an UPDATE, NOTIFY, CLOSE or CLOSE_ACK.

        :raises BadPacket: if it is not valid. The other side has been told then, if it is truly from there.
        """
        if packet.type == PacketType.NOTIFY:
            self._notified(packet, now)
            return
        check_mac(packet, self.agreement.rhash, self.agreement.peer_keys.mac)
        self._controls += 1
        try:
            check(packet)
            self._take(packet, path, now)
        except BadPacket as error:
            self._complain(error, packet, path, now)
            raise

    def _take(self, packet: Packet, path: Path, now: float) -> None:
        if packet.type == PacketType.UPDATE:
            self._update(packet, path, now)
        elif packet.type == PacketType.CLOSE:
            self._closed_by_peer(packet, path, now)
        elif packet.type == PacketType.CLOSE_ACK:
            self._close_acknowledged(packet)

    def _update(self, packet: Packet, path: Path, now: float) -> None:
        if not self.stands:
            return
        waiting = self.updates.waiting
        number = self.updates.received(packet, path, now)
        self.paths.tell_again(now)
        if number is not None or self.updates.waiting < waiting:
            self._complete()
        if number is not None:
            self.credit.earn(len(packet.raw))
            self._act(number, packet, path, now)

    def _act(self, number: int, packet: Packet, path: Path, now: float) -> None:
        """Do what an UPDATE asks for, and answer it."""
        if self.rekey.asks(packet):
            self.rekey.received(packet, number, path, now)
            self.paths.update_received(packet, None, path, now)
        elif not self.paths.update_received(packet, number, path, now):
            echoed = echoes(packet)
            self.updates.answer(number, echoed, path)
            if not echoed and path != self.path:  # who asks something does so along every path
                self.paths.heard_elsewhere(path, now)
        unknown = unsupported(packet.find(ParameterType.LOCATOR_SET) or b"")
        if unknown:
            self._tell(NotifyType.LOCATOR_TYPE_UNSUPPORTED, unknown, path, now)
        if self.rekey.ends(packet):
            self.close(now, "the other side takes nothing any more")

    # notifications

    def _complain(self, error: BadPacket, packet: Packet, path: Path, now: float) -> None:
        """Tell the other side what was wrong; of syntax only if the signature is right too (RFC 7401 §5.2.19)."""
        if not self.stands:
            return
        if error.notify is NotifyType.INVALID_SYNTAX:
            try:
                check_signature(packet, self.agreement.peer)
            except BadPacket:
                return
        data = error.type.to_bytes(2, "big") if isinstance(error, UnknownCritical) else b""
        self._tell(error.notify, data, path, now)

    def _tell(self, type_: NotifyType, data: bytes, path: Path, now: float) -> None:
        """Tell the other side of an error, if it was not told of another one just now."""
        if self._notices.admits(self.agreement.peer.hit, now):
            self.notify(type_, data, path)

    def notify(self, type_: NotifyType, data: bytes = b"", path: Path | None = None) -> None:
        """Tell the other side something, along a path or the one in use."""
        packet = notify_packet(self.agreement.own, self.agreement.peer.hit, type_, data)
        self._out(Send(packet, path or self.path))

    def _notified(self, packet: Packet, now: float) -> None:
        """Take a NOTIFY: it changes nothing, as anybody may send one again (RFC 7401 §6.13)."""
        if not self._pace.admits(now):
            return
        check(packet)
        check_signature(packet, self.agreement.peer)
        for contents in packet.all(ParameterType.NOTIFICATION):
            notification = Notification.decode(contents)
            if notification.is_error and self._is_first(notification):
                self._out(Noticed(self, notification))

    def _is_first(self, notification: Notification) -> bool:
        if notification.type in self._noticed or len(self._noticed) >= MOST_NOTICED:
            return False
        self._noticed += (notification.type,)
        return True

    # the end

    def close(self, now: float, reason: str) -> None:
        """Close the association: nothing is taken any more, and the other side is told."""
        if not self.stands:
            return
        self.state = State.CLOSING
        self._nonce = self._random(NONCE_SIZE)
        builder = self._builder(PacketType.CLOSE).add(ParameterType.ECHO_REQUEST_SIGNED, self._nonce)
        self._close = self._authentic(builder)
        self._close_due, self._over_at = now + self._close_timeout, now + CLOSING_TIME
        self._out(Send(self._close, self.path))
        self._out(Ended(self, reason))

    def drop(self, reason: str) -> None:
        """End it without a word: another one has taken its place, or nobody is there to tell."""
        standing = self.stands
        self.state = State.UNASSOCIATED
        if standing:
            self._out(Ended(self, reason))

    def _closed_by_peer(self, packet: Packet, path: Path, now: float) -> None:
        if packet.raw != self._acknowledged[0]:
            if self.state is State.CLOSED and not self._pace.admits(now):
                return
            check_signature(packet, self.agreement.peer)
            asked = packet.need(ParameterType.ECHO_REQUEST_SIGNED)
            builder = self._builder(PacketType.CLOSE_ACK).add(ParameterType.ECHO_RESPONSE_SIGNED, asked)
            self._acknowledged = packet.raw, self._authentic(builder)
        self._out(Send(self._acknowledged[1], path))
        standing = self.stands
        if self.state is not State.CLOSED:
            self.state, self._over_at = State.CLOSED, now + CLOSED_TIME
        if standing:
            self._out(Ended(self, "the other side closed the link"))

    def _close_acknowledged(self, packet: Packet) -> None:
        if self.state not in (State.CLOSING, State.CLOSED) or not self._nonce:
            return
        check_signature(packet, self.agreement.peer)
        if not hmac.compare_digest(packet.need(ParameterType.ECHO_RESPONSE_SIGNED), self._nonce):
            raise BadPacket("a CLOSE_ACK is for another CLOSE")
        self.state = State.UNASSOCIATED

    def _builder(self, type_: PacketType) -> Builder:
        return Builder(type_, self.agreement.own.hit, self.agreement.peer.hit)

    def _authentic(self, builder: Builder) -> bytes:
        add_mac(builder, self.agreement.rhash, self.agreement.own_keys.mac)
        add_signature(builder, self.agreement.own)
        return builder.octets()

    # time

    def due(self) -> float | None:
        """Return when :meth:`timer_fired` has something to do; None if time alone changes nothing."""
        times: Sequence[float | None]
        if self.state is State.CLOSING:
            times = (self._close_due, self._over_at)
        elif self.state is State.CLOSED:
            times = (self._over_at,)
        else:
            parts = self.updates.due(), self.rekey.due(), self.paths.due()
            times = (*parts, self._complete_at, self._look_at)
        return min((time for time in times if time is not None), default=None)

    def timer_fired(self, now: float) -> None:
        """Do what is due."""
        if self.state in (State.CLOSING, State.CLOSED):
            self._closing_timer(now)
            return
        if self._complete_at is not None and self._complete_at <= now:
            self._complete()
        self.updates.timer_fired(now)
        self.rekey.timer_fired(now)
        self.paths.timer_fired(now)
        if self.updates.is_broken:  # RFC 7401 §6.11, step 4
            self.close(now, "the other side does not answer")
        elif self._look_at <= now:
            self._look_whether_used(now)

    def _look_whether_used(self, now: float) -> None:
        """Close an association that nothing has passed since the last look (RFC 7401 §4.4.3, Table 6)."""
        seen = self._controls, self.inbound.taken, self.outbound.sequence  # new keys take control packets
        if seen == self._seen:
            self.close(now, "nobody used it")
        elif self.inbound.newest > LAST:  # past 2^32, what was sent long ago would be new again
            self.rekey.begin(self.path, now)
        self._seen, self._look_at = seen, now + UNUSED_TIME

    def _closing_timer(self, now: float) -> None:
        if self._over_at <= now:
            self.state = State.UNASSOCIATED
        elif self.state is State.CLOSING and self._close_due <= now:
            self._close_timeout *= 2
            self._close_due = now + self._close_timeout
            self._out(Send(self._close, self.path))


def notify_packet(own: OwnHostIdentity, peer: bytes, type_: NotifyType, data: bytes = b"") -> bytes:
    """Return a NOTIFY to a HIT (RFC 7401 §5.3.6)."""
    builder = Builder(PacketType.NOTIFY, own.hit, peer)
    builder.add(ParameterType.NOTIFICATION, Notification(type_, data).encode())
    add_signature(builder, own)
    return builder.octets()
