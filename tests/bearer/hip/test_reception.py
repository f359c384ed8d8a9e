"""Tests for p2pship.bearer.hip.reception: what is remembered of those who came, and for how long."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from p2pship.bearer.hip.diffiehellman import OFFERED_GROUPS
from p2pship.bearer.hip.load import Load
from p2pship.bearer.hip.r1limit import R1Limit
from p2pship.bearer.hip.r1pool import LIFETIME_SECONDS
from p2pship.bearer.hip.reception import Reception
from tests.bearer.hip.hosts import BEGIN, identity


class ReceptionTests(SynchronousTestCase):
    """A Host Identity that has only dialled, and so has given out no puzzle."""

    def test_forgets_all(self) -> None:
        """Of associations that have ended at several times nothing is left when a puzzle of their time is over."""
        limit = R1Limit(lambda _: False)
        reception = Reception(
            identity("P-256"), OFFERED_GROUPS, os.urandom, lambda: 1000, Load(), limit, BEGIN
        )
        ends = [BEGIN + seconds for seconds in (0, 10, 20)]
        for number, end in enumerate(ends):
            reception.made(bytes([number]))
            reception.ended(bytes([number]), end)
        while (due := reception.due()) is not None:
            self.assertLessEqual(due, ends[-1] + 2 * LIFETIME_SECONDS)
            reception.timer_fired(due)
        self.assertEqual(reception._incarnations._numbers, {})
