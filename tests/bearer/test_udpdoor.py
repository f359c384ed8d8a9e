"""Tests for p2pship.bearer.udpdoor: strangers at a UDP port, over real sockets on loopback."""

from __future__ import annotations

import os
import socket
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import TestCase

from p2pship.address import Locator
from p2pship.bearer.admission import MOST_FROM_ONE_SOURCE
from p2pship.bearer.cookie import COOKIE_SIZE
from p2pship.bearer.exchange import Dialler
from p2pship.bearer.repetition import HANDSHAKE_TIME
from p2pship.bearer.udpwire import (
    Answered,
    BadHandshake,
    Closed,
    Handshake,
    Knock,
    Refused,
    Retry,
    encode,
    parse,
)
from tests.bearer.fakes import Recorder, device
from tests.bearer.roughrelay import HOST
from tests.bearer.udppair import UDPPair
from tests.scale import scaled

GARBAGE = scaled(3000, 20_000)


class Stranger:
    """A socket that says what it likes to a port, and hears the answers."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((HOST, 0))
        self._target = (HOST, port)
        self.port = int(self._socket.getsockname()[1])
        self.exchange = Dialler("udp", device("stranger"), os.urandom, device("bob").key)

    def say(self, datagram: bytes) -> None:
        self._socket.sendto(datagram, self._target)

    def hear(self) -> list[bytes]:
        """Return what has come."""
        heard: list[bytes] = []
        while True:
            try:
                heard.append(self._socket.recv(65_535))
            except BlockingIOError:
                return heard

    def close(self) -> None:
        self._socket.close()


class DoorTests(UDPPair, TestCase):
    """Who knocks, and what it costs."""

    def stranger(self) -> Stranger:
        """Return a stranger who knows bob's port."""
        made = Stranger(self.port)
        self.addCleanup(made.close)
        return made

    async def ask(self, who: Stranger, message: Handshake) -> list[Handshake]:
        """Return what bob answers to a message; checks that it is not longer."""
        said = encode(message)
        who.say(said)
        await self.turn()
        heard = who.hear()
        self.assertLessEqual(sum(map(len, heard)), len(said), "no answer is larger than the question")
        return [parse(datagram) for datagram in heard]

    async def knock(self, who: Stranger, own: bytes = b"\1own") -> list[Handshake]:
        """Knock, and knock again with the cookie; return what is answered then."""
        opening = who.exchange.opening()
        (retry,) = await self.ask(who, Knock(own, bytes(COOKIE_SIZE), opening))
        assert isinstance(retry, Retry)
        self.assertEqual(retry.to, own)
        return await self.ask(who, Knock(own, retry.cookie, opening))

    async def test_proof_of_address(self) -> None:
        """A knock without the right cookie leaves nothing behind: no key, no signature, no memory."""
        who, other = self.stranger(), self.stranger()
        opening = who.exchange.opening()
        (retry,) = await self.ask(who, Knock(b"\1own", bytes(COOKIE_SIZE), opening))
        assert isinstance(retry, Retry)
        for someone, wrong in (
            (who, Knock(b"\2own", retry.cookie, opening)),
            (who, Knock(b"\1own", retry.cookie, opening[:-40] + bytes(40))),
            (who, Knock(b"\1own", os.urandom(COOKIE_SIZE), opening)),
            (other, Knock(b"\1own", retry.cookie, opening)),
        ):
            (answer,) = await self.ask(someone, wrong)
            self.assertIsInstance(answer, Retry)
        self.assertEqual((self.bob._parties, self.clock.getDelayedCalls()), ({}, []))
        self.advance(200)
        (answer,) = await self.ask(who, Knock(b"\1own", retry.cookie, opening))
        self.assertIsInstance(answer, Retry, "a cookie does not last")

    async def test_answer(self) -> None:
        """With it there is one answer, the same to the same knock, and the closing makes a link."""
        who = self.stranger()
        first = await self.knock(who)
        self.assertEqual(first, await self.knock(who), "a knock that is repeated gets the same answer")
        (answer,) = first
        assert isinstance(answer, Answered)
        self.assertEqual(len(self.bob._parties), 1)
        closing = who.exchange.received(answer.answer)
        assert closing is not None
        self.assertEqual(await self.ask_sealed(who, Closed(answer.own, bytes(66))), 0)
        self.assertEqual(self.accepted, [])
        self.assertEqual(await self.ask_sealed(who, Closed(answer.own, closing)), 1)
        self.assertEqual([link.proof for link in self.accepted], [device("stranger").key])
        self.assertEqual(await self.ask_sealed(who, Closed(answer.own, closing)), 1, "said again if lost")
        self.assertEqual(len(self.accepted), 1)

    async def test_begins_anew(self) -> None:
        """Who knocks from the same place under the same id with another opening is answered anew, and counts once."""
        who = self.stranger()
        await self.knock(who)
        self.advance(HANDSHAKE_TIME / 2)
        who.exchange = Dialler("udp", device("stranger"), os.urandom, device("bob").key)
        (answer,) = await self.knock(who)
        assert isinstance(answer, Answered)
        self.assertEqual(len(self.bob._parties), 1)
        self.advance(HANDSHAKE_TIME / 2)
        closing = who.exchange.received(answer.answer)
        assert closing is not None
        self.assertEqual(await self.ask_sealed(who, Closed(answer.own, closing)), 1)

    async def test_closing_from_elsewhere(self) -> None:
        """A closing moves nobody: where it comes from may be somebody else's address, to which a link would send."""
        who, victim = self.stranger(), self.stranger()
        (answer,) = await self.knock(who)
        assert isinstance(answer, Answered)
        closing = who.exchange.received(answer.answer)
        assert closing is not None
        victim.say(encode(Closed(answer.own, closing)))
        await self.until(lambda: self.accepted)
        self.accepted[0].send(b"a long answer")
        await self.turn()
        self.assertEqual((victim.hear(), len(who.hear())), ([], 2))
        self.assertEqual(self.accepted[0].remote.port, who.port)

    async def ask_sealed(self, who: Stranger, message: Handshake) -> int:
        """Return how many sealed datagrams come back to a message; checks that they are not longer."""
        said = encode(message)
        who.say(said)
        await self.turn()
        heard = who.hear()
        self.assertLessEqual(sum(map(len, heard)), len(said))
        return len(heard)

    async def test_other_device(self) -> None:
        """Who dials another device than the one that is here is told so, and nothing is kept."""
        who = self.stranger()
        who.exchange = Dialler("udp", device("stranger"), os.urandom, device("carol").key)
        self.assertEqual(await self.knock(who), [Refused(b"\1own")])
        self.assertEqual(self.bob._parties, {})

    async def test_own_key(self) -> None:
        """Who shows this device's own key is refused."""
        who = self.stranger()
        forged = bytearray(who.exchange.opening())
        own = Dialler("udp", device("bob"), os.urandom, device("carol").key).opening()
        forged[67:100] = own[67:100]
        (retry,) = await self.ask(who, Knock(b"\1own", bytes(COOKIE_SIZE), bytes(forged)))
        assert isinstance(retry, Retry)
        self.assertEqual(
            await self.ask(who, Knock(b"\1own", retry.cookie, bytes(forged))), [Refused(b"\1own")]
        )

    async def test_crowd(self) -> None:
        """Of a crowd from one place only some are remembered, for 5 s, and an honest device still gets in."""
        who = self.stranger()
        for number in range(40):
            await self.knock(who, b"\1%03d" % number)
            self.assertLessEqual(len(self.bob._parties), MOST_FROM_ONE_SOURCE)
        self.assertEqual(self.journal.counts["udp.over_limit"], 40 - MOST_FROM_ONE_SOURCE)
        await self.talk()
        self.advance(5)
        self.assertEqual(len(self.bob._parties), 1, "the link")

    async def test_garbage(self) -> None:
        """Thousands of datagrams that mean nothing get no answer, leave nothing behind, and disturb nobody."""
        near, _far, _near_told, far_told = await self.talk()
        who, random = self.stranger(), Random(1)
        parties = dict(self.bob._parties)
        for number in range(GARBAGE):
            head = random.choice([b"", b"\0", bytes([0, random.randrange(8)]), next(iter(parties))])
            who.say(head + random.randbytes(random.randrange(250)))
            if number % 50 == 0:
                near.send(b"%d" % number)
                await self.turn()
        await self.until(lambda: len(far_told.frames) == GARBAGE // 50)
        self.assertLess(len(who.hear()), GARBAGE // 300, "but what happens to be as long as a knock")
        self.assertEqual(self.bob._parties, parties)
        counted = sum(self.journal.counts[name] for name in ("udp.stray", "udp.forged"))
        self.assertGreater(counted, GARBAGE * 0.9)
        await self.talk()

    async def test_flood_of_knocks(self) -> None:
        """A thousand knocks without cookies are answered with less than was sent, and remembered not at all."""
        who, random = self.stranger(), Random(2)
        said = answered = 0
        for number in range(1000):
            knock = encode(Knock(random.randbytes(4), bytes(COOKIE_SIZE), random.randbytes(164)))
            who.say(knock)
            said += len(knock)
            if number % 100 == 99:
                await self.turn()
                answered += sum(map(len, who.hear()))
        self.assertLess(answered * 5, said)
        self.assertGreater(answered, 0)
        self.assertEqual((self.bob._parties, self.clock.getDelayedCalls()), ({}, []))
        await self.talk()

    async def test_dialler_is_no_door(self) -> None:
        """A bearer that only dials answers no knock at the port that it dials from."""
        near, _far = await self.connect()
        who = Stranger(near._way.port.number)
        self.addCleanup(who.close)
        self.assertEqual(await self.ask(who, Knock(b"\1own", bytes(COOKIE_SIZE), who.exchange.opening())), [])

    async def test_retries_without_end(self) -> None:
        """Somebody who sends a dialler one cookie after the other makes it knock a few times more, and no more."""
        liar = Stranger(1)
        self.addCleanup(liar.close)
        dial = self.alice.dial(device("bob").key, [Locator("udp", HOST, liar.port)], device("alice"))
        (own_id,) = self.alice._parties
        liar._target = (HOST, next(iter(self.alice._dialling_ports.values())).number)
        for _ in range(200):
            liar.say(encode(Retry(own_id, os.urandom(COOKIE_SIZE))))
            await self.turn()
        self.assertLessEqual(len(liar.hear()), 10)
        dial.cancel()
        self.failureResultOf(dial, CancelledError)

    async def test_answers_to_a_dial(self) -> None:
        """Somebody who answers a dial with nonsense delays it, and no more."""
        told: list[Any] = []
        liar = Stranger(1)
        self.addCleanup(liar.close)
        dial = self.alice.dial(device("bob").key, self.bob.locators(), device("alice"))
        dial.addBoth(told.append)
        (own_id,) = self.alice._parties
        port = next(iter(self.alice._dialling_ports.values()), None) or self.alice._listeners[0]
        liar._target = (HOST, port.number)
        for nonsense in (
            encode(Answered(own_id, b"\1abc", os.urandom(164))),
            encode(Closed(own_id, os.urandom(66))),
            own_id + os.urandom(80),
        ):
            liar.say(nonsense)
        await self.until(lambda: told)
        recorder = Recorder()
        told[0].start(recorder)
        await self.until(lambda: told[0].confirmed)


class WireTests(TestCase):
    """The messages."""

    MESSAGES = (
        Knock(b"\1abc", bytes(16), bytes(range(164))),
        Retry(b"\1abc", bytes(range(16))),
        Answered(b"\1abc", b"\2abc", bytes(range(164))),
        Closed(b"\1abc", bytes(range(66))),
        Refused(b"\1abc"),
    )

    def test_round_trip(self) -> None:
        """Each message is read as it was written, and no answer is longer than a knock."""
        for message in self.MESSAGES:
            self.assertEqual(parse(encode(message)), message)
            self.assertLessEqual(len(encode(message)), len(encode(self.MESSAGES[0])))

    def test_truncated(self) -> None:
        """A message that is cut at any length, or longer, is none."""
        for message in self.MESSAGES:
            whole = encode(message)
            for length in range(len(whole)):
                self.assertRaises(BadHandshake, parse, whole[:length])
            self.assertRaises(BadHandshake, parse, whole + b"\0")

    def test_garbage(self) -> None:
        """Whatever else comes is none."""
        random = Random(5)
        for _ in range(2000):
            with self.assertRaises(BadHandshake):
                parse(random.randbytes(random.randrange(6)))
            with self.assertRaises(BadHandshake):
                parse(bytes([random.randrange(1, 256)]) + random.randbytes(185))
