"""Pins: the identity keys by which the user knows people.

A pin that the user has confirmed is kept a second time, under a kind of its own that only acts of the user write. Another device
may have pinned another key by itself, or let the pin follow one, before it heard of the confirming: the newer entry wins, but
not over the one that is confirmed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.interfaces import IReactorTime

from p2pship.errors import LocalError
from p2pship.identity.keys import BadKey, compressed, expanded
from p2pship.trust.ledger import CONFIRMED, PIN, Ledger

BY_CONTACT, BY_CALL, BY_CONFIRMING, BY_PROOF = "contact", "call", "confirmed", "verified"
"""How a pin came about: the person was entered as a contact; a call of ours to them was answered; the user has compared the
safety number; the user has taken a call of theirs, and the name was verified."""

MOST_FORMER = 8
"Keys that gave way to the pinned one and are remembered, newest first: none of them is ever followed back to."


@dataclass(frozen=True, slots=True)
class Pin:
    """What is remembered of a person's identity key."""

    key: bytes
    "DER SubjectPublicKeyInfo"
    since: int
    "Unix time"
    how: str
    "by which act of the user: contact, call, confirmed or verified"
    by: str = ""
    "who verified the name then, as in a verdict: the same may sign a new key; empty if nobody did"
    confirmed: bool = False
    "whether the user has compared the safety number: then no other key is ever followed by itself"
    former: tuple[bytes, ...] = ()
    "SHA-256 of the keys that gave way to this one"

    @property
    def by_call_alone(self) -> bool:
        """Whether nothing speaks for the key but that it answered a call: nobody verified the name, and the user compared nothing."""
        return self.how == BY_CALL and not self.by and not self.confirmed

    def gave_way(self, key: bytes) -> bool:
        """Tell whether a key is one that this one has replaced."""
        return hashlib.sha256(key).digest() in self.former

    def followed(self, key: bytes, by: str, now: float) -> Pin:
        """Return the pin of a key that takes this one's place."""
        former = (hashlib.sha256(self.key).digest(), *self.former)[:MOST_FORMER]
        return replace(self, key=key, since=int(now), by=by or self.by, former=former)


class Pins:
    """The pins of our own identities, in the ledger."""

    def __init__(self, ledger: Ledger, clock: IReactorTime) -> None:
        self._ledger = ledger
        self._clock = clock

    def get(self, own: str, aor: str) -> Pin | None:
        """Return the pin of an AOR, or None."""
        return _pin(self._ledger.get(own, CONFIRMED, aor)) or _pin(self._ledger.get(own, PIN, aor))

    def all(self, own: str) -> dict[str, Pin]:
        """Return all pins by AOR."""
        names = {**self._ledger.items(own, PIN), **self._ledger.items(own, CONFIRMED)}
        found = {aor: self.get(own, aor) for aor in names}
        return {aor: pin for aor, pin in found.items() if pin is not None}

    def make(self, own: str, aor: str, key: bytes, how: str, by: str = "") -> Pin:
        """Pin a key in place of what was pinned; it is confirmed if that is how it came about.

        :raises LocalError: if it cannot be written.
        """
        confirmed = how == BY_CONFIRMING
        last = self.get(own, aor)
        if last is None:
            pin = Pin(key, int(self._clock.seconds()), how, by, confirmed)
        elif last.key == key:
            pin = replace(last, how=how, by=by or last.by, confirmed=confirmed or last.confirmed)
        else:
            pin = replace(last.followed(key, "", self._clock.seconds()), how=how, by=by, confirmed=confirmed)
        return self._keep(own, aor, pin)

    def follow(self, own: str, aor: str, key: bytes, by: str) -> Pin:
        """Let the pin of an AOR follow a new key.

        :raises LocalError: if there is none, the user has confirmed it, the key is one that it has replaced, or it cannot
            be written.
        """
        last = self.get(own, aor)
        if last is None or last.confirmed or last.gave_way(key):
            raise LocalError(f"what {own} knows of {aor} cannot follow that key")
        return self._keep(own, aor, last.followed(key, by, self._clock.seconds()))

    def remove(self, own: str, aor: str) -> bool:
        """Forget the pin of an AOR; False if there was none."""
        gone = [self._ledger.remove(own, kind, aor) for kind in (PIN, CONFIRMED)]
        return any(gone)

    def _keep(self, own: str, aor: str, pin: Pin) -> Pin:
        value = {
            "key": compressed(pin.key),
            "since": pin.since,
            "how": pin.how,
            "by": pin.by,
            "confirmed": pin.confirmed,
            "former": list(pin.former),
        }
        with self._ledger.together():
            self._ledger.put(own, PIN, aor, value)
            if pin.confirmed:
                self._ledger.put(own, CONFIRMED, aor, value)
            else:
                self._ledger.remove(own, CONFIRMED, aor)
        return pin


def _pin(value: Any) -> Pin | None:
    """Read an entry; None if it is not one that this version of the program can use."""
    match value:
        case {
            "key": bytes(key),
            "since": int(since),
            "how": str(how),
            "by": str(by),
            "confirmed": bool(confirmed),
            "former": list(former),
        }:
            try:
                return Pin(expanded(key), since, how, by, confirmed, tuple(former))
            except BadKey:
                return None
    return None
