"""An authority of our own: the key with which a family or a company signs the names of its domain."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from p2pship.errors import ConfigError, LocalError
from p2pship.identity.certificate import LONGEST_COMMON_NAME
from p2pship.identity.keys import BadKey, compressed, from_der, new_p256, spki, to_der
from p2pship.identity.validity import SKEW
from p2pship.storage.files import create_folder, read_private, write_file
from p2pship.storage.vault import CannotOpen, Vault
from p2pship.trust.certificates import (
    UNREADABLE,
    BadAuthority,
    BadChain,
    check_authority,
    der,
    key_fingerprint,
    key_octets,
    load,
    person_named,
)
from p2pship.trust.revocation import sign_list

KEY_FILE = "key.sealed"
CERTIFICATE_FILE = "certificate.der"
DOMAIN_FILE = "domain"

NAME = re.compile("[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
"What an authority can be called: its folder is."

YEARS = 10
"An authority's own certificate holds: everybody who trusts it must do so anew after that."

LONGEST_REQUEST = 8_192
"Octets of a certificate request."

_WAY_OUT = "restore the folder from a backup, or move it away and make another authority"


class BadRequest(BadChain):
    """This is not a request for a certificate."""


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """What a certificate request asks for; its signature has been checked, so that who asks has the key."""

    aor: str
    "the canonical AOR"
    key: bytes
    "the identity key, DER SubjectPublicKeyInfo"


def read_request(octets: bytes) -> CertificateRequest:
    """Read a certificate request (PKCS #10, RFC 2986), DER.

    :raises BadRequest: if it cannot be read, is not signed by the key in it, or does not name exactly one person.
    """
    if len(octets) > LONGEST_REQUEST:
        raise BadRequest(f"a request of {len(octets)} octets is longer than {LONGEST_REQUEST}")
    try:
        request = x509.load_der_x509_csr(octets)
        key = key_octets(request)
        compressed(key)  # refuses keys that no identity can have, before one has to be verified with
        signed = request.is_signature_valid
        aor = person_named(request)
    except (*UNREADABLE, BadKey, BadChain) as error:
        raise BadRequest(f"the request cannot be used: {error}") from None
    if not signed:
        raise BadRequest("the request is not signed by the key in it")
    return CertificateRequest(aor, key)


class Authority:
    """An authority whose key is here: kept in a folder of its own, the key always sealed by the vault."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        """Read the authority from its folder.

        :raises ConfigError: if it cannot be read or its parts do not belong together.
        """
        self.name = folder.name
        "what its operator calls it"
        self._vault = vault
        self._folder = folder
        try:
            self.domain = (folder / DOMAIN_FILE).read_text("ascii")
            "the canonical domain that it was made for"
            self._sealed = read_private(folder / KEY_FILE)
            self.certificate = check_authority(load((folder / CERTIFICATE_FILE).read_bytes()))
            "the self-signed certificate"
            if key_octets(self.certificate) != spki(self._key()):
                raise BadAuthority("the certificate is not of the key beside it")
        except OSError as error:
            raise ConfigError(
                f"the authority in {folder} cannot be read ({error.strerror}); {_WAY_OUT}"
            ) from error
        except (BadAuthority, BadChain, CannotOpen, ValueError) as error:
            raise ConfigError(f"the authority in {folder} cannot be used ({error}); {_WAY_OUT}") from error
        self.fingerprint = key_fingerprint(self.certificate)
        "the SHA-256 of its key"

    @classmethod
    def create(cls, folder: Path, vault: Vault, domain: str, operator: str, now: float) -> Authority:
        """Make an authority for a domain, with the AOR of who runs it (or an empty one), in a folder that is not there.

        :raises OSError: if it cannot be written.
        """
        key = new_p256()
        certificate = _root(key, f"{folder.name} of {domain}", operator, now)
        return cls.keep(folder, vault, domain, to_der(key), der(certificate))

    @classmethod
    def keep(cls, folder: Path, vault: Vault, domain: str, key: bytes, certificate: bytes) -> Authority:
        """Put an authority whose key pair and certificate, DER, belong together into a folder that is not there.

        :raises OSError: if it cannot be written.
        """
        sealed = vault.seal(_purpose(folder.name), key)
        files = {KEY_FILE: sealed, CERTIFICATE_FILE: certificate, DOMAIN_FILE: domain.encode("ascii")}
        create_folder(folder, files)
        return cls(folder, vault)

    def key_pair(self) -> bytes:
        """Return its key pair, DER (PKCS #8)."""
        return self._vault.open_sealed(_purpose(self.name), self._sealed)

    def seal_anew(self) -> None:
        """Seal the key with the vault's newest master key, if an earlier one has sealed it.

        :raises LocalError: if it cannot be written; the old form stays, and can be read.
        """
        sealed = self._vault.sealed_anew(_purpose(self.name), self._sealed)
        if sealed is None:
            return
        try:
            write_file(self._folder / KEY_FILE, sealed)
        except OSError as error:
            raise LocalError(f"the key in {self._folder} cannot be written: {error.strerror}") from error
        self._sealed = sealed

    def issue(self, request: CertificateRequest, serial: int, days: int, now: float) -> tuple[bytes, ...]:
        """Return a person's certificate and the authority's, DER; it holds ``days``, never longer than the authority."""
        begin = datetime.fromtimestamp(int(now) - SKEW, UTC)
        end = min(begin + timedelta(seconds=SKEW, days=days), self.certificate.not_valid_after_utc)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, request.aor[:LONGEST_COMMON_NAME])])
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), compressed(request.key))
        builder = x509.CertificateBuilder(self.certificate.subject, name, public, serial, begin, end)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs_others=False), critical=True)
        return der(self._signed(builder, request.aor)), der(self.certificate)

    def sign_list(self, number: int, revoked: list[tuple[int, int]], now: float) -> bytes:
        """Return a revocation list, DER; see :func:`p2pship.trust.revocation.sign_list`."""
        return sign_list(self._key(), self.certificate, number, revoked, now)

    def _signed(self, builder: x509.CertificateBuilder, aor: str) -> x509.Certificate:
        return _named(builder, aor, self._key())

    def _key(self) -> ec.EllipticCurvePrivateKey:
        return from_der(self.key_pair())


def _root(key: ec.EllipticCurvePrivateKey, title: str, operator: str, now: float) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title[:LONGEST_COMMON_NAME])])
    begin = datetime.fromtimestamp(int(now) - SKEW, UTC)
    end = begin + timedelta(days=366 * YEARS)
    serial = x509.random_serial_number()
    builder = x509.CertificateBuilder(name, name, key.public_key(), serial, begin, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_others=True), critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return _named(builder.add_extension(identifier, critical=False), operator, key)


def _named(builder: x509.CertificateBuilder, aor: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    if aor:
        uri = x509.UniformResourceIdentifier(f"sip:{aor}")
        builder = builder.add_extension(x509.SubjectAlternativeName([uri]), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return builder.add_extension(identifier, critical=False).sign(key, hashes.SHA256())


def _usage(signs_others: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_others,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_others,
        crl_sign=signs_others,
        encipher_only=False,
        decipher_only=False,
    )


def _purpose(name: str) -> str:
    return f"authority {name}"
