"""The person of the examples: keys that are the same in every run, and papers made with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from p2pship.address import Locator
from p2pship.identity.device import Device
from p2pship.identity.keys import new_p256, sign, spki
from p2pship.identity.papers import ListedDevice, Papers
from p2pship.identity.record import sign_record
from p2pship.identity.statement import person_hash, sign_statement
from p2pship.identity.validity import RECORD_LIFETIME, STATEMENT_LIFETIME
from p2pship.identity.verify import papers_from

VECTOR: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "papers.json").read_text("utf-8")
)
"Private keys and values of the worked example in docs/reference."

AOR: str = VECTOR["aor"]
NOW: int = VECTOR["now"]


def p256(scalar: str) -> ec.EllipticCurvePrivateKey:
    """Return the key pair of a private key in hex."""
    return ec.derive_private_key(int(scalar, 16), ec.SECP256R1())


KEY = p256(VECTOR["identity_private_key"])
IDENTITY_KEY = spki(KEY)
DEVICE = Device(
    p256(VECTOR["host_private_key"]),
    Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTOR["publication_private_key"])),
    X25519PrivateKey.from_private_bytes(bytes.fromhex(VECTOR["sealing_private_key"])),
)
LOCATORS = tuple(Locator.parse(text) for text in VECTOR["locators"])
CERTIFICATE_HASH = bytes.fromhex(VECTOR["certificate_hash"])


def statement(**changes: Any) -> bytes:
    """Return the person's statement with some values other than usual."""
    values: dict[str, Any] = {
        "aor": AOR,
        "key": IDENTITY_KEY,
        "version": VECTOR["statement_version"],
        "issued": NOW,
        "expires": NOW + STATEMENT_LIFETIME,
        "devices": [DEVICE.listed],
        "certificate_hash": CERTIFICATE_HASH,
    }
    return sign_statement(lambda data: sign(KEY, data), **(values | changes))


def record(**changes: Any) -> bytes:
    """Return a record of the person's device with some values other than usual."""
    return record_of(DEVICE, **changes)


def other_devices(count: int) -> list[ListedDevice]:
    """Return devices that are not the example's."""
    return [ListedDevice(bytes([number]) * 32, bytes([0x80 | number]) * 32) for number in range(count)]


def record_of(device: Device, **changes: Any) -> bytes:
    """Return a record of a device of the person, signed with its key, with some values other than usual."""
    values: dict[str, Any] = {
        "person": person_hash(AOR, IDENTITY_KEY),
        "statement_version": VECTOR["statement_version"],
        "sequence": VECTOR["sequence"],
        "issued": NOW,
        "expires": NOW + RECORD_LIFETIME,
        "device_key": device.key,
        "sealing_key": device.sealing_key,
        "locators": LOCATORS,
    }
    return sign_record(device.sign, **(values | changes))


def papers_of_another_key(version: int, sequence: int) -> Papers:
    """Return papers of somebody who claims the person's name with a key and a device of their own."""
    key, device = new_p256(), Device.new()
    stated = sign_statement(
        lambda data: sign(key, data),
        aor=AOR,
        key=spki(key),
        version=version,
        issued=NOW,
        expires=NOW + STATEMENT_LIFETIME,
        devices=[device.listed],
        certificate_hash=CERTIFICATE_HASH,
    )
    person = person_hash(AOR, spki(key))
    return papers_from(
        stated, record_of(device, person=person, statement_version=version, sequence=sequence), NOW
    )
