"""``p2pship device key``: the device's own keys, and Host Identities beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from p2pship.commands.columns import aligned
from p2pship.commands.devicetext import DeviceKey, key_text
from p2pship.commands.own import own_identity
from p2pship.commands.verb import Argument, Kind, Verb

if TYPE_CHECKING:
    from p2pship.desk import Desk
    from p2pship.identity.device import Device
    from p2pship.identity.hostkeys import HostKey

ALGORITHMS = ("p256", "p384", "rsa-2048")


class HostKeyStatus(TypedDict):
    """One Host Identity, in the answers to ``device key list``, ``create`` and ``remove``."""

    hit: str
    algorithm: str
    device: bool
    "whether it is that of a device, which carries calls"
    people: list[str]
    "the own identities that are used on it"
    host_identity: str


def _key(desk: Desk, given: dict[str, Any]) -> DeviceKey:
    from p2pship.identity.hit import format_hit
    from p2pship.identity.statement import host_identity_hash

    device = desk.keyring.device if given["own"] is None else own_identity(desk, given["own"]).device
    return {
        "id": host_identity_hash(device.key).hex(),
        "hit": format_hit(device.hit),
        "host_identity": device.key.hex(),
        "publication_key": device.publication_key.hex(),
        "sealing_key": device.sealing_key.hex(),
    }


def _list(desk: Desk, given: dict[str, Any]) -> list[HostKeyStatus]:
    devices = [_device_status(desk, device) for device in desk.keyring.devices()]
    return [*devices, *[_status(key) for key in desk.keyring.host_keys.all()]]


def _device_status(desk: Desk, device: Device) -> HostKeyStatus:
    from p2pship.identity.hostkeys import HostKey

    people = [identity.aor for identity in desk.keyring.identities() if identity.device.hit == device.hit]
    status = _status(HostKey(device.hit, device.key, device.private_key))
    return {**status, "device": True, "people": people}


def _status(key: HostKey) -> HostKeyStatus:
    from p2pship.identity.hit import format_hit

    return {
        "hit": format_hit(key.hit),
        "algorithm": key.algorithm,
        "device": False,
        "people": [],
        "host_identity": key.key.hex(),
    }


def _create(desk: Desk, given: dict[str, Any]) -> HostKeyStatus:
    from p2pship.identity.hostkeys import KeyAlgorithm, new_host_key

    desk.keyring.host_keys.check_room()
    key = new_host_key(KeyAlgorithm(given["algorithm"] or "p256"))
    desk.keyring.host_keys.add(key)
    return _status(key)


def _remove(desk: Desk, given: dict[str, Any]) -> HostKeyStatus:
    key = _meant(desk, given)
    desk.keyring.host_keys.remove(key.hit)
    return _status(key)


def _meant(desk: Desk, given: dict[str, Any]) -> HostKey:
    """Return the key that is to be removed."""
    from p2pship.errors import LocalError
    from p2pship.identity.hit import format_hit

    wanted = given["hit"]
    if wanted in [format_hit(device.hit) for device in desk.keyring.devices()]:
        raise LocalError("that is a device's own key, by which identities list the device: it stays")
    for key in desk.keyring.host_keys.all():
        if format_hit(key.hit) == wanted:
            return key
    raise LocalError(f"there is no key {wanted!r:.60}: `p2pship device key list` shows them")


def _list_text(result: list[HostKeyStatus]) -> str:
    rows = [("HIT", "ALGORITHM", "USED FOR")]
    rows += [(one["hit"], one["algorithm"], _use(one)) for one in result]
    return aligned(rows)


def _use(one: HostKeyStatus) -> str:
    if not one["device"]:
        return "pings only"
    return f"calls of {', '.join(one['people']) or 'nobody'}"


def _create_text(result: HostKeyStatus) -> str:
    return (
        f"{result['hit']} is a Host Identity of this node now ({result['algorithm']}).\n"
        f"It answers pings, and `p2pship hip ping HIT@ADDRESS --as {result['hit']}` pings by it. Calls go by the "
        "device's own key, not by this one. No backup has it."
    )


def _remove_text(result: HostKeyStatus) -> str:
    return f"{result['hit']} is deleted, and its associations are closed."


KEY_VERBS = (
    Verb(
        "device",
        "key",
        "show this device's keys",
        run=_key,
        text=key_text,
        arguments=(
            Argument(
                "own",
                "the own identity whose device is meant, if not that of the node",
                Kind.AOR,
                option=True,
                optional=True,
            ),
        ),
        offline=True,
        founds=True,
    ),
    Verb(
        "device",
        "key list",
        "list the Host Identities: those of devices, and those beside them",
        run=_list,
        text=_list_text,
        offline=True,
    ),
    Verb(
        "device",
        "key create",
        "make another Host Identity, to try other programs that speak HIP with",
        run=_create,
        text=_create_text,
        arguments=(
            Argument(
                "algorithm",
                "which kind of key, if not p256",
                Kind.CHOICE,
                option=True,
                optional=True,
                choices=ALGORITHMS,
            ),
        ),
        offline=True,
        founds=True,
    ),
    Verb(
        "device",
        "key remove",
        "delete one of these for ever",
        run=_remove,
        text=_remove_text,
        arguments=(Argument("hit", "its HIT"),),
        offline=True,
        check=_meant,
        warning=lambda given: f"This deletes the key of {given['hit']} for ever: no backup has it.",
    ),
)
