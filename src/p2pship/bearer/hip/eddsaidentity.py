"""Host Identities of EdDSA: read, so that they can be shown, but not used, as no two programs agree on their HITs (RFC 9374 §3.4.1.1)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from p2pship.bearer.hip.fields import split
from p2pship.bearer.hip.numbers import EdDSACurve
from p2pship.bearer.hip.packet import BadPacket

_HEAD = struct.Struct(">H2x")
_SIZES = {
    EdDSACurve.ED25519: 32,
    EdDSACurve.ED25519PH: 32,
    EdDSACurve.ED448: 57,
    EdDSACurve.ED448PH: 57,
}
"Octets of a public key (RFC 8032 §5.1.5, §5.2.5)."


class EdDSAIdentity(NamedTuple):
    """What the Host Identity field of HOST_ID holds for algorithm 13."""

    curve: EdDSACurve
    public: bytes

    @classmethod
    def decode(cls, encoded: bytes) -> EdDSAIdentity:
        """Read it.

        :raises BadPacket: if the curve is not known, or the key is of another length.
        """
        (curve,), public = split(_HEAD, encoded, "an EdDSA identity")
        if curve not in _SIZES or len(public) != _SIZES[EdDSACurve(curve)]:
            raise BadPacket(f"an EdDSA identity on curve {curve} has {len(public)} octets")
        return cls(EdDSACurve(curve), public)

    def encode(self) -> bytes:
        """Return the Host Identity field."""
        return _HEAD.pack(self.curve) + self.public
