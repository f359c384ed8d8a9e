"""Tests for ``make demo``: what it shows is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pship.testing.programs import require_program

ROOT = Path(__file__).parents[2]


class DemoTests(SynchronousTestCase):
    """The demo, run as a user runs it."""

    def run_demo(self, phones: str) -> str:
        """Run it with these phones and return what it printed."""
        arguments = [sys.executable, "-m", "demo", "--phones", phones]
        ended = subprocess.run(arguments, capture_output=True, text=True, timeout=100, cwd=ROOT, check=False)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        return ended.stdout

    def check(self, shown: str) -> None:
        """Check that both calls were heard, over an encrypted link, and that every stage was timed."""
        self.assertEqual(len(re.findall(r"heard the other's voice: [3-9] s", shown)), 4)
        self.assertEqual(shown.count(", encrypted;"), 2)
        stages = dict(re.findall(r"^  (\w+) +([0-9.]+) +[0-9.]+$", shown, re.MULTILINE))
        self.assertEqual(list(stages), ["lookup", "dial", "hello", "remote", "total"])
        self.assertGreater(float(stages["lookup"]), 0)
        self.assertTrue(shown.rstrip().endswith("Both heard each other."))

    def test_baresip(self) -> None:
        """Two baresip talk through two nodes."""
        require_program("baresip")
        self.check(self.run_demo("baresip"))

    def test_own_phones(self) -> None:
        """Without baresip two test phones talk, and it is said that they do."""
        shown = self.run_demo("test")
        self.check(shown)
        self.assertIn("Starting two phones: two test phones of p2pship", shown)
