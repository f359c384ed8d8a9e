"""The vault: seals what is secret at rest, under a master key that a passphrase may protect.

Theory of operation. There always is a master key of 32 random octets, in ``master.key``: as it is, or wrapped under the
passphrase. What goes into the database is always sealed with it (:meth:`Vault.seal`). Key files are plain PEM as long as there
is no passphrase, for people and other programs to read, and sealed while there is one (:meth:`Vault.protect`). Both forms can
always be read.

Whoever keeps what was sealed puts it into the form that it is to have when it is told (:meth:`Vault.watch`). With a new
passphrase comes a new master key, for the old one may have been read, or copied, from where it lay before: ``master.key`` then
holds both until all has been sealed anew (:meth:`Vault.finish`), at once or, after a crash, at the next start. Before the first
passphrase counts the key files are sealed, with the old key: where that cannot be done, nothing has changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from twisted.logger import Logger

from p2pship.errors import ConfigError, LocalError, P2PShipError
from p2pship.storage.files import discard_unfinished, make_private_folder, read_private, write_file
from p2pship.storage.wrapping import PassphraseKey, WrongPassphrase

MASTER_FILE = "master.key"

LONGEST_PASSPHRASE = 1024
"Octets."

_MASTER_LENGTH = 32
_MOST_MASTERS = 2
"The newest, and the one before while something may be sealed with it."
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

    log = Logger()

    def __init__(
        self, path: Path, masters: bytes, key: PassphraseKey | None, random: Callable[[int], bytes]
    ) -> None:
        self._path = path
        self._hold(masters)
        self.key = key
        "what wraps the master key: another object after each change of the passphrase; None if there is no passphrase"
        self._random = random
        self._watchers: list[Callable[[], None]] = []
        self.locked = key is not None
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
            if not os.path.lexists(path):  # a link to a disk that is not there now stays
                make_private_folder(folder)
                write_file(path, _plain(random(_MASTER_LENGTH)))
            discard_unfinished(path)  # a passphrase that was being removed is still there
            text = read_private(path)
        except OSError as error:
            raise ConfigError(f"the key file {path} cannot be used ({error.strerror}); {_WAY_OUT}") from error
        return cls(path, *_read(path, text, passphrase), random)

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
        return _VERSION + nonce + self._ciphers[0].encrypt(nonce, data, purpose.encode("utf-8"))

    def open_sealed(self, purpose: str, sealed: bytes) -> bytes:
        """Return what was sealed.

        :raises CannotOpen: if it is not what this vault sealed for this purpose.
        """
        for cipher in self._ciphers:
            opened = _opened(cipher, purpose, sealed)
            if opened is not None:
                return opened
        raise CannotOpen(
            f"something sealed in the state folder does not open with {self._path}: one of them is not what it was; {_WAY_OUT}"
        )

    def sealed_anew(self, purpose: str, sealed: bytes) -> bytes | None:
        """Return the same sealed with the newest master key; None if it is.

        :raises CannotOpen: as :meth:`open_sealed`.
        """
        if _opened(self._ciphers[0], purpose, sealed) is not None:
            return None
        return self.seal(purpose, self.open_sealed(purpose, sealed))

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

    def is_protected(self, purpose: str, contents: bytes) -> bool:
        """Tell whether a key file has the form that it is to have now."""
        if not self.locked or not contents.startswith(_SEALED):
            return contents.startswith(_SEALED) is self.locked
        return _opened(self._ciphers[0], purpose, contents[len(_SEALED) :]) is not None

    def new_key(self, passphrase: bytes) -> PassphraseKey:
        """Return a key of a passphrase for :meth:`set_key`. It takes a quarter of a second, and may be called in any thread.

        :raises LocalError: if the passphrase is empty or too long.
        """
        if not 0 < len(passphrase) <= LONGEST_PASSPHRASE:
            raise LocalError(f"a passphrase has 1 to {LONGEST_PASSPHRASE} octets")
        return PassphraseKey.new(passphrase, self._random)

    def set_key(self, key: PassphraseKey) -> None:
        """Protect a new master key by the key of a passphrase, in place of another if there is one.

        :raises LocalError: if it cannot be kept; then nothing has changed.
        """
        self.finish()
        was_locked, self.locked = self.locked, True
        try:
            if not was_locked:
                self._tell()
            self._keep(self._random(_MASTER_LENGTH) + self._masters, key)
        except P2PShipError as error:
            self.locked = was_locked
            self._tell_if_possible()
            raise LocalError(f"the passphrase cannot be set: {error}") from error
        self.finish_if_possible()

    def remove_passphrase(self) -> None:
        """Leave the master key to the protection of the file system; then the watchers are told.

        A key file that cannot be written then stays sealed, can be read all the same, and is written at the next start.

        :raises LocalError: if that cannot be kept; then nothing has changed.
        """
        self._keep(self._masters, None)
        self.locked = False
        self._tell_if_possible()

    def finish(self) -> None:
        """Have all sealed anew that an earlier master key sealed, and forget that key; harmless when there is none.

        It is called when all who keep what was sealed watch.

        :raises LocalError: if it cannot be written; the earlier key is kept then.
        """
        if len(self._masters) > _MASTER_LENGTH:
            self._tell()
            self._keep(self._masters[:_MASTER_LENGTH], self.key)

    def finish_if_possible(self) -> None:
        """Do as :meth:`finish`, or leave it to the next start: whatever is sealed with either key is protected."""
        try:
            self.finish()
        except P2PShipError as error:
            self.log.error("what an earlier master key sealed is not yet sealed anew: {error}", error=error)

    def is_passphrase(self, passphrase: bytes) -> bool:
        """Tell whether this is the passphrase that protects the master key as it is on the disk now.

        It takes a quarter of a second, and may be called in any thread.
        """
        try:
            return _read(self._path, read_private(self._path), lambda: passphrase)[0] == self._masters
        except (ConfigError, OSError):
            return False

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` when what is kept may have to be put into another form; returns a call that ends it.

        It raises a P2PShipError if that cannot be done. What an earlier key sealed, and nobody who watches keeps, is lost.
        """
        self._watchers.append(changed)
        return lambda: self._watchers.remove(changed)

    def _hold(self, masters: bytes) -> None:
        self._masters = masters
        keys = (masters[at : at + _MASTER_LENGTH] for at in range(0, len(masters), _MASTER_LENGTH))
        self._ciphers = [AESGCM(each) for each in keys]

    def _keep(self, masters: bytes, key: PassphraseKey | None) -> None:
        """Hold these master keys, newest first, on the disk and here."""
        contents = _plain(masters)
        if key is not None:
            contents = _WRAPPED + key.wrap(_PURPOSE, masters, self._random).hex().encode("ascii") + b"\n"
        try:
            write_file(self._path, contents)
        except OSError as error:
            raise LocalError(f"{self._path} cannot be written: {error.strerror}") from error
        self._hold(masters)
        self.key = key

    def _tell(self) -> None:
        for changed in tuple(self._watchers):
            changed()

    def _tell_if_possible(self) -> None:
        try:
            self._tell()
        except P2PShipError as error:
            self.log.error("a key file stays sealed, as it cannot be written: {error}", error=error)


def _opened(cipher: AESGCM, purpose: str, sealed: bytes) -> bytes | None:
    nonce, rest = sealed[1 : 1 + _NONCE_LENGTH], sealed[1 + _NONCE_LENGTH :]
    if sealed[:1] != _VERSION or len(nonce) != _NONCE_LENGTH:
        return None
    try:
        return cipher.decrypt(nonce, rest, purpose.encode("utf-8"))
    except InvalidTag:
        return None


def _plain(masters: bytes) -> bytes:
    return _PLAIN + masters.hex().encode("ascii") + b"\n"


def _read(
    path: Path, text: bytes, passphrase: Callable[[], bytes] | None
) -> tuple[bytes, PassphraseKey | None]:
    """Return the master keys of a file's contents, newest first, and the key that wraps them if there is one."""
    heading, _, digits = text.partition(b"\n")
    try:
        content = bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        raise ConfigError(f"{path} is damaged; {_WAY_OUT}") from None
    key = None
    if heading + b"\n" == _WRAPPED:
        content, key = _unwrapped(path, content, passphrase)
    elif heading + b"\n" != _PLAIN:
        raise ConfigError(f"{path} is damaged, or of a newer version; {_WAY_OUT}")
    if len(content) not in (_MASTER_LENGTH, _MOST_MASTERS * _MASTER_LENGTH):
        raise ConfigError(f"{path} is damaged; {_WAY_OUT}")
    return content, key


def _unwrapped(
    path: Path, content: bytes, passphrase: Callable[[], bytes] | None
) -> tuple[bytes, PassphraseKey]:
    if passphrase is None:
        raise ConfigError(f"the keys beside {path} are under a passphrase, and none was given")
    try:
        key = PassphraseKey.of(passphrase(), content)
        return key.unwrap(_PURPOSE, content), key
    except WrongPassphrase:
        raise ConfigError(f"the passphrase of the keys beside {path} is another one") from None
