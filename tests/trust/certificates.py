"""Certificates for tests, good ones and bad ones, and papers that carry them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from p2pship.identity.papers import Papers
from p2pship.identity.verify import papers_from
from tests.identity import example

NOW = example.NOW
DAY = 24 * 3600
DOMAIN = "example.com"
AOR = example.AOR
ROOT_KEY = example.p256("11" * 32)
OTHER_KEY = example.p256("22" * 32)


def usage(signs_others: bool, signs: bool = True) -> x509.KeyUsage:
    """Return a key usage."""
    return x509.KeyUsage(signs, False, False, False, False, signs_others, signs_others, False, False)


def certificate(
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    subject: str = "somebody",
    issuer: str = "root",
    names: Sequence[str] = (f"sip:{AOR}",),
    authority: bool = False,
    path_length: int | None = None,
    key_usage: x509.KeyUsage | None = None,
    begins: float = NOW - DAY,
    ends: float = NOW + 90 * DAY,
    serial: int = 4711,
    more: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> x509.Certificate:
    """Return a certificate of ``key`` that ``signer`` has signed; a person's unless told otherwise."""
    builder = x509.CertificateBuilder(
        _name(issuer), _name(subject), key.public_key(), serial, _date(begins), _date(ends)
    )
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(authority, path_length), True),
        (key_usage or usage(signs_others=authority), True),
        *more,
    ]
    if names:
        uris = [x509.UniformResourceIdentifier(name) for name in names]
        extensions.append((x509.SubjectAlternativeName(uris), False))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer, hashes.SHA256())


def root(key: ec.EllipticCurvePrivateKey = ROOT_KEY, **changes: object) -> x509.Certificate:
    """Return a good root, with some values other than usual."""
    values: dict[str, object] = {"subject": "root", "names": (), "authority": True, "ends": NOW + 1000 * DAY}
    return certificate(key, key, **(values | changes))  # type: ignore[arg-type]


def person(**changes: object) -> x509.Certificate:
    """Return the good certificate of the example's person by the root, with some values other than usual."""
    values: dict[str, object] = {"key": example.KEY, "signer": ROOT_KEY}
    return certificate(**(values | changes))  # type: ignore[arg-type]


def der(*certificates: x509.Certificate) -> tuple[bytes, ...]:
    """Return a chain as it travels."""
    return tuple(one.public_bytes(Encoding.DER) for one in certificates)


def revocations(
    serials: Sequence[int] = (),
    number: int = 1,
    signer: ec.EllipticCurvePrivateKey = ROOT_KEY,
    issuer: str = "root",
    begins: float = NOW - DAY,
    ends: float = NOW + DAY,
    more: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> bytes:
    """Return a revocation list of the root, DER, with some values other than usual."""
    builder = x509.CertificateRevocationListBuilder(_name(issuer), _date(begins), _date(ends))
    for serial in serials:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder(serial, _date(begins)).build()
        )
    builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    for extension, critical in more:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.DER)


def request(key: ec.EllipticCurvePrivateKey = example.KEY, names: Sequence[str] = (f"sip:{AOR}",)) -> bytes:
    """Return a certificate request, DER."""
    builder = x509.CertificateSigningRequestBuilder(_name("somebody"))
    if names:
        uris = [x509.UniformResourceIdentifier(name) for name in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(uris), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def papers(chain: Sequence[bytes] = (), revocation_list: bytes = b"", **changes: object) -> Papers:
    """Return the example's papers with these certificates."""
    plain = papers_from(example.statement(**changes), example.record(), NOW)
    return replace(plain, chain=tuple(chain), revocations=revocation_list)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _date(when: float) -> datetime:
    return datetime.fromtimestamp(int(when), UTC)
