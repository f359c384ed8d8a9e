"""The completion for bash knows every command and option."""

from __future__ import annotations

import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pship.cli.completion import completion_text
from p2pship.testing.programs import require_program

SCRIPT = Path(__file__).resolve().parents[2] / "etc" / "p2pship.bash"


def complete(*words: str) -> set[str]:
    """Return what bash offers for the last of these words."""
    line = " ".join(f"'{word}'" for word in words)
    ask = (
        f"source {SCRIPT}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _p2pship; echo ${{COMPREPLY[@]}}"
    )
    done = subprocess.run([require_program("bash"), "-c", ask], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


class CompletionTests(SynchronousTestCase):
    """etc/p2pship.bash"""

    def test_up_to_date(self) -> None:
        """It is what the parser says: `python -m p2pship.cli.completion > etc/p2pship.bash` makes it again."""
        self.assertEqual(SCRIPT.read_text(encoding="utf-8"), completion_text())

    def test_bash(self) -> None:
        """Nouns, verbs and options are offered, each where it belongs."""
        self.assertLessEqual({"identity", "ca", "status"}, complete("p2pship", ""))
        self.assertEqual(complete("p2pship", "identity", "exp"), {"export"})
        self.assertEqual(complete("p2pship", "identity", "export", "--enc"), {"--encrypt"})
        self.assertEqual(complete("p2pship", "calls", "--wh"), {"--why"})

    def test_three_words(self) -> None:
        """A verb of two words is offered word by word, and the first can be given alone."""
        self.assertEqual(complete("p2pship", "device", "ke"), {"key"})
        self.assertEqual(complete("p2pship", "device", "key", "cr"), {"create"})
        self.assertEqual(complete("p2pship", "device", "key", "--js"), {"--json"})
        self.assertEqual(complete("p2pship", "device", "key", "create", "--al"), {"--algorithm"})

    def test_values(self) -> None:
        """An option that has but some values is followed by those."""
        key = "p2pship", "device", "key", "create"
        self.assertEqual(complete(*key, "--algorithm", ""), {"p256", "p384", "rsa-2048"})
        self.assertEqual(complete(*key, "--algorithm", "p3"), {"p384"})
