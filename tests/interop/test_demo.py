"""Tests for ``make demo``: what it shows is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pship.testing.baresip import available
from p2pship.testing.programs import require_program

ROOT = Path(__file__).parents[2]


class DemoTests(SynchronousTestCase):
    """The demo, run as a user runs it."""

    def begin(self, phones: str) -> subprocess.Popen[str]:
        """Begin it with these phones."""
        arguments = [sys.executable, "-m", "demo", "--phones", phones]
        pipe = subprocess.PIPE
        demo = subprocess.Popen(arguments, stdout=pipe, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
        self.addCleanup(demo.kill)  # does nothing to one that has ended
        return demo

    def printed(self, demo: subprocess.Popen[str]) -> str:
        """Return what it prints until it has ended well."""
        printed, _ = demo.communicate(timeout=100)
        self.assertEqual(demo.returncode, 0, printed)
        return printed

    def check(self, shown: str) -> None:
        """Check that both calls were heard, over an encrypted link, and that every stage was timed."""
        self.assertEqual(len(re.findall(r"heard the other's voice: [3-9] s", shown)), 4)
        self.assertEqual(shown.count(", encrypted;"), 2)
        stages = dict(re.findall(r"^  (\w+) +([0-9.]+) +[0-9.]+$", shown, re.MULTILINE))
        self.assertEqual(list(stages), ["lookup", "dial", "hello", "remote", "total"])
        self.assertGreater(float(stages["lookup"]), 0)
        self.assertTrue(shown.rstrip().endswith("Both heard each other."))

    def test_phones(self) -> None:
        """Two baresip talk through two nodes; without baresip two test phones do, and it is said. Both demos run at a time."""
        kinds = ["test", "baresip"] if available() else ["test"]
        shown = dict(zip(kinds, map(self.printed, [self.begin(kind) for kind in kinds]), strict=True))
        self.assertIn("Starting two phones: two test phones of p2pship", shown["test"])
        for each in shown.values():
            self.check(each)
        require_program("baresip")
