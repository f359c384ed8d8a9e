"""The section of the bearer ``hip`` in the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.bearer.hip.numbers import UDP_PORT
from p2pship.bearer.listensettings import ListenSettings
from p2pship.config import check_port_or_any, option


@dataclass(frozen=True)
class HIPSettings(ListenSettings):
    """Links over the Host Identity Protocol: encrypted, and they move along when addresses change."""

    enabled: bool = option(True, "Whether to make and accept links over HIP.")
    port: int = option(
        UDP_PORT,
        "The UDP port; the next free one is taken, and kept, if another program has it. 0 takes any.",
        check=check_port_or_any,
    )
    raw: bool = option(
        False,
        "Whether to speak HIP and ESP in IP itself as well (protocols 139 and 50), as other programs do: needs CAP_NET_RAW.",
    )
    legacy: bool = option(
        False,
        "Whether to offer the MODP groups 3 and 4 as well, for programs that have no elliptic curves. They are slow.",
    )
    opportunistic: bool = option(
        False,
        "Whether to answer programs that ask for whoever is here, naming no HIT, and to let `p2pship hip ping ADDRESS` do so.",
    )
