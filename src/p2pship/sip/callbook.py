"""The journal of calls: the story of every call, kept in the node's database, and bounded.

Theory of operation. A story that changed waits at most a second, and is then written with all others that wait, in one
transaction and in a thread: an fsync for each call would cost more than the call, and no phone should wait for the disk. Each story stands on a shelf (:class:`Shelf`), and of each
shelf only the newest are kept, so that strangers who are refused push out nobody but each other; on those shelves no
caller has more than a few. A story that is found alive at the start is one of a run that was killed, which it then says.
In the table a story began after the one before it, though the clock may have been set back meanwhile; the story itself tells the time by the clock.
"""

from __future__ import annotations

import json
from base64 import b32encode
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from math import inf, nextafter

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pship.errors import RemoteError
from p2pship.interfaces import IPeer
from p2pship.journal import printable
from p2pship.sip.dialog import Dialog
from p2pship.sip.trail import LONGEST_NAME, Shelf, Trail, begun
from p2pship.status import CallLine, CallStory
from p2pship.storage.database import Database, Schema

SCHEMA = Schema(
    "calls",
    (
        """CREATE TABLE calls_story (
            id TEXT PRIMARY KEY, began REAL NOT NULL, shelf TEXT NOT NULL, caller TEXT NOT NULL,
            call_id TEXT NOT NULL, live INTEGER NOT NULL, story TEXT NOT NULL) STRICT, WITHOUT ROWID""",
        "CREATE INDEX calls_by_shelf ON calls_story (shelf, began)",
        "CREATE INDEX calls_by_caller ON calls_story (shelf, caller, began)",
    ),
)

WRITE_AFTER = 1.0
"Seconds that a change may wait to be written: what a kill may take away."

BATCH = 32
"Stories that are written together as soon as so many wait: two milliseconds of work."

MOST_WAITING = 500
"Stories that wait for a slow disk: with more everything waits for it, so that a flood fills no memory."

MOST = {Shelf.CALL: 2000, Shelf.MISSED: 500, Shelf.REFUSED: 500}
"Stories kept of each shelf: a year of a person's calls, and a few weeks of strangers; about 1 kB each."

MOST_OF_CALLER = 50
"Stories kept of one caller on a shelf of strangers: one who calls all the time pushes out only their own."

MOST_RECENT = 3000
"Stories told at a time: all."

_ID_OCTETS, _ID_LETTERS = 5, 6
_ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyz234567")

# The story is made of dicts and lists that nothing in it holds: there is no cycle to look for.
_JSON = json.JSONEncoder(check_circular=False)

_Row = tuple[str | float, ...]

_Key = tuple[str, str, IPeer | None]
"Call-ID, tag of the caller, and the peer that called (None: a phone of ours did)."


class NoSuchCall(RemoteError):
    """There is no call of that name."""


class CallBook:
    """Keeps the stories."""

    log = Logger()

    def __init__(self, reactor: IReactorTime, database: Database, random: Callable[[int], bytes]) -> None:
        self._reactor = reactor
        self._database = database
        self._random = random
        self._waiting: dict[str, Trail] = {}
        self._latest = 0.0
        self._live: dict[_Key, list[Trail]] = {}
        "mostly one; a caller may use the name of a call that is up again"
        self._write: IDelayedCall | None = None
        self._writing: Future[None] | None = None

    def start(self) -> None:
        """Take it that the calls that were alive in the last run ended with it; raises StorageFailed."""
        ((self._latest,),) = self._database.query("SELECT coalesce(max(began), 0.0) FROM calls_story")
        rows = self._database.query("SELECT story FROM calls_story WHERE live = 1")
        if not rows:
            return
        with self._database.transaction():
            for (text,) in rows:
                story: CallStory = json.loads(text)
                story["state"], story["ended_by"] = "interrupted", "this node"
                story["reason"] = "the node stopped"
                self._database.write(
                    "UPDATE calls_story SET live = 0, story = ? WHERE id = ?", json.dumps(story), story["id"]
                )

    def stop(self) -> None:
        """Write what was not written yet."""
        self.flush()

    # Stories while they happen.

    def begin(self, call_id: str, tag: str, peer: IPeer | None, caller: str, callee: str) -> Trail:
        """Begin the story of an INVITE: a peer's, or, if ``peer`` is None, that of a phone of ours."""
        direction = "outgoing" if peer is None else "incoming"
        story = begun(self._new_id(), call_id, direction, caller, callee, self._reactor.seconds())
        key = (call_id, tag, peer)
        self._latest = max(story["began"], nextafter(self._latest, inf))
        trail = Trail(story, self._latest, self._reactor.seconds, partial(self._changed, key))
        self._live.setdefault(key, []).append(trail)
        if peer is not None:
            trail.with_peer(peer)
        return trail

    def of(self, dialog: Dialog) -> Trail | None:
        """Return the story of the call that a dialog belongs to, as long as it lives."""
        called = dialog.phone_called
        tag = dialog.id.peer_tag if called else dialog.id.phone_tag
        trails = self._live.get((dialog.id.call_id, tag, dialog.peer if called else None), [])
        return next((each for each in trails if each.has(dialog)), trails[-1] if trails else None)

    def _changed(self, key: _Key, trail: Trail) -> None:
        self._waiting[trail.story["id"]] = trail
        if not trail.live:
            self._forget(key, trail)
        if len(self._waiting) >= BATCH:
            self._write_behind()
        elif self._write is None:
            self._write = self._reactor.callLater(WRITE_AFTER, self._write_behind)

    def _forget(self, key: _Key, trail: Trail) -> None:
        left = [each for each in self._live.get(key, ()) if each is not trail]
        if left:
            self._live[key] = left
        else:
            self._live.pop(key, None)

    def _new_id(self) -> str:
        """Return 30 random bits; that they name a story that is kept already, in whose place this one comes, is
        as likely as 1 in 350,000."""
        return b32encode(self._random(_ID_OCTETS)).decode().lower()[-_ID_LETTERS:]

    # Stories that are kept.

    def recent(self, number: int) -> list[CallLine]:
        """Return the beginnings of the latest stories, the latest first."""
        self.flush()
        rows = self._database.query(
            "SELECT story FROM calls_story ORDER BY began DESC LIMIT ?", max(0, min(number, MOST_RECENT))
        )
        return [_line(json.loads(text), self._reactor.seconds()) for (text,) in rows]

    def story(self, name: str) -> CallStory:
        """Return the story with this id, the only one whose id begins so, or the latest with this Call-ID.

        An empty name is the latest call that failed or was refused.

        :raises NoSuchCall: if there is none, or there are several.
        """
        self.flush()
        if not name:
            return self._latest_failed()
        texts = self._starting_with(name.lower()) or self._database.query(
            "SELECT id, story FROM calls_story WHERE call_id = ? ORDER BY began DESC LIMIT 1",
            printable(name, LONGEST_NAME),
        )
        if not texts:
            raise NoSuchCall(
                f"there is no call {name[:60]!r}: `p2pship calls --recent` lists those that are kept"
            )
        if len(texts) > 1:
            raise NoSuchCall(f"several calls begin with {name!r}: {', '.join(id for id, _ in texts)}")
        story: CallStory = json.loads(texts[0][1])
        return story

    def _latest_failed(self) -> CallStory:
        texts = self._database.query(
            "SELECT story FROM calls_story WHERE story ->> 'state' IN ('failed', 'refused') ORDER BY began DESC LIMIT 1"
        )
        if not texts:
            raise NoSuchCall(
                "there is no call that failed: `p2pship calls --recent` lists those that are kept"
            )
        story: CallStory = json.loads(texts[0][0])
        return story

    def _starting_with(self, prefix: str) -> list[tuple[str, str]]:
        """Return a few of the stories whose id begins so."""
        if not prefix or not set(prefix) <= _ALPHABET:
            return []
        rows = self._database.query(
            "SELECT id, story FROM calls_story WHERE id >= ? AND id < ? LIMIT 5", prefix, prefix + "{"
        )
        return [(id, story) for id, story in rows]

    def flush(self) -> None:
        """Write what waits, and wait for it; a failure is logged, as no call may fail for it."""
        self._stop_waiting()
        self._wait_for_written()
        if self._waiting:
            self._writing = self._database.behind(self._batch())
            self._wait_for_written()

    def _wait_for_written(self) -> None:
        if self._writing is not None:
            wait([self._writing])
            self._look_at_written()

    def _write_behind(self) -> None:
        """Write what waits in a thread, unless that has something to write still."""
        if self._writing is not None and not self._writing.done():
            self._wait_longer()
            return
        self._stop_waiting()
        self._look_at_written()
        self._writing = self._database.behind(self._batch())
        if self._writing.done():
            self._look_at_written()

    def _wait_longer(self) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self.flush()
        elif self._write is None or not self._write.active():
            self._write = self._reactor.callLater(WRITE_AFTER, self._write_behind)

    def _stop_waiting(self) -> None:
        if self._write is not None and self._write.active():
            self._write.cancel()
        self._write = None

    def _look_at_written(self) -> None:
        written, self._writing = self._writing, None
        error = written.exception() if written is not None else None
        if error is not None:
            self.log.failure("the stories of calls will not survive a restart", Failure(error))

    def _batch(self) -> Callable[[Database], None]:
        """Return the work of writing what waits, as it is now."""
        waiting, self._waiting = self._waiting, {}
        rows = [_row(trail) for trail in waiting.values()]
        touched = {(trail.shelf, trail.story["caller"]) for trail in waiting.values()}
        return lambda database: _write(database, rows, touched)


def _write(database: Database, rows: list[_Row], touched: set[tuple[Shelf, str]]) -> None:
    """Write stories, and drop what is too much on their shelves."""
    with database.transaction():
        database.write_all("INSERT OR REPLACE INTO calls_story VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        for shelf, caller in touched:
            if shelf is not Shelf.CALL:
                _drop_beyond(database, MOST_OF_CALLER, "shelf = ? AND caller = ?", shelf.value, caller)
        for shelf in {shelf for shelf, _ in touched}:
            _drop_beyond(database, MOST[shelf], "shelf = ?", shelf.value)


def _drop_beyond(database: Database, most: int, condition: str, *parameters: str) -> None:
    """Keep the newest of those that meet a condition; ``condition`` is one of our own texts."""
    database.write(
        "DELETE FROM calls_story WHERE id IN "
        f"(SELECT id FROM calls_story WHERE {condition} ORDER BY began DESC LIMIT -1 OFFSET ?)",
        *parameters,
        most,
    )


def _row(trail: Trail) -> _Row:
    story = trail.story
    return (
        story["id"],
        trail.place,
        trail.shelf.value,
        story["caller"],
        story["call_id"],
        int(trail.live),
        _JSON.encode(story),
    )


def _line(story: CallStory, now: float) -> CallLine:
    ended = story["ended"] if story["ended"] is not None else now - story["began"]
    seconds = max(0.0, ended - (story["answered"] or 0.0))  # the clock may have been set back meanwhile
    return CallLine(
        id=story["id"],
        direction=story["direction"],
        caller=story["caller"],
        callee=story["callee"],
        began=story["began"],
        state=story["state"],
        seconds=0.0 if story["state"] == "interrupted" else seconds,
        status=story["status"],
        reason=story["reason"],
    )
