"""Pair secrets: 32 octets that two people share, under which they find each other and nobody else does.

Theory of operation. Each secret is an entry of its own in the ledger, so that all devices of a person have all of them, and
two that were agreed at the same time, by different devices, are both kept. Its version is its first 8 octets of SHA-256, by
which both sides speak of it. A secret is *sure* when the other side has shown that it has it. When a newer one is sure the
older ones stay good for two days, for devices of the person that were switched off meanwhile.

A secret is *stale* when somebody else may have it: a device of ours was revoked of which the device that agreed on the secret had
not heard. So each secret says which it had heard of, and nobody has to mark any. A stale one stays in use until the two have met
and have another one, which both know; there is no better one until then, and it is good for nothing from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from twisted.internet.interfaces import IReactorTime

from p2pship.trust.ledger import PAIR, Ledger

SECRET_OCTETS = 32
VERSION_OCTETS = 8

OVERLAP = 172_800
"Seconds that an older secret stays good beside a newer one: two days."

REVOKED_OCTETS = 8
"Octets of the SHA-256 of a Host Identity by which a secret names a revoked device."

MOST_REVOKED = 512
"Revoked devices that a secret names, the newest: 4 KiB."

MOST_KEPT = 3
"Secrets for one contact: a fourth takes the place of the oldest; each is one more question in a search."


@dataclass(frozen=True, slots=True)
class PairSecret:
    """One secret that we share with one person."""

    contact: str
    "the other's canonical AOR"
    version: int
    "the first 8 octets of its SHA-256, which may be told"
    secret: bytes = field(repr=False)
    "32 octets"
    made: int
    "Unix time"
    person: bytes
    "SHA-256 of the identity key of the other with whom it was agreed"
    sure: bool
    "whether the other side is known to have it"
    after: frozenset[bytes]
    "the devices of ours that were known to be revoked when it was agreed, 8 octets each"
    stale: bool
    "whether it has to be replaced at the next meeting"


class PairSecrets:
    """The pair secrets of all own identities."""

    def __init__(
        self, ledger: Ledger, clock: IReactorTime, revoked: Callable[[str], Sequence[bytes]]
    ) -> None:
        """``revoked`` returns the revoked devices of an own AOR, newest first, each by the SHA-256 of its Host Identity."""
        self._ledger = ledger
        self._clock = clock
        self._revoked = revoked

    def places(self, own: str) -> list[tuple[str, int, bytes]]:
        """Return contact, time of making and secret of each that is good: for who publishes and searches."""
        return [(one.contact, one.made, one.secret) for one in self.of(own)]

    def of(self, own: str, contact: str | None = None) -> list[PairSecret]:
        """Return the secrets of our identity ``own`` that are good, newest first: all, or those shared with a contact."""
        gone = self._gone(own)
        everything = (_read(name, value, gone) for name, value in self._ledger.items(own, PAIR).items())
        mine = [one for one in everything if one is not None and contact in (None, one.contact)]
        # Stale ones last, whenever they were made: the clock may have been wrong.
        mine.sort(key=lambda one: (not one.stale, one.made, one.version), reverse=True)
        ended = self._ended(mine)
        return [one for one in mine if one not in ended]

    def _ended(self, newest_first: Iterable[PairSecret]) -> list[PairSecret]:
        """Return those that a newer one, known to both, has replaced, at once or for long enough; and those that are too many."""
        good_until: dict[str, float] = {}
        kept: dict[str, int] = {}
        ended = []
        now = self._clock.seconds()
        for one in newest_first:
            replaced = one.stale and one.contact in good_until
            over = now >= good_until.get(one.contact, float("inf"))
            if replaced or over or kept.get(one.contact, 0) == MOST_KEPT:
                ended.append(one)
                continue
            kept[one.contact] = kept.get(one.contact, 0) + 1
            if one.sure:
                good_until[one.contact] = one.made + OVERLAP
        return ended

    def keep(self, own: str, contact: str, person: bytes, secret: bytes, sure: bool) -> PairSecret:
        """Keep a new secret; ``person`` is the SHA-256 of the other's identity key.

        :raises LocalError: if it cannot be written.
        """
        made, gone = int(self._clock.seconds()), self._gone(own)
        new = PairSecret(contact, version_of(secret), secret, made, person, sure, gone, False)
        self._write(own, new)
        self._tidy(own, contact)
        return new

    def known_there(self, own: str, contact: str, versions: Iterable[int]) -> None:
        """Hear which versions the other side says that it has: they are sure from now on.

        :raises LocalError: if it cannot be written.
        """
        told = set(versions)
        for one in self.of(own, contact):
            if one.version in told and not one.sure:
                self._write(own, replace(one, sure=True))
        self._tidy(own, contact)

    def forget(self, own: str, contact: str) -> None:
        """Forget every secret that is shared with a person.

        :raises LocalError: if it cannot be written.
        """
        for name, value in self._ledger.items(own, PAIR).items():
            read = _read(name, value, frozenset())
            if read is None or read.contact == contact:
                self._ledger.remove(own, PAIR, name)

    def _gone(self, own: str) -> frozenset[bytes]:
        """Return the devices of ours that are known to be revoked."""
        return frozenset(digest[:REVOKED_OCTETS] for digest in self._revoked(own)[:MOST_REVOKED])

    def _write(self, own: str, one: PairSecret) -> None:
        value = {
            "secret": one.secret,
            "made": one.made,
            "person": one.person,
            "sure": one.sure,
            "after": b"".join(sorted(one.after)),
        }
        self._ledger.put(own, PAIR, _name(one.contact, one.version), value)

    def _tidy(self, own: str, contact: str) -> None:
        """Remove what is good for nothing any more."""
        good = {_name(contact, one.version) for one in self.of(own, contact)}
        for name in self._ledger.items(own, PAIR):
            if name.rpartition(" ")[0] == contact and name not in good:
                self._ledger.remove(own, PAIR, name)


def version_of(secret: bytes) -> int:
    """Return the version of a secret: a number by which both sides speak of it without telling it."""
    return int.from_bytes(sha256(b"p2pship pair version" + secret).digest()[:VERSION_OCTETS], "big")


def _name(contact: str, version: int) -> str:
    return f"{contact} {version:016x}"


def _read(name: str, value: Any, gone: frozenset[bytes]) -> PairSecret | None:
    """Return the secret in an entry; None for one of another form, which another device may have written.

    ``gone`` are the devices that are known to be revoked now.
    """
    contact, _, _ = name.rpartition(" ")
    if not isinstance(value, dict):
        return None
    secret, made, person = value.get("secret"), value.get("made"), value.get("person")
    if not isinstance(secret, bytes) or len(secret) != SECRET_OCTETS or not isinstance(person, bytes):
        return None
    if type(made) is not int or name != _name(contact, version_of(secret)):
        return None
    after, sure = _pieces(value.get("after")), bool(value.get("sure"))
    return PairSecret(contact, version_of(secret), secret, made, person, sure, after, not gone <= after)


def _pieces(octets: Any) -> frozenset[bytes]:
    if not isinstance(octets, bytes):
        return frozenset()
    return frozenset(octets[at : at + REVOKED_OCTETS] for at in range(0, len(octets), REVOKED_OCTETS))
