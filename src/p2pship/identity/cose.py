"""COSE_Sign1 (RFC 9052 §4.2): octets with one ECDSA P-256 signature, in exactly one form.

The form is tag 18, the protected header {1: -7} (ES256, RFC 9053 §2.1), no unprotected header, the payload within. The
``external_aad`` is the context: text that says what kind of thing is signed, so that no signature serves as another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from p2pship.identity.cbor import BadCBOR, decode, encode
from p2pship.identity.keys import SIGNATURE_LENGTH, verify

LONGEST = 4_096
"Octets: papers come in hellos, whose frame is no longer."

_TAG_18 = b"\xd2"
_PROTECTED = encode({1: -7})


@dataclass(frozen=True, slots=True)
class Sign1:
    """A COSE_Sign1 whose form has been checked, but not its signature."""

    payload: bytes
    signature: bytes
    "r ‖ s, 64 octets"

    def signed_by(self, key: bytes, context: str) -> bool:
        """Tell whether ``key``, a DER SubjectPublicKeyInfo, signed it in this context."""
        return verify(key, self.signature, _to_be_signed(self.payload, context))


def sign1(payload: bytes, context: str, sign: Callable[[bytes], bytes]) -> bytes:
    """Return the COSE_Sign1 of a payload; ``sign`` gives r ‖ s."""
    return _TAG_18 + encode([_PROTECTED, {}, payload, sign(_to_be_signed(payload, context))])


def parse_sign1(raw: bytes) -> Sign1:
    """Read a COSE_Sign1.

    :raises BadCBOR: if it is not one, of the form that the module says, in at most 4,096 octets.
    """
    if len(raw) > LONGEST:
        raise BadCBOR(f"{len(raw)} octets are more than {LONGEST}")
    if not raw.startswith(_TAG_18):
        raise BadCBOR("it is not a COSE_Sign1")
    match decode(raw[1:]):
        case [protected, {**unprotected}, bytes(payload), bytes(signature)]:
            if protected != _PROTECTED or unprotected or len(signature) != SIGNATURE_LENGTH:
                raise BadCBOR("it is not signed with ES256, or has other headers")
            return Sign1(payload, signature)
    raise BadCBOR("it is not a COSE_Sign1")


def _to_be_signed(payload: bytes, context: str) -> bytes:
    """Return the Sig_structure (RFC 9052 §4.4)."""
    return encode(["Signature1", _PROTECTED, context.encode("utf-8"), payload])
