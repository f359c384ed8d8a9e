"""Slots of the tests: publishers with keys, and what they sign."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pship.lookup.candidate import Slot
from p2pship.lookup.http.wire import SignedSlot, signed

NOW = 1_800_000_000.0
LIFETIME = 3600
LOOKUP_KEY = bytes(range(100, 132))
ITEM = bytes(960)


def lookup_key(number: int) -> bytes:
    """Return one of many lookup keys."""
    return number.to_bytes(32, "big")


class Publisher:
    """Somebody with a publication key."""

    def __init__(self, number: int = 0) -> None:
        """Make the key of a number: the same one each time."""
        self._key = Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))
        self.key = self._key.public_key().public_bytes_raw()

    def slot(self, lookup: bytes = LOOKUP_KEY) -> Slot:
        """Return a slot of this publisher."""
        return Slot(lookup, self.key, self._key)

    def signed(
        self, item: bytes = ITEM, now: float = NOW, *, lookup: bytes = LOOKUP_KEY, lifetime: float = LIFETIME
    ) -> SignedSlot:
        """Return what is put at a time; no item is a tombstone."""
        return signed(self.slot(lookup), item, int(now * 1000), int(now + lifetime))
