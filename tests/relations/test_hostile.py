"""Tests of people who say to a node whatever they like: it refuses, never fails, and keeps nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import RemoteError
from p2pship.identity.cbor import BadCBOR, decode, encode
from p2pship.identity.keys import new_p256, sign, spki
from p2pship.interfaces import IIdentity, IPeer, IStream
from p2pship.relations import (
    introducewire,
    linkwire,
    pairwire,
    pakewire,
    renewalwire,
    statementwire,
    syncwire,
)
from p2pship.relations.allowance import Allowance
from p2pship.relations.codes import Means
from p2pship.relations.introducewire import Ask, Check, Give, TakenBack
from p2pship.relations.linkwire import NewDevice, Welcome
from p2pship.relations.pairwire import Accept, Confirm, Known, Offer, Please
from p2pship.relations.pake import Exchange
from p2pship.relations.pakewire import Element, Proof, Refusal
from p2pship.relations.renewalwire import RenewalAnswer, RenewalQuestion
from p2pship.relations.statementwire import News
from p2pship.relations.syncwire import BUCKETS, Entries, Question, Summary
from p2pship.relations.window import Ending
from p2pship.trust.entry import Entry
from p2pship.trust.introductions import sign_introduction
from p2pship.trust.ledger import BLOCK, CONTACT, PAIR, PIN, REVOKED, VOUCH
from tests.commands.desks import NOW
from tests.relations.hostile import ALICE, BOB, FRIEND, MALLORY, PROVEN, STRANGER, HostileCase, Somebody
from tests.scale import SEED, scaled

SAID = scaled(40, 20_000)
"Messages, of each to each subprotocol from each sender."

LONGEST = 65_536

STAMP = int(NOW * 1000).to_bytes(8, "big") + bytes(10)

READERS: tuple[Callable[[bytes], object], ...] = (
    introducewire.read,
    linkwire.NewDevice.read,
    linkwire.Welcome.read,
    pairwire.read_pairing,
    pairwire.is_pairing,
    pakewire.read_message,
    renewalwire.read_question,
    renewalwire.read_answer,
    statementwire.read,
    syncwire.read,
)


def wild(random: Random, depth: int = 0) -> Any:
    """Return a plain value that nobody expects."""
    kind = random.randrange(9 if depth < 4 else 7)
    if kind == 0:
        return random.choice([0, 1, -1, 23, 24, 255, 2**31, 2**63, 2**64 - 1, -(2**64)])
    if kind == 1:
        return random.choice([True, False, None])
    if kind in (2, 3):
        return random.randbytes(random.choice([0, 1, 8, 16, 18, 20, 32, 33, 64, 2048, 4000]))
    if kind == 4:
        return random.choice(
            ["", BOB, ALICE, "x" * 600, "a@b", "\0", "\x1b[2J", "é@é.example", "*@example.com"]
        )
    if kind == 5:
        return random.choice(["contact", "pin", "pair", "revoked", "guest", "vouch", "block"])
    if kind == 6:
        return {}
    if kind == 7:
        return [wild(random, depth + 1) for _ in range(random.randrange(5))]
    return {number: wild(random, depth + 1) for number in range(random.randrange(6))}


def changed(value: Any, random: Random) -> Any:
    """Return a value with a part of it changed."""
    if isinstance(value, list) and value and random.random() < 0.8:
        at = random.randrange(len(value))
        return [*value[:at], changed(value[at], random), *value[at + 1 :]]
    if isinstance(value, dict) and value and random.random() < 0.8:
        at = random.choice(list(value))
        return value | {at: changed(value[at], random)}
    if isinstance(value, bytes) and value and random.random() < 0.7:
        at = random.randrange(len(value))
        return random.choice([value[:at], value[:at] + random.randbytes(1) + value[at + 1 :], value + value])
    return wild(random)


def garbled(octets: bytes, random: Random) -> bytes:
    """Return a message as somebody sends it who wants to see a node fail."""
    way = random.randrange(8)
    at = random.randrange(len(octets) + 1)
    if way < 4:
        try:
            return encode(changed(decode(octets), random))[:LONGEST]
        except (BadCBOR, ValueError):
            return octets
    if way == 4:
        return octets[:at]
    if way == 5:
        return octets[:at] + random.randbytes(random.randrange(9)) + octets[at + random.randrange(9) :]
    if way == 6:
        return (octets[:at] + random.randbytes(1) * LONGEST)[:LONGEST]
    return octets


class Corpus:
    """Good messages of each subprotocol, as far as who sends them can make them."""

    def __init__(self, case: HostileCase, random: Random) -> None:
        own, keyring = case.own, case.desk.keyring
        key = case.keys[BOB]
        theirs = case.papers(BOB, key).statement.raw
        vouch = sign_introduction(
            lambda octets: sign(key, octets),
            voucher=BOB,
            key=spki(key),
            subject=MALLORY,
            subject_key=spki(new_p256()),
            audience=ALICE,
            issued=int(NOW),
            expires=int(NOW) + 1000,
            serial=b"serial..",
        )
        exchange = Exchange(True, b"12345678", b"context", bytes(91), bytes(91), random.randbytes)
        chain, crl = case.authority.certificate, case.desk.authorities.crl(case.authority.fingerprint)
        root = chain.fingerprint(chain.signature_hash_algorithm) if chain.signature_hash_algorithm else b""
        kinds = [CONTACT, PIN, BLOCK, REVOKED, PAIR, VOUCH, "guest", "setting", "device", "question", "new"]
        entries = [Entry(kind, f"{BOB} {kind}", STAMP, encode({"vouch": vouch})) for kind in kinds]
        key_exchange = [
            pakewire.write_message(one)
            for one in (
                Element(exchange.element),
                Element(exchange.element, Means.SCANNED),
                Proof(random.randbytes(32), random.randbytes(100)),
                Refusal(Ending.WRONG, 2),
            )
        ]
        pairing = (
            Offer(random.randbytes(32), (1, 2), True),
            Offer(bytes(32), (), False),
            Accept(random.randbytes(32), random.randbytes(32)),
            Confirm(random.randbytes(32)),
            Known((1, 2**64 - 1)),
            Please(),
        )
        self.by_name: dict[str, list[bytes]] = {
            "link": key_exchange,
            "pair": [*key_exchange, *(pairwire.write_pairing(one) for one in pairing)],
            "statement": [
                statementwire.write(News(theirs)),
                statementwire.write(News(own.statement, own.chain, crl)),
                statementwire.write(News(theirs, (random.randbytes(4000),), crl)),
            ],
            "sync": [
                syncwire.write(Summary((bytes(8),) * BUCKETS, statementwire.write(News(own.statement)))),
                syncwire.write(Question(bytes(range(BUCKETS)), ())),
                syncwire.write(Entries(tuple(entries))),
            ],
            "introduce": [
                introducewire.write(one)
                for one in (
                    Ask(MALLORY),
                    Ask(BOB),
                    Give(vouch),
                    Check((b"serial..",)),
                    TakenBack((b"serial..",)),
                )
            ],
            "renew": [
                renewalwire.print_question(RenewalQuestion(case.authority.fingerprint)),
                renewalwire.print_question(
                    RenewalQuestion(case.authority.fingerprint, keyring.request(ALICE), own.statement)
                ),
                renewalwire.print_question(RenewalQuestion(root, keyring.request(ALICE), theirs)),
            ],
        }
        self.others = [
            NewDevice(bytes(32), "laptop").encode(),
            Welcome(own.statement, own.chain, crl, b"key").encode(),
            renewalwire.print_answer(RenewalAnswer(own.chain, crl)),
        ]

    def all(self) -> list[bytes]:
        """Return every message there is."""
        return [*(one for messages in self.by_name.values() for one in messages), *self.others]


class WireTests(HostileCase):
    """Every reader of what others say."""

    def refuses(self, octets: bytes) -> None:
        """Look that each reader reads it, or refuses."""
        for read in READERS:
            try:
                read(octets)
            except RemoteError:
                continue

    def test_cut(self) -> None:
        """Every message cut off anywhere, and one octet of each changed, is read or refused."""
        random = Random(SEED)
        for message in Corpus(self, random).all():
            step = max(1, len(message) // scaled(60, 4_000))
            for at in range(0, len(message), step):
                self.refuses(message[:at])
                self.refuses(message[:at] + random.randbytes(1) + message[at + 1 :])

    def test_garbled(self) -> None:
        """So are messages with parts in place of others, of values that nobody expects, and as long as can be."""
        random = Random(SEED)
        messages = Corpus(self, random).all()
        for _ in range(scaled(300, 100_000)):
            self.refuses(garbled(random.choice(messages), random))
            self.refuses(encode(wild(random)))


class SubprotocolTests(HostileCase):
    """Every subprotocol, and everybody who may talk to it."""

    def setUp(self) -> None:
        super().setUp()
        self.random = Random(SEED)
        self.patch(Allowance, "take", lambda *_: True)  # or most would be refused unread
        self.corpus = Corpus(self, self.random)

    def say(self, peer: Somebody, name: str, payload: bytes) -> object:
        """Say something to a subprotocol; returns the answer, or the refusal."""
        subprotocol = self.overlay.offered[name]
        try:
            answer: object = subprotocol.payload_received(cast(IPeer, peer), payload)
        except RemoteError as error:
            return error
        if isinstance(answer, Deferred):
            answer = self._result(answer)
        self.assertLessEqual(len(answer or b"") if isinstance(answer, bytes) else 0, LONGEST)
        return answer

    def _result(self, answer: Deferred[Any]) -> object:
        found: list[object] = []
        answer.addBoth(found.append)
        if found and isinstance(found[0], Failure):
            self.assertIsInstance(found[0].value, RemoteError)
        return found[0] if found else None

    def flood(self, peer: Somebody) -> Iterator[str]:
        """Say good and garbled messages to each subprotocol, in any order; yields what was said to whom, now and then."""
        names = list(self.overlay.offered)
        for number in range(SAID * len(names)):
            name = self.random.choice(names)
            source = name if self.random.random() < 0.9 else self.random.choice(names)
            self.say(peer, name, garbled(self.random.choice(self.corpus.by_name[source]), self.random))
            if number % 50 == 0:
                self.clock.advance(0.001)
                self.circle.linking.open(ALICE)
                self.circle.pairing.open(ALICE, BOB)
            if number % 97 == 0:
                self.overlay.offered[name].peer_lost(cast(IPeer, peer), "gone")
            yield name

    def unmoved(self, peer: Somebody, without: str = "") -> None:
        """Look that a flood leaves nothing behind, in the database or in the log."""
        before = self.stored(without)
        for name in self.flood(peer):
            self.assertIsNone(
                self.overlay.offered[name].stream_opened(cast(IPeer, peer), cast(IStream, None))
            )
        self.clock.advance(1)
        self.assertEqual(self.stored(without), before)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_strangers(self) -> None:
        """What strangers say, with a proven name or without, leaves nothing behind."""
        for verdict in (STRANGER, PROVEN):
            self.unmoved(self.somebody(MALLORY, verdict))

    def test_contact(self) -> None:
        """A contact gone bad can ask about people whom we know; nothing else that they say is kept."""
        self.desk.trust.contacts.add(ALICE, MALLORY)
        self.unmoved(self.somebody(BOB, FRIEND), "question")
        self.assertLessEqual(len(self.circle.introductions.questions(ALICE)), 2)

    def test_own_in_the_clear(self) -> None:
        """An own device is told nothing, and nothing is taken from it, over a link that others may read."""
        peer = self.own_device()
        peer.encrypted = False
        self.clock.advance(1)  # there is a secret of the two devices now
        self.unmoved(peer)

    def test_revoked_device(self) -> None:
        """A device of ours that was revoked, and says hello with what it has, leaves nothing behind."""
        self.unmoved(self.own_device(listed=False))

    def test_own_device(self) -> None:
        """A stolen device that is still listed writes into the ledger, and the node goes on."""
        peer = self.own_device()
        for _ in self.flood(peer):
            pass
        self.clock.advance(1)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(self.desk.ledger.items(ALICE, "guest"), {})
        self.desk.blocks.block(ALICE, MALLORY)
        self.judged()
        self.stop()
        self.desk.close()
        self.desk = self.open_desk("state")
        self.judged()

    def judged(self) -> None:
        """Look that people are judged and screened."""
        for aor in (BOB, MALLORY):
            papers = self.papers(aor, self.keys[aor])
            own = cast(IIdentity, self.desk.keyring.identity(ALICE))
            verdict = self.successResultOf(self.desk.trust.judge(papers, own))
            self.desk.screening.may_enter(ALICE, aor, verdict)


class ValueTests(SynchronousTestCase):
    """The values that these tests make."""

    def test_reach(self) -> None:
        """Some of what is garbled can be decoded, and some cannot: both ways are tried."""
        random, good = Random(SEED), encode({0: 1, 1: [b"x" * 20, {"name": "Bob"}]})
        tried = {self._decodes(garbled(good, random)) for _ in range(50)}
        self.assertEqual(tried, {True, False})

    def _decodes(self, octets: bytes) -> bool:
        try:
            decode(octets)
        except BadCBOR:
            return False
        return True
