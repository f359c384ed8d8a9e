"""The R2s that were sent: the same I2 again is answered by the same again, and costs nothing (RFC 7401 §6.9, step 4).

It is the same if it has the same solution, public value and SPI: some programs encrypt and sign it anew each time.
"""

from __future__ import annotations

from hashlib import blake2b

from p2pship.bearer.hip.numbers import ParameterType
from p2pship.bearer.hip.packet import Packet
from p2pship.bearer.hip.r1pool import LIFETIME_SECONDS
from p2pship.bearer.hip.responder import Accepted

MOST_R2S = 8
"How often the R2 for one I2 is sent again."


_TOLD_BY = ParameterType.ESP_INFO, ParameterType.SOLUTION, ParameterType.DIFFIE_HELLMAN


def _digest(i2: Packet) -> bytes:
    """Return what an I2 is known again by: thousands may come in a minute."""
    return blake2b(b"".join(i2.find(type_) or b"" for type_ in _TOLD_BY), digest_size=16).digest()


class _Answered:
    __slots__ = ("at", "i2", "left", "r2")

    def __init__(self, accepted: Accepted, now: float) -> None:
        self.at = now
        self.i2 = _digest(accepted.i2)
        self.r2 = accepted.r2
        self.left = MOST_R2S


class Answers:
    """The last R2 to each host, for as long as an I2 may be good: then a late one is refused as any other."""

    def __init__(self) -> None:
        self._all: dict[bytes, _Answered] = {}

    def keep(self, peer: bytes, accepted: Accepted, now: float) -> None:
        """Remember what a host was answered."""
        self._all.pop(peer, None)
        self._all[peer] = _Answered(accepted, now)

    def forget(self, peer: bytes) -> None:
        """Forget it; harmless if there is nothing."""
        self._all.pop(peer, None)

    def forget_old(self, now: float) -> None:
        """Forget those to I2s whose puzzles have ended: most associations last longer, and each R2 is 0.5 kB."""
        for peer, answered in tuple(self._all.items()):
            if answered.at > now - LIFETIME_SECONDS:
                break
            del self._all[peer]

    @property
    def waits(self) -> bool:
        """Whether :meth:`forget_old` will have something to forget."""
        return bool(self._all)

    def was_answered(self, peer: bytes, i2: Packet) -> bool:
        """Tell whether this I2 was the one that was accepted last."""
        answered = self._all.get(peer)
        return answered is not None and answered.i2 == _digest(i2)

    def again(self, peer: bytes) -> bytes | None:
        """Return the R2 once more; None if that was done often enough."""
        answered = self._all[peer]
        if not answered.left:
            return None
        answered.left -= 1
        return answered.r2
