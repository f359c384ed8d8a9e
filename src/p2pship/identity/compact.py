"""Certificates in few letters, of those that a QR code packs closest (docs/reference/invitations.md)."""

from __future__ import annotations

import base64
import binascii
import zlib

from p2pship.errors import RemoteError

_ISSUER = (
    "300a06082a8648ce3d040302302b3129302706035504030c20"  # ecdsa-with-SHA256, and a name that is a commonName
)
_KEY = "3059301306072a8648ce3d020106082a8648ce3d03010703420004"  # of P-256
_SIGNED = "301f0603551d23041830168014300a06082a8648ce3d04030203480030450220"  # authorityKeyIdentifier, the signature
_NAMED = "30210603551d11041a301886167369703a"  # subjectAltName, a URI that begins with sip:

_PERSON = (
    f"845901b2308201ae30820154a0030201020214{_ISSUER}301e170d3237303131353037343530305a170d3237303431353038303030305a"
    f"301d311b301906035504030c12{_KEY}a3643062300c0603551d130101ff04023000300e0603551d0f0101ff040403020780{_NAMED}{_SIGNED}"
)
_AUTHORITY = (
    f"5901e7308201e330820189a003020102021430{_ISSUER}301e170d3237303131353037343530305a170d3337303132303037343530305a"
    f"302b3129302706035504030c20{_KEY}a3818a30818730120603551d130101ff040830060101ff020100300e0603551d0f0101ff04040302"
    f"0106301d0603551d0e04160414{_NAMED}{_SIGNED}"
)
_LIST = (
    f"58eb3081e830818f020101{_ISSUER}170d3237303131353038303030305a170d3237303231343038303030305aa0323030300d0603551d140403"
    f"02046b49d200{_SIGNED}"
)
_DICTIONARY = bytes.fromhex(_PERSON + _AUTHORITY + _LIST)
"""What an authority's answer is made of, but for names, keys, serial numbers and signatures (RFC 5280): a preset dictionary (RFC 1950
§2.2). It saves a fifth, so that a QR code fits 100 columns. It is part of the format: another one is another format."""

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
