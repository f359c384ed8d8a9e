"""The other side of a call vanishes: its node is killed, or the cable is cut. Nobody talks to the dead for long.

Either takes half a minute to be noticed for good, so both happen at a time.
"""

from __future__ import annotations

from twisted.internet import reactor

from p2pship.testing.audio import speech
from p2pship.testing.namespace import run_in_namespace
from tests.interop.pair import NOTHING_LEFT, PairCase
from tests.interop.test_two_machines import SCRIPT

NOTICED = 40.0
"Seconds after which the phone must know."

LONG_VOICE = speech(60, 1)
"Longer than the call, which ends with it."


class VanishingTests(PairCase):
    """What becomes of the call at the side that is left."""

    timeout = 120

    async def test_other_side_vanishes(self) -> None:
        """The phone that is left gets BYE with a Reason within 40 s, whether a node was killed or the cable cut."""
        folder = self.folder("cut")
        cut = run_in_namespace(reactor, SCRIPT, str(folder), "4", "cut", limit=100)
        try:
            await self.check_killed()
        finally:
            printed = await cut
        self.assertIn("as it should be", printed)

    async def check_killed(self) -> None:
        """Kill one node while its phone is in a call."""
        alice, bob = await self.phones(voice=LONG_VOICE)
        await self.call(alice, bob)
        await self.talk(1)
        await self.bobs.kill()
        await alice.when("CALL_CLOSED", NOTICED)
        self.assertIn("\nReason: SIP;cause=480;", alice.log())
        await self.until(self.alices, lambda counts: NOTHING_LEFT.items() <= counts.items())
