"""What is read of the certificates of authorities and of their members (RFC 5280), with errors of our own."""

from __future__ import annotations

import hashlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from p2pship.errors import RemoteError
from p2pship.identity import certificate as certificate_of
from p2pship.identity.certificate import BadCertificate
from p2pship.identity.hit import is_quick

LONGEST_CERTIFICATE = 8_192
"Octets of one certificate: those of P-256 have 500, of RSA-4096 with all that companies put in 3,000."

LONGEST_PEM = 65_536
"Characters of a file of certificates that is read."

FINGERPRINT_LENGTH = 32

WEAKEST_RSA = 2_048
"Bits of an authority's RSA key."

_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)

UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"What the library raises over what it cannot read."


class BadAuthority(RemoteError):
    """This is not the certificate of an authority."""


class BadChain(RemoteError):
    """The certificates do not prove the name."""


def load(der: bytes) -> x509.Certificate:
    """Read a certificate, all of it: the library reads most parts only when they are asked for, and may fail then.

    :raises BadChain: if it cannot be read.
    """
    if len(der) > LONGEST_CERTIFICATE:
        raise BadChain(f"a certificate of {len(der)} octets is longer than {LONGEST_CERTIFICATE}")
    try:
        certificate = x509.load_der_x509_certificate(der)
        _read_all(certificate)
    except UNREADABLE as error:
        raise BadChain(f"a certificate cannot be read: {error}") from None
    return certificate


def _read_all(certificate: x509.Certificate) -> None:
    tuple(certificate.extensions)
    _check_quick(certificate.public_key())
    key_octets(certificate)
    common_name(certificate)
    _ = certificate.issuer, certificate.signature_algorithm_oid
    _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc


def _check_quick(key: object) -> None:
    """Refuse a key that is made to be slow: strangers bring certificates, and their domains authorities.

    :raises ValueError: if it is one.
    """
    if isinstance(key, rsa.RSAPublicKey) and not is_quick(key):
        raise ValueError("the exponent of its RSA key is too long")


def load_file(text: str) -> x509.Certificate:
    """Read the one certificate of an authority from a PEM file, or the last of several: the root comes last.

    :raises BadAuthority: if there is none.
    """
    if len(text) > LONGEST_PEM:
        raise BadAuthority(f"a file of {len(text)} characters is too long for a certificate")
    try:
        certificates = x509.load_pem_x509_certificates(text.encode("utf-8", "replace"))
    except UNREADABLE:
        raise BadAuthority(
            "there is no certificate in PEM in it: give the authority's, or an answer of `p2pship ca issue`"
        ) from None
    return check_authority(certificates[-1])


def check_authority(certificate: x509.Certificate) -> x509.Certificate:
    """Return a certificate that can be trusted as a root: self-signed, with the CA flag and the right to sign others.

    :raises BadAuthority: if it is another one.
    """
    try:
        _check_quick(certificate.public_key())
        certificate.verify_directly_issued_by(certificate)
        extensions = certificate.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        raise BadAuthority(
            "it is not the certificate of an authority: it does not say that it is one"
        ) from None
    except (*UNREADABLE, InvalidSignature):
        raise BadAuthority("it is not the self-signed certificate of an authority") from None
    if not constraints.ca or not usage.key_cert_sign:
        raise BadAuthority("it is the certificate of a person or a server, not of an authority")
    if not _can_vouch(certificate.public_key()):
        raise BadAuthority(
            "its key is of a kind that vouches for nobody: use P-256, P-384, P-521, or RSA of 2048 bits"
        )
    return certificate


def _can_vouch(key: object) -> bool:
    """Tell whether what checks chains believes such a key."""
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= WEAKEST_RSA
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)


def der(certificate: x509.Certificate) -> bytes:
    """Return a certificate as DER."""
    return certificate.public_bytes(Encoding.DER)


def key_octets(certificate: x509.Certificate | x509.CertificateSigningRequest) -> bytes:
    """Return the key of a certificate as DER SubjectPublicKeyInfo."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_fingerprint(certificate: x509.Certificate) -> bytes:
    """Return the SHA-256 of a certificate's key (DER SubjectPublicKeyInfo): what an authority is known by."""
    return hashlib.sha256(key_octets(certificate)).digest()


def common_name(certificate: x509.Certificate) -> str:
    """Return the common name of a certificate, for people to read; empty if there is none."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def person_named(certificate: x509.Certificate | x509.CertificateSigningRequest) -> str:
    """Return the canonical AOR of the one person whom a certificate names.

    :raises BadChain: if it does not, as :func:`p2pship.identity.certificate.person_named`.
    """
    try:
        return certificate_of.person_named(certificate)
    except BadCertificate as error:
        raise BadChain(str(error)) from None


def operator_of(root: x509.Certificate) -> str:
    """Return the canonical AOR of the person who runs an authority, whom members ask for renewal; empty if it names none."""
    try:
        return person_named(root)
    except BadChain:
        return ""
