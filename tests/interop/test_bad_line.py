"""Two machines with a bad line between them: calls over one that is bad, and frames over one that is worse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.testing.cable import require_cables
from p2pship.testing.line import Conditions
from p2pship.testing.namespace import run_in_namespace
from p2pship.testing.programs import require_program
from tests.interop.together import as_it_should_be
from tests.scale import scaled

CALL = Path(__file__).with_name("namespace_bad_line.py")
FRAMES = Path(__file__).with_name("namespace_frames.py")

BAD = Conditions(loss=0.1, delay=0.1, early=0.02)
WORSE = Conditions(loss=0.3, delay=0.01, jitter=0.005, repeated=0.02, early=0.05)
FOR_TCP = replace(WORSE, loss=0.2)
"""TCP doubles its pauses without end: with a loss of 0.3 one connection in some hundred hears nothing for the 30 s after which a link over it
is given up."""


class BadLineTestCase(TestCase):
    """Several lines at a time, each between two machines of its own, because most of the time is waiting."""

    timeout = 300

    async def run_all(self, script: Path, *arguments: Sequence[str], limit: float) -> None:
        """Run a script with each of these arguments at the same time; it looks at everything itself."""
        require_cables()
        await as_it_should_be(*(run_in_namespace(reactor, script, *each, limit=limit) for each in arguments))


class CallTests(BadLineTestCase):
    """Real phones, real packets, a tenth of them lost and the others 100 ms late: both hear what the other one said."""

    async def check_calls(self, *bearers: str) -> None:
        """Let one machine's phone call the other's, by one bearer alone."""
        require_program("baresip")
        folder, conditions = Path(self.mktemp()).absolute(), json.dumps(asdict(BAD))
        await self.run_all(CALL, *((str(folder / each), each, conditions) for each in bearers), limit=100)

    async def test_encrypted(self) -> None:
        """Over HIP, and over TLS."""
        await self.check_calls("hip", "tls")

    async def test_authenticated(self) -> None:
        """Over TCP and over UDP, authenticated and not encrypted."""
        await self.check_calls("tcp", "udp")


class FrameTests(BadLineTestCase):
    """Up to a third of all packets are lost, and others repeated and out of order: each frame arrives once, and in order."""

    async def check_frames(self, number: int, largest: int, line: Conditions, *bearers: str) -> None:
        """Let both machines send so many frames at the same time."""
        what = (str(number), str(largest), json.dumps(asdict(line)))
        await self.run_all(FRAMES, *((each, *what) for each in bearers), limit=280)

    async def test_repeated_here(self) -> None:
        """Over HIP and over UDP, where this node repeats what is lost."""
        await self.check_frames(scaled(60, 3000), 8000, WORSE, "hip", "udp")

    async def test_repeated_there(self) -> None:
        """Over TLS and over TCP, where the operating system does."""
        await self.check_frames(scaled(40, 400), 600, FOR_TCP, "tls", "tcp")
