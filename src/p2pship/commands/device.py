"""``p2pship device``: the devices of one identity."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from p2pship.commands.devicekey import KEY_VERBS
from p2pship.commands.devicetext import (
    DeviceList,
    DeviceStatus,
    LinkStatus,
    link_text,
    list_text,
    revoke_text,
    wait_text,
)
from p2pship.commands.identityseparate import FLAG, wanted
from p2pship.commands.own import AS, need_node, own_identity
from p2pship.commands.verb import Argument, Kind, Verb

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from p2pship.desk import Desk
    from p2pship.identity.identity import Identity

LEAST_DIGITS = 4
"Digits of a device's id that may stand for it, if they are only one's."

WAIT_SECONDS = 620.0
"A window is open for ten minutes."


def _list(desk: Desk, given: dict[str, Any]) -> DeviceList:
    from p2pship.identity.statement import read_statement
    from p2pship.relations.devicenames import name_device

    identity = own_identity(desk, given["aor"])
    this = identity.device
    if given.get("name") is not None:
        name_device(
            desk.ledger, identity.aor, this.listed.host_identity_hash, this.hit, _readable(given["name"])
        )
    statement = read_statement(identity.statement)
    listed = [device.host_identity_hash for device in statement.devices]
    devices = [_status(desk, identity, digest, False) for digest in listed]
    revoked = [digest for digest in statement.revoked if not identity.is_mark(digest)]
    gone = [_status(desk, identity, digest, True) for digest in revoked]
    return {"aor": identity.aor, "owner": identity.owner, "devices": [*devices, *gone]}


def _readable(name: str) -> str:
    from p2pship.errors import LocalError
    from p2pship.relations.linkwire import LONGEST_NAME

    if not name.isprintable() or len(name) > LONGEST_NAME:
        raise LocalError(f"a device's name is one line of at most {LONGEST_NAME} characters")
    return name


def _status(desk: Desk, identity: Identity, digest: bytes, revoked: bool) -> DeviceStatus:
    from p2pship.identity.hit import format_hit
    from p2pship.identity.statement import host_identity_hash
    from p2pship.relations.devicenames import named_devices

    device = identity.device
    this = digest == host_identity_hash(device.key)
    known = named_devices(desk.ledger, identity.aor).get(digest)
    peer = None if this or revoked else _connected(desk, identity.aor, digest)
    hit = device.hit if this else peer.hit if peer is not None else known.hit if known else b""
    return {
        "id": digest.hex(),
        "hit": format_hit(hit) if hit else "",
        "name": known.name if known else "",
        "this": this,
        "connected": this or peer is not None,
        "revoked": revoked,
    }


def _connected(desk: Desk, aor: str, digest: bytes) -> Any:
    """Return the peer that an own device is if there is a link to it, or None."""
    from p2pship.identity.statement import host_identity_hash

    for peer in desk.node.overlay.peers() if desk.node is not None else ():
        theirs = peer.aor == aor == peer.identity.aor
        if theirs and peer.path and host_identity_hash(peer.device_key) == digest:
            return peer
    return None


def _link(desk: Desk, given: dict[str, Any]) -> LinkStatus | Deferred[LinkStatus]:
    from p2pship.errors import LocalError

    whom, code = given["whom"] or "", given["code"]
    if whom.startswith("p2pship:"):
        return _scanned(desk, whom, given)
    if code is None:
        return _open(desk, whom, given)
    if not whom:
        raise LocalError("whose device shall this be? `p2pship device link --code CODE alice@example.com`")
    return _typed(desk, whom, code, given)


def _open(desk: Desk, whom: str, given: dict[str, Any]) -> LinkStatus:
    from p2pship.errors import LocalError
    from p2pship.identity.aor import canonical_aor
    from p2pship.relations.qr import qr_text

    if given[FLAG.name]:
        raise LocalError("the new device says whether it is one of its own: give --separate-device there")
    identity = own_identity(desk, canonical_aor(whom.removeprefix("sip:")) if whom else None)
    window = need_node(desk).linking.open(identity.aor, given["owner"])
    return {
        "aor": window.aor,
        "linked": False,
        "owner": window.owner,
        "name": "",
        "code": window.code,
        "uri": window.uri,
        "qr": qr_text(window.uri),
        "until": window.until,
    }


def _typed(desk: Desk, whom: str, code: str, given: dict[str, Any]) -> Deferred[LinkStatus]:
    from p2pship.identity.aor import canonical_aor
    from p2pship.relations.codes import Secret

    secret = Secret.typed(code)
    return _join(desk, canonical_aor(whom.removeprefix("sip:")), secret, None, given)


def _scanned(desk: Desk, uri: str, given: dict[str, Any]) -> Deferred[LinkStatus]:
    from p2pship.errors import LocalError
    from p2pship.relations.codes import Invitation, Purpose

    invitation = Invitation.read(uri)
    if invitation.purpose is not Purpose.LINK:
        raise LocalError("this is an invitation to be paired: give it to `p2pship contact pair`")
    return _join(desk, invitation.aor, invitation.secret, invitation.hit, given)


def _join(
    desk: Desk, aor: str, secret: Any, hit: bytes | None, given: dict[str, Any]
) -> Deferred[LinkStatus]:
    from p2pship.errors import LocalError
    from p2pship.relations.devicenames import host_name

    if given["owner"]:
        raise LocalError(
            "the device that shows the code says whether this one is an owner: give --owner there"
        )
    separate, name = wanted(desk, given), given["name"] or host_name()
    joining = need_node(desk).linking.join(aor, secret, hit, name, separate)
    done: Deferred[LinkStatus] = joining.addCallback(_linked)
    return done


def _linked(linked: Any) -> LinkStatus:
    return {
        "aor": linked.aor,
        "linked": True,
        "owner": linked.owner,
        "name": linked.name,
        "code": "",
        "uri": "",
        "qr": "",
        "until": 0.0,
    }


def _wait(desk: Desk, given: dict[str, Any]) -> Deferred[LinkStatus]:
    waiting: Deferred[Any] = need_node(desk).linking.wait(given["aor"])
    return waiting.addCallback(_linked)


def _revocable(desk: Desk, given: dict[str, Any]) -> bytes:
    """Return the SHA-256 of the device that is meant."""
    return _chosen(_list(desk, {"aor": given["own"]}), given["device"])


def _revoke(desk: Desk, given: dict[str, Any]) -> DeviceStatus:
    identity, digest = own_identity(desk, given["own"]), _revocable(desk, given)
    desk.keyring.revoke_device(identity.aor, digest)
    return _status(desk, identity, digest, True)


def _chosen(listing: DeviceList, wanted: str) -> bytes:
    """Return the SHA-256 of the device that a person means: by its id or the beginning of it, HIT or name."""
    from p2pship.errors import LocalError

    listed = [device for device in listing["devices"] if not device["revoked"]]
    meant = [device for device in listed if _is_meant(device, wanted)]
    if len(meant) == 1:
        return bytes.fromhex(meant[0]["id"])
    see = f"`p2pship device list {listing['aor']}` shows their ids"
    if meant:
        raise LocalError(f"{wanted} could be {len(meant)} devices of {listing['aor']}: give the id; {see}")
    raise LocalError(f"{listing['aor']} has no device {wanted!r:.80}: {see}")


def _is_meant(device: DeviceStatus, wanted: str) -> bool:
    by_id = len(wanted) >= LEAST_DIGITS and device["id"].startswith(wanted.lower())
    return by_id or wanted in (device["hit"], device["name"])


_OF = Argument("aor", "the identity, if not the default one", Kind.AOR, optional=True)

WAIT = Verb(
    "device",
    "await",
    "wait for the device for which a window is open",
    run=_wait,
    text=wait_text,
    arguments=(Argument("aor", "the identity", Kind.AOR),),
    seconds=WAIT_SECONDS,
    hidden=True,
)


NEW_FLAG = replace(FLAG, help="on the new device: let no other identity of this node use it")


def _after_opening(result: LinkStatus) -> tuple[Verb, dict[str, Any]] | None:
    return None if result["linked"] else (WAIT, {"aor": result["aor"]})


VERBS = (
    *KEY_VERBS,
    Verb(
        "device",
        "list",
        "list the devices of an identity; or name this one",
        run=_list,
        text=list_text,
        arguments=(
            _OF,
            Argument(
                "name",
                "what to call this device, in place of its machine's host name",
                option=True,
                optional=True,
            ),
        ),
        offline=True,
    ),
    Verb(
        "device",
        "link",
        "open a window for a new device; or, on the new one, come in by its code",
        run=_link,
        text=link_text,
        arguments=(
            Argument("whom", "the identity, or the p2pship:link URI of a QR code", optional=True),
            Argument(
                "code", "on the new device: the code that the other one shows", option=True, optional=True
            ),
            Argument("owner", "on the old device: give the identity key, too", Kind.FLAG),
            Argument("name", "on the new device: what to call it", option=True, optional=True),
            NEW_FLAG,
        ),
        then=_after_opening,
    ),
    WAIT,
    Verb(
        "device",
        "revoke",
        "take a lost or stolen device off the list, for ever",
        run=_revoke,
        text=revoke_text,
        arguments=(
            Argument("device", "its id or the beginning of it, its HIT or its name"),
            AS,
        ),
        offline=True,
        warning=lambda given: (
            f"This revokes the device {given['device']} for ever: it cannot be linked again."
        ),
        check=_revocable,
    ),
)
