"""The authorities whose keys are here: a folder for each."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.internet.interfaces import IReactorTime

from p2pship.errors import ConfigError, LocalError
from p2pship.storage.files import recover_folders, remove_folder
from p2pship.storage.vault import Vault
from p2pship.trust.authority import Authority

_NAME = re.compile("[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


class OwnAuthorities:
    """Keeps the folders below ``folder``; what a crash left undone there is finished or undone first.

    :raises ConfigError: if one cannot be read.
    """

    def __init__(self, folder: Path, vault: Vault, clock: IReactorTime) -> None:
        self._folder = folder
        self._vault = vault
        self._clock = clock
        self._all = {one.name: one for one in self._read()}
        vault.watch(self._seal_anew)

    def all(self) -> list[Authority]:
        """Return them."""
        return list(self._all.values())

    def of(self, fingerprint: bytes) -> Authority | None:
        """Return the one with this key (its SHA-256), or None."""
        return next((one for one in self._all.values() if one.fingerprint == fingerprint), None)

    def named(self, name: str) -> Authority:
        """Return the one of this name; raises LocalError if there is none."""
        try:
            return self._all[name]
        except KeyError:
            raise LocalError(f"there is no authority called {name}; p2pship ca list shows them") from None

    def create(self, name: str, domain: str, operator: str) -> Authority:
        """Make one for a canonical domain; ``operator`` is the AOR of who runs it, or empty.

        :raises LocalError: if there is one of this name, or it cannot be written.
        """
        if not _NAME.fullmatch(name):
            raise LocalError(f"{name!r} cannot be its name: use 1 to 32 of a to z, 0 to 9 and dashes")
        if name in self._all:
            raise LocalError(f"there is an authority called {name}; choose another name")
        folder, now = self._folder / name, self._clock.seconds()
        try:
            own = Authority.create(folder, self._vault, domain, operator, now)
        except OSError as error:
            raise LocalError(f"the authority cannot be kept in {self._folder}: {error.strerror}") from error
        self._all[name] = own
        return own

    def delete(self, name: str) -> Authority:
        """Delete the key of one for good, and return what it was; raises LocalError if there is none, or it cannot be done."""
        own = self.named(name)
        try:
            remove_folder(self._folder / name)
        except OSError as error:
            raise LocalError(f"the authority cannot be deleted: {error.strerror}") from error
        del self._all[name]
        return own

    def _seal_anew(self) -> None:
        for own in self._all.values():
            own.seal_anew()

    def _read(self) -> list[Authority]:
        if not self._folder.exists():
            return []
        try:
            recover_folders(self._folder)
            folders = sorted(path for path in self._folder.iterdir() if path.is_dir())
        except OSError as error:
            raise ConfigError(
                f"{self._folder} cannot be read ({error.strerror}); make it readable"
            ) from error
        return [Authority(folder, self._vault) for folder in folders]
