"""Tests for p2pship.bearer.hip.solving: nothing else waits for a puzzle."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.interfaces import IReactorTime
from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.puzzle import Solver
from p2pship.bearer.hip.solving import SLICE, TRIES, Solving
from p2pship.bearer.hip.suites import rhash_of

HITS = bytes.fromhex("20010022" + "11" * 12), bytes.fromhex("20010022" + "22" * 12)

A_TRY = 2e-6
"Seconds that one try takes on a slow machine."


class CountedSolver(Solver):
    """A puzzle whose work takes the time that it is said to take."""

    spent = 0.0

    def work(self, tries: int) -> bytes | None:
        CountedSolver.spent += tries * A_TRY
        return super().work(tries)


class Turns:
    """A reactor that does nothing but take its turns."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], Any]] = []

    def callLater(self, seconds: float, call: Callable[[], Any]) -> None:
        """Have something called in the next turn."""
        self.waiting.append(call)

    def turn(self) -> None:
        """Take a turn."""
        now, self.waiting = self.waiting, []
        for call in now:
            call()


class SolvingTests(TestCase):
    """Puzzles that are solved a little at a time."""

    def setUp(self) -> None:
        self.clock = Turns()
        CountedSolver.spent = 0.0
        self.solving = Solving(cast(IReactorTime, self.clock), lambda: CountedSolver.spent)
        self.solutions: list[bytes] = []
        self.wanted = True
        self.turns: list[float] = []

    def add(self, difficulty: int) -> None:
        rhash = rhash_of(HITS[1])
        puzzle = os.urandom(rhash.size), *HITS
        solver = CountedSolver(rhash, puzzle, difficulty, os.urandom)
        self.solving.add(solver, lambda: self.wanted, self.solutions.append)

    def turn(self) -> None:
        """Let one turn of the reactor pass, and note how long it worked."""
        before = CountedSolver.spent
        self.clock.turn()
        self.turns.append(CountedSolver.spent - before)

    def test_at_once(self) -> None:
        """An easy puzzle is solved in the turn in which it comes, and nothing is left to do."""
        self.add(1)
        self.assertEqual(len(self.solutions), 1)
        self.turn()
        self.assertEqual(self.clock.waiting, [])

    def test_slices(self) -> None:
        """A difficult one takes many turns, none of which is long."""
        self.add(15)
        first = CountedSolver.spent
        while not self.solutions:
            self.turn()
        self.assertLess(max([first, *self.turns]), 0.005)
        self.assertLessEqual(max([first, *self.turns]), SLICE + TRIES * A_TRY)

    def test_many(self) -> None:
        """Fifty at once share the same turns: all together are no more than one."""
        for _ in range(50):
            self.add(10)
        first = CountedSolver.spent
        while len(self.solutions) < 50:
            self.turn()
        self.assertLess(max([first, *self.turns]), 0.005)
        self.turn()
        self.assertEqual(self.clock.waiting, [])

    def test_not_wanted(self) -> None:
        """One that is not wanted any longer is worked on no more."""
        self.add(60)
        self.wanted = False
        self.turn()
        self.turn()
        self.assertEqual((self.solutions, self.clock.waiting), ([], []))
        self.assertEqual(self.turns, [0.0, 0.0])
