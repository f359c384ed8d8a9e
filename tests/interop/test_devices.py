"""Real phones of one person: two at the node at home, one at the laptop's, which was linked by a code."""

from __future__ import annotations

from twisted.internet.defer import gatherResults

from p2pship.testing.baresip import Baresip
from p2pship.testing.baresipcontrol import Text
from p2pship.testing.programs import free_ports
from tests.interop.pair import PairCase

ALICE, BOB = "alice@example.com", "bob@example.com"

ELSEWHERE = 'Reason: SIP;cause=200;text="Call completed elsewhere"'
"What a phone is told with the CANCEL when another one has answered (RFC 3326 §3.1)."


class DevicesTests(PairCase):
    """Bob has three baresips at two nodes; Alice has one."""

    async def start_nodes(self) -> None:
        """Start the three nodes at a time, and link Bob's second to his first."""
        self.lan_port = free_ports(1)
        self.alices, self.bobs, self.laptop = (
            self.node(name, self.lan_port) for name in ("alice", "bob", "laptop")
        )
        await gatherResults([node.start() for node in (self.alices, self.bobs, self.laptop)])
        await self.bobs.ask("identity create", aor=BOB)
        code = (await self.bobs.ask("device link", whom=BOB))["code"]
        await self.laptop.ask("device link", whom=BOB, code=code)

    async def registered(self) -> tuple[Baresip, list[Baresip]]:
        """Start Alice's phone and Bob's three, of which the last is at the laptop."""
        alice = self.phone("alice", self.alices, contacts=(BOB,))
        bobs = [self.phone("bob", node) for node in (self.bobs, self.bobs, self.laptop)]
        await gatherResults([phone.start() for phone in (alice, *bobs)])
        return alice, bobs

    async def test_calls(self) -> None:
        """All ring; the first answer ends the ringing of the others, which read that it was answered elsewhere."""
        alice, bobs = await self.registered()
        await self.give_up(alice, bobs)
        for answering in (bobs[2], bobs[0]):
            await alice.dial(f"sip:{BOB}")
            await gatherResults([phone.when("CALL_INCOMING") for phone in bobs])
            await answering.accept()
            await gatherResults([phone.when("CALL_ESTABLISHED") for phone in (alice, answering)])
            others = [phone for phone in bobs if phone is not answering]
            await gatherResults([phone.when("CALL_CLOSED") for phone in others])
            await self.talk(1.5)
            await alice.hangup()
            await answering.when("CALL_CLOSED")
            await self.check_heard(alice, answering, 1)
        self.assertEqual([phone.log().count(ELSEWHERE) for phone in bobs], [1, 2, 1])
        await self.check_nothing_left()

    async def give_up(self, alice: Baresip, bobs: list[Baresip]) -> None:
        """Let Alice give a call up: all stop ringing, and none reads that it was answered."""
        await alice.dial(f"sip:{BOB}")
        await gatherResults([phone.when("CALL_INCOMING") for phone in bobs])
        await alice.hangup()
        await gatherResults([phone.when("CALL_CLOSED") for phone in bobs])
        self.assertEqual([phone.log().count("cause=200") for phone in bobs], [0, 0, 0])

    async def test_messages(self) -> None:
        """A text reaches all three."""
        alice, bobs = await self.registered()
        await alice.message(BOB, "dinner")
        received = await gatherResults([phone.when_text() for phone in bobs])
        self.assertEqual(received, [Text(ALICE, "dinner")] * 3)
