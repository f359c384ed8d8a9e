"""A CA of the tests: it makes whatever certificate it is asked for, also a wrong one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from cryptography.x509.oid import NameOID

from p2pship.identity.keys import new_p256
from tests.identity.example import NOW


def name(text: str) -> x509.Name:
    """Return a name of one part."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A CA with a certificate of its own, issued by another or by itself."""

    def __init__(self, common_name: str = "Example family", above: Authority | None = None) -> None:
        self.key = new_p256()
        self.name = name(common_name)
        issuer = above or self
        builder = self._builder(self.name, issuer, self.key.public_key(), 0, 3650)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        certificate = builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)
        self.chain: tuple[bytes, ...] = (certificate, *(above.chain if above else ()))

    def issue(self, aor: str, key: bytes, begins: int = 0, days: int = 90) -> tuple[bytes, ...]:
        """Return the chain of a person's certificate that begins so many days from the example's time."""
        public = load_der_public_key(key)
        assert isinstance(public, ec.EllipticCurvePublicKey)
        builder = self._builder(name(aor), self, public, begins, days)
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"sip:{aor}")])
        builder = builder.add_extension(names, critical=False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER), *self.chain

    def revocations(self, *chains: tuple[bytes, ...]) -> bytes:
        """Return the revocation list that names the first certificates of some chains."""
        now = datetime.fromtimestamp(NOW, UTC)
        builder = x509.CertificateRevocationListBuilder(self.name, now, now + timedelta(days=7))
        for chain in chains:
            serial = x509.load_der_x509_certificate(chain[0]).serial_number
            entry = x509.RevokedCertificateBuilder(serial, now).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def _builder(
        self, subject: x509.Name, issuer: Authority, key: ec.EllipticCurvePublicKey, begins: int, days: int
    ) -> x509.CertificateBuilder:
        begin = datetime.fromtimestamp(NOW, UTC) + timedelta(days=begins)
        end = begin + timedelta(days=days)
        serial = x509.random_serial_number()
        return x509.CertificateBuilder(issuer.name, subject, key, serial, begin, end)
