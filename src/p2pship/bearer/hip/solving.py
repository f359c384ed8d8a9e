"""Puzzles solved a little at a time, so that nothing else waits for longer than five milliseconds."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from p2pship.bearer.hip.puzzle import Solver

TRIES = 2_000
"Tries in one turn of the reactor: two to four milliseconds."


def solve(
    clock: IReactorTime, solver: Solver, wanted: Callable[[], bool], solved: Callable[[bytes], None]
) -> None:
    """Work on a puzzle as long as it is ``wanted``; the first turn is this one, and most puzzles need no other."""
    if not wanted():
        return
    solution = solver.work(TRIES)
    if solution is not None:
        solved(solution)
    else:
        clock.callLater(0, solve, clock, solver, wanted, solved)
