"""The order among the hosts of a service (RFC 2782)."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.dns.answers import Service
from p2pship.lookup.dns.order import in_order
from tests.scale import SEED

services = st.builds(
    Service, st.integers(0, 3), st.integers(0, 0xFFFF), st.just(1), st.sampled_from(["a.", "b.", "c.", "d."])
)


class InOrderTests(SynchronousTestCase):
    """By priority, and by weight at random."""

    @given(st.lists(services, max_size=8), st.randoms(use_true_random=False))
    def test_everybody_once(self, given_: list[Service], random: Random) -> None:
        """Each is there once, and those of a lower priority number come first, whatever is drawn."""
        ordered = in_order(given_, random.randbytes)
        self.assertEqual(set(ordered), set(given_))
        self.assertEqual(len(ordered), len(set(given_)))
        priorities = [each.priority for each in ordered]
        self.assertEqual(priorities, sorted(priorities))

    def test_weights(self) -> None:
        """One of three times the weight comes first three times as often; one without weight nearly never."""
        random = Random(SEED)
        three = [Service(0, 30, 1, "heavy."), Service(0, 10, 1, "light."), Service(0, 0, 1, "none.")]
        first = Counter(in_order(three, random.randbytes)[0].target for _ in range(2000))
        self.assertTrue(2.2 < first["heavy."] / first["light."] < 4)
        self.assertLess(first["none."], 120)
