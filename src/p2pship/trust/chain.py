"""Path validation: whether certificates prove that a name is a key's (RFC 5280 §6, RFC 5922 §7).

Signatures, the names that chain, dates, CA flags, path lengths, name constraints and critical extensions that nobody
knows are the library's (``cryptography.x509.verification``), with the time that the dates are checked at moved by at most
15 minutes, as clocks differ. Here are what it leaves to its user: key usage, the length of the chain, the one SIP
address, the key itself, and that the root is one which is trusted for the domain. Name constraints on URIs are
not known to the library, which refuses such a chain: trust is for a domain anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from p2pship.identity.ownchain import MOST_CERTIFICATES
from p2pship.identity.validity import SKEW
from p2pship.trust.certificates import (
    UNREADABLE,
    BadChain,
    key_fingerprint,
    key_octets,
    load,
    person_named,
)

_PERSON_PURPOSES = frozenset(
    (
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        x509.ObjectIdentifier("1.3.6.1.5.5.7.3.20"),  # id-kp-sipDomain (RFC 5924 §3)
    )
)
"If a certificate says what it is for, one of these: a web server's does not make its name a person's."


@dataclass(frozen=True, slots=True)
class CertifiedPath:
    """Certificates that prove a name, which have been checked but for revocation."""

    certificates: tuple[x509.Certificate, ...]
    "the person's first, the root last"
    expires: float
    "when the first of them expires, Unix time"

    @property
    def root(self) -> bytes:
        """The SHA-256 of the root's key."""
        return key_fingerprint(self.certificates[-1])


def verify_path(
    chain: Sequence[bytes], aor: str, key: bytes, roots: Sequence[x509.Certificate], now: float
) -> CertifiedPath:
    """Check that certificates (DER, the person's first) prove a canonical AOR to be that of an identity key.

    ``roots`` are the authorities that are trusted for the domain of the AOR, and nobody else counts.

    :raises BadChain: if they do not; the message says why.
    """
    if not 1 <= len(chain) <= MOST_CERTIFICATES:
        raise BadChain(f"a chain of {len(chain)} certificates, not 1 to {MOST_CERTIFICATES}")
    certificates = [load(octets) for octets in chain]
    _check_person(certificates[0], aor, key)
    if not roots:
        raise BadChain("no authority is trusted for the domain")
    path = _path(certificates, roots, now)
    if len(path) > MOST_CERTIFICATES:
        raise BadChain(f"a chain of {len(path)} certificates with its root, more than {MOST_CERTIFICATES}")
    return CertifiedPath(tuple(path), min(one.not_valid_after_utc.timestamp() for one in path))


def _check_person(certificate: x509.Certificate, aor: str, key: bytes) -> None:
    named = person_named(certificate)
    if named != aor:
        raise BadChain(f"the certificate is for {named}, not for {aor}")
    if key_octets(certificate) != key:
        raise BadChain("the certificate is for another key")
    if any(isinstance(one.value, x509.BasicConstraints) and one.value.ca for one in certificate.extensions):
        raise BadChain("the person's certificate is that of an authority")


def _path(
    certificates: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], now: float
) -> Sequence[x509.Certificate]:
    when = datetime.fromtimestamp(_moment(certificates, now), UTC)
    builder = verification.PolicyBuilder().store(verification.Store(list(roots))).time(when)
    verifier = (
        builder.max_chain_depth(MOST_CERTIFICATES)
        .extension_policies(ca_policy=_AUTHORITIES, ee_policy=_PEOPLE)
        .build_client_verifier()
    )
    # A root that came along is not needed, and one of a stranger's would only be tried over and over.
    # Of several with one name the first counts: who signs whom in circles would have every way through them tried.
    between = {one.subject: one for one in reversed(certificates[1:]) if one.issuer != one.subject}
    try:
        return verifier.verify(certificates[0], list(between.values())).chain
    except (verification.VerificationError, *UNREADABLE) as error:
        raise BadChain(f"no trusted authority vouches for it: {_why(error)}") from None


def _moment(certificates: Sequence[x509.Certificate], now: float) -> float:
    """Return the time to check at: now, but for clocks that differ by the little that is allowed."""
    begins = max(one.not_valid_before_utc.timestamp() for one in certificates)
    ends = min(one.not_valid_after_utc.timestamp() for one in certificates)
    if begins > now + SKEW:
        raise BadChain(
            f"a certificate is not valid before {datetime.fromtimestamp(begins, UTC):%Y-%m-%d %H:%M} UTC"
        )
    if ends < now - SKEW:
        raise BadChain(f"a certificate expired at {datetime.fromtimestamp(ends, UTC):%Y-%m-%d %H:%M} UTC")
    return min(max(now, begins), ends)


def _why(error: Exception) -> str:
    """Return the library's message without the certificate that it prints."""
    return str(error).removeprefix("validation failed: ").partition(" (encountered")[0]


def _signs_certificates(
    policy: verification.Policy, certificate: x509.Certificate, usage: x509.KeyUsage
) -> None:
    if not usage.key_cert_sign:
        raise ValueError("the key usage of an authority does not allow it to sign certificates")


def _signs(policy: verification.Policy, certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.digital_signature:
        raise ValueError("the key usage does not allow signatures")


def _is_for_people(
    policy: verification.Policy, certificate: x509.Certificate, usage: x509.ExtendedKeyUsage | None
) -> None:
    if usage is not None and _PERSON_PURPOSES.isdisjoint(usage):
        raise ValueError("the certificate is for another purpose than to name a person")


_AUTHORITIES = (
    verification.ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, verification.Criticality.AGNOSTIC, None)
    .require_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, _signs_certificates)
)
_PEOPLE = (
    verification.ExtensionPolicy.permit_all()
    .require_present(x509.SubjectAlternativeName, verification.Criticality.AGNOSTIC, None)
    .may_be_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, _signs)
    .may_be_present(x509.ExtendedKeyUsage, verification.Criticality.AGNOSTIC, _is_for_people)
)
