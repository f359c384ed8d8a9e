"""Attacks by somebody between two nodes, who relays what they say over each bearer, alters it, repeats it, or answers himself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.address import Locator
from p2pship.bearer.tcp import TCPBearer, TCPSettings
from p2pship.bearer.tls import TLSBearer, TLSSettings
from p2pship.bearer.udp import UDPBearer, UDPSettings
from p2pship.interfaces import IBearer, IDevice, ILink
from p2pship.node import Node
from p2pship.overlay import redial
from p2pship.testing.nodes import MemoryNodes
from p2pship.testing.phone import AT_ONCE
from tests.bearer.between import HOST, Between
from tests.bearer.roughrelay import RoughRelay
from tests.node.calling import ALICE, BOB, NodeTestCase, refusal
from tests.scale import SEED, scaled

TEXTS = scaled(12, 300)
"Texts that Alice writes while what passes is altered."

TAMPERED = 0.2
"The part of what passes in which an octet is altered, on average."

Alter = Callable[[bytes], bytes]


class InTheMiddle:
    """Is where Bob's node seems to be, and passes on to ``port`` what comes, ``alter``-ed."""

    at: int
    "where it listens"

    def __init__(self, port: int) -> None:
        self.port = port
        self.alter: Alter = bytes

    def said(self) -> bytes:
        """Return all that passed, both ways."""
        raise NotImplementedError

    def again(self) -> Deferred[None]:
        """Say again, from elsewhere, all that diallers have said; fires when that is over."""
        raise NotImplementedError

    def stop(self) -> None:
        """Pass on nothing more."""
        raise NotImplementedError


class StreamsInTheMiddle(InTheMiddle):
    """For bearers over TCP."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._between = Between(reactor, lambda: self.port)
        self._between.tamper = lambda _forth, data: self.alter(data)
        self.at = self._between.port

    def said(self) -> bytes:
        return self._between.forth + self._between.back

    def again(self) -> Deferred[None]:
        repeated = Repetition(self._between.forth)
        reactor.connectTCP(HOST, self.port, _Once(repeated))
        return repeated.over

    def stop(self) -> None:
        self._between.stop()


class Repetition(Protocol):
    """Says something, and waits until the other side has had enough of it."""

    def __init__(self, said: bytes) -> None:
        self._said = said
        self.over: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self._said)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.over.callback(None)


class _Once(ClientFactory):
    noisy = False

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: object) -> Protocol:
        return self._protocol


class DatagramsInTheMiddle(InTheMiddle):
    """For the bearer over UDP."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._relay = RoughRelay(reactor, port)
        self._relay.there = self._relay.back = lambda datagram: [(0.0, self.alter(datagram))]
        self.at = self._relay.port

    def said(self) -> bytes:
        return b"".join((*self._relay.said, *self._relay.answered))

    async def _again(self) -> None:
        self._relay.move()
        for datagram in tuple(self._relay.said):
            self._relay.to_target(datagram)

    def again(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._again())

    def stop(self) -> None:
        self._relay.close()


@implementer(IBearer)
class Disguised:
    """A bearer that says it is where ``seems`` puts it, given its port."""

    def __init__(self, bearer: Any, seems: Callable[[int], int]) -> None:
        self._bearer = bearer
        self._seems = seems
        self.name = bearer.name
        self.encrypted = bearer.encrypted
        self.several = bearer.several
        self.listen = bearer.listen
        self.stop = bearer.stop

    def locators(self) -> list[Locator]:
        port = self.port
        return [Locator(self.name, HOST, self._seems(port))] if port else []

    @property
    def port(self) -> int:
        """Where it truly is; 0 while it does not listen."""
        if isinstance(self._bearer, UDPBearer):
            return self._bearer._listeners[0].number if self._bearer._listeners else 0
        return int(self._bearer._port)

    def dial(self, device_key: bytes, locators: Sequence[Locator], own: IDevice) -> Deferred[ILink]:
        dialled: Deferred[ILink] = self._bearer.dial(device_key, locators, own)
        return dialled


def tls_bearer(node: Node) -> IBearer:
    """Make one."""
    settings = TLSSettings(listen=(HOST,), port=0)
    return TLSBearer(reactor, settings, node.keyring.device, node.network, node.ports, node.journal)


def tcp_bearer(node: Node) -> IBearer:
    """Make one."""
    settings = TCPSettings(listen=(HOST,), port=0)
    return TCPBearer(
        reactor, settings, node.keyring.device, node.network, node.ports, node.journal, node.random
    )


def udp_bearer(node: Node) -> IBearer:
    """Make one."""
    settings = UDPSettings(listen=(HOST,), port=0)
    return UDPBearer(
        reactor, settings, node.keyring.device, node.network, node.ports, node.journal, node.random
    )


class MiddleNodes(MemoryNodes):
    """Nodes with one real bearer; Bob's seems to be where somebody sits in the middle."""

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        make: Callable[[Node], IBearer],
        middle: Callable[[int], InTheMiddle],
    ) -> None:
        self._make_bearer = make
        self._make_middle = middle
        self.middle: InTheMiddle | None = None
        super().__init__(reactor, folder, names)

    def bearers_of(self, name: str, node: Node) -> dict[str, IBearer]:
        """Make the bearer."""
        super().bearers_of(name, node)
        made: IBearer = self._make_bearer(node)
        return {made.name: Disguised(made, self._in_the_middle if name == "bob" else int)}

    def _in_the_middle(self, port: int) -> int:
        if self.middle is None:
            self.middle = self._make_middle(port)
        return self.middle.at


class TLSMiddleTests(NodeTestCase):
    """Somebody in the middle of a link over TLS."""

    names = ("alice", "bob", "mallory")
    nodes: MiddleNodes
    encrypted = True
    make_bearer = staticmethod(tls_bearer)
    make_middle: type[InTheMiddle] = StreamsInTheMiddle

    def make_nodes(self, folder: Path) -> MiddleNodes:
        """Make the nodes; dials are repeated soon, and whoever is in the middle goes at the end."""
        self.patch(redial, "PAUSES", (0.02,) * 5)
        nodes = MiddleNodes(folder, self.names, self.make_bearer, self.make_middle)
        self.addCleanup(self._leave)
        return nodes

    def _leave(self) -> None:
        if self.nodes.middle is not None:
            self.nodes.middle.stop()

    @property
    def middle(self) -> InTheMiddle:
        """Who is in the middle."""
        assert self.nodes.middle is not None
        return self.nodes.middle

    async def test_reads(self) -> None:
        """Attack: he passes on all, and reads. An encrypted link shows him no name and no text; one in the clear does, as documented."""
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        self.assertEqual((await alice.message(bob.aor, "meet me at the old mill")).status, 200)
        said = self.middle.said()
        self.assertGreater(len(said), 2_000)
        for secret in (ALICE, BOB, "the old mill", "INVITE", "example.com"):
            self.assertEqual(secret.encode() in said, not self.encrypted, secret)

    async def test_alters(self) -> None:
        """Attack: he alters octets here and there, of handshakes, hellos and texts. Nothing arrives altered, and nobody falls."""
        alice, bob = await self.two_phones()
        random = Random(SEED)
        altered = 0

        def alter(data: bytes) -> bytes:
            nonlocal altered
            if random.random() > TAMPERED or not data:
                return data
            altered += 1
            at = random.randrange(len(data))
            return data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :]

        self.middle.alter = alter
        statuses = [(await alice.message(bob.aor, f"text {number}")).status for number in range(TEXTS)]
        self.middle.alter = bytes
        await self.eventually(lambda: altered > 0)
        await self._is_honest_again()
        arrived = [text.text for text in bob.texts]
        self.assertLessEqual(set(arrived), {f"text {number}" for number in range(TEXTS)} | {"after all"})
        for number, status in enumerate(statuses):
            self.assertIn(status, (200, 480))
            self.assertLessEqual(arrived.count(f"text {number}"), 1)
            self.assertTrue(status != 200 or f"text {number}" in arrived)
        self.assertEqual({text.sender for text in bob.texts}, {alice.aor})

    async def _is_honest_again(self) -> None:
        alice, bob = self.phones[:2]
        while (await alice.message(bob.aor, "after all")).status != 200:
            pass
        await self.eventually(lambda: bob.texts[-1].text == "after all")

    async def test_answers(self) -> None:
        """Attack: he has the dial answered by a node of his own, which says it is Bob. It proves another key, and hears no hello."""
        alice, bob = await self.two_phones()
        mallory = await self.phone(BOB, node="mallory", answering=AT_ONCE)
        await self._lies_low()
        (bearer,) = self.node("mallory").bearers.values()
        assert isinstance(bearer, Disguised)
        await self._aim(bearer.port)
        self.assertEqual((await refusal(alice.call(bob.aor))).status, 480)
        self.assertEqual((await alice.message(bob.aor, "is it you?")).status, 480)
        self.assertEqual((mallory.calls, mallory.texts, bob.calls), ([], [], []))
        self.assertEqual(list(self.node("mallory").overlay.peers()), [])
        self.assertIsNone(self.node("alice").desk.trust.pins.get(ALICE, BOB))
        self.assertNotIn(ALICE.encode(), self.middle.said())

    async def _lies_low(self) -> None:
        """Let Mallory's node publish nothing: who finds Bob finds him alone."""
        key = self.node("mallory").keyring.device.publication_key
        for slot in [slot for slot in self.nodes.directory.items if slot.publication_key == key]:
            del self.nodes.directory.items[slot]

    async def _aim(self, port: int) -> None:
        """Pass on to another port than Bob's from now on, at whose node nothing has come yet."""
        before = dict(self.nodes.directory.items)
        self.middle.stop()
        self.nodes.middle = self.make_middle(port)
        self.node("bob")._publisher.locators_changed()
        await self.eventually(lambda: self.nodes.directory.items != before)

    async def test_repeats(self) -> None:
        """Attack: he says all again that Alice's node has said, from elsewhere. Nothing is done twice, and nobody is connected."""
        alice, bob = await self.two_phones()
        self.assertEqual((await alice.message(bob.aor, "pay the baker")).status, 200)
        peers = len(self.node("bob").overlay.peers())
        await self.middle.again()
        self.assertEqual((await alice.message(bob.aor, "after all")).status, 200)
        await self.eventually(lambda: bob.texts[-1].text == "after all")
        self.assertEqual([text.text for text in bob.texts], ["pay the baker", "after all"])
        self.assertEqual(len(self.node("bob").overlay.peers()), peers)


class TCPMiddleTests(TLSMiddleTests):
    """The same over TCP in the clear."""

    encrypted = False
    make_bearer = staticmethod(tcp_bearer)


class UDPMiddleTests(TLSMiddleTests):
    """The same over UDP in the clear."""

    encrypted = False
    make_bearer = staticmethod(udp_bearer)
    make_middle = DatagramsInTheMiddle
