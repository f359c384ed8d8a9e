"""The section ``[identity]`` of the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.config import option


@dataclass(frozen=True)
class IdentitySettings:
    """How new identities are made."""

    separate_device: bool = option(
        False,
        "Whether each identity that comes to be on this node gets a device of its own, so that keys and lookups do not "
        "show which identities are on one node. Only HIP reaches such a device. `p2pship identity separate` gives one to an "
        "identity that is there.",
    )
