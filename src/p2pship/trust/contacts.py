"""Contacts: the people whom the user has entered, each under the name that the user gave them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IReactorTime

from p2pship.errors import LocalError
from p2pship.trust.ledger import CONTACT, Ledger

LONGEST_TEXT = 200
"Characters of a name or a note: they are shown on one line."


@dataclass(frozen=True, slots=True)
class Contact:
    """One person as the user has entered them."""

    aor: str
    "the canonical AOR"
    name: str
    "what the user calls them; the AOR if they gave no name"
    added: int
    "Unix time"
    note: str = ""


class Contacts:
    """The contacts of our own identities, in the ledger."""

    def __init__(self, ledger: Ledger, clock: IReactorTime) -> None:
        self._ledger = ledger
        self._clock = clock

    def get(self, own: str, aor: str) -> Contact | None:
        """Return the contact of this AOR, or None."""
        value = self._ledger.get(own, CONTACT, aor)
        return None if value is None else _contact(aor, value)

    def all(self, own: str) -> list[Contact]:
        """Return all contacts, by name."""
        found = [_contact(aor, value) for aor, value in self._ledger.items(own, CONTACT).items()]
        return sorted(found, key=lambda contact: (contact.name.casefold(), contact.aor))

    def add(self, own: str, aor: str, name: str = "", note: str = "") -> Contact:
        """Enter a person, or give one who is entered another name or note; what is empty stays as it was.

        :raises LocalError: if a text is too long or cannot be printed, it is an own name, or cannot be written.
        """
        if aor == own:
            raise LocalError(f"{aor} is your own name")
        known = self.get(own, aor)
        value = {
            "name": _checked(name) or (known.name if known and known.name != aor else ""),
            "note": _checked(note) or (known.note if known else ""),
            "added": known.added if known else int(self._clock.seconds()),
        }
        self._ledger.put(own, CONTACT, aor, value)
        return _contact(aor, value)

    def remove(self, own: str, aor: str) -> bool:
        """Remove a contact; False if there was none."""
        return self._ledger.remove(own, CONTACT, aor)


def _checked(text: str) -> str:
    if len(text) > LONGEST_TEXT or not text.isprintable():
        raise LocalError(f"a name or a note is up to {LONGEST_TEXT} printable characters")
    return text.strip()


def _contact(aor: str, value: Any) -> Contact:
    """Read an entry, which another version of the program may have written."""
    fields = value if isinstance(value, dict) else {}
    name, note, added = fields.get("name"), fields.get("note"), fields.get("added")
    return Contact(
        aor,
        name if isinstance(name, str) and name and name.isprintable() else aor,
        added if isinstance(added, int) else 0,
        note if isinstance(note, str) and note.isprintable() else "",
    )
