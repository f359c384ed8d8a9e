"""A pair secret from two ephemeral keys: X25519 within an authenticated link, bound to who the two are.

The link proves the devices, the hellos prove the identities; so the exchange need not prove them again. It has to be bound
to them: identity keys, names and devices go into the key, and both sides show that they came to the same one.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from p2pship.identity.cbor import encode
from p2pship.identity.keys import raw_public
from p2pship.relations.pake import WrongSecret
from p2pship.relations.pakewire import BadMessage

_LABEL = b"p2pship pair secret v1"
_OCTETS = 32


@dataclass(frozen=True, slots=True)
class Party:
    """One of the two."""

    aor: str
    person: bytes
    "the identity key, DER SubjectPublicKeyInfo"
    device: bytes
    "the Host Identity, DER SubjectPublicKeyInfo"


class Agreement:
    """One side of one agreement."""

    def __init__(self, offers: Party, accepts: Party, begins: bool, random: Callable[[int], bytes]) -> None:
        """``begins`` says whether this side is who offers."""
        self._private = X25519PrivateKey.from_private_bytes(random(_OCTETS))
        self.ephemeral = raw_public(self._private)
        "what the other side has to take"
        self._parties = [[one.aor, one.person, one.device] for one in (offers, accepts)]
        self._begins = begins
        self._proofs = [b"", b""]
        self.secret = b""
        "the 32 octets, once the other side's key was taken"

    def take(self, ephemeral: bytes) -> None:
        """Take the other side's key.

        :raises BadMessage: if it leads to no secret (RFC 7748 §6.1: it is of small order), or is our own.
        """
        if ephemeral == self.ephemeral:
            raise BadMessage("its key is our own")
        try:
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(ephemeral))
        except ValueError:
            raise BadMessage("its key is none") from None
        both = (self.ephemeral, ephemeral) if self._begins else (ephemeral, self.ephemeral)
        about = encode([_LABEL, self._parties, *both])
        octets = HKDF(SHA256(), 3 * _OCTETS, None, about).derive(shared)
        self.secret = octets[:_OCTETS]
        self._proofs = [octets[_OCTETS : 2 * _OCTETS], octets[2 * _OCTETS :]]

    def proof(self) -> bytes:
        """Return what shows that this side has come to the secret; it may be told."""
        return self._proofs[not self._begins]

    def check(self, proof: bytes) -> None:
        """Raise WrongSecret unless the other side has come to the same secret."""
        if not hmac.compare_digest(proof, self._proofs[self._begins]):
            raise WrongSecret("somebody is between the two")
