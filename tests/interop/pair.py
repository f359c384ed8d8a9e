"""Alice's node and Bob's, each a process of its own, and their phones, as a test of real programs needs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast
from zlib import crc32

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from p2pship.testing.audio import Sound, compare, speech
from p2pship.testing.baresip import Baresip
from p2pship.testing.nodeprocess import NodeProcess
from p2pship.testing.programs import free_ports, require_program

VOICE_SECONDS = 20
"Length of what a phone says in a call: longer than any call here, because baresip ends the call when it has said it all."

NOTHING_LEFT = {"relays": 0, "dialogs": 0, "pending": 0}
"What a node holds for calls, when there is none."

PATIENCE = 20.0
"Seconds for a node to forget a call that has ended."


@cache
def voice(aor: str) -> Sound:
    """Return what a person says, which is made once for all tests."""
    return speech(VOICE_SECONDS, crc32(aor.encode()))


class PairCase(TestCase):
    """Two nodes that find each other on loopback, and no others; whatever a test starts ends with it."""

    settings: Sequence[str] = ()
    "more of both nodes' configuration, as ``sip.domain=example.com``"

    def setUp(self) -> Any:
        """Look for the phone, and start the nodes."""
        require_program("baresip")
        return Deferred.fromCoroutine(self.start_nodes())

    async def start_nodes(self) -> None:
        """Start both nodes at a time."""
        self.lan_port = free_ports(1)
        self.alices, self.bobs = (self.node(name, self.lan_port) for name in ("alice", "bob"))
        await gatherResults([self.alices.start(), self.bobs.start()])

    def node(self, name: str, lan_port: int) -> NodeProcess:
        """Describe a node that ends with the test."""
        node = NodeProcess(reactor, self.folder(f"node-{name}"), lan_port, self.settings)
        self.addCleanup(node.stop)
        return node

    def folder(self, name: str) -> Path:
        """Return a folder that nobody else has."""
        return Path(self.mktemp()).absolute() / name

    def phone(self, name: str, node: NodeProcess, **options: Any) -> Baresip:
        """Describe the phone of somebody at a node; it ends with the test."""
        aor = f"{name}@example.com"
        phone = Baresip(reactor, self.folder(name), aor, node.proxy, **{"voice": voice(aor), **options})
        self.addCleanup(phone.stop)
        return phone

    async def phones(self, **options: Any) -> tuple[Baresip, Baresip]:
        """Start Alice's phone at her node and Bob's at his."""
        alice, bob = self.phone("alice", self.alices, **options), self.phone("bob", self.bobs, **options)
        await gatherResults([alice.start(), bob.start()])
        return alice, bob

    async def call(self, caller: Baresip, callee: Baresip) -> None:
        """Bring a call up: it rings, and is answered."""
        await caller.dial(callee.uri)
        await callee.when("CALL_INCOMING")
        await caller.when("CALL_RINGING")
        await callee.accept()
        await gatherResults([phone.when("CALL_ESTABLISHED") for phone in (caller, callee)])

    async def talk(self, seconds: float) -> None:
        """Let them talk: there is no sign of how much has been said but the time."""
        await deferLater(cast(Any, reactor), seconds)

    async def check_heard(self, speaker: Baresip, listener: Baresip, seconds: int) -> None:
        """Check that the listener heard, in the call that has ended, what the speaker said."""
        found = compare(speaker.voice, await listener.heard())
        self.assertTrue(found.alike, f"{found}\n{listener.log()}")
        self.assertGreaterEqual(found.seconds, seconds)

    async def check_nothing_left(self) -> None:
        """Check that both nodes have forgotten the calls, which have ended."""
        for node in (self.alices, self.bobs):
            await self.until(node, lambda counts: NOTHING_LEFT.items() <= counts.items())

    async def until_logged(self, phone: Baresip, text: str) -> None:
        """Wait until a phone has sent or received a message with this text; that it never does is a failure."""
        deadline = cast(Any, reactor).seconds() + PATIENCE
        while text not in phone.log():
            self.assertLess(cast(Any, reactor).seconds(), deadline, f"no {text}\n{phone.log()}")
            await deferLater(cast(Any, reactor), 0.05)

    async def until(
        self, node: NodeProcess, met: Callable[[dict[str, int]], bool], seconds: float = PATIENCE
    ) -> None:
        """Wait until what a node counts meets a condition; that it never does is a failure."""
        deadline = cast(Any, reactor).seconds() + seconds
        while not met(counts := (await node.status())["counts"]):
            self.assertLess(cast(Any, reactor).seconds(), deadline, f"{counts}\n{node.log()}")
            await deferLater(cast(Any, reactor), 0.05)
