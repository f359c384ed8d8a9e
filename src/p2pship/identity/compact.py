"""Certificates in few letters, of those that a QR code packs closest (docs/reference/invitations.md)."""

from __future__ import annotations

import base64
import binascii
import zlib

from p2pship.errors import RemoteError

_DICTIONARY = bytes.fromhex(
    "301e170d3236313132323233303930305a170d"  # validity
    "0603551d11040f300d860b7369703a"  # subjectAltName, a URI that begins with sip:
    "0603551d140403020102"  # cRLNumber
    "0603551d1f0603551d0e04160414"  # subjectKeyIdentifier
    "0603551d0f0101ff0404030201063012"  # keyUsage of an authority
    "0603551d130101ff040830060101ff020100"  # basicConstraints of an authority
    "a36b3069300c0603551d130101ff04023000300e0603551d0f0101ff040403020780"  # both of a person
    "301f0603551d23041830168014"  # authorityKeyIdentifier
    "3059301306072a8648ce3d020106082a8648ce3d03010703420004"  # a key of P-256
    "300a06082a8648ce3d040302034800304502210030820000308200a0030201020214"  # ecdsa-with-SHA256; beginnings
    "300a06082a8648ce3d040302301a3118301606035504030c0f"  # a name that is a commonName
)
"""What DER certificates and lists (RFC 5280) with P-256 keys have in common: the preset dictionary (RFC 1950 §2.2) saves the 75
octets that a code needs to fit 100 columns. Part of the format: another one is another format."""

_RAW = -15
"The window of raw deflate (RFC 1951), as zlib writes it."


class BadCompact(RemoteError):
    """This was not made by :func:`compact`, or a part of it is missing."""


def compact(octets: bytes) -> str:
    """Return octets deflated and in base32 (RFC 4648 §6) without padding: QR codes have 5.5 bits for such a letter."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, _RAW, zdict=_DICTIONARY)
    return base64.b32encode(deflate.compress(octets) + deflate.flush()).rstrip(b"=").decode("ascii")


def expand(text: str, most: int) -> bytes:
    """Return what :func:`compact` was given; letters may be small, and have space between them.

    :raises BadCompact: if it is nothing of the kind, or has more than ``most`` octets.
    """
    letters = "".join(text.split())
    inflate = zlib.decompressobj(_RAW, zdict=_DICTIONARY)
    try:
        octets = inflate.decompress(
            base64.b32decode(letters + "=" * (-len(letters) % 8), casefold=True), most
        )
    except (binascii.Error, ValueError, zlib.error):
        raise BadCompact() from None
    if not inflate.eof or inflate.unused_data:
        raise BadCompact()
    return octets
