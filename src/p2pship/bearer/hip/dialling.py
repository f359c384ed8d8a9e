"""A base exchange that we began, with its timers: I1 along several paths, one after the other, then I2 (RFC 7401 §6.6, §6.8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from p2pship.bearer.hip.agreement import Agreement
from p2pship.bearer.hip.initiator import Initiator, Refused
from p2pship.bearer.hip.numbers import NotifyType, ParameterType
from p2pship.bearer.hip.packet import BadPacket, Packet
from p2pship.bearer.hip.parameters import Notification
from p2pship.bearer.hip.path import Path, Send
from p2pship.bearer.hip.puzzle import Solver
from p2pship.bearer.hip.timing import LONGEST, NODES, Timing

STAGGER = 0.25
"Seconds between I1s along two paths, at least: what RFC 8305 §5 has between two connection attempts."

MOST_I2S = 4
"""How often an I2 is sent: then, after almost two seconds, another R1 is asked for. The one that it answers may have been somebody
else's, with another #I, which the signature does not cover; or the other side was started anew."""

PATIENCE = 1.0
"""Seconds for which an I1 from a host with a greater HIT is not answered, as it will answer ours (RFC 7401 §6.7, step 3). If it has not by
then, ours do not get there, and the other way may be open."""

CONTESTED_GAP = 0.1
"Seconds between two I1s while R1s come that are not all the Responder's: what comes again is heard (see :mod:`p2pship.bearer.hip.contest`)."

CHANGE_FIRST_AFTER = 0.25
"Seconds after which an R1 that came again takes the place of the first one."

CHANGE_AFTER = 0.05
"""Seconds after which an R1 that came again takes the place of one that took the place of another; the R2 of the one before is
still taken."""

LATER_R2 = 1.0
"""Seconds for which an R2 is kept while that of an I2 to a newer R1 may come, and three round trips at least: that I2 may be lost. A Responder
that has taken both I2s, the first of which made its R1 another one, has the association of the later."""

MOST_NOTICES = 4
"NOTIFYs that are looked at: each costs a verification."

BACK_OFF = 1.4


class Failed(NamedTuple):
    """A base exchange that we began has failed."""

    own: bytes
    "the HIT that dialled"
    peer: bytes
    "the HIT that was dialled"
    reason: str


class Agreed(NamedTuple):
    """A base exchange that we began has led to something."""

    agreement: Agreement
    r2: Packet
    path: Path
    "by which the R1 came"
    round_trip: float
    """seconds that a way there and back takes at most: as long as the faster of both exchanges. Where something had to be sent again it
    counts from its first sending, as nobody can tell which was answered (RFC 6298 §3)"""
    i2: tuple[float, int]
    "when it was sent, and the generation of its R1"
    counts_at: float
    "when it counts, if no R2 comes to a later I2, which answers a newer R1"


class Solve(NamedTuple):
    """A puzzle is to be worked on; the solution goes to :meth:`~p2pship.bearer.hip.host.Host.solved`."""

    dialling: Dialling


class Dialling:
    """One attempt to reach a host along some paths."""

    def __init__(
        self,
        initiator: Initiator,
        paths: Sequence[Path],
        now: float,
        out: Callable[[object], None],
        timing: Timing = NODES,
    ) -> None:
        """Begin with the first path at once."""
        self._timing = timing
        self.initiator = initiator
        initiator.contest.may_be_slow = timing.may_be_slow
        self.begun_at = now
        self.path: Path | None = None
        "the one by which the R1 came that is answered"
        self.agreed: Agreed | None = None
        self.failed: str | None = None
        "why it has failed, in words for people"
        self.peer = initiator.peer_hit
        "with whom; the HIT of who answers in opportunistic mode"
        self._out = out
        self._i1 = initiator.i1()
        self._paths = list(paths)
        self._i1s = 0
        self._i1_due = now
        self._i1_at: dict[tuple[str, int], float] = {}  # when the first one left, by where it went
        self._r1_after = 0.0  # seconds; none was answered yet
        self._i2_due: float | None = None
        self._i2_timeout = 0.0
        self._i2s = 0
        self._change_at = now
        self._until = now + LONGEST
        self._i2s_sent: dict[int, tuple[float, int, Path]] = {}  # when, its R1's generation, way; by our SPI
        self._notices = 0
        self._why = "no answer"
        self.timer_fired(now)

    @property
    def solver(self) -> Solver | None:
        """The puzzle that is to be worked on now."""
        return self.initiator.solver

    @property
    def has_sent_i2(self) -> bool:
        """Whether it is in I2-SENT, not in I1-SENT."""
        return self._i2_due is not None

    def is_patient(self, now: float) -> bool:
        """Tell whether the other side's own I1 is left alone because ours should be answered."""
        return not self.has_sent_i2 and now < self.begun_at + PATIENCE

    def add(self, paths: Sequence[Path]) -> None:
        """Try further paths as well."""
        self._paths.extend(path for path in paths if path not in self._paths)

    def knows(self, path: Path) -> bool:
        """Tell whether an I1 was sent to where a path leads: in opportunistic mode, only answers from there count."""
        tried = self._paths[: self._i1s]
        return any(each.host == path.host and each.port == path.port for each in tried)

    def own_changed(self, reach: Callable[[str, int], Sequence[Path]], now: float) -> None:
        """Hear that we have other addresses: go on from those, and begin anew if the path that was answered by is gone."""
        paths: list[Path] = []
        for path in self._paths:
            ways = reach(path.host, path.port)
            paths += [path] if path in ways or not ways else ways[:1]
        if paths != self._paths:
            self._paths, self._i1s, self._i1_due = list(dict.fromkeys(paths)), 0, now
        if self.path is not None and self.path not in reach(self.path.host, self.path.port):
            self.agreed = None
            self.initiator.forget_answered()
            self._begin_anew(now)

    def end(self) -> None:
        """Hear that nobody waits for it any longer: its puzzle is worked on no more."""
        self.initiator.begin_anew()

    # what comes

    def r1(self, packet: Packet, path: Path, now: float) -> bool:
        """Take an R1; returns whether there is now a puzzle to be worked on.

        :raises BadPacket: if it is not valid: another one may be.
        """
        try:
            used = self.initiator.r1(packet, now, self.knows(path), now >= self._change_at)
        except Refused as error:
            if self.path is None:
                self._until = min(self._until, now + PATIENCE)
            self._why = str(error)
            return False
        except BadPacket as error:
            self._why = str(error)
            raise
        finally:
            if self.initiator.contest.is_on:
                self._i1_due = min(self._i1_due, now + CONTESTED_GAP)
        if used:
            self._change_at = self.initiator.solve_until
            self._until = self.begun_at + self._timing.longest
            self.path, self._i2_due = path, None
            self._r1_after = now - self._i1_at.get((path.host, path.port), self.begun_at)
        return used

    def solved(self, solution: bytes, now: float) -> None:
        """Take the solution of the puzzle, and send the I2."""
        try:
            octets = self.initiator.solved(solution)
        except BadPacket as error:
            self.failed = str(error)
            return
        assert self.path is not None and self.initiator.agreement is not None
        self._change_at = now + (CHANGE_AFTER if self._i2s_sent else CHANGE_FIRST_AFTER)
        self._i2s_sent[self.initiator.agreement.own_spi] = now, self.initiator.generation, self.path
        self._i2s = 1
        self._i2_timeout = max(self._timing.first_timeout, self._timing.r1_times * self._r1_after)
        self._i2_due = now + self._i2_timeout
        self._why = "the exchange was begun, and not finished"
        self._out(Send(octets, self.path))

    def r2(self, packet: Packet, now: float) -> None:
        """Take an R2: :attr:`agreed` says from when on it counts.

        :raises BadPacket: if it is not valid: another one may be.
        """
        agreement = self.initiator.r2(packet)
        sent_at, generation, path = self._i2s_sent[agreement.own_spi]
        if self.agreed is not None and (sent_at, generation) <= self.agreed.i2:
            return
        is_overtaken = any(at >= sent_at and each > generation for at, each, _ in self._i2s_sent.values())
        kept = max(LATER_R2, 3 * self._r1_after) if is_overtaken else 0.0
        round_trip = min(self._r1_after, now - sent_at)
        counts_at = min(now + kept, self._until)
        self.agreed = Agreed(agreement, packet, path, round_trip, (sent_at, generation), counts_at)

    def notified(self, packet: Packet) -> None:
        """Take a NOTIFY: it only tells why it may fail, as anybody may send one again (RFC 7401 §6.13).

        :raises BadPacket: if it is not valid.
        """
        if self._notices >= MOST_NOTICES:
            return
        self._notices += 1
        self.initiator.notified(packet)
        for contents in packet.all(ParameterType.NOTIFICATION):
            notification = Notification.decode(contents)
            if notification.is_error:
                self._why = f"the other side says {notification.name}"
            if notification.type == NotifyType.RESPONDER_BUSY_PLEASE_RETRY:
                self._i2s = (
                    MOST_I2S  # with another solution (RFC 7401 §5.2.19), when this one would be sent again
                )

    # time

    def due(self) -> float:
        """Return when :meth:`timer_fired` has something to do."""
        times = [self._until]
        if self.agreed is not None:
            times.append(self.agreed.counts_at)
        if self.initiator.contest.is_on and self._paths:
            times.append(self._i1_due)
        if self._i2_due is not None:
            times.append(self._i2_due)
        elif self.solver is not None:
            times.append(self.initiator.solve_until)
        elif self._paths:
            times.append(self._i1_due)
        return min(times)

    def timer_fired(self, now: float) -> None:
        """Do what is due."""
        if now >= self._until:
            self.failed = self.failed or self._why
            return
        if self._i2_due is not None:
            self._repeat_i2(now)
        elif self.solver is not None:
            self._look_at_puzzle(now)
        else:
            self._say_i1(now)
        if self.initiator.contest.is_on:
            self._say_i1(now)

    def _look_at_puzzle(self, now: float) -> None:
        if now >= self.initiator.solve_until:
            self._why = "its puzzle could not be solved in time"
            self._begin_anew(now)

    def _begin_anew(self, now: float) -> None:
        self.initiator.begin_anew()
        self.path = self._i2_due = None
        self._i1_due = now
        self._say_i1(now)

    def _repeat_i2(self, now: float) -> None:
        if self._i2_due is None or self._i2_due > now:
            return
        if self._i2s >= MOST_I2S:
            self._begin_anew(now)
            return
        self._i2s += 1
        self._i2_timeout *= BACK_OFF
        self._i2_due = now + self._i2_timeout
        assert self.path is not None and self.initiator.i2 is not None
        self._out(Send(self.initiator.i2, self.path))

    def _say_i1(self, now: float) -> None:
        """Send one I1, to the next path in turn: never to several addresses at a time (RFC 7401 §6.6.1)."""
        if self._i1_due > now or not self._paths:
            return
        turn, index = divmod(self._i1s, len(self._paths))
        self._i1s += 1
        gap = max(self._timing.first_timeout * BACK_OFF**turn, self._timing.r1_times * self._r1_after)
        gap = max(STAGGER, gap / len(self._paths))
        self._i1_due = now + (CONTESTED_GAP if self.initiator.contest.is_on else gap)
        self.initiator.contest.begin_round()
        path = self._paths[index]
        self._i1_at.setdefault((path.host, path.port), now)
        self._out(Send(self._i1, path))
