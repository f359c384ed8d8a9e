"""Tests for p2pship.bearer.hip.agenda."""

from __future__ import annotations

import random

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.agenda import MOST_EMPTY, Agenda
from tests.scale import SEED, scaled


class AgendaTests(TestCase):
    """When which thing is due."""

    def test_order(self) -> None:
        """Things are taken in the order in which they are due, each once."""
        agenda: Agenda[str] = Agenda()
        for thing, due in (("late", 9.0), ("soon", 2.0), ("next", 3.0), ("soon", 5.0), ("next", 1.0)):
            agenda.note(thing, due)
        self.assertEqual(agenda.due(), 1.0)
        self.assertEqual(agenda.take(4.0), ["next", "soon"])
        self.assertEqual((agenda.take(4.0), agenda.due()), ([], 9.0))

    def test_dropped(self) -> None:
        """What is dropped is not held, however often: many things may come and go before one is due."""
        agenda: Agenda[int] = Agenda()
        agenda.note(-1, 10.0)
        for number in range(10 * MOST_EMPTY):
            agenda.note(number, 600.0)
            agenda.drop(number)
        self.assertLess(len(agenda._heap), 2 * MOST_EMPTY)
        self.assertEqual((len(agenda._things), len(agenda._noted)), (1, 1))
        self.assertEqual(agenda.take(1000.0), [-1])

    def test_any(self) -> None:
        """It says the same as a list that is sorted each time."""
        chosen = random.Random(SEED)
        agenda: Agenda[int] = Agenda()
        model: dict[int, float] = {}
        for _ in range(scaled(2_000, 200_000)):
            thing, due = chosen.randrange(20), float(chosen.randrange(50))
            what = chosen.randrange(4)
            if what < 2:
                agenda.note(thing, due)
                model[thing] = min(due, model.get(thing, due))
            elif what == 2:
                agenda.drop(thing)
                model.pop(thing, None)
            else:
                taken = {each for each in model if model[each] <= due}
                self.assertEqual(set(agenda.take(due)), taken)
                model = {each: model[each] for each in model if each not in taken}
            self.assertEqual(agenda.due(), min(model.values(), default=None))
