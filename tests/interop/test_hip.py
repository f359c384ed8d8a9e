"""Links over HIP between two machines: they move, lose a cable, change keys, and nobody who talks over them notices much."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.testing.cable import require_cables
from p2pship.testing.line import Conditions
from p2pship.testing.namespace import run_in_namespace
from tests.interop.intime import in_time
from tests.scale import SCALE

SCRIPT = Path(__file__).with_name("namespace_hip.py")
ABSENT = Path(__file__).with_name("namespace_absent.py")

LINE = Conditions(delay=0.01)
"A round trip of 20 ms."


class HIPTests(TestCase):
    """Two machines on cables with a delay, each with a bearer; the script looks at what was heard and when."""

    async def check(self, happens: str, line: Conditions = LINE) -> None:
        """Let something happen to a call."""
        require_cables()
        words = happens, json.dumps(asdict(line))
        printed = await in_time(lambda: run_in_namespace(reactor, SCRIPT, *words, limit=20))
        self.assertIn("as it should be", printed)

    async def test_ipv6(self) -> None:
        """The base exchange passes over IPv6, and all packets do."""
        await self.check("ipv6")

    async def test_raw(self) -> None:
        """So it does in IP itself, without UDP; over IPv6 too, where the kernel sees to checksums in another way."""
        await self.check("raw ipv6")
        if SCALE:
            await self.check("raw")

    async def test_moves(self) -> None:
        """One side's address becomes another: less than 300 ms are lost."""
        await self.check("move")
        await self.check("move back")

    async def test_absent(self) -> None:
        """Attack: I1s in the names of neighbours that are not there: who is there, and was never met, still gets through, and media leave."""
        require_cables()
        printed = await in_time(lambda: run_in_namespace(reactor, ABSENT, limit=20))
        self.assertIn("as it should be", printed)

    async def test_path_dies(self) -> None:
        """Everything on the cable in use is silently lost: it goes on over the other one within a second."""
        await self.check("cut")

    async def test_path_dies_while_held(self) -> None:
        """Also when nobody speaks, so that it was noticed before anybody does."""
        await self.check("cut held")

    async def test_path_dies_one_way(self) -> None:
        """Also when only one side speaks."""
        await self.check("cut one way")

    async def test_both_move(self) -> None:
        """Neither knows where the other is: it goes on within two seconds, once each is told by others."""
        await self.check("both")

    async def test_keys_change(self) -> None:
        """Not one packet is lost when the keys change."""
        await self.check("rekey")
        if SCALE:
            await self.check("rekey", Conditions(delay=0.03, jitter=0.02, early=0.05))
