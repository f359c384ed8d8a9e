"""The benchmarks' figures say the same to people and to programs."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bench import media
from bench.__main__ import benchmarks, show
from bench.figures import Figure, median


class FigureTests(SynchronousTestCase):
    """One number, and what it is compared with."""

    def test_ratio(self) -> None:
        """Above 1 is better than the peer, whichever way the figure counts; without a peer there is none."""
        self.assertEqual(Figure("calls", 200, "1/s", "higher", "other", 100).ratio, 2)
        self.assertEqual(Figure("delay", 2, "ms", "lower", "other", 1).ratio, 0.5)
        self.assertIsNone(Figure("delay", 2, "ms", "lower").ratio)
        self.assertIsNone(Figure("lost", 0, "packets", "lower", "other", 3).ratio)

    def test_median(self) -> None:
        """The middle of the runs."""
        self.assertEqual(median([5.0, 1.0, 2.0]), 2.0)


class ShowTests(SynchronousTestCase):
    """What ``python -m bench`` prints."""

    def shown(self, as_json: bool) -> str:
        output = io.StringIO()
        with redirect_stdout(output):
            show("startup", [Figure("listening_s", 0.25, "s", "lower", "other", 0.5)], as_json)
        return output.getvalue()

    def test_json(self) -> None:
        """One line, with every key; it is the last one for people, too."""
        line: dict[str, Any] = json.loads(self.shown(True))
        self.assertEqual(json.loads(self.shown(False).splitlines()[-1]), line)
        self.assertEqual(line["bench"], "startup")
        self.assertEqual(
            line["figures"],
            [
                {
                    "name": "listening_s",
                    "value": 0.25,
                    "unit": "s",
                    "better": "lower",
                    "peer": "other",
                    "peer_value": 0.5,
                    "ratio": 2.0,
                }
            ],
        )

    def test_text(self) -> None:
        """The name, the value, the peer and how many times as good."""
        self.assertIn("other 0.5: 2.00 times as good", self.shown(False))

    def test_list(self) -> None:
        """Each benchmark says in one line what it measures."""
        known = benchmarks()
        self.assertEqual(list(known), ["media", "message", "setup", "startup"])
        self.assertTrue(all(known.values()))

    def test_media(self) -> None:
        """One that needs nothing but sockets runs: every packet comes back, and the peer is measured in the same run."""
        (figure,) = media.run(quick=True)
        self.assertEqual((figure.name, figure.peer), ("echoed", "twisted"))
        self.assertGreater(figure.value, 0)
        self.assertIsNotNone(figure.ratio)
