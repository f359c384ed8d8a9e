"""The vault: seals what is secret at rest, under a master key that a passphrase may protect.

Theory of operation. There always is a master key of 32 random octets, in ``master.key``: as it is, or wrapped under the
passphrase. What goes into the database is always sealed with it (:meth:`Vault.seal`), so that setting a passphrase protects
all of that at once, and only one short file changes. Key files are plain PEM as long as there is no passphrase, for people and
other programs to read, and sealed while there is one (:meth:`Vault.protect`). Both forms can always be read: whoever keeps
such files puts them into the right form when the passphrase came or went (:meth:`Vault.watch`), and at the next start what a
crash left undone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from p2pship.errors import ConfigError, LocalError
from p2pship.storage.files import make_private_folder, read_private, write_file
from p2pship.storage.wrapping import WrongPassphrase, unwrap, wrap

MASTER_FILE = "master.key"

LONGEST_PASSPHRASE = 1024
"Octets."

_MASTER_LENGTH = 32
_PLAIN = b"p2pship master key v1\n"
_WRAPPED = b"p2pship master key v1, under a passphrase\n"
_SEALED = b"p2pship sealed key v1\n"
"What the files begin with; the rest is hexadecimal in ``master.key``, as it is in key files."
_PURPOSE = "master key"
_VERSION = b"\x01"
_NONCE_LENGTH = 12
_WAY_OUT = "restore it from a backup of the folder"


class CannotOpen(LocalError):
    """What was sealed was altered, is another thing than said, or was sealed by another vault."""


class Vault:
    """Seals and opens; made by :meth:`open`."""

    def __init__(self, path: Path, master: bytes, locked: bool, random: Callable[[int], bytes]) -> None:
        self._path = path
        self._master = master
        self._cipher = AESGCM(master)
        self._random = random
        self._watchers: list[Callable[[], None]] = []
        self.locked = locked
        "whether a passphrase protects the master key"

    @classmethod
    def open(
        cls,
        folder: Path,
        passphrase: Callable[[], bytes] | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> Vault:
        """Open the vault of a state folder, and make one without a passphrase where there is none.

        ``passphrase`` is asked only if there is one.

        :raises ConfigError: if it cannot be read, may be read by others, or the passphrase is missing or wrong.
        """
        path = folder / MASTER_FILE
        try:
            if not path.exists():
                make_private_folder(folder)
                write_file(path, _plain(random(_MASTER_LENGTH)))
            text = read_private(path)
        except OSError as error:
            raise ConfigError(f"the key file {path} cannot be used ({error.strerror}); {_WAY_OUT}") from error
        return cls(path, _master(path, text, passphrase), text.startswith(_WRAPPED), random)

    @staticmethod
    def needs_passphrase(folder: Path) -> bool:
        """Tell whether the vault of a state folder, if there is one, has a passphrase; nothing is made or changed."""
        try:
            with open(folder / MASTER_FILE, "rb") as file:
                return file.read(len(_WRAPPED)) == _WRAPPED
        except OSError:
            return False

    def seal(self, purpose: str, data: bytes) -> bytes:
        """Return ``data`` so that only this vault can open it, and only for the same purpose (AES-256-GCM)."""
        nonce = self._random(_NONCE_LENGTH)
        return _VERSION + nonce + self._cipher.encrypt(nonce, data, purpose.encode("utf-8"))

    def open_sealed(self, purpose: str, sealed: bytes) -> bytes:
        """Return what was sealed.

        :raises CannotOpen: if it is not what this vault sealed for this purpose.
        """
        nonce, rest = sealed[1 : 1 + _NONCE_LENGTH], sealed[1 + _NONCE_LENGTH :]
        if sealed[:1] != _VERSION or len(nonce) != _NONCE_LENGTH:
            raise CannotOpen
        try:
            return self._cipher.decrypt(nonce, rest, purpose.encode("utf-8"))
        except InvalidTag:
            raise CannotOpen from None

    def protect(self, purpose: str, data: bytes) -> bytes:
        """Return what a key file is to hold: ``data`` as it is, or sealed while there is a passphrase."""
        return _SEALED + self.seal(purpose, data) if self.locked else data

    def reveal(self, purpose: str, contents: bytes) -> bytes:
        """Return what :meth:`protect` was given, whatever the contents of the file are now.

        :raises CannotOpen: as :meth:`open_sealed`.
        """
        if not contents.startswith(_SEALED):
            return contents
        return self.open_sealed(purpose, contents[len(_SEALED) :])

    def is_protected(self, contents: bytes) -> bool:
        """Tell whether a key file has the form that it is to have now."""
        return contents.startswith(_SEALED) is self.locked

    def set_passphrase(self, passphrase: bytes) -> None:
        """Protect the master key by a passphrase, in place of another if there is one; then the watchers are told.

        :raises LocalError: if it is empty or too long, or cannot be kept; then nothing has changed.
        """
        if not 0 < len(passphrase) <= LONGEST_PASSPHRASE:
            raise LocalError(f"a passphrase has 1 to {LONGEST_PASSPHRASE} octets")
        wrapped = wrap(passphrase, _PURPOSE, self._master, self._random)
        self._keep(_WRAPPED + wrapped.hex().encode("ascii") + b"\n", locked=True)

    def remove_passphrase(self) -> None:
        """Leave the master key to the protection of the file system; then the watchers are told.

        :raises LocalError: if that cannot be kept; then nothing has changed.
        """
        self._keep(_plain(self._master), locked=False)

    def is_passphrase(self, passphrase: bytes) -> bool:
        """Tell whether this is the passphrase that protects the master key as it is on the disk now."""
        try:
            return _master(self._path, read_private(self._path), lambda: passphrase) == self._master
        except (ConfigError, OSError):
            return False

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` when the passphrase came, went or is another; returns a call that ends it."""
        self._watchers.append(changed)
        return lambda: self._watchers.remove(changed)

    def _keep(self, contents: bytes, locked: bool) -> None:
        try:
            write_file(self._path, contents)
        except OSError as error:
            raise LocalError(f"{self._path} cannot be written: {error.strerror}") from error
        self.locked = locked
        for changed in tuple(self._watchers):
            changed()


def _plain(master: bytes) -> bytes:
    return _PLAIN + master.hex().encode("ascii") + b"\n"


def _master(path: Path, text: bytes, passphrase: Callable[[], bytes] | None) -> bytes:
    """Return the master key of a file's contents."""
    heading, _, digits = text.partition(b"\n")
    try:
        content = bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        raise ConfigError(f"{path} is damaged; {_WAY_OUT}") from None
    if heading + b"\n" == _WRAPPED:
        content = _unwrapped(path, content, passphrase)
    elif heading + b"\n" != _PLAIN:
        raise ConfigError(f"{path} is damaged, or of a newer version; {_WAY_OUT}")
    if len(content) != _MASTER_LENGTH:
        raise ConfigError(f"{path} is damaged; {_WAY_OUT}")
    return content


def _unwrapped(path: Path, content: bytes, passphrase: Callable[[], bytes] | None) -> bytes:
    if passphrase is None:
        raise ConfigError(f"the keys beside {path} are under a passphrase, and none was given")
    try:
        return unwrap(passphrase(), _PURPOSE, content)
    except WrongPassphrase:
        raise ConfigError(f"the passphrase of the keys beside {path} is another one") from None
