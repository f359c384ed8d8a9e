"""Every section of the configuration: the node's own, and one for each plug-in."""

from __future__ import annotations

from p2pship import plugins
from p2pship.identity.settings import IdentitySettings
from p2pship.lookup.settings import PrivacySettings
from p2pship.media.relay import MediaSettings
from p2pship.sip.settings import SIPNetworkSettings, SIPSettings
from p2pship.trust.screensettings import ScreenSettings
from p2pship.trust.settings import TrustSettings

OWN: dict[str, type] = {
    "sip": SIPSettings,
    "sip.network": SIPNetworkSettings,
    "media": MediaSettings,
    "identity": IdentitySettings,
    "trust": TrustSettings,
    "screen": ScreenSettings,
    "privacy": PrivacySettings,
}
"The sections of what every node has."


def sections() -> dict[str, type | None]:
    """Return each section with its dataclass; None, after a line in the log, where the plug-in is broken."""
    cards = [*plugins.lookups(), *plugins.bearers(), *plugins.applications()]
    return {**OWN, **plugins.sections(cards)}


def documented_sections() -> dict[str, type]:
    """Return the sections that can be configured here."""
    return {name: settings for name, settings in sections().items() if settings is not None}
