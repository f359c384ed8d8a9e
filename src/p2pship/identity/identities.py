"""Our own identities on disk: a folder for each, the choice of one of them, and who watches them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pship.errors import ConfigError, LocalError
from p2pship.identity.device import Device
from p2pship.identity.holdings import Holdings
from p2pship.identity.identity import Identity, folder_name
from p2pship.storage.files import recover_folders, remove_folder, write_file
from p2pship.storage.vault import Vault

DEFAULT_FILE = "default"
"Beside the folders: the AOR of the identity that is meant where none is named."


class OwnIdentities:
    """Keeps the folders below ``folder``; what a crash left undone there is finished or undone first.

    :raises ConfigError: if one cannot be read; the message names the file and the way out.
    """

    log = Logger()

    def __init__(self, folder: Path, device: Device, clock: IReactorTime, vault: Vault) -> None:
        self._folder = folder
        self._device = device
        self._clock = clock
        self._vault = vault
        self._watchers: list[Callable[[str], None]] = []
        self._all = {identity.aor: identity for identity in self._load()}
        self._devices: dict[bytes, Device] = {}

    def all(self) -> tuple[Identity, ...]:
        """Return them, oldest first, also those that may no longer be used here."""
        return tuple(self._all.values())

    def any(self, aor: str) -> Identity | None:
        """Return the one of an AOR, also if it may no longer be used here, or None."""
        return self._all.get(aor)

    def get(self, aor: str) -> Identity | None:
        """Return the one of an AOR that may be used here, or None."""
        identity = self._all.get(aor)
        return None if identity is None or identity.revoked else identity

    def devices(self) -> Mapping[bytes, Device]:
        """Return by HIT the node's device, and then those of identities that may be used here."""
        if not self._devices:
            used = (identity.device for identity in self._all.values() if not identity.revoked)
            self._devices = {device.hit: device for device in (self._device, *used)}
        return self._devices

    def need(self, aor: str) -> Identity:
        """Return the one of an AOR that may be used here.

        :raises LocalError: if there is none; the message says why.
        """
        identity = self._all.get(aor)
        if identity is None:
            raise LocalError(f"there is no identity of {aor} here")
        if identity.revoked:
            raise LocalError(f"{aor} has revoked this device; the identity can only be removed from it")
        return identity

    def default(self) -> Identity | None:
        """Return the one that was chosen, else the oldest."""
        try:
            chosen = self.get((self._folder / DEFAULT_FILE).read_text("utf-8").strip())
        except (OSError, UnicodeError):
            chosen = None
        return chosen or next((one for one in self._all.values() if not one.revoked), None)

    def choose(self, aor: str) -> None:
        """Make one the default; raises LocalError if there is none of this AOR, or the choice cannot be kept."""
        self.need(aor)
        with self._kept("the choice"):
            write_file(self._folder / DEFAULT_FILE, f"{aor}\n".encode())

    def check_free(self, aor: str) -> None:
        """Raise LocalError if there is an identity of an AOR, used or not."""
        known = self._all.get(aor)
        if known is None:
            return
        if known.revoked:
            raise LocalError(f"{aor} has revoked this device; remove the identity here first")
        raise LocalError(f"there is an identity of {aor} already: `p2pship identity show {aor}`")

    def make(self, holdings: Holdings) -> Identity:
        """Keep a new one; raises LocalError if it cannot be kept. The watchers are not told yet."""
        aor = holdings.statement.aor
        self.check_free(aor)
        with self._kept(f"the identity of {aor}"):
            identity = Identity.make(
                self._folder, holdings, self._device, self._clock, self._vault, self.changed
            )
        self._all[aor] = identity
        return identity

    def remove(self, aor: str) -> None:
        """Delete one, used or not, and tell the watchers; raises LocalError if there is none or it cannot be deleted."""
        identity = self._all.get(aor)
        if identity is None:
            raise LocalError(f"there is no identity of {aor} here")
        with self._kept(f"that {aor} was removed"):
            remove_folder(identity.folder)
        del self._all[aor]
        self.changed(aor)

    def watch(self, changed: Callable[[str], None]) -> Callable[[], None]:
        """Call ``changed`` with the AOR of each that is made, changed or removed; returns a call that ends it."""
        self._watchers.append(changed)
        return lambda: self._watchers.remove(changed)

    def changed(self, aor: str) -> None:
        """Tell the watchers that one is not what it was."""
        self._devices = {}  # who asks finds out anew
        for changed in tuple(self._watchers):
            changed(aor)

    def _load(self) -> list[Identity]:
        if not self._folder.exists():
            return []
        try:
            recover_folders(self._folder)
            folders = [path for path in self._folder.iterdir() if path.is_dir()]
        except OSError as error:
            raise ConfigError(
                f"{self._folder} cannot be read ({error.strerror}); make it readable and writable for this user"
            ) from error
        return sorted((self._read(folder) for folder in folders), key=lambda one: (one.created, one.aor))

    def _read(self, folder: Path) -> Identity:
        identity = Identity(folder, self._device, self._clock, self._vault, self.changed)
        if folder.name != folder_name(identity.aor):
            raise ConfigError(
                f"{folder} holds the identity of {identity.aor}; rename it to {folder_name(identity.aor)}"
            )
        return identity

    @contextmanager
    def _kept(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LocalError(f"{what} cannot be kept in {self._folder}: {error.strerror}") from error
