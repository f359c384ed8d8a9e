"""Puzzles solved a little at a time: all together take no more than five milliseconds of a reactor's turn.

Whoever dials a hundred hosts at once has a hundred puzzles; each gets its share in turn, and nothing else waits for them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.interfaces import IReactorTime

from p2pship.bearer.hip.puzzle import Solver

SLICE = 0.004
"Seconds of work in one turn of the reactor, to which the last tries may add one more."

TRIES = 250
"Tries between two looks at the time: about a quarter of a millisecond."


class _Job(NamedTuple):
    solver: Solver
    wanted: Callable[[], bool]
    solved: Callable[[bytes], None]


class Solving:
    """Works on all puzzles of one node."""

    def __init__(self, clock: IReactorTime, counter: Callable[[], float] = time.perf_counter) -> None:
        """Begin with nothing; ``counter`` returns seconds that have passed since whenever."""
        self._clock = clock
        self._counter = counter
        self._jobs: deque[_Job] = deque()
        self._left = 0.0
        self._is_waiting = False

    def add(self, solver: Solver, wanted: Callable[[], bool], solved: Callable[[bytes], None]) -> None:
        """Work on a puzzle as long as it is ``wanted``; most are solved at once."""
        self._jobs.append(_Job(solver, wanted, solved))
        if not self._is_waiting:
            self._is_waiting = True
            self._left = SLICE
            self._clock.callLater(0, self._next_turn)
        self._work()

    def _next_turn(self) -> None:
        self._is_waiting = bool(self._jobs)
        if not self._is_waiting:
            return
        self._left = SLICE
        self._clock.callLater(0, self._next_turn)
        self._work()

    def _work(self) -> None:
        """Work as long as this turn allows."""
        while self._jobs and self._left > 0:
            job = self._jobs.popleft()
            if not job.wanted():
                continue
            began = self._counter()
            solution = job.solver.work(TRIES)
            self._left -= self._counter() - began
            if solution is None:
                self._jobs.append(job)
            else:
                job.solved(solution)
