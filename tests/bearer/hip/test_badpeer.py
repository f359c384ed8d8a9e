"""A peer that has all keys and goes bad, and who stands between: over real sockets on loopback."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.association import MOST_NOTICES
from p2pship.bearer.hip.credit import FREE_RATE, MOST_FREE
from p2pship.bearer.hip.inner import UDP
from p2pship.bearer.hip.locatorset import UNLIMITED, LocatorField, encode_locators
from p2pship.bearer.hip.numbers import LocatorType, PacketType, ParameterType, TrafficType
from p2pship.bearer.hip.parameters import ESPInfo, encode_seq
from p2pship.bearer.hip.paths import LED_TRIES, MOST_LED
from p2pship.bearer.hip.questions import MOST_OUTSTANDING
from p2pship.bearer.hip.rekey import OLD_TIME
from p2pship.bearer.hip.signalling import MARKER
from p2pship.bearer.hip.updates import KEYS_WORTH, MOST_TAKEN, Contents
from tests.bearer.fakes import Recorder
from tests.bearer.hip.pair import HIPPair

ELSEWHERE = "127.0.0.9"
"Where the victim is."

FLOOD = 200
"Packets of one attack."

LATER = 30.0
"Seconds after which nothing is sent again any more."


class BadPeerCase(HIPPair, TestCase):
    """Alice goes bad, and Bob does what he should."""

    async def meet(self) -> None:
        """Make a link, and a socket elsewhere on which a third party hears what comes."""
        self.near, self.far, _, self.told = await self.talk()
        self.victim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.victim.bind((ELSEWHERE, 0))
        self.victim.setblocking(False)
        self.addCleanup(self.victim.close)
        self.said = 0
        "octets that Alice has sent in her attack"

    def say(self, octets: bytes, by: socket.socket | None = None) -> None:
        """Send a datagram to Bob, from Alice's socket or another one."""
        path = self.near.association.path
        self.said += len(octets)
        if by is None:
            path.carrier.send(octets, path.address)
        else:
            by.sendto(octets, path.address)

    def update(self, *contents: Contents) -> None:
        """Send an UPDATE that is right in all but what it wants."""
        updates = self.near.association.updates
        number, updates._next = updates._next, updates._next + 1
        spi = self.near.association.inbound.spi
        info = (ParameterType.ESP_INFO, ESPInfo(0, spi, spi).encode())
        self.say(MARKER + updates._packet([info, *contents, (ParameterType.SEQ, encode_seq(number))]))

    def named(self, hosts: Sequence[str], port: int) -> Contents:
        """Return a LOCATOR_SET, the first of which is preferred."""
        fields = [
            LocatorField(
                TrafficType.BOTH, LocatorType.TRANSPORT_ADDRESS, not index, UNLIMITED, host, 256, port, UDP
            )
            for index, host in enumerate(hosts)
        ]
        return ParameterType.LOCATOR_SET, encode_locators(fields)

    async def flood(self, attack: Callable[[int], object], step: float = 0.001) -> None:
        """Make an attack again and again."""
        for number in range(FLOOD):
            attack(number)
            self.advance(step)
            await self.turn()

    async def heard(self) -> int:
        """Return how many octets come to the third party until nothing more does."""
        octets = 0
        for _ in range(int(LATER / 0.25)):
            self.advance(0.25)
            await self.turn()
            octets += self.drained()
        return octets

    def drained(self) -> int:
        octets = 0
        while True:
            try:
                octets += len(self.victim.recv(65_535))
            except BlockingIOError:
                return octets


class VictimTests(BadPeerCase):
    """Somebody else is to be flooded."""

    async def test_named(self) -> None:
        """Attack: UPDATEs by the hundred name a third party as preferred: it gets far less than the attacker sends."""
        await self.meet()
        port = self.victim.getsockname()[1]
        await self.flood(lambda _: self.update(self.named([ELSEWHERE], port)))
        self.assertLess(await self.heard(), self.said / 5)

    async def test_named_slowly(self) -> None:
        """Attack: a single UPDATE names a third party: it is asked a few times, and that is all."""
        await self.meet()
        port = self.victim.getsockname()[1]
        self.update(self.named([ELSEWHERE], port))
        self.assertLessEqual(await self.heard(), LED_TRIES * self.said)

    async def test_own_ends(self) -> None:
        """Attack: the attacker's own address ends after a second, again and again, and the third party's is the only other one: it gets less than was sent."""
        await self.meet()
        named = self.named([self.far.association.path.host], self.far.association.path.port)[1]
        ending = named[:4] + (1).to_bytes(4, "big") + named[8:]
        other = self.named(["127.0.0.1", ELSEWHERE], self.victim.getsockname()[1])[1][len(named) :]

        def attack(_: int) -> None:
            self.update((ParameterType.LOCATOR_SET, ending + other))
            self.near.cast(bytes(160))

        await self.flood(attack, step=1.5)
        self.assertEqual(self.far.association.path.host, ELSEWHERE)
        self.assertLess(await self.heard(), self.said)

    async def test_many_named(self) -> None:
        """Attack: each UPDATE names as many other addresses as it has room for: few of them are asked, and no more is remembered."""
        await self.meet()
        await self.flood(
            lambda number: self.update(self.named([f"127.0.{number}.{1 + at}" for at in range(50)], 9))
        )
        association: Any = self.far.association
        self.assertLessEqual(len(association.updates._outstanding), MOST_OUTSTANDING)
        self.assertLessEqual(len(association.paths._questions), 2 * MOST_LED)

    async def test_named_then_silent(self) -> None:
        """Attack: as many places as it has room for are named in a call, and then nothing comes: little is sent there."""
        await self.meet()
        await self.assert_little_sent(0)

    async def test_named_after_media(self) -> None:
        """Attack: the same after some seconds of media: no more is sent there than came before."""
        await self.meet()
        await self.flood(lambda _: self.near.cast(bytes(160)), step=0.02)
        await self.assert_little_sent(self.far.octets_received)

    async def assert_little_sent(self, credit: int) -> None:
        self.update(self.named([f"127.0.7.{1 + at}" for at in range(16)], 9))
        await self.turn()
        for port in self.alice._sockets:
            self.patch(port, "send", lambda datagram, at: len(datagram))
        sent = self.sent_by_bob(lambda host: host.startswith("127.0.7."))
        self.far.watch(True)
        began = self.clock.seconds()
        await self.heard()
        passed = self.clock.seconds() - began
        self.assertGreater(len(sent), 0)
        self.assertLess(sum(sent), MOST_FREE + passed * FREE_RATE + self.said + credit)

    def sent_by_bob(self, is_meant: Callable[[str], bool]) -> list[int]:
        """Return where the sizes of what Bob sends to some addresses will be written down."""
        sent: list[int] = []
        for port in self.bob._sockets:
            send = port.send

            def spied(datagram: bytes, at: Any, send: Any = send) -> int:
                if is_meant(at[0]):
                    sent.append(len(datagram))
                return int(send(datagram, at))

            self.patch(port, "send", spied)
        return sent

    async def test_broadcast(self) -> None:
        """Attack: it names the broadcast address of a network of ours: the system refuses to send there."""
        await self.meet()
        self.update(self.named(["127.255.255.255"], self.victim.getsockname()[1]))
        everywhere = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(everywhere.close)
        everywhere.bind(("", 0))
        everywhere.setblocking(False)
        self.update(self.named(["127.255.255.255"], everywhere.getsockname()[1]))
        await self.turn()
        self.assertGreater(self.journal.counts["hip.unsent"], 0)
        self.assertRaises(BlockingIOError, everywhere.recv, 2048)

    async def test_seems_to_move(self) -> None:
        """Attack: packets of the peer are sent on from ever new places, by itself or who holds them back: few are asked there."""
        await self.meet()
        self.advance(5)

        def elsewhere(_: int) -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.bind((ELSEWHERE, 0))
                word = b"word"
                self.say(self.near.association.outbound.seal(UDP, word, self.near._way._media(word)), other)

        sent = self.sent_by_bob(lambda host: host == ELSEWHERE)
        await self.flood(elsewhere)
        await self.heard()
        self.assertGreater(len(sent), 0)
        self.assertLessEqual(len(sent), 2 * MOST_LED * LED_TRIES)


class WorkTests(BadPeerCase):
    """Bob is to be kept busy, or his memory filled."""

    async def test_updates(self) -> None:
        """Attack: more UPDATEs than are taken in a second leave the link as it was, and so many unanswered."""
        await self.meet()
        answers = self.far.association.updates._answers
        taken: set[int] = set()

        def update(_: int) -> None:
            self.update()
            taken.update(answers)

        await self.flood(update, step=0.0)
        self.assertLessEqual(len(taken), MOST_TAKEN)
        await self.still_there()

    async def test_rekeys(self) -> None:
        """Attack: new keys without end: there are so many in a second, and the old ones do not pile up."""
        await self.meet()

        def rekey(_: int) -> None:
            self.alice._house.tired(self.near.association)

        began = self.clock.seconds()
        await self.flood(rekey)
        passed = self.clock.seconds() - began
        self.assertLessEqual(self.far.association.rekey.count, (passed + 2) * MOST_TAKEN / KEYS_WORTH)
        self.assertLessEqual(len(self.far.incoming), (passed + 2) * MOST_TAKEN / KEYS_WORTH)
        for _ in range(int(OLD_TIME) + 2):
            self.advance(1.0)
            await self.turn()
        self.assertLessEqual(len(self.far.incoming), 2)
        await self.still_there()

    async def test_closes(self) -> None:
        """Attack: ever other CLOSEs: the first is answered, and few more, as each costs two operations with keys."""
        await self.meet()
        association: Any = self.near.association
        acknowledged: set[bytes] = set()

        def close(number: int) -> None:
            builder = association._builder(PacketType.CLOSE)
            builder.add(ParameterType.ECHO_REQUEST_SIGNED, number.to_bytes(16, "big"))
            self.say(MARKER + association._authentic(builder))
            acknowledged.add(self.far.association._acknowledged[0])

        await self.flood(close, step=0.0)
        self.assertLessEqual(len(acknowledged - {b""}), 1 + MOST_NOTICES)
        self.assertEqual(len(self.told.losses), 1)

    async def still_there(self) -> None:
        """Look that both still hear each other."""
        told: Recorder = self.told
        self.near.send(b"still there")
        await self.until(lambda: told.frames == [b"still there"])
        self.assertEqual(told.losses, [])
