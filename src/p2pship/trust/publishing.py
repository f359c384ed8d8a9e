"""What an operator puts on the domain's web server, or into its DNS: see :mod:`p2pship.trust.wellknown`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from p2pship.trust.authorities import Authorities
from p2pship.trust.authority import Authority
from p2pship.trust.dnssec import LABEL
from p2pship.trust.revocation import LIST_LIFETIME
from p2pship.trust.wellknown import (
    AUTHORITIES_FILE,
    FOLDER,
    REVOCATIONS_FILE,
    key_hash,
    name_file,
    name_hash,
)

PUBLISHED_FOR = 90 * 24 * 3600
"Seconds that the file of an identity holds which no certificate limits."

_END = "END"


def published_files(
    authorities: Authorities, domain: str, identities: Sequence[tuple[str, bytes]], now: float
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return the files of a canonical domain by their names, and the DNS records (name, text) of its names.

    ``identities`` are AORs of the domain and their keys (DER SubjectPublicKeyInfo) that no authority need vouch for.
    """
    own = [one for one in authorities.owned() if domain in authorities.domains(one.fingerprint)]
    keys, taken_back = _issued(authorities, own, domain, now)
    for aor, key in identities:
        keys.setdefault(aor, {})[key_hash(key)] = int(now) + PUBLISHED_FOR
    files = {
        f"{name_hash(aor)}.json": _file(aor, keys.get(aor, {}), taken_back.get(aor, []), now)
        for aor in sorted({*keys, *taken_back})
    }
    if own:
        files[AUTHORITIES_FILE] = "".join(_pem(one.certificate) for one in own)
        files[REVOCATIONS_FILE] = "".join(list_pem(authorities.crl(one.fingerprint)) for one in own)
    records = [
        (f"{name_hash(aor)}.{LABEL}.{domain}.", f"v=p2pship1; k={key.hex()}; x={expires}")
        for aor, its in sorted(keys.items())
        for key, expires in sorted(its.items())
    ]
    return files, records


def as_script(files: Mapping[str, str]) -> str:
    """Return a shell script that makes the files below the folder that it runs in."""
    lines = ["#!/bin/sh", "# Run this in the root folder of the domain's web server.", "set -e"]
    lines += [f"mkdir -p {FOLDER}"]
    for name, content in sorted(files.items()):
        lines += [f"cat > {shlex.quote(f'{FOLDER}/{name}')} <<'{_END}'", content.rstrip("\n"), _END]
    return "\n".join([*lines, ""])


def as_zone(records: Sequence[tuple[str, str]]) -> str:
    """Return DNS records as a zone file has them."""
    return "".join(f'{name} 3600 IN TXT "{text}"\n' for name, text in records)


def list_pem(octets: bytes) -> str:
    """Return a revocation list as PEM (RFC 7468 §6)."""
    return x509.load_der_x509_crl(octets).public_bytes(Encoding.PEM).decode("ascii")


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def _issued(
    authorities: Authorities, own: Sequence[Authority], domain: str, now: float
) -> tuple[dict[str, dict[bytes, int]], dict[str, list[bytes]]]:
    """Return the keys that the names have until when, and those that were taken back."""
    keys: dict[str, dict[bytes, int]] = {}
    taken_back: dict[str, list[bytes]] = {}
    for one in (each for authority in own for each in authorities.issued(authority)):
        if not one.aor.endswith(f"@{domain}"):
            continue
        if one.holds(now):
            keys.setdefault(one.aor, {})[one.key] = one.expires
        elif one.revoked and one.expires > now:
            taken_back.setdefault(one.aor, []).append(one.key)
    for aor, revoked in taken_back.items():
        taken_back[aor] = [key for key in dict.fromkeys(revoked) if key not in keys.get(aor, {})]
    return keys, taken_back


def _file(aor: str, keys: Mapping[bytes, int], taken_back: Sequence[bytes], now: float) -> str:
    expires = min(keys.values(), default=int(now) + LIST_LIFETIME)
    return name_file(aor, sorted(keys), expires, taken_back)
