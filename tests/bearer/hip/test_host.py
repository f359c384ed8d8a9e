"""Tests for p2pship.bearer.hip.host: two hosts in bad networks, strangers in great numbers, and what replays achieve."""

from __future__ import annotations

import random

from twisted.trial.unittest import TestCase

from tests.bearer.hip.hosts import identity
from tests.bearer.hip.simulation import BEGIN, Keys, Simulation
from tests.scale import SEED, scaled

RUNS = scaled(40, 5_000)


class BadNetworkTests(TestCase):
    """Everything at once: loss, repetition, reordering, both dialling, closing, new keys and restarts at any time."""

    def simulation(self, seed: int, loss: float) -> Simulation:
        one, other = identity("P-256", "one"), identity("P-256", "other")
        return Simulation(seed, (one, other) if seed % 2 else (other, one), loss)

    def play(self, simulation: Simulation) -> None:
        """Let things happen in the first ten seconds."""
        chosen = random.Random(simulation.random.random())
        times = sorted(BEGIN + chosen.uniform(0, 10) for _ in range(chosen.randrange(2, 8)))
        for time in times:
            simulation.run(time)
            happens = chosen.choices(
                (simulation.dial, simulation.close, simulation.rekey, simulation.restart), (5, 1, 2, 1)
            )[0]
            happens(chosen.randrange(2))
            if chosen.random() < 0.3:
                simulation.dial(chosen.randrange(2))

    def test_they_agree(self) -> None:
        """In the end both have the same association, or none; and no key has ever anything in common with another."""
        keys = Keys()
        keys.watch(self)
        for number in range(RUNS):
            simulation = self.simulation(SEED * RUNS + number, loss=0.1)
            self.play(simulation)
            simulation.run(BEGIN + 75)
            self.assertIsNone(simulation.disagreement(), (SEED * RUNS + number, simulation.log))
        self.assertEqual(keys.repeated, [])
        self.assertGreater(keys.count, RUNS)

    def test_they_meet(self) -> None:
        """When one dials, or both do at once, there is an association soon, through ten per cent of loss."""
        times = []
        for number in range(RUNS):
            simulation = self.simulation(SEED * RUNS + number, loss=0.1)
            simulation.dial(0)
            if number % 3:
                simulation.run(simulation.now + simulation.random.uniform(0, 0.1))
                simulation.dial(1)
            while simulation.standing(0) is None or simulation.disagreement() is not None:
                simulation.run(simulation.now + 0.05)
                self.assertLess(simulation.now, BEGIN + 12, (number, simulation.log))
            times.append(simulation.now - BEGIN)
        self.assertLess(sorted(times)[RUNS // 2], 2.0)
