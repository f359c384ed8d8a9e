"""The ground of the whole-node tests: nodes that reach each other in memory, and phones that register with them.

Whatever a test leaves, its calls are hung up at its end, and then no node may hold anything that belonged to a call.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from p2pship.journal import CallFailed, Fact, Published, RequestRefused
from p2pship.node import Node
from p2pship.sip.message import Request
from p2pship.testing.nodes import MemoryNodes
from p2pship.testing.phone import AT_ONCE, RING, Answering, Call, IncomingCall, OutgoingCall, Phone, Refused
from p2pship.testing.phonecall import State

PATIENCE = 30.0
"Seconds that anything may take that is not said to take long: a busy machine is slow."

LOOK = 0.01
"Seconds between two looks at something that does not tell by itself."

LEFT_OVER = ("relays", "dialogs", "pending", "watched")
"What a node counts, and may hold only for a call that is ringing or up."

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"

F = TypeVar("F", bound=Fact)
E = TypeVar("E", bound=Exception)


class NodeTestCase(TestCase):
    """Some nodes, each with the name of the person whose phones it has."""

    names: tuple[str, ...] = ("alice", "bob")
    transport = "udp"

    def setUp(self) -> Deferred[Any]:  # type: ignore[override]  # trial waits for it
        """Start the nodes."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        self.nodes = self.make_nodes(folder)
        self.phones: list[Phone] = []
        self.addCleanup(lambda: Deferred.fromCoroutine(self._end()))
        return self.nodes.start()

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make the nodes, with their state in a folder."""
        return MemoryNodes(reactor, folder, self.names)

    async def _end(self) -> None:
        """End every call, look that nothing is left of them, and switch all off."""
        try:
            self._hang_up_everywhere()
            await self.eventually(lambda: not self._left_over(), lambda: f"left over: {self._left_over()}")
        finally:
            await gatherResults([phone.stop() for phone in self.phones])
            self.nodes.links.heal()  # nobody waits for a goodbye over a silent link
            await self.nodes.stop()

    def _hang_up_everywhere(self) -> None:
        for phone in self.phones:
            for call in phone.calls:
                if call.state is not State.ENDED:
                    call.hang_up()

    def _left_over(self) -> dict[str, dict[str, int]]:
        """Return what running nodes still hold, by node."""
        left = {}
        for name, node in self.nodes.nodes.items():
            counts = node.status()["counts"] if node.running else {}
            held = {each: counts[each] for each in LEFT_OVER if counts.get(each)}
            if held:
                left[name] = held
        return left

    # What happened.

    async def eventually(
        self, condition: Callable[[], bool], said: Callable[[], str] = str, seconds: float = PATIENCE
    ) -> None:
        """Wait until a condition holds; ``said`` tells why the test failed when it never does."""
        deadline = reactor.seconds() + seconds
        while not condition():
            if reactor.seconds() > deadline:
                self.fail(said() or "that never happened")
            await deferLater(reactor, LOOK)

    def told(self, node: str, kind: type[F]) -> list[F]:
        """Return what a node's journal was told, of one kind."""
        return [fact for fact in self.nodes.facts[node] if isinstance(fact, kind)]

    def reasons(self, node: str) -> str:
        """Return why calls and requests failed, as the journal of a node has it."""
        failed = [fact.reason for fact in self.told(node, CallFailed)]
        return "; ".join([*failed, *(fact.reason for fact in self.told(node, RequestRefused))])

    def counts(self, node: str) -> dict[str, int]:
        """Return what a node counts."""
        return self.node(node).status()["counts"]

    def node(self, name: str) -> Node:
        """Return a node."""
        return self.nodes.nodes[name]

    # Phones and calls.

    async def phone(
        self, aor: str, node: str = "", answering: Answering = RING, transport: str = "", display: str = ""
    ) -> Phone:
        """Register a phone, and wait until its person can be found; without ``node`` with that of the user's name."""
        name = node or aor.partition("@")[0]
        phone = Phone(
            reactor,
            aor,
            proxy=self.nodes.proxy(name),
            transport=transport or self.transport,
            answering=answering,
            display=display,
            random=Random(len(self.phones)),
        )
        phone.start()
        self.phones.append(phone)
        await phone.register()
        await self.eventually(lambda: self._is_published(name))
        return phone

    def _is_published(self, name: str) -> bool:
        published = {fact.aor for fact in self.told(name, Published)}
        return published >= {identity.aor for identity in self.node(name).keyring.identities()}

    async def two_phones(self, answering: Answering = RING) -> tuple[Phone, Phone]:
        """Register Alice's phone, and Bob's, which does that with calls."""
        return await self.phone(ALICE), await self.phone(BOB, answering=answering)

    async def up(self, caller: Phone, callee: Phone, uri: str = "") -> tuple[OutgoingCall, IncomingCall]:
        """Return both ends of a call that is up."""
        before = len(callee.calls)
        callee.answering = AT_ONCE
        call = caller.call(uri or callee.aor)
        await call.answered
        answered = callee.calls[before]
        assert isinstance(answered, IncomingCall)
        await answered.answered
        return call, answered

    async def have_talked(self, caller: Phone, callee: Phone) -> None:
        """Let a call pass: the nodes have met and have a link, and nothing is under way."""
        call, answered = await self.up(caller, callee)
        await call.hang_up()
        await answered.ended
        await self.eventually(lambda: not self._left_over())

    async def ringing(self, caller: Phone, callee: Phone, uri: str = "") -> tuple[OutgoingCall, IncomingCall]:
        """Return both ends of a call that rings."""
        before = len(callee.calls)
        call = caller.call(uri or callee.aor)
        await call.ringing
        rung = callee.calls[before]
        assert isinstance(rung, IncomingCall)
        return call, rung

    async def rings_after(self, caller: Phone, aor: str) -> float:
        """Return the seconds from a call's INVITE until it rings; it is hung up."""
        began = reactor.seconds()
        call = caller.call(f"sip:{aor}")
        await call.ringing
        took = float(reactor.seconds() - began)
        await call.cancel()
        return took

    async def talk(self, *calls: Call, packets: int = 5) -> None:
        """Wait until each of these ends of calls has heard so many more packets."""
        await gatherResults([heard_more(call, packets) for call in calls])


def called(phone: Phone) -> Deferred[None]:
    """Wait until a phone has been called, or has called."""
    return phone.until(lambda: bool(phone.calls))


def heard_more(call: Call, packets: int = 5) -> Deferred[None]:
    """Wait until this end has heard so many more packets."""
    wanted = len(call.media.packets) + packets
    return call.media.until(lambda: len(call.media.packets) >= wanted)


async def error_of(waiting: Deferred[Any], kind: type[E]) -> E:
    """Return the error with which something fails."""
    try:
        await waiting
    except kind as error:
        return error
    raise AssertionError("it did not fail")


async def refusal(call: Call) -> Refused:
    """Return why a call was refused."""
    return await error_of(call.answered, Refused)


def requests(phone: Phone, method: str) -> list[Request]:
    """Return what a phone received of a method."""
    return [
        message for message in phone.received if isinstance(message, Request) and message.method == method
    ]


def statuses(call: OutgoingCall) -> list[int]:
    """Return the statuses that a caller heard, without repetitions in a row."""
    found = [response.status for response in call.responses]
    return [status for at, status in enumerate(found) if not at or found[at - 1] != status]
