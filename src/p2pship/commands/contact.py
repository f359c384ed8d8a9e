"""``p2pship contact``: the people you know, and who may reach you."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from p2pship.commands.contactkeys import check_name, met, pin_key, pinned, shown
from p2pship.commands.contacttext import (
    ContactList,
    ListedPattern,
    PairingStatus,
    added_text,
    list_text,
    pair_text,
    pattern_text,
    pinned_text,
    show_text,
)
from p2pship.commands.own import AS, need_node, own_identity
from p2pship.commands.verb import Argument, Kind, Verb
from p2pship.errors import LocalError

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from p2pship.desk import Desk


def _add(desk: Desk, given: dict[str, Any]) -> Any:
    own = own_identity(desk, given["own"])
    check_name(desk, given["aor"])
    desk.contacts.add(own.aor, given["aor"], given["name"] or "", given["note"] or "")
    if desk.node is None or desk.pins.get(own.aor, given["aor"]) is not None:
        return shown(desk, own, given["aor"])
    return met(desk, own, given["aor"])


def _list(desk: Desk, given: dict[str, Any]) -> ContactList:
    own = own_identity(desk, given["own"])
    rules: list[ListedPattern] = [
        {"list": kind, "pattern": pattern, "note": note} for kind, pattern, note in desk.blocks.all(own.aor)
    ]
    return {
        "own": own.aor,
        "contacts": [
            {
                "aor": each.aor,
                "name": each.name,
                "note": each.note,
                "added": each.added,
                "pin": pinned(desk, own.aor, each.aor),
                "keys": len(desk.trust.offers.of(own.aor, each.aor)),
            }
            for each in desk.contacts.all(own.aor)
        ],
        "patterns": rules,
    }


def _show(desk: Desk, given: dict[str, Any]) -> Any:
    own = own_identity(desk, given["own"])
    return shown(desk, own, given["aor"], qr=given["qr"])


def _forgettable(desk: Desk, given: dict[str, Any]) -> str:
    """Return the own identity that knows the person."""
    own, aor = own_identity(desk, given["own"]).aor, given["aor"]
    if not desk.trust.knows(own, aor):
        raise LocalError(f"{own} has nothing on {aor}: `p2pship contact list` shows whom it knows")
    return own


def _forget(desk: Desk, given: dict[str, Any]) -> dict[str, Any]:
    own = _forgettable(desk, given)
    with desk.ledger.together():
        desk.trust.forget(own, given["aor"])
        desk.secrets.forget(own, given["aor"])
    return {"own": own, "aor": given["aor"]}


def _pair(desk: Desk, given: dict[str, Any]) -> Any:
    from p2pship.identity.aor import canonical_aor
    from p2pship.relations.codes import Invitation, Purpose, Secret

    pairing, whom = need_node(desk).pairing, given["whom"]
    if not whom.startswith("p2pship:"):
        own, aor = own_identity(desk, given["own"]).aor, canonical_aor(whom.removeprefix("sip:"))
        if aor == own:
            raise LocalError(f"{aor} is your own name: give that of a contact")
        if not given["code"]:
            return _window(pairing.open(own, aor))
        return _joined(pairing.join(own, aor, Secret.typed(given["code"]), None), own, aor)
    invitation = Invitation.read(whom)
    if invitation.purpose is not Purpose.PAIR:
        raise LocalError("this is an invitation to link a device: give it to `p2pship device link`")
    own = own_identity(desk, given["own"] or invitation.contact).aor
    return _joined(pairing.join(own, invitation.aor, invitation.secret, invitation.hit), own, invitation.aor)


def _window(window: Any) -> PairingStatus:
    from p2pship.relations.qr import qr_text

    return {
        "own": window.own,
        "aor": window.aor,
        "paired": False,
        "code": window.code,
        "uri": window.uri,
        "qr": qr_text(window.uri),
        "until": window.until,
    }


def _joined(joining: Deferred[Any], own: str, aor: str) -> Deferred[PairingStatus]:
    result: PairingStatus = {
        "own": own,
        "aor": aor,
        "paired": True,
        "code": "",
        "uri": "",
        "qr": "",
        "until": 0.0,
    }
    return joining.addCallback(lambda _: result)


def _block(desk: Desk, given: dict[str, Any]) -> ListedPattern:
    own, note = own_identity(desk, given["own"]).aor, given["note"] or ""
    return {"list": "block", "pattern": desk.blocks.block(own, given["pattern"], note), "note": note}


def _allow(desk: Desk, given: dict[str, Any]) -> ListedPattern:
    own, note = own_identity(desk, given["own"]).aor, given["note"] or ""
    return {"list": "allow", "pattern": desk.blocks.allow(own, given["pattern"], note), "note": note}


def _unblock(desk: Desk, given: dict[str, Any]) -> ListedPattern:
    from p2pship.trust.blocks import canonical_pattern

    own = own_identity(desk, given["own"]).aor
    if not desk.blocks.remove(own, given["pattern"]):
        raise LocalError(f"{given['pattern']} is on no list of {own}: `p2pship contact list` shows what is")
    return {"list": "", "pattern": canonical_pattern(given["pattern"]), "note": ""}


_WHOM = Argument("aor", "the person's name", Kind.AOR)
_PATTERN = Argument("pattern", "a name, *@example.com for everybody there, or *.example.com")
_NOTE = Argument("note", "something to remember with it", option=True, optional=True)

VERBS = (
    Verb(
        "contact",
        "add",
        "add a person, or give one another name; their key is remembered if they are found now",
        run=_add,
        text=added_text,
        arguments=(_WHOM, Argument("name", "what to call them", option=True, optional=True), _NOTE, AS),
        offline=True,
    ),
    Verb(
        "contact",
        "list",
        "list people and patterns",
        run=_list,
        text=list_text,
        arguments=(AS,),
        offline=True,
    ),
    Verb(
        "contact",
        "show",
        "show a person, the key by which they are known, and the safety number to compare",
        run=_show,
        text=show_text,
        arguments=(
            _WHOM,
            Argument("qr", "show the safety number as a QR code and a URI, too", Kind.FLAG),
            AS,
        ),
        offline=True,
    ),
    Verb(
        "contact",
        "pin",
        "remember a person's key in place of any other, or that you have compared the safety number",
        run=pin_key,
        text=pinned_text,
        arguments=(
            _WHOM,
            Argument("fingerprint", "of the key, where several claim the name", option=True, optional=True),
            Argument(
                "safety", "their safety number, or the text of their QR code", option=True, optional=True
            ),
            Argument("confirmed", "say that you have compared the safety number yourself", Kind.FLAG),
            Argument(
                "yes",
                "take the key without comparing, in place of one whose safety number you compared",
                Kind.FLAG,
            ),
            AS,
        ),
        offline=True,
    ),
    Verb(
        "contact",
        "forget",
        "forget a person: the entry, the key, and what others vouched",
        run=_forget,
        text=lambda result: f"{result['aor']} is a stranger to {result['own']} again.",
        arguments=(_WHOM, AS),
        offline=True,
        warning=lambda given: f"This forgets {given['aor']}, with the key by which they are known.",
        check=_forgettable,
    ),
    Verb(
        "contact",
        "pair",
        "agree with a contact on a new secret by which you find each other; or answer by the code they show",
        run=_pair,
        text=pair_text,
        arguments=(
            Argument("whom", "the contact's name, or the p2pship:pair URI of a QR code"),
            Argument("code", "the code that the other one shows", option=True, optional=True),
            AS,
        ),
    ),
    Verb(
        "contact",
        "block",
        "refuse somebody everything",
        run=_block,
        text=pattern_text,
        arguments=(_PATTERN, _NOTE, AS),
        offline=True,
    ),
    Verb(
        "contact",
        "allow",
        "allow somebody everything, as far as their name is known or verified",
        run=_allow,
        text=pattern_text,
        arguments=(_PATTERN, _NOTE, AS),
        offline=True,
    ),
    Verb(
        "contact",
        "unblock",
        "take a pattern off the block list, or off the allow list",
        run=_unblock,
        text=pattern_text,
        arguments=(_PATTERN, AS),
        offline=True,
    ),
)
