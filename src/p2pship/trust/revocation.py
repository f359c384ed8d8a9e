"""Revocation lists (RFC 5280 §5): which certificates their issuer has taken back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from p2pship.errors import RemoteError
from p2pship.identity.ownchain import LONGEST_REVOCATIONS
from p2pship.identity.validity import SKEW
from p2pship.trust.certificates import UNREADABLE, key_fingerprint

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes

NUMBER_OCTETS = 20
"A list's number has no more (§5.2.3)."

_OF_A_PART = (x509.DeltaCRLIndicator, x509.IssuingDistributionPoint)

LIST_LIFETIME = 30 * 24 * 3600
"Seconds that a list of our own holds: as long as a statement."


class BadRevocationList(RemoteError):
    """This is not a revocation list of the authority."""


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A list whose signature has been checked."""

    issuer: bytes
    "the SHA-256 of the issuer's key"
    number: int
    "rises with each list"
    issued: float
    "Unix time"
    due: float
    "when the next one is due, Unix time"
    raw: bytes
    "the list, DER"
    entries: x509.CertificateRevocationList
    "the list as the library reads it"

    def revokes(self, serial: int) -> bool:
        """Tell whether a serial number is on it."""
        return self.entries.get_revoked_certificate_by_serial_number(serial) is not None


def read_list(der: bytes, issuers: Iterable[x509.Certificate], now: float) -> RevocationList:
    """Read a list, and check that one of ``issuers`` has signed it.

    One that is out of date is read all the same: what it revokes stays revoked.

    :raises BadRevocationList: if it cannot be read, nobody of them signed it, or it is from the future.
    """
    if len(der) > LONGEST_REVOCATIONS:
        raise BadRevocationList(f"a list of {len(der)} octets is longer than {LONGEST_REVOCATIONS}")
    try:
        entries = x509.load_der_x509_crl(der)
        number = _number(entries)
        issued, due = entries.last_update_utc.timestamp(), _due(entries)
    except (*UNREADABLE, OverflowError) as error:
        raise BadRevocationList(f"a revocation list cannot be read: {error}") from None
    if issued > now + SKEW:
        raise BadRevocationList(f"a revocation list was signed {issued - now:.0f} s in the future")
    issuer = next((one for one in issuers if _signed(entries, one)), None)
    if issuer is None:
        raise BadRevocationList("a revocation list is not signed by a trusted authority")
    return RevocationList(key_fingerprint(issuer), number, issued, due, der, entries)


def sign_list(
    key: ec.EllipticCurvePrivateKey,
    certificate: x509.Certificate,
    number: int,
    revoked: Iterable[tuple[int, int]],
    now: float,
) -> bytes:
    """Return the list, DER, of an authority: ``revoked`` are serial numbers and when each was revoked (Unix time)."""
    begin = datetime.fromtimestamp(int(now), UTC)
    end = datetime.fromtimestamp(int(now) + LIST_LIFETIME, UTC)
    builder = x509.CertificateRevocationListBuilder(certificate.subject, begin, end)
    for serial, when in revoked:
        one = x509.RevokedCertificateBuilder(serial, datetime.fromtimestamp(when, UTC)).build()
        builder = builder.add_revoked_certificate(one)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def _number(entries: x509.CertificateRevocationList) -> int:
    """Return the number, of a list that is whole: one of changes or of a part (§5.2.4, §5.2.5) would hide what it leaves out."""
    if any(one.critical or isinstance(one.value, _OF_A_PART) for one in entries.extensions):
        raise ValueError("it is a list of changes or of a part only")
    if any(extension.critical for one in entries for extension in one.extensions):
        raise ValueError("it names certificates of other issuers")
    number = entries.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    if not 0 <= number < 1 << 8 * NUMBER_OCTETS:
        raise ValueError(f"its number has more than {NUMBER_OCTETS} octets")
    return number


def _due(entries: x509.CertificateRevocationList) -> float:
    if entries.next_update_utc is None:
        raise ValueError("it does not say when the next one is due")
    return entries.next_update_utc.timestamp()


def _signed(entries: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    try:
        if entries.issuer != issuer.subject or not _may_sign_lists(issuer):
            return False
        # A key of a kind that signs nothing raises TypeError.
        return entries.is_signature_valid(cast("CertificateIssuerPublicKeyTypes", issuer.public_key()))
    except UNREADABLE:
        return False


def _may_sign_lists(issuer: x509.Certificate) -> bool:
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except UNREADABLE:
        return False
