"""UPDATE packets that arrive: each is sent until it is acknowledged, and taken once (RFC 7401 §5.3.5, §6.11, §6.12).

The content of an UPDATE is a list of parameters. What they mean is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from p2pship.bearer.hip.agreement import Agreement
from p2pship.bearer.hip.authentication import add_mac, add_signature, check_signature
from p2pship.bearer.hip.numbers import PacketType, ParameterType
from p2pship.bearer.hip.packet import Builder, Packet
from p2pship.bearer.hip.parameters import decode_list, decode_seq, encode_list, encode_seq
from p2pship.bearer.hip.path import Path, Send
from p2pship.bearer.hip.persecond import PerSecond

Contents: TypeAlias = tuple[int, bytes]
"The type and contents of one parameter."

FIRST_TIMEOUT = 0.5
"Seconds until an UPDATE is sent again while no round trip was measured."

SHORTEST_TIMEOUT = 0.1
"Seconds: twice a round trip (RFC 7401 §6.11), but not less than this, as the other side checks two signatures."

LONGEST_TIMEOUT = 4.0
"Seconds: as long as a way may be shut, it should be noticed soon when it is open again."

MOST_TRIES = 8
"""How often an UPDATE is sent: UPDATE_RETRY_MAX (RFC 7401 §6.11). They take 14 to 24 seconds, less than the time after which a link
gives up what is not acknowledged."""

MOST_TAKEN = 64
"""New UPDATEs that are taken in a second: each costs a verification and a signature. One more is as good as lost: an honest peer says it
again."""

KEYS_WORTH = 16
"""How many others one counts as that brings a Diffie-Hellman value: it costs four operations with such, 4 ms with P-384 and 50 ms with the
largest group that may be switched on."""

WINDOW = 32
"Update IDs older than the newest that are still taken if they have not come."

MOST_AHEAD = 1 << 16
"""The window for new ones (RFC 7401 §6.12.1): what was asked along paths that lead nowhere never comes, and a host that looks for
another one's new address sends much of that."""

MOST_REPEATED = 64
"How often an answer is sent again, to where the request comes from: eight tries along eight paths."

_CIRCLE = 1 << 32

_ECHOES = {
    int(ParameterType.ECHO_REQUEST_SIGNED): int(ParameterType.ECHO_RESPONSE_SIGNED),
    int(ParameterType.ECHO_REQUEST_UNSIGNED): int(ParameterType.ECHO_RESPONSE_UNSIGNED),
}
"How each kind of question is answered."


@dataclass(slots=True)
class Outstanding:
    """An UPDATE that was not acknowledged."""

    octets: bytes
    paths: tuple[Path, ...]
    "each try goes to all of them, and each but the first of one that is vital to :attr:`Updates.ways` too"
    acknowledged: Callable[[Packet, Path, float], None]
    given_up: Callable[[], None]
    is_vital: bool
    due: float
    timeout: float
    most_tries: int
    tries: int = 1


class Updates:
    """The UPDATEs of one association, in both directions."""

    def __init__(self, agreement: Agreement, send: Callable[[Send], None]) -> None:
        self._agreement = agreement
        self._send = send
        self.may_ask: Callable[[Path, int, float], bool] = _always
        "tells whether so many octets that want an answer may be sent along a path; what may not is lost"
        self.ways: Callable[[float], Sequence[Path]] = _none
        "returns the paths that there are now: what is vital is repeated along all of them, as the one that it went by may lead nowhere"
        self._next = 0
        self._outstanding: dict[int, Outstanding] = {}
        self._expected: int | None = None
        self.is_broken = False
        "whether the other side has not answered what it must (RFC 7401 §6.11)"
        self._answers: dict[int, tuple[bytes | None, int]] = {}
        self._pace = PerSecond(MOST_TAKEN)
        self.round_trip = FIRST_TIMEOUT / 2
        "seconds, as measured last"

    @property
    def waiting(self) -> int:
        """How many of ours are not acknowledged."""
        return len(self._outstanding)

    # sending

    def request(
        self,
        contents: Sequence[Contents],
        paths: Sequence[Path],
        now: float,
        acknowledged: Callable[[Packet, Path, float], None],
        given_up: Callable[[], None],
        acks: Sequence[int] = (),
        is_vital: bool = True,
        most_tries: int = MOST_TRIES,
    ) -> int:
        """Send an UPDATE with these parameters along some paths until it is acknowledged, and return its Update ID.

        ``acknowledged`` gets the UPDATE that does so, the path that it came by, and the time; ``given_up`` is called instead when nothing
        came for ``most_tries`` tries, and the association is broken then if the UPDATE ``is_vital``. ``acks`` are the other side's Update
        IDs that it acknowledges by the way.
        """
        number, self._next = self._next, (self._next + 1) % _CIRCLE
        octets = self._packet([*contents, (ParameterType.SEQ, encode_seq(number)), *_ack(acks)])
        timeout = max(2 * self.round_trip, SHORTEST_TIMEOUT)
        self._outstanding[number] = Outstanding(
            octets, tuple(paths), acknowledged, given_up, is_vital, now + timeout, timeout, most_tries
        )
        self._ask(octets, paths, now)
        self._answers |= dict.fromkeys(acks, (octets, MOST_REPEATED))
        return number

    def answer(self, number: int, contents: Sequence[Contents], path: Path) -> None:
        """Acknowledge the other side's Update ID, with further parameters, along the path that it came by."""
        self._send(Send(self.keep_answer(number, contents), path))

    def keep_answer(self, number: int, contents: Sequence[Contents]) -> bytes:
        """Return what acknowledges the other side's Update ID, which is sent to wherever that comes from again."""
        octets = self._packet([*contents, *_ack((number,))])
        self._answers[number] = octets, MOST_REPEATED
        return octets

    def cancel(self, number: int) -> None:
        """Send an UPDATE of ours no more."""
        self._outstanding.pop(number, None)

    def _packet(self, contents: Sequence[Contents]) -> bytes:
        agreement = self._agreement
        builder = Builder(PacketType.UPDATE, agreement.own.hit, agreement.peer.hit)
        ordered = sorted(contents, key=lambda each: each[0])
        for type_, octets in ordered:
            if type_ < ParameterType.HIP_MAC:
                builder.add(type_, octets)
        add_mac(builder, agreement.rhash, agreement.own_keys.mac)
        add_signature(builder, agreement.own)
        for type_, octets in ordered:
            if type_ > ParameterType.HIP_SIGNATURE:
                builder.add(type_, octets)
        return builder.octets()

    def _ask(self, octets: bytes, paths: Sequence[Path], now: float) -> None:
        for path in paths:
            if self.may_ask(path, len(octets), now):
                self._send(Send(octets, path))

    # receiving

    def received(self, packet: Packet, path: Path, now: float) -> int | None:
        """Take an UPDATE; returns its Update ID if it is to be acted on, and answered.

        Those of ours that it acknowledges are told so first. None if there is nothing to act on, as when it came before:
        then it has been answered again.

        Its MAC, and that it is an UPDATE, was checked.

        :raises BadPacket: if it is not from the other side.
        """
        seq, ack = packet.find(ParameterType.SEQ), packet.find(ParameterType.ACK)
        number = None if seq is None else decode_seq(seq)
        if number is not None and not self._is_new(number, path):
            number = None
        acks = () if ack is None else decode_list(ParameterType.ACK, ack)
        if number is None and not any(each in self._outstanding for each in acks):
            return None  # it says nothing new, whoever says it
        if number is not None and not self._pace.admits(now, _worth(packet)):
            return None
        check_signature(packet, self._agreement.peer)
        for each in acks:
            self._acknowledged(each, packet, path, now)
        if number is not None:
            self._taken(number)
        return number

    def _is_new(self, number: int, path: Path) -> bool:
        if number in self._answers:
            octets, left = self._answers[number]
            if octets is not None and left:
                self._answers[number] = octets, left - 1
                self._send(Send(octets, path))
            return False
        if self._expected is None:
            return True  # whatever a program begins with (RFC 7401 §5.2.16 says 0): keys were never used before for another
        ahead = (number - self._expected) % _CIRCLE
        return ahead < MOST_AHEAD or ahead >= _CIRCLE - WINDOW

    def _taken(self, number: int) -> None:
        """Remember that an Update ID came, and forget those that are too old to be taken again."""
        self._answers[number] = None, 0
        if self._expected is None or (number - self._expected) % _CIRCLE < MOST_AHEAD:
            self._expected = (number + 1) % _CIRCLE
        newest = self._expected
        for old in [each for each in self._answers if WINDOW < (newest - each) % _CIRCLE < _CIRCLE // 2]:
            del self._answers[old]

    def _acknowledged(self, number: int, packet: Packet, path: Path, now: float) -> None:
        outstanding = self._outstanding.pop(number, None)
        if outstanding is None:
            return
        if outstanding.tries == 1:
            self.round_trip = max(0.0, now - outstanding.due + outstanding.timeout)
        outstanding.acknowledged(packet, path, now)

    # time

    def due(self) -> float | None:
        """Return when :meth:`timer_fired` has something to do; None if time alone changes nothing."""
        return min((each.due for each in self._outstanding.values()), default=None)

    def timer_fired(self, now: float) -> None:
        """Send again what was not acknowledged, or give it up."""
        for number, each in tuple(self._outstanding.items()):
            if each.due > now:
                continue
            if each.tries >= each.most_tries:
                self._outstanding.pop(number, None)
                self.is_broken = self.is_broken or each.is_vital
                each.given_up()
                continue
            each.tries += 1
            each.timeout = min(2 * each.timeout, LONGEST_TIMEOUT)
            each.due = now + each.timeout
            ways = self.ways(now) if each.is_vital else ()
            self._ask(each.octets, tuple(dict.fromkeys([*each.paths, *ways])), now)


def _worth(packet: Packet) -> int:
    """Return how many UPDATEs one counts as."""
    return 1 if packet.find(ParameterType.DIFFIE_HELLMAN) is None else KEYS_WORTH


def _always(path: Path, octets: int, now: float) -> bool:
    """Let everything be sent."""
    return True


def _none(now: float) -> Sequence[Path]:
    """Know no other path."""
    return ()


def echoes(packet: Packet) -> list[Contents]:
    """Return what has to come back in the answer to a packet (RFC 7401 §5.2.20, §5.2.21); some programs verify addresses so."""
    return [(_ECHOES[each.type], each.contents) for each in packet.parameters if each.type in _ECHOES]


def _ack(numbers: Sequence[int]) -> list[Contents]:
    if not numbers:
        return []
    return [(ParameterType.ACK, encode_list(ParameterType.ACK, tuple(numbers)))]
