"""Calls between two machines whose line loses a tenth of all packets and delays the others by 100 ms each way."""

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

SCRIPT = Path(__file__).with_name("namespace_bad_line.py")

BAD = Conditions(loss=0.1, delay=0.1, early=0.02)


class BadLineTests(TestCase):
    """Real phones, real packets; both hear what the other one said."""

    timeout = 120

    async def check_call(self, bearer: str) -> None:
        """Let one machine's phone call the other's, by one bearer alone."""
        require_program("baresip")
        require_cables()
        folder = Path(self.mktemp()).absolute()
        conditions = json.dumps(asdict(BAD))
        printed = await run_in_namespace(reactor, SCRIPT, str(folder), bearer, conditions, limit=100)
        self.assertIn("as it should be", printed)

    async def test_tls(self) -> None:
        """Over TLS."""
        await self.check_call("tls")

    async def test_tcp(self) -> None:
        """Over TCP, authenticated and not encrypted."""
        await self.check_call("tcp")

    async def test_udp(self) -> None:
        """Over UDP, authenticated and not encrypted."""
        await self.check_call("udp")
