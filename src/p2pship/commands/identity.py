"""``p2pship identity``: this node's own identities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from p2pship.commands.aside import aside
from p2pship.commands.identityimport import BEGINS_ENCRYPTED, IMPORT
from p2pship.commands.identityprivacy import PRIVACY
from p2pship.commands.identityseparate import FLAG, SEPARATE, wanted
from p2pship.commands.identitystatus import (
    IdentityStatus,
    describe,
    list_text,
    no_backup,
    sentence,
    show_text,
    status_text,
)
from p2pship.commands.keepsake import pack, run_by, unpack
from p2pship.commands.own import own_identity, revoked_names
from p2pship.commands.verb import Argument, Kind, Verb
from p2pship.errors import LocalError

if TYPE_CHECKING:
    from p2pship.desk import Desk
    from p2pship.identity.bundle import Bundle

OWN = Argument("aor", "the own identity, if not the default one", Kind.AOR, optional=True)


class RequestStatus(TypedDict):
    """The answer to ``identity request``."""

    aor: str
    fingerprint: str
    uri: str
    "the request in one line, for a message or a QR code"
    qr: bool
    "whether the terminal shows the QR code"
    content: str
    "the request as a PEM file"


class BackupStatus(TypedDict):
    """The answer to ``identity export``."""

    aor: str
    fingerprint: str
    authorities: list[str]
    "the names of its authorities, whose keys are in it"
    encrypted: bool
    content: str
    "the backup"


class RestoredStatus(TypedDict):
    """The answer to ``identity restore``."""

    identity: IdentityStatus
    entries: int
    "contacts, pins, names of devices and other entries that came along"
    authorities: list[str]
    "the names of its authorities, which are here again"


def _create(desk: Desk, given: dict[str, Any]) -> IdentityStatus:
    if given["aor"] is None:
        return describe(desk, desk.keyring.create_self_certifying(separate=wanted(desk, given)))
    return describe(desk, desk.keyring.create(given["aor"], wanted(desk, given)))


def _created_text(one: IdentityStatus) -> str:
    proof = (
        "It is its own proof: whoever knows the name knows the key."
        if one["aor"].startswith(one["fingerprint"])
        else "Nobody vouches for the name yet: `p2pship identity request` asks a CA to do so."
    )
    device = f"It has a device of its own, {one['hit']}.\n" if one["separate"] else ""
    return (
        f"{one['aor']} is an identity of this node now, with the fingerprint {one['fingerprint']}.\n{device}{proof}\n"
        + "\n".join(map(sentence, one["advice"]))
    )


def list_identities(desk: Desk, given: dict[str, Any]) -> list[IdentityStatus]:
    """Describe every own identity, oldest first; takes no arguments."""
    keyring = desk.keyring
    return [describe(desk, identity) for identity in (*keyring.identities(), *keyring.revoked_here())]


def _show(desk: Desk, given: dict[str, Any]) -> IdentityStatus:
    return describe(desk, own_identity(desk, given["aor"]))


def _request(desk: Desk, given: dict[str, Any]) -> RequestStatus:
    from p2pship.identity.fingerprint import fingerprint
    from p2pship.identity.invitation import request_pem, request_uri

    identity = own_identity(desk, given["aor"])
    request = desk.keyring.request(identity.aor)
    return {
        "aor": identity.aor,
        "fingerprint": fingerprint(identity.key),
        "uri": request_uri(request),
        "qr": given["qr"],
        "content": request_pem(request),
    }


def _request_text(result: RequestStatus) -> str:
    words = (
        f"This asks a CA to vouch for {result['aor']}, whose fingerprint is {result['fingerprint']}.\n"
        "Send it to who runs the CA, and tell them the fingerprint in another way: by voice, for example. They run\n"
        "`p2pship ca issue` with it, and you `p2pship identity import` with their answer."
    )
    if not result["qr"]:
        return words
    from p2pship.relations.qr import qr_text

    return f"{words}\n\n{qr_text(result['uri'])}\n{result['uri']}"


def _export(desk: Desk, given: dict[str, Any]) -> Any:
    from p2pship.identity.backup import write_backup
    from p2pship.identity.fingerprint import fingerprint

    identity = own_identity(desk, given["aor"])
    if given["encrypt"] and given["passphrase"] is None:
        raise LocalError("an encrypted backup needs a passphrase")
    bundle = desk.keyring.bundle(identity.aor, with_key=True, extra=pack(desk, identity.aor))
    authorities = [one.name for one in run_by(desk, identity.aor)]
    now = desk.clock.seconds()

    def written(backup: bytes) -> BackupStatus:
        if identity.key != bundle.statement.key:
            raise LocalError(f"{identity.aor} got a new key meanwhile: give the command again")
        desk.keyring.mark_exported(identity.aor)
        return {
            "aor": identity.aor,
            "fingerprint": fingerprint(identity.key),
            "authorities": authorities,
            "encrypted": given["passphrase"] is not None,
            "content": backup.decode(),
        }

    return aside(desk, lambda: write_backup(bundle, given["passphrase"], now, desk.random), written)


def _export_text(result: BackupStatus) -> str:
    protection = (
        "It is encrypted: without its passphrase it is worth nothing, to you as well."
        if result["encrypted"]
        else "It is NOT encrypted: who has it can speak as you. `--encrypt` makes one that asks for a passphrase."
    )
    return (
        f"This is the backup of {result['aor']}, with its contacts{_and_authorities(result)}. {protection}\n"
        "Keep it away from this machine: `p2pship identity restore FILE` brings the identity back."
    )


def _and_authorities(result: Any) -> str:
    return "".join(f" and the CA {name}" for name in result["authorities"])


def _restore(desk: Desk, given: dict[str, Any]) -> Any:
    from p2pship.identity.backup import read_backup

    separate = wanted(desk, given)

    def opened(bundle: Bundle) -> RestoredStatus:
        return _restored(desk, bundle, given["replace"], separate)

    return aside(desk, lambda: read_backup(given["file"], given["passphrase"]), opened)


def _restored(desk: Desk, bundle: Bundle, replace: bool, separate: bool | None) -> RestoredStatus:
    if not replace and desk.keyring.identity(bundle.aor) is not None:
        raise LocalError(
            f"there is an identity of {bundle.aor} already: --replace puts that of the backup in its place"
        )
    desk.keyring.check_restorable(bundle, replace, separate)
    unpacked = unpack(desk, bundle.aor, bundle.extra)  # first: an identity that is there has its contacts
    identity = desk.keyring.restore(bundle, replace, separate)
    desk.keyring.mark_exported(identity.aor)
    return {
        "entries": unpacked.entries,
        "authorities": unpacked.authorities,
        "identity": describe(desk, identity),
    }


def _restored_text(result: RestoredStatus) -> str:
    one = result["identity"]
    return (
        f"{one['aor']} is an identity of this node again, with the fingerprint {one['fingerprint']} and "
        f"{result['entries']} entries about contacts and devices{_and_authorities(result)}.\n"
        "Devices that you do not have any more: `p2pship device list` shows them, `p2pship device revoke` ends them. If "
        "somebody else\nmay have got the key, then also `p2pship identity rotate`."
    )


def _rotate(desk: Desk, given: dict[str, Any]) -> IdentityStatus:
    return describe(desk, desk.keyring.rotate(own_identity(desk, given["aor"]).aor))


def _rotated_text(one: IdentityStatus) -> str:
    return (
        f"{one['aor']} has a new key, with the fingerprint {one['fingerprint']}. The old one signed it, so that those who know "
        "you follow;\nwho confirmed you by safety number is asked to do so anew. A CA has to vouch for it again: "
        f"`p2pship identity request {one['aor']}`.\n{sentence(no_backup(one['aor']))}"
    )


def _removable(desk: Desk, given: dict[str, Any]) -> str:
    """Return the name, which is here."""
    aor: str = given["aor"]
    return aor if aor in revoked_names(desk) else own_identity(desk, aor).aor


def _remove(desk: Desk, given: dict[str, Any]) -> dict[str, Any]:
    aor = _removable(desk, given)
    desk.keyring.remove(aor)
    return {"aor": aor}


def _default(desk: Desk, given: dict[str, Any]) -> IdentityStatus:
    aor = own_identity(desk, given["aor"]).aor
    desk.keyring.set_default(aor)
    return _show(desk, {"aor": aor})


def _status(desk: Desk, given: dict[str, Any]) -> list[IdentityStatus]:
    if given["say"] is not None:
        desk.keyring.set_status(own_identity(desk, given["aor"]).aor, given["say"].strip())
    if given["aor"] is not None or given["say"] is not None:
        return [_show(desk, given)]
    return list_identities(desk, given)


def _removal(given: Mapping[str, Any]) -> str:
    return f"This deletes the identity {given['aor']} and its key from this device: without a backup the name is lost for good."


def _rotation(given: Mapping[str, Any]) -> str:
    which = given.get("aor") or "the default identity"
    return f"This gives {which} a new key: the old backups and CA certificates end, and own devices without it are linked anew."


_FILE = Argument("file", "the backup", Kind.FILE)
_NAMED = Argument("aor", "the own identity", Kind.AOR)

VERBS = (
    Verb(
        "identity",
        "create",
        "make an identity: its key, and a statement of its devices",
        _create,
        _created_text,
        (
            Argument(
                "aor",
                "the name, such as alice@example.com; left out, the name is made of the key and proves itself",
                Kind.AOR,
                optional=True,
            ),
            FLAG,
        ),
        founds=True,
        offline=True,
    ),
    Verb(
        "identity",
        "request",
        "ask a CA to vouch for a name: make the request to send to it",
        _request,
        _request_text,
        (OWN, Argument("qr", "show it as a QR code and a URI, too", Kind.FLAG)),
        offline=True,
        writes=True,
    ),
    Verb(
        "identity",
        "list",
        "each identity, with its fingerprint and phones",
        list_identities,
        list_text,
        offline=True,
    ),
    Verb(
        "identity", "show", "one identity, with everything about it", _show, show_text, (OWN,), offline=True
    ),
    Verb(
        "identity",
        "export",
        "make a backup of an identity and its contacts",
        _export,
        _export_text,
        (
            OWN,
            Argument("encrypt", "protect it by a passphrase", Kind.FLAG),
            Argument(
                "passphrase",
                "passphrase of the backup",
                Kind.SECRET,
                wanted=lambda given: bool(given.get("encrypt")),
                twice=True,
            ),
        ),
        offline=True,
        writes=True,
    ),
    IMPORT,
    Verb(
        "identity",
        "restore",
        "bring an identity back from its backup",
        _restore,
        _restored_text,
        (
            _FILE,
            Argument(
                "passphrase",
                "passphrase of the backup",
                Kind.SECRET,
                wanted=lambda given: BEGINS_ENCRYPTED in given["file"],
            ),
            Argument("replace", "put it in the place of the one of this name that is here", Kind.FLAG),
            FLAG,
        ),
        founds=True,
        offline=True,
    ),
    Verb(
        "identity",
        "rotate",
        "give an identity a new key, signed by the old one",
        _rotate,
        _rotated_text,
        (OWN,),
        offline=True,
        warning=_rotation,
        check=lambda desk, given: own_identity(desk, given["aor"]),
    ),
    Verb(
        "identity",
        "remove",
        "delete an identity and its key from this device",
        _remove,
        lambda result: (
            f"{result['aor']} is deleted from this device. A phone that goes on registering does not bring it back: "
            "`p2pship identity create` or `restore` does."
        ),
        (_NAMED,),
        offline=True,
        warning=_removal,
        check=_removable,
    ),
    Verb(
        "identity",
        "default",
        "choose the identity that is meant where none is named",
        _default,
        lambda one: f"{one['aor']} is the default identity now.",
        (_NAMED,),
        offline=True,
    ),
    Verb(
        "identity",
        "status",
        "whether each identity is in order, and what to do; or say something of oneself",
        _status,
        status_text,
        (
            OWN,
            Argument(
                "say",
                "what others are to see, such as 'on holiday'; ' ' takes it back",
                option=True,
                optional=True,
            ),
        ),
        offline=True,
    ),
    PRIVACY,
    SEPARATE,
)
