"""One of our own identities: its key, its certificate and its statement, kept in a folder of its own."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from p2pship.errors import BadPapers, ConfigError, LocalError
from p2pship.identity.certificate import BadCertificate, PersonalCertificate, read_certificate, self_signed
from p2pship.identity.device import Device
from p2pship.identity.keys import new_p256, read_p256, sign, spki, to_pem
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


@implementer(IIdentity)
class Identity:
    """A person whose phone may register here.

    The statement is signed anew, and written before anybody sees it, when less than half of its time is left, when our
    device or certificate is not in it as it is now, or when it was signed in the future (the clock was wrong). Its version is
    the Unix time, or one more than the last if that is higher: a statement that was lost with a disk, while the key
    came back from a backup, is thus not followed by one that those who saw it would refuse for ever.
    """

    log = Logger()

    def __init__(self, folder: Path, device: Device, clock: IReactorTime) -> None:
        """Read the identity from its folder.

        :raises ConfigError: if it cannot be read or its parts do not belong together.
        """
        self._folder = folder
        self._device = device
        self._clock = clock
        self._private_key = read_p256(folder / KEY_FILE)
        self.key = spki(self._private_key)
        self.certificate = _read(folder / CERTIFICATE_FILE)
        certified = self._certified()
        self.aor = certified.aor
        self.created = certified.begins + SKEW
        "when it was made, in the order of time; Unix time, to the second"
        self._statement = self._read_statement()

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
    def statement(self) -> bytes:
        """The signed statement, valid now."""
        return self.stated().raw

    def stated(self) -> Statement:
        """Return the statement, valid now.

        :raises LocalError: if it has expired and no new one could be kept.
        """
        now = self._clock.seconds()
        if not self._holds(now):
            self._renew(now)
        return self._statement

    def sign(self, data: bytes) -> bytes:
        """Sign with the identity key."""
        return sign(self._private_key, data)

    def _holds(self, now: float) -> bool:
        statement = self._statement
        in_time = statement.expires - now >= RENEW_BELOW and statement.issued <= now + SKEW
        same_certificate = statement.certificate_hash == hashlib.sha256(self.certificate).digest()
        return in_time and same_certificate and self._device.listed in statement.devices

    def _renew(self, now: float) -> None:
        last = self._statement
        raw = sign_statement(
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
        try:
            write_file(self._folder / STATEMENT_FILE, raw)
        except OSError as error:
            self._go_on_with(last, now, error)
            return
        self._statement = read_statement(raw)

    def _go_on_with(self, last: Statement, now: float, error: OSError) -> None:
        """Use the old statement while it holds: a full disk must not end calls two weeks early."""
        reason = f"the statement of {self.aor} cannot be kept in {self._folder}: {error.strerror}"
        if last.expires <= now:
            raise LocalError(reason) from error
        self.log.error("{reason}; the one of before is used", reason=reason)

    def _devices(self, last: Statement) -> list[ListedDevice]:
        ours = self._device.listed
        others = [one for one in last.devices if one.host_identity_hash != ours.host_identity_hash]
        return [*others, ours]

    def _certified(self) -> PersonalCertificate:
        path = self._folder / CERTIFICATE_FILE
        try:
            certified = read_certificate(self.certificate)
        except BadCertificate as error:
            raise ConfigError(f"{path} cannot be used ({error}); {_WAY_OUT}") from error
        if certified.key != self.key:
            raise ConfigError(f"{path} is not a certificate of the key beside it; {_WAY_OUT}")
        return certified

    def _read_statement(self) -> Statement:
        path = self._folder / STATEMENT_FILE
        try:
            statement = read_statement(_read(path))
        except BadPapers as error:
            raise ConfigError(f"{path} cannot be used ({error}); {_WAY_OUT}") from error
        if (statement.key, statement.aor) != (self.key, self.aor):
            raise ConfigError(f"{path} is not a statement of {self.aor} with the key beside it; {_WAY_OUT}")
        return statement


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
