"""Whole nodes: a caller cannot tell by answer or time whether a rule refused the call or nobody has registered."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import maybeDeferred

from p2pship.journal import Published
from p2pship.testing.nodes import MemoryNodes
from p2pship.testing.phone import Phone
from tests.commands.changes import give
from tests.node.calling import ALICE, BOB, NodeTestCase, refusal

reactor: Any = _reactor

ROUNDS = 30
TRIES = 4
"How often that is measured while it differs: by chance it does now and then on a busy machine, and what differs does each time."

ROBERT = "robert@example.com"
SAME = 0.003
"Seconds by which medians of calls that take turns may differ on a busy machine; each takes 3 ms or more."


class RefusalTimeTests(NodeTestCase):
    """Bob's node takes messages of strangers only; Robert, on the same node, knows Alice and has no phone."""

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make the nodes."""
        return MemoryNodes(reactor, folder, self.names, ["screen.strangers=messages"])

    async def test_alike(self) -> None:
        """Who is refused while a phone is there hears, and waits, what is heard where none is and nobody refuses."""
        alice, bob = await self.two_phones()
        self.node("bob").keyring.create(ROBERT)
        await self.eventually(lambda: ROBERT in {fact.aor for fact in self.told("bob", Published)})
        await maybeDeferred(give, self.node("bob").desk, "contact add", aor=ALICE, own=ROBERT)
        medians: list[float] = []
        while not medians or (abs(medians[-1]) >= SAME and len(medians) < TRIES):
            differences = [
                await self.refused(alice, BOB) - await self.refused(alice, ROBERT) for _ in range(ROUNDS)
            ]
            medians.append(statistics.median(differences))
        self.assertLess(abs(medians[-1]), SAME, medians)
        self.assertEqual(bob.calls, [])
        rules = self.counts("bob")
        self.assertEqual(rules["screen.strangers"], ROUNDS * len(medians))
        self.assertIn("no phone is registered", self.reasons("bob"))

    async def refused(self, caller: Phone, name: str) -> float:
        """Call somebody in vain, and return how long it took."""
        began = reactor.seconds()
        error = await refusal(caller.call(f"sip:{name}"))
        self.assertEqual(str(error), "480 Temporarily Unavailable")
        return float(reactor.seconds() - began)
