"""Host Identities of this node beside the device's own: key pairs of any kind, each with a HIT that is answered for (RFC 7401 §3).

They are for the bearer that speaks HIP, and nobody's identity lists them. Each is a PEM file in a folder of their own, named by its HIT;
the vault seals them as it seals the device's own keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from zope.interface import implementer

from p2pship.errors import ConfigError, LocalError
from p2pship.identity.hit import RSA_BITS, hit_of
from p2pship.identity.keys import key_file, protect_key_file
from p2pship.interfaces import IHostKeys
from p2pship.storage.files import make_private_folder, write_file
from p2pship.storage.vault import Vault

MOST = 16
"Host Identities beside the device's: each may have to keep Diffie-Hellman keys and signed packets ready."

_END = ".pem"
_EXPONENT = 65537
_WAY_OUT = "move it away: it is for no identity, and `p2pship device key create` makes another one"

HostPrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class KeyAlgorithm(Enum):
    """What kinds of key pairs can be made (RFC 7401 §5.2.9)."""

    P256 = "p256"
    P384 = "p384"
    RSA_2048 = "rsa-2048"


_CURVES = {"secp256r1": KeyAlgorithm.P256, "secp384r1": KeyAlgorithm.P384}


@dataclass(frozen=True, slots=True, eq=False)
class HostKey:
    """One Host Identity with its private key."""

    hit: bytes
    "16 octets"
    key: bytes
    "DER SubjectPublicKeyInfo"
    private_key: HostPrivateKey

    @classmethod
    def of(cls, private_key: HostPrivateKey) -> HostKey:
        """Return the Host Identity of a key pair; raises BadKey if it is of a kind that has no HIT."""
        key = private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return cls(hit_of(key), key, private_key)

    @property
    def algorithm(self) -> str:
        """What kind of key it is, as it is written for ``device key create``."""
        key = self.private_key
        return f"rsa-{key.key_size}" if isinstance(key, rsa.RSAPrivateKey) else _CURVES[key.curve.name].value


def new_host_key(algorithm: KeyAlgorithm) -> HostKey:
    """Make a key pair, which is kept nowhere; for RSA that takes a good part of a second."""
    private: HostPrivateKey
    if algorithm is KeyAlgorithm.RSA_2048:
        private = rsa.generate_private_key(_EXPONENT, RSA_BITS.start)
    else:
        private = ec.generate_private_key(
            ec.SECP256R1() if algorithm is KeyAlgorithm.P256 else ec.SECP384R1()
        )
    return HostKey.of(private)


@implementer(IHostKeys)
class HostKeys:
    """Keeps them below ``folder``, which is made with the first.

    :raises ConfigError: if a file there cannot be read, is none of theirs, or others may read it.
    """

    def __init__(self, folder: Path, vault: Vault) -> None:
        self._folder = folder
        self._vault = vault
        self._watchers: list[Callable[[], None]] = []
        self._all = {key.hit: key for key in map(self._read, sorted(folder.glob(f"[0-9a-f]*{_END}")))}

    def all(self) -> Sequence[HostKey]:
        """Return them."""
        return tuple(self._all.values())

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` when one was added or removed; returns a call that ends it."""
        self._watchers.append(changed)
        return lambda: self._watchers.remove(changed)

    def check_room(self) -> None:
        """Raise LocalError if there are as many as there may be."""
        if len(self._all) >= MOST:
            raise LocalError(f"there are {MOST} already: `p2pship device key remove HIT` takes one away")

    def add(self, key: HostKey) -> None:
        """Keep one, and tell the watchers.

        :raises LocalError: if there are too many, or it cannot be written.
        """
        self.check_room()
        pem = key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = self._path(key.hit)
        try:
            make_private_folder(self._folder)
            write_file(path, self._vault.protect(path.name, pem))
        except OSError as error:
            raise LocalError(f"the key cannot be kept as {path}: {error.strerror}") from error
        self._all[key.hit] = key
        self._tell()

    def remove(self, hit: bytes) -> None:
        """Delete one for ever, and tell the watchers.

        :raises LocalError: if there is none, or it cannot be deleted.
        """
        if hit not in self._all:
            raise LocalError("there is no such key: `p2pship device key list` shows them")
        path = self._path(hit)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise LocalError(f"{path} cannot be deleted: {error.strerror}") from error
        del self._all[hit]
        self._tell()

    def protect(self) -> None:
        """Put the key files into the form that the vault wants now.

        :raises LocalError: if one cannot be written; it can be read in the other form as well.
        """
        try:
            for hit in self._all:
                protect_key_file(self._path(hit), self._vault)
        except OSError as error:
            raise LocalError(f"keys cannot be written in {self._folder}: {error.strerror}") from error

    def _path(self, hit: bytes) -> Path:
        return self._folder / f"{hit.hex()}{_END}"

    def _read(self, path: Path) -> HostKey:
        key = HostKey.of(_private_key(path, key_file(path, self._vault)))
        if key.hit.hex() != path.name.removesuffix(_END):
            raise ConfigError(f"{path} holds another key than its name says; {_WAY_OUT}")
        return key

    def _tell(self) -> None:
        for changed in tuple(self._watchers):
            changed()


def _private_key(path: Path, pem: bytes) -> HostPrivateKey:
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"{path} does not hold a private key in PEM that can be used; {_WAY_OUT}"
        ) from error
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return key
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size in RSA_BITS:
        return key
    raise ConfigError(f"{path} holds another kind of key than P-256, P-384 or RSA; {_WAY_OUT}")
