"""Tests for p2pship.bearer.rto."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.bearer.rto import INITIAL, LONGEST, SHORTEST, SHORTEST_PROBE, RoundTrip


class RoundTripTests(TestCase):
    """The numbers of RFC 6298 §2."""

    def test_first(self) -> None:
        """Before a measurement it is a second; the first one counts three times (SRTT + 4 * R/2)."""
        trip = RoundTrip()
        self.assertEqual(trip.timeout, INITIAL)
        trip.measured(0.4)
        self.assertAlmostEqual(trip.timeout, 0.4 + 4 * 0.2)

    def test_later(self) -> None:
        """Later ones are smoothed with 1/8 and 1/4, the variation before the mean."""
        trip = RoundTrip()
        trip.measured(0.4)
        trip.measured(0.8)
        variation = 0.75 * 0.2 + 0.25 * 0.4
        self.assertAlmostEqual(trip.timeout, 0.875 * 0.4 + 0.125 * 0.8 + 4 * variation)

    def test_bounds(self) -> None:
        """It is never less than what a busy machine needs, and doubles up to a bound until something is measured."""
        trip = RoundTrip()
        for _ in range(50):
            trip.measured(0.0001)
        self.assertEqual(trip.timeout, SHORTEST)
        waits = []
        for _ in range(40):
            trip.expired()
            waits.append(trip.timeout)
        self.assertEqual(waits[:3], [SHORTEST * 2, SHORTEST * 4, SHORTEST * 8])
        self.assertEqual((waits[-1], trip.doublings), (LONGEST, 40))
        trip.measured(0.0001)
        self.assertEqual((trip.timeout, trip.doublings), (SHORTEST, 0))

    def test_lateness(self) -> None:
        """What was sent 9/8 of a round trip ago is late, by the slower of the usual trip and the last."""
        trip = RoundTrip()
        trip.measured(0.08)
        self.assertAlmostEqual(trip.lateness, 0.09)
        trip.measured(0.16)
        self.assertAlmostEqual(trip.lateness, 0.18)

    def test_probe(self) -> None:
        """The tail waits for two round trips, no less than a busy machine needs, and no longer than the timeout (RFC 8985 §7.2)."""
        trip = RoundTrip()
        self.assertEqual(trip.probe, INITIAL)
        trip.measured(0.0001)
        self.assertEqual(trip.probe, SHORTEST_PROBE)
        trip.measured(0.8001)
        self.assertAlmostEqual(trip.probe, 0.2002)
        trip = RoundTrip()
        for _ in range(50):
            trip.measured(0.5)
        self.assertEqual(trip.probe, trip.timeout)
