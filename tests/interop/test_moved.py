"""A machine that is given another address is soon published there, over the kernel's own connections."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.testing.cable import require_cables
from p2pship.testing.namespace import run_in_namespace
from tests.scale import ALONE

SCRIPT = Path(__file__).with_name("namespace_moved.py")

SOON = 3.0 if ALONE else 6.0
"Seconds: it takes 0.15, and ten and more where a put waits for a connection that hangs."


class MovedTests(TestCase):
    """The client of rendezvous servers."""

    async def test_moved(self) -> None:
        """What hangs on a connection from the old address is put over another one; followers hear news at once."""
        require_cables()
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        printed = await run_in_namespace(reactor, str(SCRIPT), str(folder))
        (took,) = re.findall(r"told within (\S+) s", printed)
        self.assertLess(float(took), SOON)
