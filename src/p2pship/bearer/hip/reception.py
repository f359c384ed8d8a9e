"""Who comes to a Host Identity of ours with an I1 or an I2: what they are given, and what of them is remembered (RFC 7401 §6.7, §6.9).

Nothing is, before a valid I2; and after the end of an association only that there was one, as long as an I2 from before may come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from p2pship.bearer.hip.acquaintances import Acquaintances
from p2pship.bearer.hip.answers import Answers
from p2pship.bearer.hip.composition import check_critical
from p2pship.bearer.hip.hostidentity import OwnHostIdentity
from p2pship.bearer.hip.incarnations import Incarnations
from p2pship.bearer.hip.load import Load
from p2pship.bearer.hip.numbers import DHGroup
from p2pship.bearer.hip.packet import Packet
from p2pship.bearer.hip.path import Path
from p2pship.bearer.hip.r1limit import R1Limit
from p2pship.bearer.hip.r1pool import LIFETIME_SECONDS, R1Pool
from p2pship.bearer.hip.responder import Accepted, Responder


class Reception:
    """The Responder's side of all base exchanges of one Host Identity."""

    def __init__(
        self,
        own: OwnHostIdentity,
        groups: Sequence[DHGroup],
        random: Callable[[int], bytes],
        new_spi: Callable[[], int],
        load: Load,
        limit: R1Limit,
        now: float,
    ) -> None:
        self._load = load
        self._limit = limit
        self._pool = R1Pool(own, groups, random, load.difficulty, now)
        self._responder = Responder(own, self._pool, random, new_spi, load)
        self._answers = Answers()
        self._incarnations = Incarnations()
        self._acquaintances = Acquaintances()
        self._sweep_at: float | None = None

    def i1(self, packet: Packet, path: Path, now: float) -> bytes | None:
        """Return the R1 that answers an I1; None if too many were answered there.

        :raises BadPacket: if it is not valid.
        """
        self._load.i1_received(now)
        if not self._may_have(packet.sender, path, now):
            return None
        check_critical([parameter.type for parameter in packet.parameters])
        number = self._incarnations.number(packet.sender)
        r1 = self._pool.answer(packet, path.host, path.is_encapsulated, number, now)
        self._sweep_later(now)
        return r1

    def _may_have(self, peer: bytes, path: Path, now: float) -> bool:
        """Tell whether a host may have an R1, which then counts as sent."""
        return self._acquaintances.admits(peer, now) or self._limit.admits(path.host, path.port, peer, now)

    def was_answered(self, packet: Packet) -> bool:
        """Tell whether an I2 is the one that made the association with its sender."""
        return self._answers.was_answered(packet.sender, packet)

    def again(self, packet: Packet) -> bytes | None:
        """Return the R2 for one that was answered; None if it was sent often enough."""
        return self._answers.again(packet.sender)

    def i2(self, packet: Packet, path: Path, now: float, has_room: bool) -> Accepted:
        """Return what an I2 agrees on.

        :raises BadPacket: if it is not valid: a Rejected if its sender may be told why.
        """
        number = self._incarnations.number(packet.sender)
        return self._responder.i2(packet, path.host, number, now, has_room)

    # what becomes of it

    def accepted(self, peer: bytes, accepted: Accepted, now: float) -> None:
        """Hear that an I2 has made an association."""
        self._answers.keep(peer, accepted, now)
        self._sweep_later(now)

    def made(self, peer: bytes) -> None:
        """Hear that there is an association with a host."""
        self._incarnations.made(peer)
        self._acquaintances.met(peer)

    def ended(self, peer: bytes, now: float) -> None:
        """Hear that there is none any more."""
        self._answers.forget(peer)
        self._incarnations.ended(peer, now)
        self._sweep_later(now)

    # time

    def _sweep_later(self, now: float) -> None:
        if self._sweep_at is None:
            self._sweep_at = now + LIFETIME_SECONDS

    def due(self) -> float | None:
        """Return when :meth:`timer_fired` has something to do; None if time alone changes nothing."""
        return self._sweep_at

    def timer_fired(self, now: float) -> None:
        """Forget what is too old, if it is time."""
        if self._sweep_at is None or self._sweep_at > now:
            return
        self._pool.forget_old(now)
        self._incarnations.forget_old(now)
        self._answers.forget_old(now)
        waits = self._pool.answers_any or self._incarnations.waits or self._answers.waits
        self._sweep_at = now + LIFETIME_SECONDS if waits else None
