"""What many identities would cost: the script runs, people's nodes do in it what they should, and the sums are right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.dhtcosts import DHTCosts, Traffic
from bench.scale import IDENTITIES, Scale
from bench.servercosts import RedisCosts, ServerCosts
from bench.village import Habits, habits
from p2pship.lookup.edition import ANNOUNCING_TIME

ROOT = Path(__file__).resolve().parents[1]

PATIENCE = 100.0


class VillageTests(SynchronousTestCase):
    """Four people, each of whom has three contacts, for an hour after the first."""

    def lived(self, *, follows: bool) -> Habits:
        """Return what they do."""
        lived = habits(4, 3, 1, follows=follows)
        announced = 3 * 3600 / ANNOUNCING_TIME
        self.assertTrue(
            announced - 3 <= lived.puts <= announced + 3, lived.puts
        )  # three days' slots each time
        self.assertEqual((lived.first_puts, lived.first_gets), (3, 3 + 1))  # each contact, and their own slot
        self.assertGreater(lived.cpu, 0)
        return lived

    def test_asking(self) -> None:
        """Each contact is searched for about twice an hour, as their record is renewed four times, and one's own slot read once."""
        lived = self.lived(follows=False)
        self.assertTrue(3 * 1 + 1 <= lived.gets <= 3 * 3 + 1, lived.gets)
        self.assertEqual((lived.streams, lived.pushes), (0, 0))

    def test_followed(self) -> None:
        """Who is followed is not searched for; each publication of today's slot is pushed."""
        lived = self.lived(follows=True)
        self.assertEqual((lived.streams, lived.gets), (3, 1))
        self.assertEqual(lived.pushes, 3 * lived.puts / 3)


class ScaleTests(SynchronousTestCase):
    """The sums."""

    def scale(self) -> Scale:
        """Return one of round numbers: each identity puts once a second and asks once in two, in all."""
        habit = Habits(3600, 1800, 2, 0, 1.0, 3, 10)
        one = Traffic(1, 100)
        return Scale(
            ServerCosts(0.0001, 0.0001, 0, 1000, 1000, 0, 2000, 10_000),
            RedisCosts(0.00001, 0.00001),
            DHTCosts(one, one, one, one),
            habit,
            habit,
        )

    def test_cluster(self) -> None:
        """A million identities need the time of 150 cores, and 250 that are loaded no more than planned."""
        said = self.scale().cluster(1_000_000, self.scale().followed)
        self.assertEqual(said["puts, gets, pushes a second"], "1,000,000, 500,000, 0")
        self.assertEqual(said["cores; of Redis"], "250; 25")
        self.assertEqual(said["kept"], "3,000,000 slots, 6 GB")
        self.assertEqual(said["open streams"], "2,000,000, 20 GB of memory")
        self.assertEqual(said["traffic"], "12,000 Mbit/s")

    def test_table(self) -> None:
        """Each line has something for each number of identities, and one node carries the same whatever that is."""
        rows = self.scale().rows()
        self.assertEqual({len(row) for row in rows}, {1 + len(IDENTITIES)})
        self.assertIn(("on a rendezvous server: octets a day", "129.6 MB"), self.scale().one_node())


class CommandTests(SynchronousTestCase):
    """``python -m bench.scale``, with a real server, Redis if it is there, and a DHT."""

    def test_runs(self) -> None:
        """It prints what was measured and the table."""
        done = subprocess.run(
            [sys.executable, "-m", "bench.scale", "--quick"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        for said in (
            "DHT: announce",
            "one node",
            "100 million",
            "rendezvous: cores",
            "items kept by each node",
        ):
            self.assertIn(said, done.stdout)
