"""The authorities whose keys are here: a folder for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from twisted.internet.interfaces import IReactorTime

from p2pship.errors import ConfigError, LocalError
from p2pship.storage.files import recover_folders, remove_folder, removed_folders
from p2pship.storage.vault import Vault
from p2pship.trust.authority import CERTIFICATE_FILE, NAME, Authority
from p2pship.trust.authoritycopy import AuthorityCopy
from p2pship.trust.certificates import BadChain, key_fingerprint, load


class OwnAuthorities:
    """Keeps the folders below ``folder``; what a crash left undone there is finished or undone first.

    :raises ConfigError: if one cannot be read.
    """

    def __init__(
        self, folder: Path, vault: Vault, clock: IReactorTime, deleted: Callable[[bytes], None]
    ) -> None:
        """``deleted`` is called with the SHA-256 of the key of one that is deleted, also of one that was when the last run
        was killed: before anything of it is forgotten.
        """
        self._folder = folder
        self._vault = vault
        self._clock = clock
        self._deleted = deleted
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
            raise LocalError(f"there is no authority called {name}: `p2pship ca list` shows them") from None

    def create(self, name: str, domain: str, operator: str) -> Authority:
        """Make one for a canonical domain; ``operator`` is the AOR of who runs it, or empty.

        :raises LocalError: if there is one of this name, or it cannot be written.
        """
        if not NAME.fullmatch(name):
            raise LocalError(f"{name!r} cannot be its name: use 1 to 32 of a to z, 0 to 9 and dashes")
        if name in self._all:
            raise LocalError(f"there is an authority called {name} already: give another name with --name")
        folder, now = self._folder / name, self._clock.seconds()
        return self._kept(lambda: Authority.create(folder, self._vault, domain, operator, now))

    def bring(self, copy: AuthorityCopy) -> Authority:
        """Keep one that was in a backup; where its name is taken, it gets the beginning of its fingerprint as a name.

        :raises LocalError: if it cannot be written.
        """
        fingerprint = key_fingerprint(load(copy.certificate))
        name = fingerprint.hex()[:16] if copy.name in self._all else copy.name
        folder = self._folder / name
        return self._kept(
            lambda: Authority.keep(folder, self._vault, copy.domain, copy.key, copy.certificate)
        )

    def _kept(self, make: Callable[[], Authority]) -> Authority:
        try:
            own = make()
        except OSError as error:
            raise LocalError(f"the authority cannot be kept in {self._folder}: {error.strerror}") from error
        self._all[own.name] = own
        return own

    def delete(self, name: str) -> Authority:
        """Delete the key of one for good, and return what it was; raises LocalError if there is none, or it cannot be done."""
        own = self.named(name)
        try:
            remove_folder(self._folder / name, lambda: self._forget(own))
        except OSError as error:
            raise LocalError(f"the authority cannot be deleted: {error.strerror}") from error
        return own

    def _forget(self, own: Authority) -> None:
        del self._all[own.name]
        self._deleted(own.fingerprint)

    def _seal_anew(self) -> None:
        for own in self._all.values():
            own.seal_anew()

    def _read(self) -> list[Authority]:
        if not self._folder.exists():
            return []
        try:
            for left in removed_folders(self._folder):
                self._finish_deleting(left)
            recover_folders(self._folder)
            folders = sorted(path for path in self._folder.iterdir() if path.is_dir())
        except OSError as error:
            raise ConfigError(
                f"{self._folder} cannot be read ({error.strerror}); make it readable"
            ) from error
        return [Authority(folder, self._vault) for folder in folders]

    def _finish_deleting(self, left: Path) -> None:
        """Tell of one whose folder was being deleted when the last run was killed."""
        try:
            fingerprint = key_fingerprint(load((left / CERTIFICATE_FILE).read_bytes()))
        except (OSError, BadChain):
            return  # the deleting of its files had begun, so it was told
        self._deleted(fingerprint)
