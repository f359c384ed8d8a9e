"""The ledger: what a person has decided about others, the same on all of their devices.

Theory of operation. For each own identity it maps (kind, name) to a value. All devices of the person may write at any time,
also while they cannot hear of each other; when they can, they exchange what differs, and of two entries of one kind and name
the newer stamp wins. An entry that was removed stays as one without a value, so that it does not come back from a device that
had not heard of it. Merging is commutative, associative and idempotent: in whatever order the devices meet, they end up with
the same. Revocations only ever grow.

A clock that is far ahead must not win for ever. Entries whose stamp is more than an hour ahead of our clock are not taken from
others. Our own, written before our clock was put right, are stamped anew before they are told to others: devices whose
clocks differ by more than 15 minutes do not talk to each other, so a clock is right, or as wrong as all others, when they do.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from p2pship.errors import LocalError
from p2pship.identity.cbor import decode, encode
from p2pship.storage.database import Database, Schema
from p2pship.trust.entry import WRITER_OCTETS, BadEntry, Entry, StampClock

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from p2pship.storage.vault import Vault

SCHEMA = Schema(
    "ledger",
    (
        """CREATE TABLE ledger_entry (
            own TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, stamp BLOB NOT NULL, value BLOB,
            PRIMARY KEY (own, kind, name)) STRICT, WITHOUT ROWID""",
    ),
)
"``value`` is CBOR, that of secret kinds sealed by the vault; NULL where the entry was removed."

CONTACT, PIN, CONFIRMED, BLOCK, ALLOW = "contact", "pin", "confirmed", "block", "allow"
REVOKED, PAIR, VOUCH = "revoked", "pair", "vouch"

SECRET = frozenset({PAIR})
"Kinds whose values are sealed at rest: who reads the database must not learn them."

GROWING = frozenset({REVOKED})
"Kinds of which nothing is ever removed."

GUEST = "guest"
"Marks an identity of this device that was made only to say hello with."

HERE = frozenset({GUEST})
"Kinds about this very device: other devices are not told them, and what they say of them is not taken."

MOST_ENTRIES = 20_000
MOST_OCTETS = 3_800_000
"""Of the entries of one own identity, removed ones included, in all: they are kept in memory, and a backup has to hold all of
them."""

MOST_TAKEN = 18_000
MOST_OCTETS_TAKEN = 3_400_000
"""What other devices may bring it to. The rest is for what is decided here: a stolen device that fills the ledger must not keep
anybody from being blocked."""

Key: TypeAlias = tuple[str, str]
"Kind and name of an entry."

Changed: TypeAlias = Callable[[str, str, str], None]
"Called with own AOR, kind and name of an entry that was written, removed or merged."


class Ledger:
    """The ledgers of all own identities of this node. ``own`` is always the canonical AOR of one of them."""

    def __init__(
        self, database: Database, vault: Vault, clock: IReactorTime, random: Callable[[int], bytes]
    ) -> None:
        """``database`` has the tables of this module's SCHEMA.

        :raises LocalError: if what is kept cannot be read.
        """
        self._database = database
        self._vault = vault
        self._clocks = defaultdict[str, StampClock](lambda: StampClock(clock.seconds, random(WRITER_OCTETS)))
        "one for each own identity: stamps of two have nothing in common that would say that they are of one node"
        self._watchers: list[Changed] = []
        self._entries: dict[str, dict[Key, Entry]] = {}
        self._values: dict[str, dict[str, dict[str, Any]]] = {}
        self._octets: Counter[str] = Counter()
        self._together: list[tuple[str, Entry]] | None = None
        for own, kind, name, stamp, value in database.query("SELECT * FROM ledger_entry"):
            self._remember(own, Entry(kind, name, stamp, self._opened(own, kind, name, value)))
        vault.watch(self._seal_anew)

    # For who decides and asks.

    def get(self, own: str, kind: str, name: str) -> Any | None:
        """Return the value of an entry, None if there is none or it was removed. It must not be altered."""
        return self._values.get(own, {}).get(kind, {}).get(name)

    def items(self, own: str, kind: str) -> Mapping[str, Any]:
        """Return the values of a kind by name, those removed left out; in no order. They must not be altered."""
        return dict(self._values.get(own, {}).get(kind, {}))

    def put(self, own: str, kind: str, name: str, value: Any) -> None:
        """Write an entry; it is on disk when this returns, and the watchers have heard. None is no value: remove it.

        :raises LocalError: if the value is not plain CBOR of at most 8,192 octets, the name is too long, or the ledger is
            full; also if it cannot be written.
        """
        if value is None:
            raise LocalError("an entry without a value is one that was removed")
        self._write(own, kind, name, encode(value))

    def remove(self, own: str, kind: str, name: str) -> bool:
        """Remove an entry; False if there was none.

        :raises LocalError: if the kind only grows, or it cannot be written.
        """
        if kind in GROWING:
            raise LocalError(f"what is {kind} stays so")
        if self.get(own, kind, name) is None:
            return False
        self._write(own, kind, name, None)
        return True

    @contextmanager
    def together(self) -> Iterator[None]:
        """Keep all that is written and removed within a ``with`` block at its end: on disk it is all there, or nothing of it.

        What is read within the block is what was there before. A block within a block is a part of it.

        :raises LocalError: as :meth:`put`; nothing is kept then.
        """
        if self._together is not None:
            yield
            return
        together: list[tuple[str, Entry]] = []
        self._together = together
        try:
            yield
        finally:
            self._together = None
        self._keep_all(together)

    def watch(self, changed: Changed) -> Callable[[], None]:
        """Call ``changed`` for each entry that changes from now on; returns a call that ends it."""
        self._watchers.append(changed)
        return lambda: self._watchers.remove(changed)

    def owners(self) -> tuple[str, ...]:
        """Return the own identities that have a ledger."""
        return tuple(self._entries)

    def drop(self, own: str) -> None:
        """Forget the whole ledger of an identity that is no longer this node's; the watchers hear nothing.

        :raises LocalError: if it cannot be written.
        """
        self._database.write("DELETE FROM ledger_entry WHERE own = ?", own)
        self._entries.pop(own, None)
        self._values.pop(own, None)
        self._clocks.pop(own, None)
        del self._octets[own]

    # For the person's other devices, and backups.

    def stamps(self, own: str) -> dict[Key, bytes]:
        """Return the stamp of each entry by kind and name, removed ones included.

        :raises LocalError: if an entry of a wrong clock has to be stamped anew, and cannot be written.
        """
        self._settle(own)
        mine = self._entries.get(own, {})
        return {key: entry.stamp for key, entry in mine.items() if entry.kind not in HERE}

    def entries(self, own: str, keys: Iterable[Key] | None = None) -> list[Entry]:
        """Return these entries, those left out that are not there; all, removed ones included, if None is given.

        :raises LocalError: as :meth:`stamps`.
        """
        self._settle(own)
        mine = self._entries.get(own, {})
        found = mine.values() if keys is None else [mine[key] for key in keys if key in mine]
        return [entry for entry in found if entry.kind not in HERE]

    def merge(self, own: str, entries: Iterable[Entry], whole: bool = False) -> list[Key]:
        """Take what another device of the person has where it is newer; return what has changed, on disk already.

        ``whole`` says that it is the person who brings it, in a backup: there is as much room for it as there is at all, and what
        was written while a clock was far ahead is taken, too; it is stamped anew before others hear of it.

        From other devices entries from too far in the future are passed over, and offered again at another time.

        :raises BadEntry: if one of them is not of its form; then none is taken.
        :raises LocalError: if it cannot be written.
        """
        self._settle(own)
        room = (MOST_ENTRIES, MOST_OCTETS) if whole else (MOST_TAKEN, MOST_OCTETS_TAKEN)
        taking = _Taking(self._entries.get(own, {}), self._octets[own], *room)
        for entry in entries:
            entry.check()
            if whole or not self._clocks[own].too_far(entry):
                taking.offer(entry)
        self._keep(own, taking.newest.values())
        return list(taking.newest)

    # Keeping.

    def _write(self, own: str, kind: str, name: str, value: bytes | None) -> None:
        entry = Entry(kind, name, self._clocks[own].stamp(), value)
        try:
            entry.check()
        except BadEntry as error:
            raise LocalError(str(error)) from error
        mine = self._entries.get(own, {})
        known = mine.get(entry.key)
        octets = self._octets[own] + entry.size - (known.size if known is not None else 0)
        if (known is None and len(mine) >= MOST_ENTRIES) or octets > MOST_OCTETS:
            raise LocalError(f"{own} has {len(mine):,} entries, and there is no room for more")
        self._keep(own, [entry])

    def _settle(self, own: str) -> None:
        """Stamp anew, in their order, what was written while our clock was far ahead."""
        clock = self._clocks[own]
        ahead = [entry for entry in self._entries.get(own, {}).values() if clock.too_far(entry)]
        ahead.sort(key=lambda entry: entry.stamp)
        self._keep(own, [Entry(one.kind, one.name, clock.stamp(), one.value) for one in ahead])

    def _keep(self, own: str, entries: Iterable[Entry]) -> None:
        mine = [(own, entry) for entry in entries]
        if self._together is not None:
            self._together += mine
        else:
            self._keep_all(mine)

    def _keep_all(self, entries: Sequence[tuple[str, Entry]]) -> None:
        if not entries:
            return
        with self._database.transaction():
            self._database.write_all(
                "INSERT OR REPLACE INTO ledger_entry VALUES (?, ?, ?, ?, ?)", self._rows(entries)
            )
        for own, entry in entries:
            self._remember(own, entry)
        for own, entry in entries:
            for changed in tuple(self._watchers):
                changed(own, entry.kind, entry.name)

    def _rows(self, entries: Iterable[tuple[str, Entry]]) -> Iterator[tuple[object, ...]]:
        for own, entry in entries:
            value = entry.value
            if value is not None and entry.kind in SECRET:
                value = self._vault.seal(_purpose(own, entry.kind, entry.name), value)
            yield own, entry.kind, entry.name, entry.stamp, value

    def _opened(self, own: str, kind: str, name: str, value: bytes | None) -> bytes | None:
        if value is None or kind not in SECRET:
            return value
        return self._vault.open_sealed(_purpose(own, kind, name), value)

    def _seal_anew(self) -> None:
        """Seal with the newest master key what an earlier one has sealed."""
        rows = self._database.query("SELECT own, kind, name, value FROM ledger_entry WHERE value IS NOT NULL")
        anew = [
            (sealed, own, kind, name)
            for own, kind, name, value in rows
            if kind in SECRET and (sealed := self._vault.sealed_anew(_purpose(own, kind, name), value))
        ]
        with self._database.transaction():
            self._database.write_all(
                "UPDATE ledger_entry SET value = ? WHERE own = ? AND kind = ? AND name = ?", anew
            )

    def _remember(self, own: str, entry: Entry) -> None:
        self._clocks[own].seen(entry)
        mine = self._entries.setdefault(own, {})
        known = mine.get(entry.key)
        self._octets[own] += entry.size - (known.size if known is not None else 0)
        mine[entry.key] = entry
        values = self._values.setdefault(own, {}).setdefault(entry.kind, {})
        if entry.value is None:
            values.pop(entry.name, None)
        else:
            values[entry.name] = decode(entry.value)


class _Taking:
    """What is taken of entries that another device offers: what is news, as far as there is room for it."""

    def __init__(self, mine: Mapping[Key, Entry], octets: int, most: int, most_octets: int) -> None:
        self.newest: dict[Key, Entry] = {}
        self._mine = mine
        self._number, self._octets = len(mine), octets
        self._most, self._most_octets = max(most, len(mine)), max(most_octets, octets)

    def offer(self, entry: Entry) -> None:
        """Take an entry if it is news."""
        if entry.kind in HERE or (entry.kind in GROWING and entry.value is None):
            return
        known = self.newest.get(entry.key) or self._mine.get(entry.key)
        if known is not None and not entry.newer_than(known):
            return
        number = self._number + (known is None)
        octets = self._octets + entry.size - (known.size if known is not None else 0)
        if number > self._most or octets > self._most_octets:
            return
        self.newest[entry.key] = entry
        self._number, self._octets = number, octets


def _purpose(own: str, kind: str, name: str) -> str:
    """Say what the vault seals: a value that is put in another one's row does not open."""
    return f"ledger {own} {kind} {name}"
