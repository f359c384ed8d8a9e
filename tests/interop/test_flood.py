"""A phone gone mad sends 10,000 requests a second, and nobody else's call suffers: real nodes, real SIPp, its own process."""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.internet import reactor

from p2pship.address import HostPort
from p2pship.lookup.lan.settings import LANSettings
from p2pship.testing.nodeprocess import NodeProcess
from p2pship.testing.programs import Program
from p2pship.testing.sipp import Statistics
from tests.interop.calls_at_a_rate import CallsCase
from tests.interop.intime import TRIES, at_best
from tests.scale import ALONE, scaled

FLOOD = Path(__file__).parent / "flood.py"
HOSTILE_PEER = Path(__file__).parent / "hostile_peer.py"

MAD = 10_000
"Requests a second."

SECONDS = scaled(3, 60)
"How long calls are made while the flood goes on."

SOON = ("<10", "<20", "<50", "<100", "<200")
"Where the time from INVITE to 180 must lie, as SIPp counts it in ms."

LATE = 100 if ALONE else 2
"""One call in so many may be later. Otherwise others use the same processors, and a moment of theirs delays the
calls of that moment; a flood that gets through delays those of its whole time."""

SENT, SEEN = 0.9, 0.8
"The shares of the rate that the flood must reach, and that the node must count."


class FloodTests(CallsCase):
    """Alice calls Bob ten times a second."""

    timeout = TRIES * (SECONDS + 60)

    def rage(self, to: HostPort, method: str, ports: int, seconds: float) -> Program:
        """Let a phone go mad."""
        arguments = [sys.executable, str(FLOOD), to.host, str(to.port), str(MAD), str(seconds)]
        folder = self.folder(f"mad-{method}")
        folder.mkdir(parents=True)
        mad = Program(reactor, [*arguments, method, str(ports)], folder, "flood")
        self.addCleanup(mad.stop)
        return mad

    async def check_calls_during(
        self, method: str, ports: int, bobs: NodeProcess, to: HostPort | None = None
    ) -> None:
        """Check that calls from Alice's node go well while somebody rages, there or elsewhere."""
        alice, bob = await self.register("alice", self.alices), await self.register("bob", bobs)
        await self.calls(alice, bob, self.alices, 0)  # so that the nodes have their link

        async def calls_during() -> None:
            mad = self.rage(to or self.alices.proxy, method, ports, SECONDS + 1)
            try:
                self.check_soon(await self.calls(alice, bob, self.alices, SECONDS))
            finally:
                self.assertEqual(await mad.when_ended(20), 0)
            self.assertGreater(int(mad.tail()), SENT * MAD * SECONDS)

        await at_best(calls_during)

    def check_soon(self, found: Statistics) -> None:
        """Check that the phones rang soon."""
        ring = found.response_times["ring"]
        late = sum(number for where, number in ring.items() if where not in SOON)
        self.assertLessEqual(late, found.calls // LATE, ring)

    async def test_registers_at_one_node(self) -> None:
        """One phone registers 10,000 times a second at the node through which two others call each other."""
        await self.check_calls_during("REGISTER", 1, self.alices)
        counts = (await self.alices.status())["counts"]
        self.assertGreater(counts["sip.flood"], SEEN * MAD * SECONDS)

    async def test_registers_at_one_of_two_nodes(self) -> None:
        """The same from many ports at once, for one name, while the calls go to another node."""
        await self.check_calls_during("REGISTER", 100, self.bobs)
        counts = (await self.alices.status())["counts"]
        self.assertGreater(counts["sip.flood"], SEEN * MAD * SECONDS)

    async def test_lan(self) -> None:
        """Empty datagrams to the group of the LAN lookup, which both nodes hear."""
        await self.check_calls_during("nothing", 1, self.bobs, HostPort(LANSettings().group, self.lan_port))
        counts = (await self.alices.status())["counts"]
        self.assertGreater(counts["lan.garbage"], SEEN * MAD * SECONDS)

    async def test_peer(self) -> None:
        """A node gone mad sends requests for Bob over its link as fast as it can, and he can still be called.

        How soon his phone rings is not looked at: the three nodes share what processors there are.
        """
        alice, bob = await self.register("alice", self.alices), await self.register("bob", self.bobs)
        await self.register("carol", self.bobs)
        await self.calls(alice, bob, self.alices, 0)

        async def calls_meanwhile() -> None:
            folder = self.folder("mad-peer")
            folder.mkdir(parents=True)
            words = [str(folder / "state"), str(self.lan_port), "carol@example.com", str(SECONDS + 4)]
            mad = Program(reactor, [sys.executable, str(HOSTILE_PEER), *words], folder, "mad")
            self.addCleanup(mad.stop)
            await self.until(self.bobs, lambda counts: counts["server_transactions"] > 0, 40)
            try:
                await self.calls(alice, bob, self.alices, SECONDS)
            finally:
                self.assertEqual(await mad.when_ended(60), 0, mad.tail())

        await at_best(calls_meanwhile)

    async def test_requests(self) -> None:
        """The same with another request, which has no limit: each sender has its turn."""
        await self.check_calls_during("OPTIONS", 1, self.bobs)
