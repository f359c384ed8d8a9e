"""Two machines with a bad line between them: calls over one that is bad, and frames over one that is worse."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.testing.cable import require_cables
from p2pship.testing.line import Conditions
from p2pship.testing.namespace import run_in_namespace
from p2pship.testing.programs import require_program
from tests.scale import scaled

CALL = Path(__file__).with_name("namespace_bad_line.py")
FRAMES = Path(__file__).with_name("namespace_frames.py")

BAD = Conditions(loss=0.1, delay=0.1, early=0.02)
WORSE = Conditions(loss=0.3, delay=0.01, jitter=0.005, repeated=0.02, early=0.05)


class CallTests(TestCase):
    """Real phones, real packets, a tenth of them lost and the others 100 ms late: both hear what the other one said."""

    timeout = 120

    async def check_call(self, bearer: str) -> None:
        """Let one machine's phone call the other's, by one bearer alone."""
        require_program("baresip")
        require_cables()
        folder = Path(self.mktemp()).absolute()
        conditions = json.dumps(asdict(BAD))
        printed = await run_in_namespace(reactor, CALL, str(folder), bearer, conditions, limit=100)
        self.assertIn("as it should be", printed)

    async def test_hip(self) -> None:
        """Over HIP."""
        await self.check_call("hip")

    async def test_tls(self) -> None:
        """Over TLS."""
        await self.check_call("tls")

    async def test_tcp(self) -> None:
        """Over TCP, authenticated and not encrypted."""
        await self.check_call("tcp")

    async def test_udp(self) -> None:
        """Over UDP, authenticated and not encrypted."""
        await self.check_call("udp")


class FrameTests(TestCase):
    """Nearly a third of all packets are lost, and others repeated and out of order: each frame arrives once, and in order."""

    timeout = 300

    async def check_frames(self, bearer: str, number: int, largest: int) -> None:
        """Let both machines send so many frames at the same time; the script looks at what has arrived."""
        require_cables()
        arguments = (bearer, str(number), str(largest), json.dumps(asdict(WORSE)))
        printed = await run_in_namespace(reactor, FRAMES, *arguments, limit=280)
        self.assertIn("as it should be", printed)

    async def test_hip(self) -> None:
        """Over HIP, where this node repeats what is lost."""
        await self.check_frames("hip", scaled(60, 3000), 8000)

    async def test_tls(self) -> None:
        """Over TLS, where the operating system repeats what is lost."""
        await self.check_frames("tls", scaled(40, 400), 600)

    async def test_tcp(self) -> None:
        """Over TCP, where it does so too."""
        await self.check_frames("tcp", scaled(40, 400), 600)

    async def test_udp(self) -> None:
        """Over UDP, where this node does too."""
        await self.check_frames("udp", scaled(60, 3000), 8000)
