"""The keys of an association, drawn from one secret (RFC 7401 §6.5, RFC 7402 §7)."""

from __future__ import annotations

from copy import copy
from typing import NamedTuple

from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from p2pship.bearer.hip.numbers import NotifyType
from p2pship.bearer.hip.packet import BadPacket
from p2pship.bearer.hip.suites import RHash

MOST_BLOCKS = 255
"Blocks that HKDF gives, each as long as the hash (RFC 5869 §2.3)."


class HIPKeys(NamedTuple):
    """The keys of one host for the control packets that it sends."""

    encryption: bytes
    mac: bytes


class Keymat:
    """The octets that both sides draw keys from."""

    def __init__(
        self, rhash: RHash, random: bytes, solution: bytes, secret: bytes, one: bytes, other: bytes
    ) -> None:
        """Begin with #I and #J, the Diffie-Hellman secret, and both HITs in any order."""
        self._rhash = rhash
        self._salt = random + solution
        self._info = min(one, other) + max(one, other)
        self._begin(secret)

    def _begin(self, secret: bytes) -> None:
        self._key = self._rhash.mac(self._salt, secret)  # HKDF-Extract (RFC 5869 §2.2)
        self._octets = b""

    def with_secret(self, secret: bytes) -> Keymat:
        """Return the KEYMAT of the same hosts and puzzle with another secret (RFC 7402 §6.10)."""
        other = copy(self)
        other._begin(secret)
        return other

    def check(self, start: int, count: int) -> None:
        """Check that there are so many octets from a place on.

        :raises BadPacket: if there are not; new secrets have to be agreed on then.
        """
        most = MOST_BLOCKS * self._rhash.size
        if start + count > most:
            raise BadPacket(
                f"KEYMAT has {most} octets, {start + count} are needed", NotifyType.INVALID_SYNTAX
            )

    def octets(self, start: int, count: int) -> bytes:
        """Return octets from a place on.

        :raises BadPacket: if there are not so many; new secrets have to be agreed on then.
        """
        self.check(start, count)
        if start + count > len(self._octets):
            expand = HKDFExpand(self._rhash.algorithm, start + count, self._info)
            self._octets = expand.derive(self._key)
        return self._octets[start : start + count]

    def draw(self, start: int, sizes: tuple[int, int], own_is_greater: bool) -> tuple[HIPKeys, HIPKeys]:
        """Return what we and the other side protect what is sent with: an encryption key and a MAC key for each.

        The host with the greater HIT has the first two (RFC 7401 §6.5); ``sizes`` are the octets of each key.
        """
        encryption, mac = sizes
        pair = encryption + mac
        drawn = self.octets(start, 2 * pair)
        greater = HIPKeys(drawn[:encryption], drawn[encryption:pair])
        lesser = HIPKeys(drawn[pair : pair + encryption], drawn[pair + encryption :])
        return (greater, lesser) if own_is_greater else (lesser, greater)
