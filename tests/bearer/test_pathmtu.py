"""Tests for p2pship.bearer.pathmtu: what is tried when, without a path."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.bearer.pathmtu import BASE, CONFIRM_TIME, MOST_PROBES, PROBE_TIME, RAISE_TIME, SIZES, PathMTU

OVERHEAD = 57


class Search:
    """A path that carries datagrams up to a size."""

    def __init__(self, carries: int) -> None:
        self.carries = carries
        self.mtu = PathMTU(OVERHEAD)
        self.now = 100.0
        self.probes: list[int] = []

    def run(self, seconds: float, used: bool = True) -> None:
        """Let time pass; ``used``: large datagrams are wanted all the time."""
        end = self.now + seconds
        while self.now <= end:
            if used:
                self.mtu.wanted(self.now)
            due = self.mtu.due()
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            probe = self.mtu.probe(self.now)
            if probe is not None:
                number, room = probe
                self.probes.append(room + OVERHEAD)
                if room + OVERHEAD <= self.carries:
                    self.mtu.probed(number, self.now + 0.05)
        self.now = end

    @property
    def size(self) -> int:
        return self.mtu.room + OVERHEAD


class PathMTUTests(TestCase):
    """The search."""

    def test_unused(self) -> None:
        """Nothing is tried while nobody has use for it."""
        search = Search(1500)
        search.run(1000, used=False)
        self.assertEqual((search.probes, search.size, search.mtu.due()), ([], BASE, None))

    def test_upwards(self) -> None:
        """Sizes are tried upwards, each next one as soon as the last has passed."""
        search = Search(1500)
        search.run(1)
        self.assertEqual((search.probes, search.size), (list(SIZES), 1500))

    def test_between(self) -> None:
        """A size that three probes do not get through ends the search for ten minutes."""
        search = Search(1470)
        search.run(10)
        self.assertEqual((search.probes, search.size), ([1400, 1460, 1492, 1492, 1492], 1460))
        del search.probes[:]
        search.run(RAISE_TIME - 20)
        self.assertEqual(set(search.probes), {1460}, "it is only confirmed")
        search.carries = 1500
        search.run(60)
        self.assertEqual(search.size, 1500)

    def test_refused(self) -> None:
        """When the first network does not take a probe, the search ends there, and the size that passes is kept."""
        search = Search(1500)
        search.mtu.wanted(search.now)
        for expected in (1400, 1460):
            number, room = search.mtu.probe(search.now) or (0, 0)
            self.assertEqual(room + OVERHEAD, expected)
            if expected == 1400:
                search.mtu.probed(number, search.now)
        search.mtu.refused(1460 - OVERHEAD, search.now)
        self.assertEqual(search.size, 1400)
        search.run(RAISE_TIME - 20)
        self.assertEqual(set(search.probes), {1400}, "it is only confirmed")
        search.mtu.refused(1400 - OVERHEAD, search.now)
        self.assertEqual(search.size, BASE, "what passed before does not any more")

    def test_base(self) -> None:
        """On a path that carries no more than the base it stays there, and is asked again after ten minutes."""
        search = Search(BASE)
        search.run(RAISE_TIME - 10)
        self.assertEqual((search.probes, search.size), ([1400] * MOST_PROBES, BASE))
        search.run(20)
        self.assertEqual(len(search.probes), 2 * MOST_PROBES)

    def test_confirmed(self) -> None:
        """A size in use is confirmed now and then; when that fails the base is used."""
        search = Search(1500)
        search.run(1)
        del search.probes[:]
        search.run(10 * CONFIRM_TIME)
        self.assertLess(len(search.probes), 12)
        search.carries = BASE
        search.run(CONFIRM_TIME + (MOST_PROBES + 1) * PROBE_TIME)
        self.assertEqual(search.size, BASE)

    def test_not_confirmed_unused(self) -> None:
        """A size that nobody uses any more is not confirmed."""
        search = Search(1500)
        search.run(1)
        del search.probes[:]
        search.run(10 * CONFIRM_TIME, used=False)
        self.assertLess(len(search.probes), 2)

    def test_losses_in_a_row(self) -> None:
        """Three large datagrams lost in a row show that the path shrank; small ones, or an arrival between, do not."""
        search = Search(1500)
        search.run(1)
        for _ in range(2):
            search.mtu.lost(1400, search.now)
            search.mtu.lost(1400, search.now)
            search.mtu.arrived(1400)
        for _ in range(10):
            search.mtu.lost(500, search.now)
        self.assertEqual(search.size, 1500)
        for _ in range(3):
            search.mtu.lost(1400, search.now)
            search.mtu.arrived(500)
        self.assertEqual(search.size, BASE)
        search.probes.clear()
        search.run(RAISE_TIME - 5)
        self.assertEqual(search.probes, [])

    def test_made_up(self) -> None:
        """An answer to no probe, or an old one, changes nothing."""
        mtu = PathMTU(OVERHEAD)
        for number in range(5):
            mtu.probed(number, 0.0)
        mtu.wanted(0.0)
        number, _room = mtu.probe(0.0) or (0, 0)
        mtu.probed(number + 1, 0.0)
        mtu.probed(number - 1, 0.0)
        self.assertEqual(mtu.room, BASE - OVERHEAD)
        mtu.restart(77)
        mtu.probed(number, 0.0)
        self.assertEqual(mtu.room, BASE - 77, "nor does one from before the path changed")
