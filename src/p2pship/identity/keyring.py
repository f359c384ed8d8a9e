"""The node's own device and identities on disk, and what it remembers of the people it met."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from p2pship.address import Locator
from p2pship.errors import ConfigError, LocalError
from p2pship.identity.aor import BadAOR, canonical_aor
from p2pship.identity.device import Device
from p2pship.identity.identity import Identity, folder_name
from p2pship.identity.papers import Papers
from p2pship.identity.people import People
from p2pship.identity.record import sign_record
from p2pship.identity.statement import person_hash
from p2pship.identity.validity import RECORD_LIFETIME
from p2pship.interfaces import IIdentity, IKeyring
from p2pship.journal import IdentityCreated, Journal
from p2pship.storage.database import Database


@implementer(IKeyring)
class Keyring:
    """Keeps ``device/`` and ``identities/NAME/`` below the state folder; makes the device when there is none.

    :raises ConfigError: if a key file cannot be read. No new key is ever made in place of one that is there.
    """

    def __init__(self, folder: Path, database: Database, journal: Journal, clock: IReactorTime) -> None:
        self._folder = folder / "identities"
        self._journal = journal
        self._clock = clock
        self._people = People(database)
        self._watchers: list[Callable[[IIdentity], None]] = []
        self.device = Device.open(folder / "device")
        self._identities = {identity.aor: identity for identity in self._load()}

    def identities(self) -> Sequence[Identity]:
        """Return our own identities, oldest first."""
        return tuple(self._identities.values())

    def identity(self, aor: str) -> Identity | None:
        """Return our own identity of a canonical AOR, or None."""
        return self._identities.get(aor)

    def create(self, aor: str) -> Identity:
        """Make the identity of a canonical AOR, keep it on disk and tell the watchers."""
        if aor in self._identities:
            raise LocalError(f"there is an identity of {aor} already")
        if not _is_canonical(aor):
            raise LocalError(f"{aor!r} is not a canonical address of record")
        try:
            identity = Identity.create(self._folder, aor, self.device, self._clock)
        except OSError as error:
            raise LocalError(
                f"the identity of {aor} cannot be kept in {self._folder}: {error.strerror}"
            ) from error
        self._identities[aor] = identity
        self._journal.tell(IdentityCreated(aor))
        for created in tuple(self._watchers):
            created(identity)
        return identity

    def watch(self, created: Callable[[IIdentity], None]) -> None:
        """Call ``created`` for each identity made from now on."""
        self._watchers.append(created)

    def accept(self, papers: Papers, now: float, keep: bool) -> None:
        """Remember a person's papers, once a hello has proven them."""
        self._people.accept(papers, now, keep)

    def check(self, papers: Papers) -> None:
        """Raise what :meth:`accept` would, and remember nothing."""
        self._people.check(papers)

    def met(self, aor: str) -> bool:
        """Tell whether a hello of a device of this AOR was ever accepted."""
        return self._people.met(aor)

    def mark_encrypted(self, hit: bytes) -> None:
        """Remember for good that a hello of a device was accepted over an encrypted link."""
        self._people.mark_encrypted(hit)

    def must_be_encrypted(self, hit: bytes) -> bool:
        """Tell whether a device may only be talked to over encrypted links."""
        return self._people.must_be_encrypted(hit)

    def record_for(
        self,
        identity: IIdentity,
        locators: Sequence[Locator],
        now: float,
        parameters: Sequence[tuple[str, str]] = (),
    ) -> bytes:
        """Sign a record of this device for an own identity; its sequence number is kept before this returns."""
        own = self._identities.get(identity.aor)
        if own is None or own is not identity:
            raise LocalError(f"{identity.aor} is not an identity of this keyring")
        return sign_record(
            self.device.sign,
            person=person_hash(own.aor, own.key),
            statement_version=own.stated().version,
            sequence=self._people.next_sequence(own.key, self.device.key, now),
            issued=int(now),
            expires=int(now) + RECORD_LIFETIME,
            device_key=self.device.key,
            sealing_key=self.device.sealing_key,
            locators=locators,
            parameters=parameters,
        )

    def _load(self) -> list[Identity]:
        if not self._folder.exists():
            return []
        try:
            # A folder whose name ends in .new was never finished, and nobody has heard of what is in it.
            folders = [path for path in self._folder.iterdir() if path.is_dir() and path.suffix != ".new"]
        except OSError as error:
            raise ConfigError(
                f"{self._folder} cannot be read ({error.strerror}); make it readable for this user"
            ) from error
        return sorted((self._read(folder) for folder in folders), key=lambda one: (one.created, one.aor))

    def _read(self, folder: Path) -> Identity:
        identity = Identity(folder, self.device, self._clock)
        if folder.name != folder_name(identity.aor):
            raise ConfigError(
                f"{folder} holds the identity of {identity.aor}; rename it to {folder_name(identity.aor)}"
            )
        return identity


def _is_canonical(aor: str) -> bool:
    try:
        return canonical_aor(aor) == aor
    except BadAOR:
        return False
