"""The section ``[trust]`` of the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.config import option


@dataclass(frozen=True)
class TrustSettings:
    """Whom to ask whether a name is somebody's."""

    domains: bool = option(
        True,
        "Whether to ask the domain of a name for its keys, at https://DOMAIN/.well-known/p2pship/. "
        "The domain's web server then sees that this machine is interested in the name.",
    )
    dnssec: bool = option(
        True,
        "Whether to ask the DNS where the web server has no answer. Only what DNSSEC proves is believed; "
        "the resolver sees the question.",
    )
