"""The parameter CERT: certificates about a Host Identity, one by one or as a chain (RFC 8002).

We read, show and verify them, and never send one. Whose certificates are believed is for the caller to say: a chain that is
in order proves no more than that the last one's signer has said so.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from ipaddress import IPv6Address
from itertools import pairwise
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from p2pship.bearer.hip.fields import split
from p2pship.bearer.hip.hostidentity import HostIdentity
from p2pship.bearer.hip.numbers import CertificateType, NotifyType
from p2pship.bearer.hip.packet import BadPacket
from p2pship.bearer.hip.suites import is_hit
from p2pship.identity.hit import hit_of
from p2pship.identity.keys import BadKey

LONGEST_CHAIN = 5
"Certificates of one group that are verified: a packet holds three of RSA at most, and each costs a verification."

HASHES = frozenset({"sha256", "sha384"})
"Of signatures: those of RFC 7401 (RFC 8002 §2)."

_UNDERSTOOD = (
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.SubjectAlternativeName,
    x509.IssuerAlternativeName,
)
"Extensions that may be critical: what they say is heeded here."

_HEAD = struct.Struct(">BBBB")
_BAD = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"What the library raises for octets that are no certificate."


class CertificateParameter(NamedTuple):
    """One CERT (RFC 8002 §2)."""

    group: int
    total: int
    "certificates of the group"
    number: int
    "place in the group, from 1"
    type: int
    "a CertificateType, or a number that we do not know"
    certificate: bytes
    "DER, a hash and URL, an LDAP URL or a name, as the type says"

    @classmethod
    def decode(cls, contents: bytes) -> CertificateParameter:
        """Read it.

        :raises BadPacket: if it is too short, or its place is not in its group.
        """
        (group, total, number, type_), certificate = split(_HEAD, contents, "CERT")
        if not 1 <= number <= total:
            raise _invalid(f"a CERT is number {number} of {total}", group, number)
        return cls(group, total, number, type_, certificate)

    def encode(self) -> bytes:
        """Return the contents."""
        return _HEAD.pack(self.group, self.total, self.number, self.type) + self.certificate


class BadCertificate(BadPacket):
    """A certificate cannot be believed.

    ``data`` is what the other side may be told with INVALID_CERTIFICATE: group and number (RFC 8002 §5).
    """

    def __init__(self, text: str, data: bytes = b"") -> None:
        super().__init__(text, NotifyType.INVALID_CERTIFICATE)
        self.data = data


class Chain(NamedTuple):
    """A chain that is in order: each certificate is signed by the next, and the first is about the Host Identity."""

    subject: str
    "the name in the first, after RFC 4514; it proves nothing by itself"
    issuer: str
    "the name of the last one's issuer"
    signer: bytes
    "the key that signed the last, as DER SubjectPublicKeyInfo"
    until: datetime
    "when the first of them ends"


def grouped(parameters: Iterable[CertificateParameter]) -> dict[int, tuple[CertificateParameter, ...]]:
    """Return the certificates of one packet, by their group.

    :raises BadPacket: if groups are not in ascending order, or a group has a number twice, out of order or two counts, or more than
        one group goes on in the next packet.
    """
    found: dict[int, list[CertificateParameter]] = {}
    for each in parameters:
        last = found[next(reversed(found))][-1] if found else None
        if last is not None and (each.group, each.number) <= (last.group, last.number):
            raise _invalid("a CERT is out of order", each.group, each.number)
        if last is not None and each.group == last.group and each.total != last.total:
            raise _invalid("two CERTs of a group do not agree on its size", each.group, each.number)
        found.setdefault(each.group, []).append(each)
    if sum(len(group) < group[0].total for group in found.values()) > 1:
        raise BadCertificate("more than one group of CERTs is not complete")
    return {group: tuple(each) for group, each in found.items()}


def verified(
    group: Sequence[CertificateParameter], identity: HostIdentity, now: float, anchors: Collection[bytes]
) -> Chain:
    """Return the chain in a complete group of CERTs, the one about the Host Identity first; ``now`` is Unix time.

    The last must be signed by its own key, or by one of ``anchors``, which are DER SubjectPublicKeyInfo. Revocation is not looked at.

    :raises BadCertificate: if it proves nothing about this identity.
    """
    if not group or len(group) < group[0].total or len(group) > LONGEST_CHAIN:
        raise BadCertificate("a group of CERTs is not complete, or too long")
    chain = [_read(each) for each in group]
    for parameter, certificate in zip(group, chain, strict=True):
        _check(parameter, certificate, datetime.fromtimestamp(now, UTC))
    _check_host(chain[0], identity, group[0])
    for below, (certificate, issuer) in enumerate(pairwise(chain)):
        _check_issuer(certificate, issuer, below, group[below])
    ends = min(certificate.not_valid_after_utc for certificate in chain)
    last = chain[-1]
    signer = _signer(last, anchors, group[-1])
    return Chain(chain[0].subject.rfc4514_string(), last.issuer.rfc4514_string(), signer, ends)


def in_words(parameter: CertificateParameter) -> str:
    """Return what a certificate says, which is not verified here, in characters that may stand in a log."""
    type_, place = parameter.type, f"group {parameter.group}, number {parameter.number} of {parameter.total}"
    if type_ != CertificateType.X509_V3:
        return f"{place}, type {type_}, {len(parameter.certificate)} octets"
    try:
        certificate = _read(parameter)
        names = [each.rfc4514_string() for each in (certificate.subject, certificate.issuer)]
        times = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except (BadCertificate, *_BAD):
        return f"{place}, no X.509 certificate"
    subject, issuer = map(ascii, names)
    return f"{place}, {subject} by {issuer}, {times[0]:%Y-%m-%d} to {times[1]:%Y-%m-%d}"


def _invalid(text: str, group: int, number: int) -> BadCertificate:
    return BadCertificate(text, bytes((group, number)))


def _refuse(text: str, parameter: CertificateParameter) -> BadCertificate:
    return _invalid(text, parameter.group, parameter.number)


def _read(parameter: CertificateParameter) -> x509.Certificate:
    if parameter.type != CertificateType.X509_V3:
        raise _refuse("certificates that are somewhere else are not fetched", parameter)
    try:
        return x509.load_der_x509_certificate(parameter.certificate)
    except _BAD:
        raise _refuse("it is no X.509 certificate", parameter) from None


def _check(parameter: CertificateParameter, certificate: x509.Certificate, now: datetime) -> None:
    """Check what each certificate has to be by itself."""
    try:
        hash_ = certificate.signature_hash_algorithm
        is_v3 = certificate.version is x509.Version.v3
        critical = [each.value for each in certificate.extensions if each.critical]
    except _BAD:
        raise _refuse("the certificate cannot be read", parameter) from None
    unknown = not all(isinstance(each, _UNDERSTOOD) for each in critical)
    if not is_v3 or unknown or hash_ is None or hash_.name not in HASHES:
        raise _refuse("the certificate is of a kind that is not taken", parameter)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise _refuse("the certificate is not valid at this time", parameter)


def _check_host(
    certificate: x509.Certificate, identity: HostIdentity, parameter: CertificateParameter
) -> None:
    """Check that a certificate is about a Host Identity (RFC 8002 §3)."""
    if _key(certificate, parameter) != identity.key:
        raise _refuse("the certificate is about another key", parameter)
    hits = _hits(certificate, x509.SubjectAlternativeName, parameter)
    if hits and identity.hit not in hits:
        raise _refuse("the certificate is about another HIT", parameter)


def _check_issuer(
    certificate: x509.Certificate, issuer: x509.Certificate, below: int, parameter: CertificateParameter
) -> None:
    """Check that a certificate is signed by the next one's key, which may sign certificates with so many authorities below it."""
    key = _key(issuer, parameter)
    if certificate.issuer != issuer.subject or not _is_signed_by(certificate, key):
        raise _refuse("the certificate is not signed by the next", parameter)
    if not _may_sign(issuer, below):
        raise _refuse("the next certificate's key may sign none", parameter)
    _check_issuer_hit(certificate, key, parameter)


def _may_sign(issuer: x509.Certificate, below: int) -> bool:
    """Tell whether a key may sign certificates (RFC 5280 §4.2.1.3, §4.2.1.9)."""
    values = [each.value for each in issuer.extensions]
    basic = next((each for each in values if isinstance(each, x509.BasicConstraints)), None)
    usage = next((each for each in values if isinstance(each, x509.KeyUsage)), None)
    if basic is None or not basic.ca or (usage is not None and not usage.key_cert_sign):
        return False
    return basic.path_length is None or basic.path_length >= below


def _check_issuer_hit(certificate: x509.Certificate, key: bytes, parameter: CertificateParameter) -> None:
    hits = _hits(certificate, x509.IssuerAlternativeName, parameter)
    if not hits:
        return
    try:
        hit = hit_of(key)
    except BadKey:
        raise _refuse("the issuer's key has no HIT", parameter) from None
    if hit not in hits:
        raise _refuse("the issuer has another HIT", parameter)


def _signer(last: x509.Certificate, anchors: Collection[bytes], parameter: CertificateParameter) -> bytes:
    """Return the key that has signed the last certificate: an anchor, or its own."""
    for key in (*anchors, _key(last, parameter)):
        if _is_signed_by(last, key):
            _check_issuer_hit(last, key, parameter)
            return key
    raise _refuse("nobody is known who has signed it", parameter)


def _is_signed_by(certificate: x509.Certificate, key: bytes) -> bool:
    signature, signed = certificate.signature, certificate.tbs_certificate_bytes
    try:
        public, how = load_der_public_key(key), certificate.signature_algorithm_parameters
        if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(how, ec.ECDSA):
            public.verify(signature, signed, how)
            return True
        hash_ = certificate.signature_hash_algorithm
        if isinstance(public, rsa.RSAPublicKey) and isinstance(how, padding.AsymmetricPadding) and hash_:
            public.verify(signature, signed, how, hash_)
            return True
    except (*_BAD, InvalidSignature):
        return False
    return False


def _key(certificate: x509.Certificate, parameter: CertificateParameter) -> bytes:
    try:
        public = certificate.public_key()
    except _BAD:
        raise _refuse("its key cannot be used", parameter) from None
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _hits(
    certificate: x509.Certificate,
    kind: type[x509.SubjectAlternativeName] | type[x509.IssuerAlternativeName],
    parameter: CertificateParameter,
) -> list[bytes]:
    """Return the HITs that a certificate has as alternative names."""
    try:
        names = certificate.extensions.get_extension_for_class(kind).value
        addresses = names.get_values_for_type(x509.IPAddress)
    except x509.ExtensionNotFound:
        return []
    except _BAD:
        raise _refuse("its names cannot be read", parameter) from None
    return [each.packed for each in addresses if isinstance(each, IPv6Address) and is_hit(each.packed)]
