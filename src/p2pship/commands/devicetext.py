"""How the answers of ``p2pship device`` are, and how they read."""

from __future__ import annotations

from typing import TypedDict

from p2pship.commands.columns import aligned, minute

SHOWN_DIGITS = 16
"Hexadecimal digits of a device's SHA-256 that stand in lists: as many as nobody can make another device for by chance."


class DeviceKey(TypedDict):
    """This device's keys, in the answer to ``device key``."""

    id: str
    hit: str
    host_identity: str
    publication_key: str
    sealing_key: str


class DeviceStatus(TypedDict):
    """One device of an identity, in the answer to ``device list``."""

    id: str
    hit: str
    name: str
    this: bool
    connected: bool
    revoked: bool


class DeviceList(TypedDict):
    """The answer to ``device list``."""

    aor: str
    owner: bool
    devices: list[DeviceStatus]


class LinkStatus(TypedDict):
    """The answer to ``device link``: a window that is open, or a device that is linked."""

    aor: str
    linked: bool
    owner: bool
    name: str
    code: str
    uri: str
    qr: str
    until: float


def key_text(result: DeviceKey) -> str:
    """Print this device's keys."""
    rows = [
        ("HIT", result["hit"]),
        ("id", result["id"][:SHOWN_DIGITS]),
        ("host identity", result["host_identity"]),
        ("publication key", result["publication_key"]),
        ("sealing key", result["sealing_key"]),
    ]
    return aligned(rows)


def list_text(result: DeviceList) -> str:
    """Print a list of devices."""
    rows = [("ID", "NAME", "HIT", "STATE")]
    for device in result["devices"]:
        shown = device["id"][:SHOWN_DIGITS]
        rows.append((shown, device["name"] or "-", device["hit"] or "-", _state(device)))
    return f"{aligned(rows)}{_CANNOT_LIST if not result['owner'] else ''}"


def _state(device: DeviceStatus) -> str:
    if device["revoked"]:
        return "revoked"
    if device["this"]:
        return "this device"
    return "connected" if device["connected"] else "not connected now"


def link_text(result: LinkStatus) -> str:
    """Print a window that is open, or say that this device is linked."""
    if result["linked"]:
        key = _HAS_KEY if result["owner"] else _HAS_NO_KEY
        return f"This is a device of {result['aor']} now. {key}"
    key = _GIVES_KEY if result["owner"] else _GIVES_NO_KEY
    return (
        f"{result['qr']}\n\n"
        f"On the new device:  p2pship device link --code {result['code']} {result['aor']}\n"
        f"or, from the QR code:  p2pship device link '{result['uri']}'\n\n"
        f"Good until {minute(result['until'])}, for one device and three tries. {key}\n"
        "Waiting for the new device ..."
    )


def wait_text(result: LinkStatus) -> str:
    """Say which device was linked."""
    key = "It has the identity key, too." if result["owner"] else "It has no identity key."
    name = result["name"] or "The new device"
    return f"{name} is a device of {result['aor']} now. {key} `p2pship device list` shows all of them."


def revoke_text(result: DeviceStatus) -> str:
    """Say that a device is revoked, and who hears of it when."""
    what = result["name"] or result["id"][:SHOWN_DIGITS]
    return (
        f"{what} is revoked. Everybody who is connected has been told; others hear it when they next find or "
        "meet you, at the latest in 30 days."
    )


_CANNOT_LIST = (
    "\n\nThis device does not hold the identity key: devices are linked and revoked on one that does."
)
_HAS_KEY = "It has the identity key, too: it can link and revoke devices."
_HAS_NO_KEY = (
    "It has no identity key: it makes and takes calls, and cannot link or revoke devices. "
    "If the device that has the key is lost, only a backup of it helps."
)
_GIVES_KEY = "The new device gets the identity key, too."
_GIVES_NO_KEY = "The new device gets no identity key (--owner gives it)."
