"""The section ``[privacy]`` of the configuration: who can find where our people are."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.config import option
from p2pship.lookup.privacy import OPEN, check_mode


@dataclass(frozen=True)
class PrivacySettings:
    """Who can find where the people of this node are (docs/reference/location-privacy.md)."""

    mode: str = option(
        OPEN,
        'What is published of an identity that has no mode of its own. "open": one item that everybody finds who knows the '
        'name. "friends": also one for each contact with whom there is a pair secret, that only the contact finds. '
        '"paranoid": only those; whoever is no paired contact does not find the person.',
        check=check_mode,
    )
