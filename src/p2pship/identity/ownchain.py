"""The certificates of one of our own identities: who issued them, and whether they are ours; nobody is trusted here."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from p2pship.identity.certificate import BadCertificate, read_certificate
from p2pship.identity.papers import Statement
from p2pship.identity.statement import AUTHORITY_LENGTH
from p2pship.identity.validity import SKEW

MOST_CERTIFICATES = 4
"In a chain, with the person's and the root: a company, a department and its two ends; each costs a verification."

LONGEST_CHAIN = 8_192
"Octets of all certificates together: whoever looks for the person has to fetch them."

LONGEST_REVOCATIONS = 65_536
"Octets of a revocation list: 1,500 serial numbers, more than a family or a company revokes within 90 days."

_SEQUENCE = 0x30
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)


def split_chain(octets: bytes) -> tuple[bytes, ...]:
    """Return the certificates that are one after the other in DER, whose hash a statement has; none of no octets.

    :raises BadCertificate: if they are not what begins and ends as certificates do, or too many.
    """
    chain: list[bytes] = []
    while octets:
        length = _length(octets)
        if not 2 < length <= len(octets) or len(chain) == MOST_CERTIFICATES:
            raise BadCertificate(f"the certificates are not 1 to {MOST_CERTIFICATES}, whole, in DER")
        chain.append(octets[:length])
        octets = octets[length:]
    return tuple(chain)


def chain_hash(chain: tuple[bytes, ...]) -> bytes:
    """Return what a statement says of a chain: the SHA-256 of its certificates, one after the other."""
    return hashlib.sha256(b"".join(chain)).digest()


def authority_of(chain: tuple[bytes, ...]) -> bytes:
    """Return the 8 octets by which a statement names the root of a chain; none if the certificate is self-signed.

    :raises BadCertificate: if the root cannot be read.
    """
    if len(chain) < 2:
        return b""
    try:
        key = _certificate(chain[-1]).public_key()
    except _UNREADABLE as error:
        raise BadCertificate(f"the key of the last certificate cannot be used: {error}") from None
    octets = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(octets).digest()[:AUTHORITY_LENGTH]


def check_stated(chain: tuple[bytes, ...], statement: Statement) -> None:
    """Check that certificates are those that a statement names, are for its name and key, and can be kept and read again.

    :raises BadCertificate: if not.
    """
    if chain_hash(chain) != statement.certificate_hash:
        raise BadCertificate("the certificates are not those of the statement beside them")
    person = read_certificate(chain[0])
    if (person.aor, person.key) != (statement.aor, statement.key):
        raise BadCertificate("the certificate is not for the name and key of the statement beside it")
    if split_chain(b"".join(chain)) != chain:
        raise BadCertificate("the certificates are not whole, one after the other")
    authority_of(chain)


def check_chain(chain: tuple[bytes, ...], aor: str, key: bytes, now: float) -> None:
    """Check that a chain is for an identity key (DER) and canonical AOR, each certificate signed by the next.

    Whether anybody trusts its root is for others to say.

    :raises BadCertificate: if it is not, or does not hold at ``now``; the message says why.
    """
    if not 2 <= len(chain) <= MOST_CERTIFICATES or sum(map(len, chain)) > LONGEST_CHAIN:
        raise BadCertificate(
            f"a chain is the certificate of the person first, that of the CA last: 2 to {MOST_CERTIFICATES} "
            f"in {LONGEST_CHAIN} octets, not {len(chain)}"
        )
    person = read_certificate(chain[0])
    if person.aor != aor:
        raise BadCertificate(f"the certificate is for {person.aor}, not for {aor}")
    if person.key != key:
        raise BadCertificate(f"the certificate is for another key than that of {aor}; make a new request")
    certificates = [_certificate(der) for der in chain]
    _check_dates(certificates[0], now)
    for issued, issuer in zip(certificates, [*certificates[1:], certificates[-1]], strict=True):
        _check_issued(issued, issuer)


def check_revocations(der: bytes, chain: tuple[bytes, ...]) -> None:
    """Check that a revocation list is that of who issued the first certificate of a chain, and does not name it.

    :raises BadCertificate: if it is not.
    """
    if len(der) > LONGEST_REVOCATIONS:
        raise BadCertificate(f"the revocation list has more than {LONGEST_REVOCATIONS} octets")
    person, issuer = _certificate(chain[0]), _certificate(chain[1])
    try:
        revocations = x509.load_der_x509_crl(der)
        signed = revocations.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    except _UNREADABLE as error:
        raise BadCertificate(f"the revocation list cannot be read: {error}") from None
    if not signed:
        raise BadCertificate("the revocation list is not signed by who issued the certificate")
    if revocations.get_revoked_certificate_by_serial_number(person.serial_number) is not None:
        raise BadCertificate("the certificate has been revoked")


def _certificate(der: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except _UNREADABLE as error:
        raise BadCertificate(f"a certificate cannot be read: {error}") from None


def _check_dates(certificate: x509.Certificate, now: float) -> None:
    date, skew = datetime.fromtimestamp(now, UTC), timedelta(seconds=SKEW)
    if certificate.not_valid_after_utc + skew < date:
        raise BadCertificate(f"the certificate expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
    if certificate.not_valid_before_utc > date + skew:
        raise BadCertificate(
            f"the certificate does not hold before {certificate.not_valid_before_utc:%Y-%m-%d}"
        )


def _check_issued(issued: x509.Certificate, issuer: x509.Certificate) -> None:
    try:
        issued.verify_directly_issued_by(issuer)
    except (InvalidSignature, *_UNREADABLE):
        raise BadCertificate(
            f"the certificate of {issued.subject.rfc4514_string()!r} is not signed by the one after it; "
            "the last one has to be that of the CA itself"
        ) from None


def _length(octets: bytes) -> int:
    """Return the octets of the DER SEQUENCE at the beginning (X.690 §8.1.3); 0 if there is none."""
    if len(octets) < 2 or octets[0] != _SEQUENCE:
        return 0
    if octets[1] < 0x80:
        return 2 + octets[1]
    size = octets[1] & 0x7F
    if not 1 <= size <= 3 or len(octets) < 2 + size:
        return 0
    return 2 + size + int.from_bytes(octets[2 : 2 + size], "big")
