"""What a person's devices are called: an entry for each in the ledger, which all of them have."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from p2pship.identity.statement import host_identity_hash
from p2pship.interfaces import IDevice
from p2pship.relations.linkwire import LONGEST_NAME
from p2pship.trust.ledger import Ledger

DEVICE = "device"
"The kind of these entries; their names are the SHA-256 of the Host Identity in hexadecimal."

_HIT_OCTETS = 16


@dataclass(frozen=True, slots=True)
class NamedDevice:
    """What is known of a device beside what the statement lists."""

    hit: bytes
    "16 octets"
    name: str


def name_device(ledger: Ledger, own: str, host_identity_hash: bytes, hit: bytes, name: str) -> None:
    """Keep what a device of our identity is called.

    :raises LocalError: if it cannot be kept.
    """
    ledger.put(own, DEVICE, host_identity_hash.hex(), {"hit": hit, "name": name})


def named_devices(ledger: Ledger, own: str) -> dict[bytes, NamedDevice]:
    """Return what is known of each device of our identity, by the SHA-256 of its Host Identity.

    What another device wrote in another form is left out.
    """
    named = {}
    for digest, value in ledger.items(own, DEVICE).items():
        hit, name = (value.get("hit"), value.get("name")) if isinstance(value, dict) else (None, None)
        if (
            isinstance(hit, bytes)
            and len(hit) == _HIT_OCTETS
            and isinstance(name, str)
            and name.isprintable()
        ):
            named[_octets(digest)] = NamedDevice(hit, name)
    return named


def name_this(ledger: Ledger, own: str, device: IDevice) -> None:
    """Call this device of our identity what its machine is called, unless it has a name, and tell the others its HIT.

    :raises LocalError: if it cannot be kept.
    """
    digest, name = host_identity_hash(device.key), host_name()
    known = named_devices(ledger, own).get(digest)
    if known is None or (name and not known.name):
        name_device(ledger, own, digest, device.hit, name)


def unname_device(ledger: Ledger, own: str, device: IDevice) -> None:
    """Forget what a device was called that is none of our identity any more; harmless if it has no name.

    :raises LocalError: if that cannot be kept.
    """
    ledger.remove(own, DEVICE, host_identity_hash(device.key).hex())


def host_name() -> str:
    """Return what this machine is called; empty if that cannot be printed."""
    name = platform.node()[:LONGEST_NAME]
    return name if name.isprintable() else ""


def _octets(digest: str) -> bytes:
    try:
        return bytes.fromhex(digest)
    except ValueError:
        return b""
