"""Whatever is thrown at whatever socket a node listens on, calls go on, nothing fails inside, and nothing is left behind."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import psutil
from twisted.internet import reactor

from p2pship.testing.nodeprocess import NodeProcess
from p2pship.testing.programs import Program
from tests.interop.calls_at_a_rate import CallsCase
from tests.interop.intime import at_best
from tests.scale import SCALE, SEED, scaled

GARBAGE = Path(__file__).parent / "garbage.py"

EACH = scaled(400, 100_000)
"Pieces for each socket."

WARMING = EACH // 3
"Pieces for each socket before memory is measured: what is needed once for each kind of trouble is there then."

RATE = 4_000 if SCALE else 1_500
"Pieces a second: few enough that each is looked at, not dropped as a flood."

GROWTH = 25 << 20
"Octets that a node may need more than before: transactions of those requests that were good enough stay for 32 s."

FAILED = re.compile("Traceback|Unhandled|Error:")
"What the log says when something failed inside."


class GarbageTests(CallsCase):
    """Alice calls Bob, and a neighbour is mad at her node."""

    timeout = 120 + scaled(0, 1_680)
    settings = ("bearer.tcp.enabled=true", "bearer.udp.enabled=true")

    async def throw(self, node: NodeProcess, seed: int, each: int) -> Program:
        """Let the neighbour throw so many pieces at each socket of a node."""
        pid = self.process(node).pid
        arguments = [sys.executable, str(GARBAGE), *map(str, (pid, seed, each, RATE))]
        folder = self.folder(f"neighbour-{seed}")
        folder.mkdir(parents=True)
        neighbour = Program(reactor, arguments, folder, "garbage")
        self.addCleanup(neighbour.stop)
        return neighbour

    def process(self, node: NodeProcess) -> psutil.Process:
        """Return the process of a node."""
        return next(
            child for child in psutil.Process().children() if str(node.state) in " ".join(child.cmdline())
        )

    async def test_garbage(self) -> None:
        """Calls succeed meanwhile, the log tells of no failure inside, and memory and descriptors are as before."""
        alice, bob = await self.register("alice", self.alices), await self.register("bob", self.bobs)
        await self.calls(alice, bob, self.alices, 0)
        process = self.process(self.alices)
        warming = await self.throw(self.alices, SEED, WARMING)
        self.assertEqual(await warming.when_ended(self.timeout), 0, warming.tail())
        memory = process.memory_info().rss
        descriptors = (await self.alices.status())["counts"]["descriptors"]

        async def calls_meanwhile() -> None:
            neighbour = await self.throw(self.alices, SEED + 1, EACH)
            try:
                await self.calls(alice, bob, self.alices, 4)
            finally:
                self.assertEqual(await neighbour.when_ended(self.timeout), 0, neighbour.tail())
            self.check_thrown(neighbour)

        await at_best(calls_meanwhile)
        await self.until(self.alices, lambda counts: counts["descriptors"] <= descriptors, 40)
        self.assertLess(process.memory_info().rss - memory, GROWTH)
        self.check_log()

    def check_thrown(self, neighbour: Program) -> None:
        """Check that every kind of socket had its part."""
        thrown: dict[str, Any] = json.loads(neighbour.tail())
        self.assertGreaterEqual(thrown["udp"], 2 * EACH)
        self.assertGreaterEqual(thrown["tcp"], 2 * EACH)
        self.assertGreaterEqual(thrown["unix"], EACH)

    def check_log(self) -> None:
        """Check that nothing failed inside."""
        log = (self.alices.state.parent / "node.log").read_text("utf-8", "replace")
        failed = FAILED.search(log)
        self.assertIsNone(
            failed, log[max(0, failed.start() - 2_000) : failed.start() + 3_000] if failed else ""
        )
