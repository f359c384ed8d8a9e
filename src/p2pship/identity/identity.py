"""One of our own identities: its key, its certificates and its statement, kept in a folder of its own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from p2pship.errors import ConfigError, LocalError
from p2pship.identity.certificate import BadCertificate
from p2pship.identity.changes import is_mark, restated, set_back
from p2pship.identity.device import Device, protect_device
from p2pship.identity.holdings import (
    ABOUT_FILE,
    CERTIFICATE_FILE,
    DEVICE_FOLDER,
    KEY_FILE,
    REVOCATIONS_FILE,
    STATEMENT_FILE,
    About,
    Holdings,
    encode_about,
    files_of,
    read_holdings,
)
from p2pship.identity.keys import from_der, protect_key_file, sign
from p2pship.identity.ownchain import authority_of, chain_hash, split_chain
from p2pship.identity.papers import ListedDevice, Statement
from p2pship.identity.statement import read_statement
from p2pship.identity.validity import SKEW, STATEMENT_LIFETIME
from p2pship.interfaces import IIdentity
from p2pship.storage.files import create_folder, replace_folder, write_file
from p2pship.storage.vault import Vault

RENEW_BELOW = STATEMENT_LIFETIME // 2
"Seconds that a statement must still hold, or it is signed anew: a node that is off for two weeks stays known."

LONGEST_READABLE = 80
"Characters of a name that its folder shows: with the rest it fits the 255 of a file name."


@dataclass(frozen=True, slots=True)
class Stated:
    """What is remembered of our own statement: what it says of others is read again when it is signed anew."""

    raw: bytes
    "the signed statement"
    version: int
    issued: int
    "Unix time"
    expires: int
    "Unix time"
    complete: bool
    "whether our device and certificates are in it as they are now"


@implementer(IIdentity)
class Identity:
    """A person whose phone may register here.

    There may be a thousand of them, of which most do nothing: the key pair is kept as its DER and read for each signature, which
    costs less than the signature itself, and the certificates stay on the disk.

    Where the identity key is held, the statement is signed anew, and written before anybody sees it, when less than half of its
    time is left, when our device or certificates are not in it as they are now, or when it was signed in the future (the
    clock was wrong).

    ``changed`` is called with the AOR after each change.
    """

    __slots__ = (
        "_changed", "_clock", "_folder", "_node", "_private_key", "_stated", "_vault", "about", "aor", "device", "key",
        "revoked",
    )  # fmt: skip

    log = Logger()

    def __init__(
        self, folder: Path, device: Device, clock: IReactorTime, vault: Vault, changed: Callable[[str], None]
    ) -> None:
        """Read the identity from its folder; without a device of its own there, ``device`` is what it is used on.

        :raises ConfigError: if it cannot be read or its parts do not belong together.
        """
        self._folder = str(folder)
        self._node = self.device = device
        "what it is used on here"
        self._clock = clock
        self._vault = vault
        self._changed = changed
        self._take(read_holdings(folder, vault))

    @classmethod
    def make(
        cls,
        identities: Path,
        holdings: Holdings,
        device: Device,
        clock: IReactorTime,
        vault: Vault,
        changed: Callable[[str], None],
    ) -> Identity:
        """Make an identity, new or from elsewhere, in its own folder below ``identities``.

        :raises OSError: if it cannot be written, or the folder is there.
        """
        folder = identities / folder_name(holdings.statement.aor)
        create_folder(folder, files_of(holdings, vault))
        return cls(folder, device, clock, vault, changed)

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return Path(self._folder)

    @property
    def created(self) -> int:
        """When it was made, in the order of time; Unix time, to the second."""
        return self.about.created

    @property
    def owner(self) -> bool:
        """Whether this device holds the identity key."""
        return bool(self._private_key)

    @property
    def separate(self) -> bool:
        """Whether it has a device of its own."""
        return self.device is not self._node

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The certificates, DER, from the disk; empty where they are not known.

        :raises LocalError: if they cannot be read.
        """
        path = self.folder / CERTIFICATE_FILE
        try:
            return split_chain(path.read_bytes())
        except OSError as error:
            raise LocalError(f"{path} cannot be read ({error.strerror})") from error
        except BadCertificate as error:
            raise LocalError(f"{path} cannot be used: {error}") from error

    @property
    def certificate(self) -> bytes:
        """The X.509 certificate, DER, from the disk; raises as :attr:`chain`."""
        return next(iter(self.chain), b"")

    @property
    def revocations(self) -> bytes:
        """The newest revocation list of who issued the certificate, DER, from the disk; empty if there is none.

        :raises LocalError: if it cannot be read.
        """
        path = self.folder / REVOCATIONS_FILE
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise LocalError(f"{path} cannot be read ({error.strerror})") from error

    @property
    def statement(self) -> bytes:
        """The signed statement, valid now."""
        return self.stated().raw

    def stated(self) -> Stated:
        """Return the statement, valid now, and what it says of itself.

        :raises LocalError: if it has expired and there is no new one.
        """
        now = self._clock.seconds()
        if not self._holds(now):
            self._renew(now)
        return self._stated

    def is_mark(self, entry: bytes) -> bool:
        """Tell whether one of the revoked of the statement stands for a device that was left; only who holds the key can."""
        return is_mark(self._private_key, entry)

    @property
    def newest(self) -> Statement:
        """What the newest statement says, also when that has expired."""
        return read_statement(self._stated.raw)

    def sign(self, data: bytes) -> bytes:
        """Sign with the identity key."""
        return sign(self.private_key(), data)

    def private_key(self) -> EllipticCurvePrivateKey:
        """Return the identity key pair.

        :raises LocalError: if this device does not hold it.
        """
        if not self._private_key:
            raise LocalError(f"another device holds the identity key of {self.aor}")
        return from_der(self._private_key)

    def holdings(self) -> Holdings:
        """Return all that the folder holds; raises LocalError if it cannot be read."""
        try:
            return read_holdings(self.folder, self._vault)
        except ConfigError as error:
            raise LocalError(str(error)) from error

    def replace(self, holdings: Holdings) -> None:
        """Hold these from now on, on disk as well; then the watcher is told.

        :raises LocalError: if they cannot be kept; those of before stay.
        """
        try:
            replace_folder(self.folder, files_of(holdings, self._vault))
        except OSError as error:
            raise self._not_kept(error) from error
        self._take(holdings)
        self._changed(self.aor)

    def note(self, about: About) -> None:
        """Note something else about it from now on; raises as :meth:`replace`."""
        try:
            write_file(self.folder / ABOUT_FILE, encode_about(about, self.separate))
        except OSError as error:
            raise self._not_kept(error) from error
        self.about = about
        self._changed(self.aor)

    def protect(self) -> None:
        """Put the key files into the form that the vault wants now.

        :raises LocalError: if one cannot be written; it can be read in the other form as well.
        """
        try:
            protect_key_file(self.folder / KEY_FILE, self._vault)
        except OSError as error:
            raise self._not_kept(error) from error
        if self.separate:
            protect_device(self.folder / DEVICE_FOLDER, self._vault)

    def _take(self, holdings: Holdings) -> None:
        statement = holdings.statement
        self._private_key = holdings.private_key
        self.aor, self.key, self.about = statement.aor, statement.key, holdings.about
        hashes = (statement.certificate_hash, chain_hash(holdings.chain))
        same = not holdings.chain or hashes[0] == hashes[1]
        if holdings.device is None:
            self.device = self._node
        elif holdings.device.hit != self.device.hit:  # others go on with the same object
            self.device = holdings.device
        listed = self.device.listed in statement.devices
        revoked = self.device.listed.host_identity_hash in statement.revoked
        self.revoked = revoked or not (listed or self.owner)
        "whether the person has taken this device out of theirs, and the identity may no longer be used here"
        self._stated = _stated(statement, complete=same and listed)

    def _holds(self, now: float) -> bool:
        stated = self._stated
        if not self._private_key or self.revoked:
            return stated.expires > now
        return stated.complete and stated.expires - now >= RENEW_BELOW and stated.issued <= now + SKEW

    def _renew(self, now: float) -> None:
        last = read_statement(self._stated.raw)
        try:
            raw = self._signed_anew(last, now)
            write_file(self.folder / STATEMENT_FILE, raw)
        except (OSError, LocalError) as error:
            self._go_on_with(last, now, error)
            return
        self._stated = _stated(read_statement(raw), complete=True)
        self._changed(self.aor)

    def _signed_anew(self, last: Statement, now: float) -> bytes:
        if self.revoked or not self.owner:
            raise LocalError("another device of the person has to sign a new one")
        about_chain: dict[str, Any] = {}
        if not self._stated.complete and (chain := self.chain):
            about_chain = {"certificate_hash": chain_hash(chain), "authority": authority_of(chain)}
        kept = Holdings(self._private_key, (), b"", last.raw, self.about)
        back = set_back(kept) if self.separate else 0
        return restated(kept, now - back, devices=self._devices(last), **about_chain).raw

    def _go_on_with(self, last: Statement, now: float, error: OSError | LocalError) -> None:
        """Use the old statement while it holds: a full disk must not end calls two weeks early."""
        why = error.strerror if isinstance(error, OSError) else error
        reason = f"the statement of {self.aor} cannot be renewed in {self._folder}: {why}"
        if last.expires <= now:
            raise LocalError(reason) from error
        self.log.error("{reason}; the one of before is used", reason=reason)

    def _devices(self, last: Statement) -> list[ListedDevice]:
        ours = self.device.listed
        others = [one for one in last.devices if one.host_identity_hash != ours.host_identity_hash]
        return [*others, ours]

    def _not_kept(self, error: OSError) -> LocalError:
        return LocalError(f"what is new about {self.aor} cannot be kept in {self._folder}: {error.strerror}")


def folder_name(aor: str) -> str:
    """Return the name of an identity's folder: safe on any file system, different for any two canonical AORs.

    It shows what it can of the name, and ends with a part of its SHA-256, since case matters in a name but not on
    every file system.
    """
    readable = re.sub(r"[^a-z0-9@._+-]|^\.", "_", aor.lower())[:LONGEST_READABLE]
    return f"{readable}-{hashlib.sha256(aor.encode('utf-8')).hexdigest()[:16]}"


def _stated(statement: Statement, complete: bool) -> Stated:
    return Stated(statement.raw, statement.version, statement.issued, statement.expires, complete)
