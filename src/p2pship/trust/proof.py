"""What certificates prove once their revocation has been looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cryptography import x509

from p2pship.trust.certificates import BadChain, key_fingerprint
from p2pship.trust.chain import CertifiedPath
from p2pship.trust.revocation import RevocationList


class Revoked(BadChain):
    """The certificate has been revoked."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What certificates prove: the name is the key's, says an authority."""

    root: bytes
    "the SHA-256 of the authority's key"
    serial: int
    "of the person's certificate"
    expires: float
    "until when it holds, Unix time"
    reasons: tuple[str, ...]
    "what a person should know, in words: that no revocation list was seen, or that it is out of date"


def prove(
    path: CertifiedPath,
    newest: Callable[[bytes], RevocationList | None],
    now: float,
    reasons: Iterable[str] = (),
) -> Proof:
    """Return what a path proves; ``newest`` gives the newest list of an issuer, which is named by the SHA-256 of its key.

    A list that is missing or out of date is only told in the reasons, after those that are given.

    :raises Revoked: if one of the certificates has been revoked.
    """
    found = list(reasons)
    for certificate, issuer in zip(path.certificates, path.certificates[1:], strict=False):
        found += _look(certificate, newest(key_fingerprint(issuer)), now)
    return Proof(path.root, path.certificates[0].serial_number, path.expires, tuple(dict.fromkeys(found)))


def _look(certificate: x509.Certificate, seen: RevocationList | None, now: float) -> list[str]:
    if seen is None:
        return ["no revocation list has been seen"]
    if seen.revokes(certificate.serial_number):
        raise Revoked(
            f"the certificate {certificate.serial_number:x} was revoked by its authority, which can issue a new one"
        )
    return ["the revocation list is out of date"] if seen.due < now else []
