"""Which names that the user knows look like somebody's.

A stranger's name is compared with those of all contacts while a caller waits. With each name under its looks that takes as long
with a thousand contacts as with one.
"""

from __future__ import annotations

from collections.abc import Iterable

from p2pship.interfaces import IKeyring
from p2pship.trust.contacts import Contacts
from p2pship.trust.ledger import CONTACT, Ledger
from p2pship.trust.lookalike import looks, oddities


class Likenesses:
    """Canonical AORs, by their looks."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._by_look: dict[str, set[str]] = {}
        for aor in names:
            self.add(aor)

    def add(self, aor: str) -> None:
        """Put a name in; harmless when repeated."""
        for look in looks(aor):
            self._by_look.setdefault(look, set()).add(aor)

    def remove(self, aor: str) -> None:
        """Take a name out; harmless if it is not there."""
        for look in looks(aor):
            names = self._by_look.get(look, set())
            names.discard(aor)
            if not names:
                self._by_look.pop(look, None)

    def of(self, aor: str) -> list[str]:
        """Return which names look like this one, itself left out, in their order."""
        found = {other for look in looks(aor) for other in self._by_look.get(look, ())}
        return sorted(found - {aor})


class LookAlikes:
    """The contacts and own names that somebody's name may be taken for."""

    def __init__(self, keyring: IKeyring, ledger: Ledger, contacts: Contacts) -> None:
        self._keyring = keyring
        self._contacts = contacts
        self._own: Likenesses | None = None
        self._known: dict[str, Likenesses] = {}
        "the names of contacts by own AOR; these and the own names are gathered when the first is asked for"
        keyring.watch(self._identity_changed)
        ledger.watch(self._entry_changed)

    def of(self, own: str, aor: str) -> list[str]:
        """Return the AORs of contacts of an own identity, and of all own identities, that look like this one."""
        if own not in self._known:
            self._known[own] = Likenesses(contact.aor for contact in self._contacts.all(own))
        if self._own is None:
            self._own = Likenesses(identity.aor for identity in self._keyring.identities())
        return list(dict.fromkeys((*self._known[own].of(aor), *self._own.of(aor))))

    def warnings(self, own: str, aor: str) -> tuple[str, ...]:
        """Say what name this one may be taken for, and what is odd about it."""
        found = [f"the name looks like {self._whose(own, other)}: {other}" for other in self.of(own, aor)]
        return (*found, *oddities(aor))

    def _whose(self, own: str, aor: str) -> str:
        contact = self._contacts.get(own, aor)
        if contact is None or self._keyring.identity(aor) is not None:
            return "your own"
        return f"that of your contact {contact.name}"

    def _identity_changed(self, aor: str) -> None:
        gone = self._keyring.identity(aor) is None
        if gone:
            self._known.pop(aor, None)
        if self._own is not None:
            (self._own.remove if gone else self._own.add)(aor)

    def _entry_changed(self, own: str, kind: str, name: str) -> None:
        if kind != CONTACT or own not in self._known:
            return
        gone = self._contacts.get(own, name) is None
        (self._known[own].remove if gone else self._known[own].add)(name)
