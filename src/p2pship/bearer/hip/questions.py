"""What is asked along the paths of an association: whether the other side is there (RFC 8046 §5.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from p2pship.bearer.hip.numbers import ParameterType
from p2pship.bearer.hip.packet import Packet
from p2pship.bearer.hip.parameters import ESPInfo
from p2pship.bearer.hip.path import Path
from p2pship.bearer.hip.updates import MOST_TRIES, Contents, Updates

NONCE_SIZE = 16

MOST_OUTSTANDING = 32
"Questions to which no answer has come yet; the one that was asked first is given up for another."


class Questions:
    """Those that are under way. Each is a nonce that goes along one path alone, so that only who is there can send it back."""

    def __init__(
        self,
        updates: Updates,
        spi: Callable[[], int],
        random: Callable[[int], bytes],
        answered: Callable[[Path, float], None],
    ) -> None:
        """``spi`` says to which the other side sends now; ``answered`` is told along which path a nonce went that has come back, and when."""
        self._updates = updates
        self._spi = spi
        self._random = random
        self._answered = answered
        self._under_way: dict[bytes, tuple[int, Path]] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    @property
    def paths(self) -> set[Path]:
        """Along which one is under way."""
        return {path for _, path in self._under_way.values()}

    def ask(
        self,
        path: Path,
        now: float,
        most_tries: int = MOST_TRIES,
        acks: Sequence[int] = (),
        contents: Sequence[Contents] = (),
    ) -> bytes:
        """Ask along a path, and return the nonce; the UPDATE acknowledges others, and says more, by the way."""
        if len(self._under_way) >= MOST_OUTSTANDING:
            self._give_up([next(iter(self._under_way))])
        nonce, spi = self._random(NONCE_SIZE), self._spi()
        number = self._updates.request(
            [
                (ParameterType.ESP_INFO, ESPInfo(0, spi, spi).encode()),
                (ParameterType.ECHO_REQUEST_SIGNED, nonce),
                *contents,
            ],
            (path,),
            now,
            partial(self._acknowledged, nonce),
            partial(self._forget, nonce),
            acks,
            is_vital=False,
            most_tries=most_tries,
        )
        self._under_way[nonce] = number, path
        return nonce

    def give_up(self, path: Path) -> None:
        """Ask no more along a path."""
        self._give_up([nonce for nonce, (_, each) in self._under_way.items() if each == path])

    def give_up_others(self, kept: bytes) -> None:
        """Ask nothing more, but with this nonce."""
        self._give_up([nonce for nonce in self._under_way if nonce != kept])

    def _give_up(self, nonces: Sequence[bytes]) -> None:
        for nonce in nonces:
            self._updates.cancel(self._under_way.pop(nonce)[0])

    def _forget(self, nonce: bytes) -> None:
        del self._under_way[nonce]

    def _acknowledged(self, nonce: bytes, packet: Packet, _by: Path, now: float) -> None:
        _, path = self._under_way.pop(nonce)
        if nonce in packet.all(ParameterType.ECHO_RESPONSE_SIGNED):
            self._answered(path, now)
