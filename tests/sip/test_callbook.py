"""Tests for p2pship.sip.callbook: what is kept of calls, for how long, and how much of it."""

from __future__ import annotations

import threading
from pathlib import Path
from random import Random

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from p2pship.sip import callbook
from p2pship.sip.callbook import SCHEMA, WRITE_AFTER, CallBook, NoSuchCall
from p2pship.sip.message import request, response_to
from p2pship.sip.trail import Shelf, Trail
from p2pship.storage.database import Database, StorageFailed
from tests.sip.fakes import FakePeer
from tests.sip.station import LINK_OFFER, OFFER, Station

ALICE, BOB = "alice@example.com", "bob@example.com"
NOW = 1_800_000_000.0


class CallBookCase(TestCase):
    """A book in a file, which can be opened anew."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.clock = Clock()
        self.clock.advance(NOW)
        self.random = Random(7)
        self.book = self.reopened()
        self._calls = 0

    def reopened(self) -> CallBook:
        """Return the book as the next run finds it, whatever became of the last one."""
        self.database = Database(self.path, [SCHEMA])
        self.addCleanup(self.database.close)
        book = CallBook(self.clock, self.database, self.random.randbytes)
        book.start()
        return book

    def outgoing(self, callee: str = BOB) -> Trail:
        """Begin a call of one of our phones."""
        self._calls += 1
        trail = self.book.begin(f"call-{self._calls}", "f", None, ALICE, callee)
        trail.of_ours(ALICE, callee)
        return trail

    def incoming(self, caller: str = "mallory@example.com") -> Trail:
        """Begin a stranger's call."""
        self._calls += 1
        return self.book.begin(f"call-{self._calls}", "f", FakePeer(ALICE, caller), caller, ALICE)

    def kept(self) -> list[str]:
        """Return the names of those whose other end is told by the stories that are kept, the latest first."""
        return [
            line["callee"] if line["direction"] == "outgoing" else line["caller"]
            for line in self.book.recent(1000)
        ]


class NamesakeTests(TestCase):
    """Calls that have the Call-ID and the tag of another one that is up."""

    def test_both_end(self) -> None:
        """A caller, who may be anybody, uses the names of a call again: each story is told to its own end."""
        station = Station()
        self.addCleanup(station.stop)
        phone, eve = station.register(ALICE), FakePeer(ALICE, "eve@example.com")
        for tag in ("t1", "t2"):
            station.from_peer(
                eve, "INVITE", f"sip:{ALICE}", eve.aor, ALICE, LINK_OFFER, Contact=f"<sip:{eve.aor};gr=x>"
            )
            station.answer(
                phone.requests()[-1], 200, phone, OFFER, Contact="<sip:alice@127.0.0.1:5070>", tag=tag
            )
        self.assertEqual([each["state"] for each in station.book.recent(9)], ["up", "up"])
        for tag, states in (("t1", {"up", "ended"}), ("t2", {"ended"})):
            station.from_peer(eve, "BYE", f"sip:{ALICE}", eve.aor, ALICE, To=f"<sip:{ALICE}>;tag={tag}")
            station.answer(phone.requests()[-1], 200, phone, tag=tag)
            self.assertEqual({each["state"] for each in station.book.recent(9)}, states)
        self.assertEqual(station.book._live, {})


class KeepingTests(CallBookCase):
    """What survives, and what is dropped."""

    def rows(self) -> int:
        """Return how many stories are on the disk, when all has been written that was to be."""
        self.database.behind(lambda _: None).result()
        return int(self.database.query("SELECT count(*) FROM calls_story")[0][0])

    def test_written_together(self) -> None:
        """What changed is on the disk a second later at most, and costs one transaction."""
        for _ in range(20):
            self.outgoing().finished(404, "Not Found")
        self.assertEqual(self.rows(), 0)
        self.clock.advance(WRITE_AFTER)
        self.assertEqual(self.rows(), 20)
        self.clock.advance(10 * WRITE_AFTER)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_written_at_the_end(self) -> None:
        """A node that stops in good order loses nothing."""
        self.outgoing().finished(404, "Not Found")
        self.book.stop()
        self.assertEqual((self.rows(), self.clock.getDelayedCalls()), (1, []))
        self.book.stop()

    def test_killed(self) -> None:
        """A call that was alive when the node was killed says so in the next run, and what is known stays."""
        trail = self.outgoing()
        trail.up("dialog", FakePeer(ALICE, BOB))
        self.clock.advance(WRITE_AFTER)
        self.assertEqual(self.rows(), 1)
        self.book = self.reopened()
        story = self.book.story(trail.story["id"])
        self.assertEqual(
            (story["state"], story["ended_by"], story["reason"], story["answered"], story["ended"]),
            ("interrupted", "this node", "the node stopped", 0.0, None),
        )
        self.assertEqual([line["state"] for line in self.book.recent(5)], ["interrupted"])

    def test_most(self) -> None:
        """Of the calls only the latest are kept."""
        self.patch(callbook, "MOST", {Shelf.CALL: 10, Shelf.MISSED: 5, Shelf.REFUSED: 5})
        for number in range(25):
            self.outgoing(f"p{number}@example.com").finished(404, "Not Found")
            self.clock.advance(1)
        self.assertEqual(self.kept(), [f"p{number}@example.com" for number in range(24, 14, -1)])

    def test_flood_of_strangers(self) -> None:
        """Strangers' calls, refused or not answered, push out only each other."""
        self.patch(callbook, "MOST", {Shelf.CALL: 10, Shelf.MISSED: 5, Shelf.REFUSED: 5})
        self.outgoing(BOB).finished(486, "Busy Here")
        for number in range(100):
            trail = self.incoming(f"s{number}@example.com")
            if number % 2:
                self.ring(trail)
            trail.refused("forged-from")
            trail.finished(403, "Forbidden")
            self.clock.advance(0.1)
        kept = self.kept()
        self.assertEqual((len(kept), kept[-1]), (11, BOB))

    def test_flood_of_one(self) -> None:
        """One stranger who calls all the time pushes out only their own calls."""
        self.patch(callbook, "MOST_OF_CALLER", 3)
        self.incoming("eve@example.com").finished(403, "Forbidden")
        for _ in range(50):
            self.incoming().finished(403, "Forbidden")
            self.clock.advance(0.1)
        self.assertEqual(self.kept(), ["mallory@example.com"] * 3 + ["eve@example.com"])

    def test_flood_at_once(self) -> None:
        """More calls than may wait are written at once, and if the disk is too slow for that, everything waits for it."""
        self.patch(callbook, "BATCH", 5)
        self.patch(callbook, "MOST_WAITING", 10)
        slow = threading.Event()
        self.database.behind(lambda _: (slow.wait(1), None)[1])
        for _ in range(25):
            self.incoming().finished(403, "Forbidden")
            self.assertLessEqual(len(self.book._waiting), 10)
        self.assertGreaterEqual(self.rows(), 15)
        self.assertEqual(self.book._live, {})

    def test_slow_disk(self) -> None:
        """While the disk is slow, nothing waits for it, and what changes meanwhile is written afterwards."""
        slow = threading.Event()
        self.database.behind(lambda _: (slow.wait(10), None)[1])
        for _ in range(3):
            self.outgoing().finished(404, "Not Found")
            self.clock.advance(2 * WRITE_AFTER)
        slow.set()
        self.clock.advance(2 * WRITE_AFTER)
        self.rows()
        self.clock.advance(2 * WRITE_AFTER)
        self.assertEqual(self.rows(), 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def ring(self, trail: Trail) -> None:
        """Let a phone ring."""
        trail.sent("branch", "phone udp 127.0.0.1:5070")
        trail.heard("branch", response_to(request("INVITE", f"sip:{ALICE}", []), 180))

    def test_shelves(self) -> None:
        """What a story counts for changes with what becomes of the call."""
        trail = self.incoming()
        self.assertIs(trail.shelf, Shelf.REFUSED)
        self.ring(trail)
        self.assertIs(trail.shelf, Shelf.MISSED)
        trail.up("dialog", FakePeer(ALICE, BOB))
        self.assertIs(trail.shelf, Shelf.CALL)
        self.assertIs(self.outgoing().shelf, Shelf.CALL)

    def test_disk_full(self) -> None:
        """A database that cannot be written fails no call, and is said once a batch."""
        self.outgoing().finished(404, "Not Found")
        self.database.close()
        self.clock.advance(WRITE_AFTER)
        self.book.flush()
        self.assertEqual(len(self.flushLoggedErrors(StorageFailed)), 1)
        self.outgoing().finished(404, "Not Found")


class FindingTests(CallBookCase):
    """A story is found by its id, its beginning, or its Call-ID."""

    def test_found(self) -> None:
        """By the id in any case, by a beginning that only one has, and by the Call-ID."""
        trail = self.outgoing()
        id = trail.story["id"]
        self.assertEqual((len(id), id.isalnum(), id), (6, True, id.lower()))
        for name in (id, id.upper(), id[:3], "call-1"):
            self.assertEqual(self.book.story(name)["call_id"], "call-1")

    def test_latest_failed(self) -> None:
        """Without a name it is the latest call that failed; not one that was answered or goes on, though it is later."""
        for _ in range(2):
            self.outgoing().finished(404, "Not Found")
            self.clock.advance(1)
        self.outgoing().up("dialog", FakePeer(ALICE, BOB))
        self.assertEqual(self.book.story("")["call_id"], "call-2")

    def test_clock_set_back(self) -> None:
        """What happens after the clock was set back is later all the same, in this run and the next, and is what is kept."""
        self.patch(callbook, "MOST", {Shelf.CALL: 3})
        for callee, leap in (("ahead", 7200), ("back", -7200), ("reopened", 0), ("last", 0)):
            self.clock.advance(leap)
            if callee == "reopened":
                self.book.stop()
                self.book = self.reopened()
            self.outgoing(callee).finished(404, "Not Found")
            self.book.flush()
        self.assertEqual(self.book.story("")["callee"], "last")
        self.assertEqual(self.kept(), ["last", "reopened", "back"])

    def test_clock_set_back_meanwhile(self) -> None:
        """No call lasts less than no time, neither one that is up nor one that has ended."""
        trails = [self.outgoing(), self.outgoing()]
        for trail in trails:
            trail.up("dialog", FakePeer(ALICE, BOB))
        self.clock.advance(-7200)
        trails[0].down("dialog", ALICE, "")
        self.assertEqual([line["seconds"] for line in self.book.recent(2)], [0.0, 0.0])
        self.assertEqual(trails[0].story["ended"], 0.0)

    def test_not_found(self) -> None:
        """What names no call, or several, is refused in words; whatever it is."""
        for name in (
            "zzzzzz",
            "%",
            "é",
            "\ud800",
            "a" * 100_000,
            "call-7",
            "1",
            "'; DROP TABLE calls_story",
        ):
            error = self.assertRaises(NoSuchCall, self.book.story, name)
            self.assertIn("there is no call", str(error))
        ids = [self.outgoing().story["id"] for _ in range(40)]
        shared = next(first for first in {id[0] for id in ids} if sum(id[0] == first for id in ids) > 1)
        self.assertIn("several calls", str(self.assertRaises(NoSuchCall, self.book.story, shared)))
