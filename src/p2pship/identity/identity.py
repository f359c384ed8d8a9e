"""One of our own identities: its key, its certificate and its statement, kept in a folder of its own."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from p2pship.errors import BadPapers, ConfigError, LocalError
from p2pship.identity.certificate import BadCertificate, PersonalCertificate, read_certificate, self_signed
from p2pship.identity.device import Device
from p2pship.identity.keys import from_der, new_p256, read_p256, sign, spki, to_der, to_pem
from p2pship.identity.papers import ListedDevice, Statement
from p2pship.identity.statement import read_statement, sign_statement
from p2pship.identity.validity import SKEW, STATEMENT_LIFETIME
from p2pship.interfaces import IIdentity
from p2pship.storage.files import create_folder, write_file

KEY_FILE = "key.pem"
CERTIFICATE_FILE = "certificate.der"
STATEMENT_FILE = "statement.cose"

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
    "whether our device and certificate are in it as they are now"


@implementer(IIdentity)
class Identity:
    """A person whose phone may register here.

    There may be a thousand of them, of which most do nothing: the key pair is kept as its DER and read for each signature, which
    costs less than the signature itself, and the certificate stays on the disk.

    The statement is signed anew, and written before anybody sees it, when less than half of its time is left, when our
    device or certificate is not in it as it is now, or when it was signed in the future (the clock was wrong). Its version is
    the Unix time, or one more than the last if that is higher: a statement that was lost with a disk, while the key
    came back from a backup, is thus not followed by one that those who saw it would refuse for ever.
    """

    __slots__ = ("_clock", "_device", "_folder", "_private_key", "_stated", "aor", "created", "key")

    log = Logger()

    def __init__(self, folder: Path, device: Device, clock: IReactorTime) -> None:
        """Read the identity from its folder.

        :raises ConfigError: if it cannot be read or its parts do not belong together.
        """
        self._folder = str(folder)
        self._device = device
        self._clock = clock
        private_key = read_p256(folder / KEY_FILE)
        self._private_key = to_der(private_key)
        self.key = spki(private_key)
        certified = self._certified()
        self.aor = certified.aor
        self.created = certified.begins + SKEW
        "when it was made, in the order of time; Unix time, to the second"
        self._stated = self._read_stated()

    @classmethod
    def create(cls, identities: Path, aor: str, device: Device, clock: IReactorTime) -> Identity:
        """Make the identity of a canonical AOR in its own folder below ``identities``.

        :raises OSError: if it cannot be written, or the folder is there.
        """
        now = clock.seconds()
        key = new_p256()
        certificate = self_signed(key, aor, now)
        statement = sign_statement(
            lambda data: sign(key, data),
            aor=aor,
            key=spki(key),
            version=int(now),
            issued=int(now),
            expires=int(now) + STATEMENT_LIFETIME,
            devices=[device.listed],
            certificate_hash=hashlib.sha256(certificate).digest(),
        )
        files = {KEY_FILE: to_pem(key), CERTIFICATE_FILE: certificate, STATEMENT_FILE: statement}
        folder = identities / folder_name(aor)
        create_folder(folder, files)
        return cls(folder, device, clock)

    @property
    def certificate(self) -> bytes:
        """The X.509 certificate, DER, from the disk.

        :raises ConfigError: if it cannot be read.
        """
        return _read(Path(self._folder, CERTIFICATE_FILE))

    @property
    def statement(self) -> bytes:
        """The signed statement, valid now."""
        return self.stated().raw

    def stated(self) -> Stated:
        """Return the statement, valid now, and what it says of itself.

        :raises LocalError: if it has expired and no new one could be kept.
        """
        now = self._clock.seconds()
        if not self._holds(now):
            self._renew(now)
        return self._stated

    def sign(self, data: bytes) -> bytes:
        """Sign with the identity key."""
        return sign(from_der(self._private_key), data)

    def _holds(self, now: float) -> bool:
        stated = self._stated
        return stated.complete and stated.expires - now >= RENEW_BELOW and stated.issued <= now + SKEW

    def _renew(self, now: float) -> None:
        last = read_statement(self._stated.raw)
        try:
            raw = self._signed_anew(last, now)
            write_file(Path(self._folder, STATEMENT_FILE), raw)
        except (OSError, ConfigError) as error:
            self._go_on_with(last, now, error)
            return
        statement = read_statement(raw)
        self._stated = Stated(raw, statement.version, statement.issued, statement.expires, complete=True)

    def _signed_anew(self, last: Statement, now: float) -> bytes:
        return sign_statement(
            self.sign,
            aor=self.aor,
            key=self.key,
            version=max(last.version + 1, int(now)),
            issued=int(now),
            expires=int(now) + STATEMENT_LIFETIME,
            devices=self._devices(last),
            certificate_hash=hashlib.sha256(self.certificate).digest(),
            revoked=last.revoked,
            mail_holders=last.mail_holders,
        )

    def _go_on_with(self, last: Statement, now: float, error: OSError | ConfigError) -> None:
        """Use the old statement while it holds: a full disk must not end calls two weeks early."""
        why = error.strerror if isinstance(error, OSError) else error
        reason = f"the statement of {self.aor} cannot be kept in {self._folder}: {why}"
        if last.expires <= now:
            raise LocalError(reason) from error
        self.log.error("{reason}; the one of before is used", reason=reason)

    def _devices(self, last: Statement) -> list[ListedDevice]:
        ours = self._device.listed
        others = [one for one in last.devices if one.host_identity_hash != ours.host_identity_hash]
        return [*others, ours]

    def _remembered(self, statement: Statement) -> Stated:
        same_certificate = statement.certificate_hash == hashlib.sha256(self.certificate).digest()
        complete = same_certificate and self._device.listed in statement.devices
        return Stated(statement.raw, statement.version, statement.issued, statement.expires, complete)

    def _certified(self) -> PersonalCertificate:
        path = Path(self._folder, CERTIFICATE_FILE)
        try:
            certified = read_certificate(self.certificate)
        except BadCertificate as error:
            raise ConfigError(f"{path} cannot be used ({error}); {_WAY_OUT}") from error
        if certified.key != self.key:
            raise ConfigError(f"{path} is not a certificate of the key beside it; {_WAY_OUT}")
        return certified

    def _read_stated(self) -> Stated:
        path = Path(self._folder, STATEMENT_FILE)
        try:
            statement = read_statement(_read(path))
        except BadPapers as error:
            raise ConfigError(f"{path} cannot be used ({error}); {_WAY_OUT}") from error
        if (statement.key, statement.aor) != (self.key, self.aor):
            raise ConfigError(f"{path} is not a statement of {self.aor} with the key beside it; {_WAY_OUT}")
        return self._remembered(statement)


_WAY_OUT = "restore the folder from a backup, or move it away to begin with a new identity"


def folder_name(aor: str) -> str:
    """Return the name of an identity's folder: safe on any file system, different for any two canonical AORs.

    It shows what it can of the name, and ends with a part of its SHA-256, since case matters in a name but not on
    every file system.
    """
    readable = re.sub(r"[^a-z0-9@._+-]|^\.", "_", aor.lower())[:LONGEST_READABLE]
    return f"{readable}-{hashlib.sha256(aor.encode('utf-8')).hexdigest()[:16]}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); {_WAY_OUT}") from error
