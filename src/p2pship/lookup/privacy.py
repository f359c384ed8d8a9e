"""Modes of location privacy: for whom each of our own identities publishes where it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from p2pship.errors import LocalError
from p2pship.identity.place import Place
from p2pship.lookup.rendezvous import Rendezvous

OPEN, FRIENDS, PARANOID = MODES = ("open", "friends", "paranoid")
"For everybody who knows the name; for everybody, and for each friend apart; for each friend alone."

SETTING, MODE = "setting", "privacy"
"Kind and name of the entry in a person's ledger that says which mode they chose."

MOST_SECRETS = 3
"Pair secrets with one person that are in use: the old and the new one during a change, and one that two devices made at once."

Shared: TypeAlias = tuple[str, int, bytes]
"The canonical AOR of the contact, the secret's version, and its 32 octets."


def check_mode(value: str) -> None:
    """Pass a mode of location privacy."""
    if value not in MODES:
        raise ValueError(f"give one of {', '.join(MODES)}")


def _no_secrets(own: str) -> Sequence[Shared]:
    return ()


def _always_open(own: str) -> str:
    return OPEN


@dataclass(frozen=True, slots=True)
class Privacy:
    """What the publisher and the search ask about our own identities, by canonical AOR."""

    mode_of: Callable[[str], str] = field(default=_always_open)
    "returns the mode of an own identity"
    secrets_of: Callable[[str], Sequence[Shared]] = field(default=_no_secrets)
    "returns the pair secrets of an own identity that are valid now"
    rendezvous: Rendezvous = field(default_factory=Rendezvous)
    "who is to be found, and looked for, by a code now"

    def published(self, own: str) -> list[Place]:
        """Return the places at which an own identity is to be found."""
        mode = self.mode_of(own)
        check_known(mode)
        is_open = mode != PARANOID or self.rendezvous.shows(own)
        places = [Place.of_name(own)] if is_open else []
        if mode != OPEN:
            places += [Place.between(secret, own, contact) for contact, _, secret in self.secrets_of(own)]
        return list(dict.fromkeys(places))

    def searched(self, own: str, aor: str) -> list[Place]:
        """Return the places at which an own identity looks for somebody, those only the two know first.

        A paranoid one does not let anybody else see that it looks for a friend: it asks where only they meet. Everybody else
        asks both there and where all look.
        """
        secrets = [each for each in self.secrets_of(own) if each[0] == aor]
        newest = sorted(secrets, key=lambda each: each[1], reverse=True)[:MOST_SECRETS]
        places = [Place.between(secret, aor, own) for _, _, secret in newest]
        if not places or self.mode_of(own) != PARANOID or self.rendezvous.seeks(own, aor):
            places.append(Place.of_name(aor))
        return list(dict.fromkeys(places))


EVERYTHING_OPEN = Privacy()
"Of a node that knows no modes and no secrets."


def check_known(mode: str) -> None:
    """Raise LocalError over what is no mode: a misspelt one must not publish more than was meant."""
    if mode not in MODES:
        raise LocalError(f"{mode!r:.40} is no mode of location privacy: give one of {', '.join(MODES)}")


class KeptSettings(Protocol):
    """Where settings of own identities are kept, shared by all devices of the person: the ledger."""

    def get(self, own: str, kind: str, name: str) -> Any | None:
        """Return the value of an entry, None if there is none."""

    def put(self, own: str, kind: str, name: str, value: Any) -> None:
        """Write an entry."""

    def remove(self, own: str, kind: str, name: str) -> bool:
        """Remove an entry; False if there was none."""


class Modes:
    """The mode of each own identity: what its person chose, else that of the configuration."""

    def __init__(self, configured: str, kept: KeptSettings) -> None:
        self._configured = configured
        self._kept = kept

    def of(self, own: str) -> str:
        """Return the mode of an own identity; what another version of a device of ours may have written publishes least."""
        chosen = self._kept.get(own, SETTING, MODE)
        if chosen is None:
            return self._configured
        return chosen if chosen in MODES else PARANOID

    def chosen(self, own: str) -> bool:
        """Tell whether the person chose the mode, so that the configuration's does not matter."""
        return self._kept.get(own, SETTING, MODE) is not None

    def choose(self, own: str, mode: str) -> None:
        """Have an own identity use this mode on all devices of the person; empty: that of each device's configuration.

        :raises LocalError: if there is no such mode, or it cannot be kept.
        """
        if not mode:
            self._kept.remove(own, SETTING, MODE)
            return
        check_known(mode)
        self._kept.put(own, SETTING, MODE, mode)
