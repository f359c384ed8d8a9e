"""The passwords of phones that are not on this machine, as what proves them: HA1 (RFC 7616 §3.4.2), sealed by the vault.

HA1 lets whoever has it register as that name, so it is kept like a key. A seal is bound to its name and user
name: a row that was moved to another name opens no more. A password ends with all that was registered by it, in one
transaction: a lost phone rings no more, whether a node was running then or not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from p2pship.errors import LocalError
from p2pship.identity.aor import split_aor
from p2pship.sip.bindings import forget_phone
from p2pship.sip.digest import ALGORITHMS, secret
from p2pship.storage.database import Database, Schema

SCHEMA = Schema(
    "phones",
    (
        """
        CREATE TABLE phones_passwords (
            aor TEXT NOT NULL, username TEXT NOT NULL, secrets BLOB NOT NULL, since REAL NOT NULL,
            PRIMARY KEY (aor, username)
        ) STRICT
        """,
    ),
)

SHORTEST_PASSWORD = 8
"Characters: whoever hears one exchange can try passwords at home, so that a short one is none."

LONGEST_PASSWORD = 256
"Characters: longer ones are mistakes."

LONGEST_USERNAME = 64
"Characters: what a telephone's menu takes."

MOST_OF_NAME = 32
"Phones with a password of one name: twice as many as can be registered."


class Sealer(Protocol):
    """What keeps secrets unreadable on the disk: the vault."""

    def seal(self, purpose: str, data: bytes) -> bytes:
        """Return data that only :meth:`open_sealed` with the same purpose opens."""

    def open_sealed(self, purpose: str, sealed: bytes) -> bytes:
        """Return what was sealed; raises a P2PShipError if it was not sealed so."""

    def sealed_anew(self, purpose: str, sealed: bytes) -> bytes | None:
        """Return the same sealed with the newest key; None if it is; raises as :meth:`open_sealed`."""

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` when what was sealed has to be sealed anew."""


@dataclass(frozen=True, slots=True)
class Phone:
    """One phone that may prove itself."""

    aor: str
    "the canonical AOR under which it may register"
    username: str
    "its user name for authentication"
    since: float
    "when its password was set (Unix time)"


class Phones:
    """The phones that have a password, by name and user name."""

    def __init__(self, database: Database, vault: Sealer, seconds: Callable[[], float]) -> None:
        """``seconds`` tells the Unix time."""
        self._database = database
        self._vault = vault
        self._seconds = seconds
        self._watchers: list[Callable[[str, str], None]] = []
        vault.watch(self._seal_anew)

    def watch(self, changed: Callable[[str, str], None]) -> None:
        """Call ``changed`` with the name and the user name of each phone whose password is set or removed from now on."""
        self._watchers.append(changed)

    def set_password(self, aor: str, username: str, password: str) -> Phone:
        """Let the phone with this user name register under a canonical AOR; on disk when this returns.

        :raises LocalError: if the password or the user name will not do, or there are too many.
        """
        _check(username, password)
        if len(self.list(aor)) >= MOST_OF_NAME and self.phone(aor, username) is None:
            raise LocalError(f"{aor} has {MOST_OF_NAME} phones already: remove one with p2pship phone remove")
        realm = realm_of(aor)
        secrets = {each: secret(each, username, realm, password) for each in ALGORITHMS}
        sealed = self._vault.seal(_purpose(aor, username), json.dumps(secrets).encode())
        phone = Phone(aor, username, self._seconds())
        with self._database.transaction():
            self._database.write(
                "INSERT OR REPLACE INTO phones_passwords VALUES (?, ?, ?, ?)",
                aor,
                username,
                sealed,
                phone.since,
            )
            forget_phone(self._database, aor, username)
        self._tell(aor, username)
        return phone

    def remove(self, aor: str, username: str) -> None:
        """Let a phone prove itself no more.

        :raises LocalError: if there is none of this name and user name.
        """
        if self.phone(aor, username) is None:
            raise LocalError(
                f"{aor} has no phone with the user name {username}: `p2pship phone list` shows them"
            )
        with self._database.transaction():
            self._database.write("DELETE FROM phones_passwords WHERE aor = ? AND username = ?", aor, username)
            forget_phone(self._database, aor, username)
        self._tell(aor, username)

    def drop(self, aor: str) -> None:
        """Forget the passwords of a name that is no longer this node's."""
        for phone in self.list(aor):
            self.remove(aor, phone.username)

    def _tell(self, aor: str, username: str) -> None:
        for changed in tuple(self._watchers):
            changed(aor, username)

    def list(self, aor: str | None = None) -> list[Phone]:
        """Return the phones of a name, or all, by name and user name."""
        where, parameters = ("", ()) if aor is None else ("WHERE aor = ?", (aor,))
        rows = self._database.query(
            f"SELECT aor, username, since FROM phones_passwords {where} ORDER BY aor, username", *parameters
        )
        return [Phone(*row) for row in rows]

    def phone(self, aor: str, username: str) -> Phone | None:
        """Return the phone with this user name of a name, None if there is none."""
        rows = self._database.query(
            "SELECT aor, username, since FROM phones_passwords WHERE aor = ? AND username = ?", aor, username
        )
        return Phone(*rows[0]) if rows else None

    def secret(self, aor: str, username: str, algorithm: str) -> str | None:
        """Return HA1 for an algorithm; None if there is no such phone.

        :raises P2PShipError: if what is kept of it does not open: the file was altered.
        """
        rows = self._database.query(
            "SELECT secrets FROM phones_passwords WHERE aor = ? AND username = ?", aor, username
        )
        if not rows:
            return None
        kept: dict[str, str] = json.loads(self._vault.open_sealed(_purpose(aor, username), rows[0][0]))
        return kept.get(algorithm)

    def _seal_anew(self) -> None:
        rows = self._database.query("SELECT aor, username, secrets FROM phones_passwords")
        anew = [
            (sealed, aor, username)
            for aor, username, secrets in rows
            if (sealed := self._vault.sealed_anew(_purpose(aor, username), secrets))
        ]
        with self._database.transaction():
            self._database.write_all(
                "UPDATE phones_passwords SET secrets = ? WHERE aor = ? AND username = ?", anew
            )


def realm_of(aor: str) -> str:
    """Return the realm in which phones of a name prove themselves: its domain (RFC 3261 §22.1)."""
    return split_aor(aor)[1]


def _check(username: str, password: str) -> None:
    plain = username.isascii() and username.isprintable() and not set(username) & set(' :"\\')
    if not plain or not 0 < len(username) <= LONGEST_USERNAME:
        raise LocalError(
            f"{username!r:.80} cannot be a phone's user name: use up to {LONGEST_USERNAME} letters and digits"
        )
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD or not password.isprintable():
        raise LocalError(
            f"a phone's password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters that can be typed"
        )


def _purpose(aor: str, username: str) -> str:
    return f"phone {aor} {username}"
