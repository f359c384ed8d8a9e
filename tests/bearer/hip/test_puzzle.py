"""Tests of puzzles."""

from __future__ import annotations

import os

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.numbers import ParameterType
from p2pship.bearer.hip.parameters import Puzzle
from p2pship.bearer.hip.puzzle import SECRET_SIZE, Solver, is_solved, random_of
from p2pship.bearer.hip.suites import rhash_of
from tests.bearer.hip.recorded import all_recorded

HITS = bytes.fromhex("20010022" + "11" * 12), bytes.fromhex("20010022" + "22" * 12)


class PuzzleTests(TestCase):
    """The work of an Initiator."""

    def test_recorded(self) -> None:
        """What other programs took for solved is solved, and by no more than they had to."""
        for recorded in all_recorded():
            solution, puzzle = recorded.solution, Puzzle.decode(recorded.r1.need(ParameterType.PUZZLE))
            self.assertEqual((solution.random, solution.difficulty), (puzzle.random, puzzle.difficulty))
            asked = solution.random, recorded.i2.sender, recorded.i2.receiver
            self.assertTrue(is_solved(recorded.rhash, asked, solution.solution, solution.difficulty))
            swapped = solution.random, recorded.i2.receiver, recorded.i2.sender
            self.assertFalse(is_solved(recorded.rhash, swapped, solution.solution, solution.difficulty))
            self.assertFalse(is_solved(recorded.rhash, asked, solution.solution, 60))

    def test_solver(self) -> None:
        """What is found is right, also when it is looked for in many slices."""
        rhash = rhash_of(HITS[1])
        for difficulty in range(12):
            puzzle = os.urandom(rhash.size), *HITS
            solver, found = Solver(rhash, puzzle, difficulty, os.urandom), None
            while found is None:
                found = solver.work(7)
            self.assertEqual(len(found), rhash.size)
            self.assertTrue(is_solved(rhash, puzzle, found, difficulty))

    def test_any_difficulty(self) -> None:
        """Every #K that an octet can say is looked at without an error: none is solved that nobody could solve."""
        rhash = rhash_of(HITS[1])
        puzzle = bytes(rhash.size), *HITS
        self.assertTrue(is_solved(rhash, puzzle, b"", 0))
        self.assertFalse(any(is_solved(rhash, puzzle, bytes(rhash.size), each) for each in range(40, 256)))

    def test_random(self) -> None:
        """#I is the same again only for who has the secret and for the same thing said."""
        rhash = rhash_of(HITS[1])
        secret = os.urandom(SECRET_SIZE)
        self.assertEqual(random_of(secret, b"said", rhash), random_of(secret, b"said", rhash))
        self.assertEqual(len(random_of(secret, b"said", rhash)), rhash.size)
        self.assertNotEqual(random_of(secret, b"said", rhash), random_of(secret, b"sai", rhash))
        self.assertNotEqual(random_of(secret, b"said", rhash), random_of(bytes(32), b"said", rhash))
