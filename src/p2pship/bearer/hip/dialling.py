"""A base exchange that we began, with its timers: I1 along several paths, one after the other, then I2 (RFC 7401 §6.6, §6.8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from p2pship.bearer.hip.agreement import Agreement
from p2pship.bearer.hip.initiator import Initiator, Refused
from p2pship.bearer.hip.packet import BadPacket, Packet
from p2pship.bearer.hip.path import Path, Send
from p2pship.bearer.hip.puzzle import Solver

STAGGER = 0.25
"Seconds between the first I1s along two paths: what RFC 8305 §5 has between two connection attempts."

FIRST_TIMEOUT = 0.4
"Seconds until a packet is sent again, half as much again each time: a lost one should not be felt in a call's setup."

BACK_OFF = 1.5

LONGEST = 10.0
"Seconds for the whole exchange."


class Dialling:
    """One attempt to reach a host along some paths."""

    def __init__(
        self,
        initiator: Initiator,
        paths: Sequence[Path],
        now: float,
        out: Callable[[object], None],
    ) -> None:
        """Begin with the first path at once."""
        self.initiator = initiator
        self.begun_at = now
        self.path: Path | None = None
        "the one by which the R1 came that is answered"
        self.failed: str | None = None
        "why it has failed, in words for people"
        self.gave_r1 = False
        "whether the same host was given an R1 meanwhile, as it dials as well"
        self._out = out
        self._i1 = initiator.i1()
        self._waiting = list(paths)
        self._tried: list[tuple[float, float, Path]] = []
        self._next_path = now
        self._i2_due: float | None = None
        self._i2_timeout = FIRST_TIMEOUT
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

    def add(self, paths: Sequence[Path]) -> None:
        """Try further paths as well."""
        known = {path for _, _, path in self._tried} | set(self._waiting)
        self._waiting.extend(path for path in paths if path not in known)

    def knows(self, path: Path) -> bool:
        """Tell whether an I1 was sent to where a path leads: in opportunistic mode, only answers from there count."""
        return any(each.host == path.host and each.port == path.port for _, _, each in self._tried)

    # what comes

    def r1(self, packet: Packet, path: Path, now: float) -> bool:
        """Take an R1; returns whether there is now a puzzle to be worked on.

        :raises BadPacket: if it is not valid: another one may be.
        """
        try:
            used = self.initiator.r1(packet, now)
        except Refused as error:
            self.failed = str(error)
            return False
        except BadPacket as error:
            self._why = str(error)
            raise
        if used:
            self.path, self._i2_due = path, None
        return used

    def solved(self, solution: bytes, now: float) -> None:
        """Take the solution of the puzzle, and send the I2."""
        try:
            octets = self.initiator.solved(solution)
        except BadPacket as error:
            self.failed = str(error)
            return
        assert self.path is not None
        self._i2_timeout = FIRST_TIMEOUT
        self._i2_due = now + self._i2_timeout
        self._why = "the exchange was begun, and not finished"
        self._out(Send(octets, self.path))

    def r2(self, packet: Packet) -> Agreement:
        """Take an R2.

        :raises BadPacket: if it is not valid: another one may be.
        """
        return self.initiator.r2(packet)

    # time

    def due(self) -> float:
        """Return when :meth:`timer_fired` has something to do."""
        times = [self.begun_at + LONGEST]
        if self._i2_due is not None:
            times.append(self._i2_due)
        elif self.solver is not None:
            times.append(self.initiator.solve_until)
        else:
            times.extend(due for due, _, _ in self._tried)
            if self._waiting:
                times.append(self._next_path)
        return min(times)

    def timer_fired(self, now: float) -> None:
        """Do what is due."""
        if now >= self.begun_at + LONGEST:
            self.failed = self.failed or self._why
        elif self._i2_due is not None:
            self._repeat_i2(now)
        elif self.solver is not None:
            self._look_at_puzzle(now)
        else:
            self._say_i1(now)

    def _look_at_puzzle(self, now: float) -> None:
        if now >= self.initiator.solve_until:
            self.initiator.solver = None
            self._why = "its puzzle could not be solved in time"

    def _repeat_i2(self, now: float) -> None:
        if self._i2_due is None or self._i2_due > now:
            return
        self._i2_timeout *= BACK_OFF
        self._i2_due = now + self._i2_timeout
        assert self.path is not None and self.initiator.i2 is not None
        self._out(Send(self.initiator.i2, self.path))

    def _say_i1(self, now: float) -> None:
        if self._waiting and self._next_path <= now:
            self._tried.append((now, FIRST_TIMEOUT, self._waiting.pop(0)))
            self._next_path = now + STAGGER
        for index, (due, timeout, path) in enumerate(self._tried):
            if due <= now:
                self._tried[index] = now + timeout, timeout * BACK_OFF, path
                self._out(Send(self._i1, path))
