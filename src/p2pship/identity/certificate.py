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
from p2pship.identity.aor import BadAOR, canonical_aor
from p2pship.identity.validity import SKEW

LONGEST_COMMON_NAME = 64
"Characters (RFC 5280 appendix A.1, ub-common-name)."

_UNREADABLE = (
    ValueError,
    BadAOR,
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

    :raises BadCertificate: if it cannot be read, or does not name exactly one ``sip:`` URI in subjectAltName.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        aors = [canonical_aor(uri) for uri in uris if uri.lower().startswith("sip:")]
    except x509.ExtensionNotFound:
        raise BadCertificate("the certificate names nobody: it has no subjectAltName") from None
    except _UNREADABLE as error:
        raise BadCertificate(f"the certificate cannot be read: {error}") from None
    if len(aors) != 1:
        raise BadCertificate(f"the certificate names {len(aors)} SIP addresses, not one")
    return PersonalCertificate(aors[0], key, certificate.not_valid_before_utc.timestamp())


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
