"""What the sections of all bearers with listeners of their own have in common."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.bearer.ownhosts import ANYWHERE
from p2pship.config import check_host, check_port_or_any, each, option


@dataclass(frozen=True)
class ListenSettings:
    """Where links are accepted."""

    enabled: bool = option(False, "Whether to make and accept links over it.")
    listen: tuple[str, ...] = option(
        ("0.0.0.0", "::"),
        "The addresses of this machine on which other nodes are accepted; 0.0.0.0 and :: are all of them.",
        check=each(check_host),
    )
    port: int = option(
        0,
        "The port; the next free one is taken, and kept, if another program has it. 0 takes any.",
        check=check_port_or_any,
    )

    def __post_init__(self) -> None:
        if not self.listen:
            raise ValueError("listen must name an address; to accept no links set enabled = false")
        if len({*self.listen}) < len(self.listen) or any(map(self._is_covered, self.listen)):
            raise ValueError("listen names an address twice: 0.0.0.0 and :: are already all of their family")

    def _is_covered(self, host: str) -> bool:
        anywhere = ANYWHERE[6 if ":" in host else 4]
        return host != anywhere and anywhere in self.listen
