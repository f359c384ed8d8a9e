"""Modes of location privacy: who can find what is published, and what watchers see of it."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import replace

from p2pship.errors import LocalError
from p2pship.identity.place import DAY as DAY_SECONDS
from p2pship.identity.place import Place, day_of
from p2pship.identity.record import verify_record
from p2pship.identity.seal import ITEM_LENGTH, open_item
from p2pship.lookup.candidate import Slot
from p2pship.lookup.chain import LookupChain
from p2pship.lookup.lan.wire import Answer, Question
from p2pship.lookup.privacy import (
    FRIENDS,
    MOST_SECRETS,
    OPEN,
    PARANOID,
    Modes,
    Privacy,
    Shared,
    check_mode,
)
from p2pship.lookup.publisher import COALESCING_TIME, FRIENDS_TIME, NEWS_TIME, Publisher
from p2pship.lookup.rendezvous import Rendezvous
from p2pship.testing.lookup import MemoryDirectory, unsigned_slot
from tests.lookup.people import BOB, DAY, NOW, PUBLIC, Person, RecordingFindReceiver
from tests.lookup.test_chain import ChainTestCase
from tests.lookup.test_publisher import ALICE, TODAY, PublisherTestCase

SECRET, NEWER = b"s" * 32, b"n" * 32
CAROL = "carol@example.com"


def days(place: Place) -> set[bytes]:
    """Return the lookup keys of a place for the three days around today."""
    return {place.lookup_key(day) for day in (TODAY - 1, TODAY, TODAY + 1)}


class PublishedTests(PublisherTestCase):
    """What is published in which mode."""

    def setUp(self) -> None:
        super().setUp()
        self.mode = FRIENDS
        self.secrets: list[Shared] = [(BOB, 1, SECRET), (BOB, 2, NEWER), (CAROL, 1, b"c" * 32)]
        self.publisher = Publisher(
            self.clock,
            self.keyring,
            [self.near, self.wide],
            lambda _: self.locators,
            self.journal,
            lambda length: self.random[:length],
            Privacy(lambda own: self.mode, lambda own: self.secrets),
        )

    def keys(self, directory: MemoryDirectory) -> set[bytes]:
        """Return the lookup keys under which there is something."""
        return {slot.lookup_key for slot in directory.items}

    def expected(self, *places: Place) -> set[bytes]:
        """Return the lookup keys of places."""
        return set().union(*map(days, places))

    def friends(self) -> list[Place]:
        """Return the places where friends look."""
        return [Place.between(secret, ALICE, contact) for contact, _, secret in self.secrets]

    def test_modes(self) -> None:
        """Each mode publishes for those for whom it is, all versions of a secret included, and withdraws from others."""
        self.start(ALICE)
        everybody = Place.of_name(ALICE)
        for mode, places in (
            (FRIENDS, [everybody, *self.friends()]),
            (PARANOID, self.friends()),
            (OPEN, [everybody]),
        ):
            self.mode = mode
            self.publisher.privacy_changed()
            self.clock.pump([COALESCING_TIME, NEWS_TIME])
            for lookup in (self.near, self.wide):
                self.assertEqual(self.keys(lookup._directory), self.expected(*places), mode)

    def test_friend_reads(self) -> None:
        """What a friend finds are the very papers that everybody finds, and that a hello brings."""
        self.start(ALICE)
        item = self.near._directory.under(self.friends()[0].lookup_key(TODAY))[0]
        opened = open_item(self.friends()[0], TODAY, item)
        self.assertEqual(opened.record, self.papers(self.near).record.raw)

    def test_forgotten(self) -> None:
        """When a friend is forgotten, or the identity removed, what was there for them is withdrawn everywhere."""
        self.start(ALICE)
        self.clock.advance(NEWS_TIME)
        gone = self.friends()[-1]
        del self.secrets[-1]
        self.publisher.privacy_changed()
        self.clock.pump([COALESCING_TIME, NEWS_TIME])
        for lookup in (self.near, self.wide):
            self.assertTrue(self.keys(lookup._directory).isdisjoint(days(gone)))
        self.keyring.remove(ALICE)
        self.clock.advance(COALESCING_TIME)
        self.assertEqual((self.near._directory.items, self.wide._directory.items), ({}, {}))

    def test_spread(self) -> None:
        """Renewals for friends reach the wide area one by one, over the whole half life, and never too late."""
        parts = iter(range(0, 1 << 30, 7919))
        self.publisher._random = lambda length: (next(parts) & 0xFFFF).to_bytes(2, "big")
        self.secrets = [(f"f{number}@example.com", 1, bytes([number]) * 32) for number in range(20)]
        self.mode = PARANOID
        self.start(ALICE)
        self.clock.advance(NEWS_TIME)
        puts: list[float] = []
        publish = self.wide.publish

        def noted(slot: Slot, item: bytes) -> object:
            puts.append(self.clock.seconds())
            return publish(slot, item)

        self.wide.publish = noted  # type: ignore[method-assign, assignment]
        begun = self.clock.seconds()
        while self.clock.seconds() - begun < 3 * FRIENDS_TIME:
            self.clock.advance(60)
            now = self.clock.seconds()
            for place in self.friends():
                (item,) = self.wide._directory.under(place.lookup_key(day_of(now)))
                record = open_item(place, day_of(now), item).record
                self.assertGreater(self.expires(record), now)
        minutes = {int((at - begun) / 60) for at in puts}
        self.assertGreater(len(minutes), 20, "all at once they would tell that they are of one person")

    def test_unlucky(self) -> None:
        """What friends find in the wide area never runs out, however late the moments and whatever rounds come between."""
        self.mode, self.random = PARANOID, b"\xff\xff"
        self.start(ALICE)
        self.clock.advance(NEWS_TIME)
        for minute in range(240):
            if minute == 14:  # a round that finds everything fresh
                self.publisher.locators_changed()
                self.clock.advance(COALESCING_TIME)
            self.clock.advance(60)
            now = self.clock.seconds()
            (item,) = self.wide._directory.under(self.friends()[0].lookup_key(day_of(now)))
            self.assertGreater(self.expires(open_item(self.friends()[0], day_of(now), item).record), now)

    def test_news_again_and_again(self) -> None:
        """News that comes ever again does not put off the moment at which friends hear it."""
        self.random = b"\xff\xff"
        self.start(ALICE)
        for second in range(int(NEWS_TIME) + 1):
            self.locators = (PUBLIC, replace(PUBLIC, port=1000 + second))
            self.publisher.locators_changed()
            self.clock.advance(1)
        self.assertTrue(self.wide._directory.under(self.friends()[0].lookup_key(TODAY)))

    def expires(self, record: bytes) -> int:
        """Return until when a record holds."""
        return verify_record(record, self.clock.seconds()).expires

    def test_restless(self) -> None:
        """Stopping leaves nothing that waits for its moment."""
        self.start(ALICE)
        self.successResultOf(self.publisher.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_a_watcher_sees(self) -> None:
        """No name is in any item or slot, in any writing; items are all alike, and no two friends' are of one publisher."""
        self.start(ALICE)
        self.clock.advance(NEWS_TIME)
        items = {**self.near._directory.items, **self.wide._directory.items}
        seen = b"".join(slot.lookup_key + slot.publication_key + item for slot, item in items.items())
        for slot, item in items.items():  # as they go over a local network
            seen += Question(bytes(16), slot.lookup_key).print() + Answer(bytes(16), item).print()
        for name in (ALICE, BOB, CAROL, "alice", "example.com"):
            for writing in writings(name):
                self.assertFalse(writing in seen, f"{writing!r} is there to be seen")
        self.assertEqual({(len(item), item[0]) for item in items.values()}, {(ITEM_LENGTH, 2)})
        known = days(Place.of_name(ALICE))
        publishers = [slot.publication_key for slot in items if slot.lookup_key not in known]
        self.assertEqual(len(publishers), len(set(publishers)))
        self.assertNotIn(self.keyring.device.publication_key, publishers)


def writings(name: str) -> Iterable[bytes]:
    """Return a name as it may be hidden in octets."""
    raw = name.encode()
    yield from (raw, raw.upper(), raw.hex().encode(), raw.hex().upper().encode(), raw[::-1])
    for shift in range(
        3
    ):  # base64 has three alignments; what is before and after the name changes the first and last
        encoded = base64.b64encode(b"\0" * shift + raw)
        yield encoded[4 * bool(shift) : (shift + len(raw)) // 3 * 4]
    yield raw.decode().encode("utf-16-le")


class SearchedTests(ChainTestCase):
    """Where a search looks."""

    def setUp(self) -> None:
        super().setUp()
        self.mode = OPEN
        self.place = Place.between(SECRET, BOB, self.own.aor)
        self.lookup = self.memory()

    def chain(self, *lookups: object) -> LookupChain:
        """Return a chain of the lookup that knows the secret."""
        return LookupChain(
            self.clock,
            [self.lookup],
            self.trust,
            self.keyring,
            self.network,
            self.journal,
            Privacy(lambda own: self.mode, lambda own: [(BOB, 1, SECRET)]),
        )

    def test_friend_found(self) -> None:
        """Who publishes for friends alone is found by a friend."""
        self.directory.items.update(self.bob.items(place=self.place))
        self.assertEqual(self.outcome().found, 1)

    def test_both_places(self) -> None:
        """Who is in both places is one person, and the outcome names each lookup once."""
        self.directory.items.update({**self.bob.items(place=self.place), **self.bob.items()})
        outcome = self.outcome()
        self.assertEqual((outcome.found, len(outcome.asked)), (1, 1))

    def test_paranoid(self) -> None:
        """A paranoid searcher asks for a friend only where nobody else can see who is meant; for others as all do."""
        self.mode = PARANOID
        self.outcome()
        self.assertEqual(self.lookup.asked, [self.place.lookup_key(DAY)])
        self.lookup.questions.clear()
        self.chain().find(CAROL, self.own, RecordingFindReceiver())
        self.clock.pump([0, 0])
        self.assertEqual(self.lookup.asked, [Place.of_name(CAROL).lookup_key(DAY)])

    def test_replayed(self) -> None:
        """What was published on another day, for us by mistake, or the other way round, is not taken under today's key."""
        back = Place.between(SECRET, self.own.aor, BOB)
        others = [*self.bob.items(place=back).values(), *self.bob.items().values()]
        self.clock.advance(0)
        for number, item in enumerate(others):
            self.directory.items[unsigned_slot(self.place.lookup_key(DAY), b"%d" % number)] = item
        self.assertEqual(self.outcome().found, 0)

    def test_yesterday(self) -> None:
        """A friend's item of yesterday put under today's key does not open."""
        for slot, item in self.bob.items(place=self.place).items():
            self.directory.items[unsigned_slot(self.place.lookup_key(DAY + 1), slot.publication_key)] = item
        self.clock.advance(DAY_SECONDS - NOW % DAY_SECONDS)
        outcome = self.outcome()
        self.assertEqual((outcome.found, len(outcome.refused)), (0, 1))

    def test_stranger_with_the_name(self) -> None:
        """Who only knows the name can put nothing where friends look."""
        eve = Person()
        for item in eve.items(locators=(PUBLIC,)).values():
            self.directory.items[unsigned_slot(self.place.lookup_key(DAY), b"eve")] = item
        self.assertEqual(self.outcome().found, 0)


class Kept:
    """Settings in memory."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str, str], object] = {}

    def get(self, own: str, kind: str, name: str) -> object | None:
        return self.values.get((own, kind, name))

    def put(self, own: str, kind: str, name: str, value: object) -> None:
        self.values[own, kind, name] = value

    def remove(self, own: str, kind: str, name: str) -> bool:
        return self.values.pop((own, kind, name), None) is not None


class ModesTests(ChainTestCase):
    """Which mode an identity has."""

    def test_chosen(self) -> None:
        """What its person chose counts, else what is configured; what nobody knows publishes least."""
        kept = Kept()
        modes = Modes(FRIENDS, kept)
        modes.choose(ALICE, PARANOID)
        self.assertEqual((modes.of(ALICE), modes.of(BOB)), (PARANOID, FRIENDS))
        modes.choose(ALICE, "")
        self.assertEqual(modes.of(ALICE), FRIENDS)
        kept.put(ALICE, "setting", "privacy", "of a later version")
        self.assertEqual(modes.of(ALICE), PARANOID)
        self.assertRaises(LocalError, modes.choose, ALICE, "opne")

    def test_misspelt(self) -> None:
        """A mode that is none publishes nothing, and cannot be configured."""
        self.assertRaises(LocalError, Privacy(lambda own: "opne").published, ALICE)
        self.assertRaises(ValueError, check_mode, "opne")

    def test_newest_secrets(self) -> None:
        """Of many secrets with one person those of the latest versions are in use."""
        secrets = [(BOB, version, bytes([version]) * 32) for version in range(1, MOST_SECRETS + 2)]
        looked = Privacy(lambda own: PARANOID, lambda own: secrets).searched(ALICE, BOB)
        self.assertEqual(looked, [Place.between(secret, BOB, ALICE) for _, _, secret in secrets[:0:-1]])

    def test_rendezvous(self) -> None:
        """Who shows a code is published for everybody as well, and who has one looks there, as long as it is good."""
        rendezvous = Rendezvous()
        told: list[bool] = []
        rendezvous.watch(lambda: told.append(rendezvous.shows(ALICE)))
        privacy = Privacy(lambda own: PARANOID, lambda own: [(BOB, 1, SECRET)], rendezvous)
        hidden, looked = privacy.published(ALICE), privacy.searched(ALICE, BOB)
        rendezvous.show(ALICE)
        rendezvous.show(ALICE, BOB)
        self.assertEqual(privacy.published(ALICE), [Place.of_name(ALICE), *hidden])
        self.assertEqual(
            (privacy.published(BOB), privacy.searched(ALICE, BOB)), (privacy.published(BOB), looked)
        )
        rendezvous.hide(ALICE)
        rendezvous.seek(ALICE, BOB)
        self.assertEqual(privacy.searched(ALICE, BOB), [*looked, Place.of_name(BOB)])
        rendezvous.seek(ALICE, BOB)  # another attempt, of which one ends first
        rendezvous.leave(ALICE, BOB)
        self.assertEqual(privacy.searched(ALICE, BOB), [*looked, Place.of_name(BOB)])
        rendezvous.leave(ALICE, BOB)
        rendezvous.hide(ALICE, BOB)
        self.assertEqual((privacy.published(ALICE), privacy.searched(ALICE, BOB)), (hidden, looked))
        self.assertEqual(told, [True, True, True, False])
