"""A phone gone mad sends 10,000 requests a second, and nobody else's call suffers: real nodes, real SIPp, its own process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SkipTest

from p2pship.testing.nodeprocess import NodeProcess
from p2pship.testing.programs import Program, require_program
from p2pship.testing.sipp import Load, SIPp, Statistics
from tests.interop.pair import PairCase

SCENARIOS = Path(__file__).parent / "sipp"
FLOOD = Path(__file__).parent / "flood.py"

SLOW = bool(os.environ.get("P2PSHIP_SLOW"))

MAD = 10_000
"Requests a second."

RATE = 10
"New calls a second meanwhile."

SECONDS = 60 if SLOW else 3
"How long calls are made while the flood goes on."

SOON = ("<10", "<20", "<50", "<100", "<200")
"Where the time from INVITE to 180 must lie, as SIPp counts it in ms, for 99 of 100 calls."


class FloodTests(PairCase):
    """Alice calls Bob ten times a second."""

    timeout = SECONDS + 60

    def setUp(self) -> Any:
        """Look for SIPp, and start the nodes."""
        require_program("sipp")
        return Deferred.fromCoroutine(self.start_nodes())

    async def register(self, name: str, node: NodeProcess) -> SIPp:
        """Register somebody at a node."""
        person = SIPp(reactor, self.folder(name), f"{name}@example.com")
        run = person.run(SCENARIOS / "register.xml", node.proxy, expires="600")
        self.addCleanup(run.stop)
        self.assertEqual((await run.ended()).succeeded, 1)
        return person

    def rage(self, node: NodeProcess, method: str, ports: int, seconds: float) -> Program:
        """Let a phone go mad."""
        arguments = [
            sys.executable,
            str(FLOOD),
            node.proxy.host,
            str(node.proxy.port),
            str(MAD),
            str(seconds),
        ]
        folder = self.folder(f"mad-{method}")
        folder.mkdir(parents=True)
        mad = Program(reactor, [*arguments, method, str(ports)], folder, "flood")  # type: ignore[arg-type]
        self.addCleanup(mad.stop)
        return mad

    async def calls(self, caller: SIPp, callee: SIPp, node: NodeProcess, seconds: float) -> Statistics:
        """Let one call the other, and return what the caller counted; the callee must have seen nothing wrong."""
        load = Load(max(1, round(RATE * seconds)), RATE, 0.5, limit=seconds + 30)
        answering = callee.run(SCENARIOS / "uas.xml", None, load)
        self.addCleanup(answering.stop)
        await answering.listening()
        calling = caller.run(SCENARIOS / "uac.xml", node.proxy, load, peer="bob@example.com")
        self.addCleanup(calling.stop)
        found, other = await gatherResults([calling.ended(), answering.ended()])
        self.assertEqual((other.succeeded, other.failures), (load.calls, {}), other)
        self.assertEqual((found.succeeded, found.failed, found.failures), (load.calls, 0, {}), found)
        return found

    async def check_calls_during(self, method: str, ports: int, bobs: NodeProcess) -> None:
        """Check that calls from Alice's node go well while somebody there rages."""
        alice, bob = await self.register("alice", self.alices), await self.register("bob", bobs)
        await self.calls(alice, bob, self.alices, 0)  # so that the nodes have their link
        mad = self.rage(self.alices, method, ports, SECONDS + 1)
        found = await self.calls(alice, bob, self.alices, SECONDS)
        self.assertEqual(await mad.when_ended(20), 0)
        self.check_soon(found, int(mad.tail()))

    def check_soon(self, found: Statistics, sent: int) -> None:
        """Check that 99 of 100 phones rang soon, and that there was a flood at all."""
        ring = found.response_times["ring"]
        late = sum(number for where, number in ring.items() if where not in SOON)
        self.assertLessEqual(late, found.calls // 100, ring)
        self.assertGreater(sent, 0.9 * MAD * SECONDS)

    async def test_registers_at_one_node(self) -> None:
        """One phone registers 10,000 times a second at the node through which two others call each other."""
        await self.check_calls_during("REGISTER", 1, self.alices)
        counts = (await self.alices.status())["counts"]
        self.assertGreater(counts["sip.flood"], 0.8 * MAD * SECONDS)

    async def test_registers_at_one_of_two_nodes(self) -> None:
        """The same from many ports at once, for one name, while the calls go to another node."""
        await self.check_calls_during("REGISTER", 100, self.bobs)
        counts = (await self.alices.status())["counts"]
        self.assertGreater(counts["sip.flood"], 0.8 * MAD * SECONDS)

    async def test_requests(self) -> None:
        """The same with another request, which has no limit: each sender has its turn."""
        if not SLOW:
            raise SkipTest("the turns are tested without processes; this runs with P2PSHIP_SLOW=1")
        await self.check_calls_during("OPTIONS", 1, self.bobs)
