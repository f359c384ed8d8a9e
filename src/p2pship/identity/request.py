"""A request for a certificate (PKCS #10, RFC 2986): an identity asks a CA to vouch for its name."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from p2pship.identity.certificate import LONGEST_COMMON_NAME


def certificate_request(key: ec.EllipticCurvePrivateKey, aor: str) -> bytes:
    """Return the request, DER, for a canonical AOR, signed by the identity key.

    The name that counts is the ``sip:`` URI in subjectAltName (RFC 3261 §23.1).
    """
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, aor[:LONGEST_COMMON_NAME])])
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"sip:{aor}")])
    builder = x509.CertificateSigningRequestBuilder(name).add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
