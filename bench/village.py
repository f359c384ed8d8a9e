"""Some people's nodes on a clock that runs ahead: how often the real code publishes and asks, and what that costs a node.

Each node has its own keys, publisher, search and keeper of contacts; only the network is left out: all share one lookup in
memory, which counts. They all start at the same moment, as after a power cut.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from p2pship.address import Locator
from p2pship.identity.keyring import SCHEMAS, Keyring
from p2pship.identity.papers import Papers
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.interfaces import IIdentity, ISearch, ISearchReceiver, ITrustPolicy
from p2pship.journal import Journal
from p2pship.lookup.cache import CachingFinder
from p2pship.lookup.candidate import Question, Slot
from p2pship.lookup.chain import LookupChain
from p2pship.lookup.http.protocol import MOST_FOLLOWED
from p2pship.lookup.keepfresh import KeepFresh
from p2pship.lookup.publisher import Publisher
from p2pship.storage.database import Database
from p2pship.testing.lookup import MemoryDirectory, MemoryLookup
from p2pship.testing.network import StaticNetwork

MINUTE, HOUR, DAY = 60, 3600, 86400

SETTLED = HOUR
"Seconds until the common start is no longer seen in what they do."


class CountingLookup(MemoryLookup):
    """One person's lookup of the wide area, which may follow as many people as the lookup ``http`` does."""

    def __init__(self, clock: Clock, directory: MemoryDirectory, counts: dict[str, Counter[int]]) -> None:
        super().__init__(clock, directory, "wide", wide_area=True)
        self._counts = counts
        self.streams = 0

    def _count(self, what: str) -> None:
        self._counts[what][int(self._reactor.seconds())] += 1

    def publish(self, slot: Slot, item: bytes) -> Deferred[None]:
        """Count, and publish."""
        self._count("puts")
        return super().publish(slot, item)

    def find(self, question: Question, receiver: ISearchReceiver) -> ISearch:
        """Count, and find."""
        self._count("gets")
        return super().find(question, receiver)

    def follow(self, question: Question, receiver: ISearchReceiver) -> ISearch | None:
        """Follow, if there are not too many already."""
        if not self.follows or self.streams >= MOST_FOLLOWED:
            return None
        self.streams += 1
        return super().follow(question, receiver)


@implementer(ITrustPolicy)
class Confirmed:
    """Takes everybody's key for confirmed, as a contact's is."""

    def judge(self, papers: Papers, own: IIdentity) -> Deferred[Verdict]:
        """Return that."""
        return succeed(Verdict(NameGrade.KNOWN, Acquaintance.CONTACT))

    def wants_chain(self, authority: bytes) -> bool:
        """Want none."""
        return False


@dataclass(frozen=True)
class Habits:
    """What one person's node does, on average."""

    puts: float
    "an hour"
    gets: float
    "an hour"
    streams: float
    "open at a time"
    pushes: float
    "that it is told, an hour"
    cpu: float
    "seconds of processor time an hour, without the network"
    first_puts: float
    "in the first minute after a start in common"
    first_gets: float


class Village:
    """People who are all at home, each a contact of so many others."""

    def __init__(self, folder: Path, people: int, contacts: int, *, follows: bool) -> None:
        self.clock = Clock()
        self.clock.advance(
            int(time.time()) // DAY * DAY
        )  # so that no day ends meanwhile, with which all are followed anew
        self.people, self.follows = people, follows
        self.counts: dict[str, Counter[int]] = {"puts": Counter(), "gets": Counter()}
        self.lookups: list[CountingLookup] = []
        self.keepers: list[KeepFresh] = []
        self.publishers: list[Publisher] = []
        self._directory = MemoryDirectory()
        self._databases: list[Database] = []
        for number in range(people):
            known = [_name((number + each) % people) for each in range(1, contacts + 1)]
            self._add(folder / str(number), number, known)

    def _add(self, folder: Path, number: int, known: Sequence[str]) -> None:
        clock, journal, network, trust = self.clock, Journal(), StaticNetwork(), Confirmed()
        database = Database(":memory:", SCHEMAS)
        keyring = Keyring(folder, database, journal, clock)
        keyring.create(_name(number))
        lookup = CountingLookup(clock, self._directory, self.counts)
        lookup.follows = self.follows
        random = Random(number).randbytes
        at = (Locator("hip", f"198.51.{number // 250}.{number % 250 + 1}", 10500),)
        chain = LookupChain(clock, [lookup], trust, keyring, network, journal)
        finder = CachingFinder(clock, chain, network, trust)
        publisher = Publisher(clock, keyring, [lookup], lambda _: at, journal, random)
        self._databases.append(database)
        self.lookups.append(lookup)
        self.publishers.append(publisher)
        self.keepers.append(KeepFresh(clock, keyring, chain, finder, network, lambda _: known, random))

    def live(self, hours: int) -> Habits:
        """Start all, let hours pass after they have settled, and return what they did then."""
        began = int(self.clock.seconds())
        for publisher, keeper in zip(self.publishers, self.keepers, strict=True):
            publisher.start()
            keeper.start()
        self._pass(SETTLED)
        spent = time.process_time()
        self._pass(hours * HOUR)
        spent = time.process_time() - spent
        settled = began + SETTLED, began + SETTLED + hours * HOUR
        person_hours = self.people * hours
        puts, gets = (self._sum(what, *settled) / person_hours for what in ("puts", "gets"))
        streams = sum(lookup.streams for lookup in self.lookups) / self.people
        return Habits(
            puts,
            gets,
            streams,
            pushes=streams * puts / 3,
            cpu=spent / person_hours,
            first_puts=self._sum("puts", began, began + MINUTE) / self.people,
            first_gets=self._sum("gets", began, began + MINUTE) / self.people,
        )

    def _pass(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)

    def _sum(self, what: str, since: int, until: int) -> int:
        return sum(number for second, number in self.counts[what].items() if since <= second < until)

    def close(self) -> None:
        """Close what they keep."""
        for each in self.keepers:
            each.stop()
        for database in self._databases:
            database.close()


def habits(people: int, contacts: int, hours: int, *, follows: bool) -> Habits:
    """Return what the node of a person with so many contacts, who are all at home, does in an hour."""
    with tempfile.TemporaryDirectory() as folder:
        village = Village(Path(folder), people, contacts, follows=follows)
        try:
            return village.live(hours)
        finally:
            village.close()


def _name(number: int) -> str:
    return f"p{number}@example.com"
