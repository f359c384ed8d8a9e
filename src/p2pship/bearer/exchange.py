"""How two devices prove their keys to each other, and agree on keys for a channel, where nothing is encrypted.

Theory of operation: three messages. The dialler opens with a nonce, an ephemeral P-256 key, its Host Identity and the
hash of the one that it dials. The listener answers with the same of its own and its signature; the dialler closes with
its signature. Each signs a context string that names the role and the bearer, and then every octet that was said
before: both versions, nonces, ephemerals and device keys, and for the dialler the listener's signature too. So a
message that was altered, reflected, replayed, or made for another bearer or another device has no valid signature,
and as both names are signed, neither side can be wrong about who shares the keys (Krawczyk, SIGMA, 2003, §3: the
ISO 9798-3 exchange). The keys for the channel, one for each direction, come from ECDH and the hash of all three
messages by HKDF (RFC 5869).

A message that is refused changes nothing, so that a stranger who can only add datagrams does not end an exchange; for the
same reason a signature is taken in one spelling only, as the keys depend on its octets. A message that is repeated gets
the same reply again. The listener signs only when the opening has its own key's hash, and
does the ECDH only when the dialler's signature holds.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from p2pship.bearer.exchangewire import (
    NONCE_SIZE,
    Answer,
    BadExchange,
    Closing,
    Opening,
    parse_answer,
    parse_closing,
    parse_opening,
    signed_part,
)
from p2pship.errors import LocalError
from p2pship.identity.keys import (
    SIGNATURE_LENGTH,
    BadKey,
    compressed,
    compressed_point,
    expanded,
    is_low,
    new_p256,
    read_point,
    verify,
)
from p2pship.interfaces import IDevice

Read = TypeVar("Read")

KEY_SIZE = 16
"Octets of a channel's key: AES-128."

_CONTEXT = "p2pship exchange 1, {} of bearer {}\0"
"What is signed begins with it: nothing else that a device signs does."


class Exchange(ABC):
    """What both roles have. The keys and the proof are empty until ``done``."""

    def __init__(self, bearer: str, device: IDevice, random: Callable[[int], bytes]) -> None:
        self.done = False
        "whether the other side has proven its key"
        self.own = device.key
        "our Host Identity, a DER SubjectPublicKeyInfo"
        self.proof = b""
        "the Host Identity that it has proven, a DER SubjectPublicKeyInfo"
        self.send_key = b""
        self.receive_key = b""
        "the channel's keys, 16 octets each"
        self._bearer = bearer
        self._device = device
        self._random = random
        self._handled: bytes | None = None
        self._reply: bytes | None = None

    def received(self, message: bytes) -> bytes | None:
        """Take a message of the other side and return what has to be sent back, None if nothing has to be.

        :raises BadExchange: if it is refused; then nothing has changed.
        """
        if message == self._handled:
            return self._reply
        if self.done:
            raise BadExchange("the exchange is over")
        self._reply = self._handle(message)
        self._handled = message
        return self._reply

    @abstractmethod
    def _handle(self, message: bytes) -> bytes | None:
        """Take a message that is new, as :meth:`received`."""

    def _signed(self, role: str, said: bytes) -> bytes:
        return _CONTEXT.format(role, self._bearer).encode() + said

    def _other_key(self, point: bytes) -> bytes:
        key = _read(expanded, point)
        if key == self._device.key:
            raise BadExchange("the other side has this device's own key")
        return key

    def _agree(
        self, own: ec.EllipticCurvePrivateKey, other: ec.EllipticCurvePublicKey, transcript: bytes
    ) -> tuple[bytes, bytes]:
        """Return the keys for what the dialler and what the listener sends."""
        secret = own.exchange(ec.ECDH(), other)
        salt = hashlib.sha256(transcript).digest()
        context = self._signed("keys", b"")
        keys = HKDF(SHA256(), 2 * KEY_SIZE, salt, context).derive(secret)
        return keys[:KEY_SIZE], keys[KEY_SIZE:]


class Dialler(Exchange):
    """The side that dials, and knows whom."""

    def __init__(self, bearer: str, device: IDevice, random: Callable[[int], bytes], expected: bytes) -> None:
        """Begin an exchange with the device whose Host Identity is ``expected``.

        :raises BadKey: if that is no P-256 key, which these bearers need.
        """
        super().__init__(bearer, device, random)
        if expected == device.key:
            raise LocalError("a device cannot dial itself")
        compressed(expected)
        self._expected = expected
        self._ephemeral = new_p256()
        self._opening = Opening(
            random(NONCE_SIZE),
            compressed_point(self._ephemeral),
            compressed(device.key),
            hashlib.sha256(expected).digest(),
        ).encode()

    def opening(self) -> bytes:
        """Return the first message; the same each time."""
        return self._opening

    def _handle(self, message: bytes) -> bytes:
        answer = parse_answer(message)
        if self._other_key(answer.device) != self._expected:
            raise BadExchange("another device answered")
        signed = self._signed("listener", self._opening + signed_part(message))
        if not _valid(self._expected, answer.signature, signed):
            raise BadExchange("the signature of the answer is not valid")
        said = self._opening + message
        closing = Closing(self._device.sign(self._signed("dialler", said))).encode()
        ephemeral = _read(read_point, answer.ephemeral)
        self.send_key, self.receive_key = self._agree(self._ephemeral, ephemeral, said + closing)
        self.proof = self._expected
        self.done = True
        return closing


class Listener(Exchange):
    """The side that is dialled."""

    def __init__(self, bearer: str, device: IDevice, random: Callable[[int], bytes]) -> None:
        super().__init__(bearer, device, random)
        self._said = b""
        self._dialler = b""
        self._ephemerals: tuple[ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey]

    def _handle(self, message: bytes) -> bytes | None:
        if not self._said:
            return self._answer(message)
        self._close(message)
        return None

    def _answer(self, message: bytes) -> bytes:
        opening = parse_opening(message)
        if opening.called != hashlib.sha256(self._device.key).digest():
            raise BadExchange("another device is dialled")
        dialler = self._other_key(opening.device)
        ephemerals = new_p256(), _read(read_point, opening.ephemeral)
        unsigned = Answer(
            self._random(NONCE_SIZE),
            compressed_point(ephemerals[0]),
            compressed(self._device.key),
            bytes(SIGNATURE_LENGTH),
        )
        signed = self._signed("listener", message + signed_part(unsigned.encode()))
        answer = unsigned._replace(signature=self._device.sign(signed)).encode()
        self._dialler, self._ephemerals, self._said = dialler, ephemerals, message + answer
        return answer

    def _close(self, message: bytes) -> None:
        closing = parse_closing(message)
        if not _valid(self._dialler, closing.signature, self._signed("dialler", self._said)):
            raise BadExchange("the signature of the dialler is not valid")
        self.receive_key, self.send_key = self._agree(*self._ephemerals, self._said + message)
        self.proof = self._dialler
        self.done = True


def _valid(key: bytes, signature: bytes, signed: bytes) -> bool:
    """Tell whether a signature is one that its owner made: nobody else can turn it into another that is taken."""
    return is_low(signature) and verify(key, signature, signed)


def _read(read: Callable[[bytes], Read], point: bytes) -> Read:
    try:
        return read(point)
    except BadKey as error:
        raise BadExchange(str(error)) from None
