"""``p2pship identity import``: a CA's answer, or the identities of the original program, told item by item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from p2pship.commands.verb import Argument, Kind, Verb
from p2pship.errors import LocalError, P2PShipError

if TYPE_CHECKING:
    from p2pship.desk import Desk
    from p2pship.identity.identity import Identity

BEGINS_BACKUP = b"-----BEGIN P2PSHIP IDENTITY-----"

BEGINS_ENCRYPTED = b"Encrypted: with a passphrase"
"In the heading of an encrypted backup."


class ImportedItem(TypedDict):
    """One thing that was in the file."""

    item: str
    "what it is: ``identity``, ``certificate``, ``revocation list``, ``CA``, ``contact``, or ``skipped``"
    name: str
    done: str
    "what was done with it, in words"
    warning: str
    "what to know about it; empty if there is nothing"


class ImportStatus(TypedDict):
    """The answer to ``identity import``."""

    items: list[ImportedItem]


def _import(desk: Desk, given: dict[str, Any]) -> ImportStatus:
    from p2pship.identity.invitation import is_answer

    data: bytes = given["file"]
    if BEGINS_BACKUP in data:
        raise LocalError("this is the backup of an identity: `p2pship identity restore FILE` takes it")
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):  # first: it has certificates in it, too
        return {"items": _legacy(desk, data)}
    if is_answer(data):
        return {"items": _answer(desk, data)}
    raise LocalError(
        "this is neither the answer of a CA, which begins with -----BEGIN CERTIFICATE----- or P2PSHIP:ANSWER, nor an "
        "identities.xml"
    )


def _answer(desk: Desk, data: bytes) -> list[ImportedItem]:
    """Install a CA's answer for the own identity that it names, and trust that CA for the name's own domain."""
    from p2pship.identity.aor import split_aor
    from p2pship.identity.certificate import read_certificate
    from p2pship.identity.invitation import read_answer
    from p2pship.trust.certificates import check_authority, load
    from p2pship.trust.revocation import BadRevocationList

    answer = read_answer(data)
    aor = read_certificate(answer.chain[0]).aor
    identity = desk.keyring.identity(aor)
    if identity is None:
        raise LocalError(f"the certificate is for {aor}, which is not an identity of this node")
    root = check_authority(load(answer.chain[-1])) if len(answer.chain) > 1 else None
    desk.keyring.check_chain(aor, answer.chain, answer.revocations)
    items = [_item("certificate", aor, "installed: the CA vouches for this name now")]
    domain = split_aor(aor)[1]
    if root is not None:
        trusted = desk.authorities.trust(root, domain)
        done = f"{trusted.root.hex()[:16]} is trusted from now on, for names at {domain} alone"
        items.append(
            _item("CA", domain, done, "compare this with what who runs it sees in `p2pship ca list`")
        )
    if answer.revocations:
        try:
            desk.authorities.take_crl(answer.revocations)
            items.append(_item("revocation list", domain, "kept"))
        except BadRevocationList as error:  # it may be that of an authority between
            items.append(_item("revocation list", domain, "not kept", str(error)))
    # Last: who has the certificate also trusts the CA, wherever this is interrupted.
    desk.keyring.install_chain(aor, answer.chain, answer.revocations)
    return items


def _legacy(desk: Desk, data: bytes) -> list[ImportedItem]:
    """Take over what the original kept: names and contacts come, keys do not."""
    from p2pship.identity.legacy import read_identities

    old = read_identities(data)
    items = [_old_identity(desk, one.aor, one.weakness) for one in old.identities]
    items += [_old_authority(one.name, one.weakness) for one in old.authorities]
    for one in old.contacts:
        items.append(
            _old_contact(desk, desk.keyring.identity(one.own) or desk.keyring.default, one.aor, one.name)
        )
    return items + [_item("skipped", words, "not taken over") for words in old.skipped]


def _old_identity(desk: Desk, aor: str, weakness: str) -> ImportedItem:
    warning = (
        f"{weakness}; the people who knew it see a new key"
        if weakness
        else "the people who knew it see a new key"
    )
    try:
        desk.keyring.create(aor)
    except P2PShipError as error:
        return _item("identity", aor, "not taken over", str(error))
    return _item("identity", aor, "made, with a new key", warning)


def _old_authority(name: str, weakness: str) -> ImportedItem:
    if weakness:
        return _item("CA", name, "not taken over", weakness)
    done = "not trusted: put its certificate into a file, then `p2pship ca trust FILE --domain DOMAIN`"
    return _item("CA", name, done, "it was trusted for every name; here a CA is trusted for a domain")


def _old_contact(desk: Desk, own: Identity | None, aor: str, name: str) -> ImportedItem:
    if own is None:
        return _item("contact", aor, "not taken over", "there is no identity whose contact it could be")
    if desk.contacts.get(own.aor, aor) is not None:
        return _item("contact", aor, f"left as {own.aor} has it")
    try:
        desk.contacts.add(own.aor, aor, name)
    except P2PShipError as error:
        return _item("contact", aor, "not taken over", str(error))
    return _item("contact", aor, f"added to those of {own.aor}", "their key is not confirmed yet")


def _item(item: str, name: str, done: str, warning: str = "") -> ImportedItem:
    return {"item": item, "name": name, "done": done, "warning": warning}


def _text(result: ImportStatus) -> str:
    lines = []
    for one in result["items"]:
        warning = f" ({one['warning']})" if one["warning"] else ""
        lines.append(f"{one['item']} {one['name']}: {one['done']}{warning}.")
    return "\n".join(lines) or "There was nothing in it."


IMPORT = Verb(
    "identity",
    "import",
    "take a CA's answer, or the identities.xml of the original program",
    _import,
    _text,
    (Argument("file", "the file, or the answer's p2pship: URI", Kind.FILE),),
    founds=True,
    offline=True,
)
