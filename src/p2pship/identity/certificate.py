"""The X.509 certificate of a person (RFC 3261 §23.1): it says in a form that others read whose key a key is.

It has no date after which it would be worthless (RFC 5280 §4.1.2.5: 99991231235959Z), for nobody vouches for a
self-signed certificate and its dates prove nothing. How long a key holds is said by the statement, which must be signed
anew every month; a certificate that ran out would only stop a node one day, years after anybody thought of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from p2pship.errors import RemoteError
from p2pship.identity.aor import BadAOR, canonical_aor, split_aor
from p2pship.identity.validity import SKEW

LONGEST_COMMON_NAME = 64
"Characters (RFC 5280 appendix A.1, ub-common-name)."

_UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"What the library raises over a certificate that is none, or names nobody."

_NO_END = datetime(9999, 12, 31, 23, 59, 59)


class BadCertificate(RemoteError):
    """This is not the certificate of a person."""


@dataclass(frozen=True, slots=True)
class PersonalCertificate:
    """What a certificate says."""

    aor: str
    "the canonical AOR"
    key: bytes
    "the identity key, DER SubjectPublicKeyInfo"
    begins: float
    "from when it is valid, Unix time"


def self_signed(key: ec.EllipticCurvePrivateKey, aor: str, now: float) -> bytes:
    """Return the self-signed certificate, DER, of a canonical AOR; valid from 15 minutes ago, as clocks differ."""
    # The name by which a person is known is the one in subjectAltName; this one is for programs that show it.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, aor[:LONGEST_COMMON_NAME])])
    begin = datetime.fromtimestamp(int(now) - SKEW, UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), begin, _NO_END
    )
    extensions = (
        (x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"sip:{aor}")]), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_SIGNS_ONLY, True),
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def read_certificate(der: bytes) -> PersonalCertificate:
    """Read the certificate of a person; whether anybody vouches for it is not looked at.

    :raises BadCertificate: if it cannot be read, or as :func:`person_named`.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return PersonalCertificate(
            person_named(certificate), key, certificate.not_valid_before_utc.timestamp()
        )
    except _UNREADABLE as error:
        raise BadCertificate(f"the certificate cannot be read: {error}") from None


def person_named(certificate: x509.Certificate | x509.CertificateSigningRequest) -> str:
    """Return the canonical AOR of the one person whom a certificate names in subjectAltName (RFC 5922 §7.1).

    The subject counts nothing. The address must be spelt in the canonical form: one with a password, a port, parameters, or
    a zero octet, of which programs could make different names, is refused.

    :raises BadCertificate: if it names nobody, several, or in another spelling.
    """
    names = _sip_names(certificate)
    if len(names) != 1:
        raise BadCertificate(f"the certificate names {len(names)} SIP addresses in subjectAltName, not one")
    try:
        aor = canonical_aor(names[0])
    except BadAOR as error:
        raise BadCertificate(f"the certificate names nobody: {error}") from None
    user, host = split_aor(names[0].partition(":")[2])
    if f"{user}@{host.lower()}" != aor:
        raise BadCertificate(f"the certificate spells its name {names[0]!r}, not sip:{aor}")
    return aor


def _sip_names(certificate: x509.Certificate | x509.CertificateSigningRequest) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except _UNREADABLE:
        return []
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return [uri for uri in uris if uri.lower().startswith(("sip:", "sips:"))]


_SIGNS_ONLY = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
