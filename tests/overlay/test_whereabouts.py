"""Tests for :mod:`p2pship.overlay.whereabouts`; :mod:`tests.overlay.test_onelink` has it with whole nodes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.candidate import FindOutcome
from p2pship.overlay.redial import MOST_UNINVITED
from p2pship.overlay.whereabouts import Whereabouts


class WhereaboutsTests(SynchronousTestCase):
    """Who is looked for."""

    def setUp(self) -> None:
        self.searches: list[Any] = []
        finder: Any = SimpleNamespace(find=lambda aor, identity, receiver: self.searches.append(receiver))
        self.whereabouts = Whereabouts(finder, lambda aor, device_key: None)

    def seek(self, number: int, uninvited: bool) -> None:
        """Look for somebody."""
        peer: Any = SimpleNamespace(
            key=number, hit=b"", aor="", device_key=b"", identity=None, uninvited=uninvited
        )
        self.whereabouts.seek(peer, lambda locators: None)

    def test_uninvited(self) -> None:
        """Of strangers who only ever came to us, few are looked for at a time; that keeps nobody else waiting, and ends with the searches."""
        for number in range(2 * MOST_UNINVITED):
            self.seek(number, uninvited=True)
        self.assertEqual(len(self.searches), MOST_UNINVITED)
        self.seek(-1, uninvited=False)
        self.assertEqual(len(self.searches), MOST_UNINVITED + 1)
        self.searches[0].find_ended(FindOutcome((), 0))
        self.seek(-2, uninvited=True)
        self.assertEqual(len(self.searches), MOST_UNINVITED + 2)
