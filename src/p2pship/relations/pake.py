"""A key from a secret that may be short: SPAKE2 on Ed25519, and the proof of it over the whole exchange.

Theory of operation. The *beginner* sends its element, the *answerer* sends its own, then the beginner proves that it has
come to the same key, and only then the answerer does. So somebody who does not know the secret tests one guess in an
exchange and hears nothing but that it was wrong; the answerer counts exchanges. What both must agree on goes into the
key: what it is for, the names, and the keys that both devices have proven on the link. A man in the middle, who has a
link to each with a device of his own, comes to two different keys even if he passes every message on as it is. Each proof
is over the elements too, as they came, and each direction has keys of its own, so nothing can be altered, reflected or
replayed.

The elements are of the ``spake2`` library: points outside the prime-order group are refused by it. The proofs are as the
confirmation of RFC 9382 §4: HMAC over the transcript, under keys from HKDF.
"""

from __future__ import annotations

import hmac
import sys
from collections.abc import Callable
from hashlib import sha256
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from twisted.internet.interfaces import IReactorThreads

from p2pship.errors import LocalError, RemoteError
from p2pship.identity.cbor import encode

if TYPE_CHECKING:
    from spake2 import SPAKE2_A

ELEMENT_OCTETS = 33
"A side, A or B, and a point."

PROOF_OCTETS = 32

_LABEL = b"p2pship pake v1"
_KEY_OCTETS = 32
_NONCE = bytes(12)
"Each key seals one message."

_FIELD = 2**255 - 19
_FIELD_MASK = 2**255 - 1
"A point is 255 bits of y, less than the field's prime, and the sign of x (RFC 8032 §5.1.2)."


class BadExchange(RemoteError):
    """The other side's part of the key exchange is not of its form."""


class WrongSecret(RemoteError):
    """The code is wrong, or somebody is in the middle."""


def prepare(reactor: object) -> None:
    """Load the library in a thread, so that no packet waits 20 ms for it when it is used; where threads are to be had."""
    if "spake2" not in sys.modules and IReactorThreads.providedBy(reactor):
        reactor.callInThread(import_module, "spake2")


def context(purpose: str, *parts: str | bytes) -> bytes:
    """Return what both sides must agree on, such that no two lists give the same octets."""
    return encode([purpose, *parts])


class Exchange:
    """One side of one exchange. It is used once: ``element``, ``take``, then proofs in the order of the side."""

    def __init__(
        self,
        begins: bool,
        password: bytes,
        context: bytes,
        beginner: bytes,
        answerer: bytes,
        random: Callable[[int], bytes],
    ) -> None:
        """Begin as one side; ``beginner`` and ``answerer`` are the keys of the devices as the link has proven them."""
        self._begins = begins
        names = [encode([_LABEL, context, key]) for key in (beginner, answerer)]
        self._pake = _spake2(begins, password, names, random)
        self.element: bytes = self._pake.start()
        "what the other side has to take"
        self._transcript = sha256(encode([_LABEL, context, beginner, answerer]))
        self._keys: list[bytes] = []
        self._proven = False
        self._sealed = False

    def take(self, element: bytes) -> None:
        """Take the other side's element.

        :raises BadExchange: if it is not one.
        """
        if not _is_canonical(element):
            raise BadExchange()
        key = self._finish(element)
        both = (self.element, element) if self._begins else (element, self.element)
        self._transcript.update(b"".join(both))
        self._keys = self._derive(key)

    def _finish(self, element: bytes) -> bytes:
        from spake2 import SPAKEError
        from spake2.ed25519_basic import NotOnCurve

        try:
            key: bytes = self._pake.finish(element)
        except (SPAKEError, NotOnCurve, ValueError):  # ValueError: the point is zero or of another subgroup
            raise BadExchange() from None
        return key

    def _derive(self, key: bytes) -> list[bytes]:
        derivation = HKDF(SHA256(), 5 * _KEY_OCTETS, self._transcript.digest(), _LABEL)
        octets = derivation.derive(key)
        return [octets[at : at + _KEY_OCTETS] for at in range(0, len(octets), _KEY_OCTETS)]

    def proof(self) -> bytes:
        """Return the proof that this side knows the secret.

        :raises LocalError: if this side answers, and the other one has proven nothing yet: it could test a guess with it.
        """
        if not self._begins and not self._proven:
            raise LocalError("the other side has to prove first that it knows the secret")
        return self._proof(self._begins)

    def check(self, proof: bytes) -> None:
        """Check the other side's proof.

        :raises WrongSecret: if it does not know the same secret, or not all that both saw is the same.
        """
        if not hmac.compare_digest(proof, self._proof(not self._begins)):
            raise WrongSecret()
        self._proven = True

    def _proof(self, beginners: bool) -> bytes:
        return hmac.digest(self._keys[0 if beginners else 1], self._transcript.digest(), "sha256")

    def seal(self, data: bytes) -> bytes:
        """Return octets that only who knows the secret can read: once for each side.

        :raises LocalError: as :meth:`proof`.
        """
        if not self._begins and not self._proven:
            raise LocalError("nothing is sealed for who has not proven to know the secret")
        if self._sealed:
            raise LocalError("an exchange seals one message: its nonce may not be used again")
        self._sealed = True
        return AESGCM(self._keys[2 if self._begins else 3]).encrypt(_NONCE, data, _LABEL)

    def open(self, sealed: bytes) -> bytes:
        """Open what the other side has sealed, after its proof has been checked.

        :raises WrongSecret: if it is not what the other side has sealed.
        """
        self._want_proof()
        try:
            return AESGCM(self._keys[3 if self._begins else 2]).decrypt(_NONCE, sealed, _LABEL)
        except (InvalidTag, ValueError):  # ValueError: it is shorter than a tag
            raise WrongSecret() from None

    @property
    def export(self) -> bytes:
        """The 32 octets that only these two devices have, for other uses."""
        self._want_proof()
        return self._keys[4]

    def _want_proof(self) -> None:
        if not self._proven:
            raise LocalError("the other side has not proven that it knows the secret")


def _is_canonical(element: bytes) -> bool:
    """Tell whether it is of its length and its y is reduced; the library takes the neutral element in two other spellings."""
    y = int.from_bytes(element[1:], "little") & _FIELD_MASK
    return len(element) == ELEMENT_OCTETS and 1 < y < _FIELD


def _spake2(begins: bool, password: bytes, names: list[bytes], random: Callable[[int], bytes]) -> SPAKE2_A:
    import spake2  # at first use: it computes its parameters then

    made: Any = spake2.SPAKE2_A if begins else spake2.SPAKE2_B
    return made(password, idA=names[0], idB=names[1], entropy_f=random)
