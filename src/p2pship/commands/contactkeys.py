"""What the commands about people do with keys: find them, pin them, show the safety number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from p2pship.commands.contacttext import ContactDetails, NewPin, PinnedStatus
from p2pship.commands.own import need_node, own_identity
from p2pship.errors import LocalError

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from p2pship.desk import Desk


def check_name(desk: Desk, aor: str) -> None:
    """Raise LocalError for a name that must not be entered."""
    from p2pship.identity.naming import has_unseen_character, is_beyond_ascii
    from p2pship.trust.screensettings import ScreenSettings

    if has_unseen_character(aor):
        raise LocalError(f"{aor} is refused: its name has a character that cannot be seen")
    if is_beyond_ascii(aor) and not desk.config.get(ScreenSettings).international_names:
        raise LocalError(
            f"{aor} has other than ASCII characters, which are easily mistaken; "
            "set international_names = true in [screen] if you want such names"
        )


def met(desk: Desk, own: Any, aor: str) -> Deferred[ContactDetails]:
    """Search for the person, and pin the one key that is found; a search that fails leaves the contact without."""
    from twisted.internet.defer import Deferred

    async def meet() -> ContactDetails:
        found = await _found(desk, own, aor)
        reason = _why_none(found)
        if found and not reason:
            key, verdict = next(iter(found.items()))
            desk.trust.pin(own.aor, aor, key, "contact", verdict.by)
        details = shown(desk, own, aor, reason)
        return await details if isinstance(details, Deferred) else details

    return Deferred.fromCoroutine(meet())


def _why_none(found: dict[bytes, Any]) -> str:
    """Say why none of the keys that were found is to be pinned by itself; empty if one is, or there is none."""
    from p2pship.identity.verdict import NameGrade

    if len(found) > 1:
        return "several keys claim this name; `p2pship contact show` has them, ask which is right"
    changed = [verdict for verdict in found.values() if verdict.name is NameGrade.CHANGED]
    return "; ".join(changed[0].reasons) if changed else ""


async def _found(desk: Desk, own: Any, aor: str) -> dict[bytes, Any]:
    """Return the verdict on each key that people of that name have shown in a search now."""
    from p2pship.lookup.collected import collect

    began = desk.clock.seconds()
    devices, _ = await collect(need_node(desk).finder.find, aor, own)
    found = {each.papers.statement.key: each.verdict for each in devices}
    known = {key: verdict for key, verdict in found.items() if verdict.proven}
    # One who is known or verified is the right one, whoever else claims the name; of others, those not told count, too.
    return known or found | {offer.key: offer.verdict for offer in desk.trust.offers.of(own.aor, aor, began)}


def pinned(desk: Desk, own: str, aor: str) -> PinnedStatus | None:
    """Return the key by which a person is known, or None."""
    from p2pship.identity.fingerprint import fingerprint

    pin = desk.pins.get(own, aor)
    if pin is None:
        return None
    return {
        "aor": aor,
        "fingerprint": fingerprint(pin.key),
        "since": pin.since,
        "how": pin.how,
        "verified_by": pin.by,
        "confirmed": pin.confirmed,
    }


def shown(
    desk: Desk, own: Any, aor: str, reason: str = "", *, qr: bool = False
) -> ContactDetails | Deferred[ContactDetails]:
    """Return everything about a person; the safety number takes some turns of the reactor where one runs."""
    from p2pship.trust.safety import hashes, in_one_go, in_slices

    details, pin = _details(desk, own, aor, reason, qr), desk.pins.get(own.aor, aor)
    if pin is None:
        return details
    steps = hashes(own.aor, own.key, aor, pin.key)
    if desk.node is None:
        return _with_number(in_one_go(steps), details)
    return in_slices(desk.clock, steps).addCallback(_with_number, details)


def _with_number(both: tuple[bytes, bytes], details: ContactDetails) -> ContactDetails:
    from p2pship.trust.safety import number, uri

    return {**details, "safety_number": number(*both), "safety_uri": uri(*both)}


def _details(desk: Desk, own: Any, aor: str, reason: str, qr: bool) -> ContactDetails:
    from p2pship.identity.fingerprint import fingerprint
    from p2pship.trust.lookalike import oddities

    contact = desk.contacts.get(own.aor, aor)
    like = desk.trust.lookalikes.of(own.aor, aor)
    return {
        "own": own.aor,
        "aor": aor,
        "name": contact.name if contact else "",
        "note": contact.note if contact else "",
        "contact": contact is not None,
        "pin": pinned(desk, own.aor, aor),
        "safety_number": "",
        "safety_uri": "",
        "qr": qr,
        "keys": [
            {
                "fingerprint": fingerprint(offer.key),
                "seen": offer.seen,
                "name_grade": offer.verdict.name.value,
                "reasons": list(offer.verdict.reasons),
            }
            for offer in desk.trust.offers.of(own.aor, aor)
        ],
        "paired": bool(desk.secrets.of(own.aor, aor)),
        "introduced_by": [
            each.voucher for each in desk.trust.introductions.all(own.aor) if each.subject == aor
        ],
        "blocked": desk.blocks.blocked(own.aor, aor),
        "allowed": desk.blocks.allowed(own.aor, aor),
        "warnings": [*(f"looks like {other}" for other in like), *oddities(aor)],
        "reason": reason,
    }


def pin_key(desk: Desk, given: dict[str, Any]) -> Any:
    """Pin the key that is meant, after a search where a node runs."""
    own = own_identity(desk, given["own"])
    check_name(desk, given["aor"])
    if desk.node is None:
        return _pin_at_once(desk, own, given)
    from twisted.internet.defer import Deferred

    async def pin() -> NewPin:
        known = given["fingerprint"] or _is_about_pin(desk, own.aor, given)
        found = {} if known else await _found(desk, own, given["aor"])
        key = _chosen(desk, own.aor, given, found)
        if given["safety"]:
            from p2pship.trust.safety import hashes, in_slices

            both = await in_slices(desk.clock, hashes(own.aor, own.key, given["aor"], key))
            _compare(given["safety"], both)
        return _pin_one(desk, own, given, key, found)

    return Deferred.fromCoroutine(pin())


def _is_about_pin(desk: Desk, own: str, given: dict[str, Any]) -> bool:
    """Tell whether it is only to be said that the number of the pinned key was compared."""
    comparing = given["confirmed"] or given["safety"]
    return bool(comparing) and desk.pins.get(own, given["aor"]) is not None


def _pin_at_once(desk: Desk, own: Any, given: dict[str, Any]) -> NewPin:
    from p2pship.trust.safety import hashes, in_one_go

    key = _chosen(desk, own.aor, given, {})
    if given["safety"]:
        _compare(given["safety"], in_one_go(hashes(own.aor, own.key, given["aor"], key)))
    return _pin_one(desk, own, given, key, {})


def _pin_one(desk: Desk, own: Any, given: dict[str, Any], key: bytes, found: dict[bytes, Any]) -> NewPin:
    aor, before = given["aor"], pinned(desk, own.aor, given["aor"])
    _check_meant(before, given, key)
    verdicts = {offer.key: offer.verdict for offer in desk.trust.offers.of(own.aor, aor)} | found
    by = verdicts[key].by if key in verdicts else ""
    how = "confirmed" if given["confirmed"] or given["safety"] else "contact"
    desk.trust.pin(own.aor, aor, key, how, by)
    made = pinned(desk, own.aor, aor)
    assert made is not None  # it was made just now
    return {**made, "replaced": before if before and before["fingerprint"] != made["fingerprint"] else None}


def _check_meant(before: PinnedStatus | None, given: dict[str, Any], key: bytes) -> None:
    """Raise LocalError if the key would take the place of one whose safety number was compared, and nobody has said that it may."""
    from p2pship.identity.fingerprint import fingerprint

    aor, new = given["aor"], fingerprint(key)
    if before is None or not before["confirmed"] or before["fingerprint"] == new:
        return
    if given["yes"] or given["confirmed"] or given["safety"]:
        return
    raise LocalError(
        f"{aor} is known by the key {before['fingerprint']}, whose safety number you compared. It would be lost, and whoever has "
        f"the key {new} be {aor} for you. Let them read you the safety number that they see: p2pship contact pin {aor} "
        f"--fingerprint {new} --safety 'THEIR NUMBER'. To take the key without comparing, give --yes"
    )


def _chosen(desk: Desk, own: str, given: dict[str, Any], found: dict[bytes, Any]) -> bytes:
    """Return the key that is meant: by its fingerprint, or as the only one."""
    from p2pship.identity.fingerprint import fingerprint

    aor, wanted = given["aor"], (given["fingerprint"] or "").lower().replace(" ", "")
    pin = desk.pins.get(own, aor)
    keys = list(found) or ([pin.key] if pin else [])
    offered = [offer.key for offer in desk.trust.offers.of(own, aor)]
    if pin and given["confirmed"] and not (given["safety"] or wanted) and set(offered) - {pin.key}:
        raise LocalError(
            f"another key of {aor} has been seen than the one that you know: say of which you compared the safety number, "
            f"with --safety NUMBER, or --fingerprint {fingerprint(pin.key)} for the one that you know"
        )
    if wanted:
        known = dict.fromkeys([*keys, *offered])
        keys = [key for key in known if fingerprint(key) == wanted]
    if not keys:
        raise LocalError(
            f"no key of {aor} {'with that fingerprint ' if wanted else ''}has been seen: give the command when their "
            "node can be found, or after they have called"
        )
    if len(keys) > 1:
        shown = ", ".join(map(fingerprint, keys))
        raise LocalError(
            f"several keys claim to be {aor}: ask which is right, and give --fingerprint with one of {shown}"
        )
    return keys[0]


def _compare(given: str, both: tuple[bytes, bytes]) -> None:
    from p2pship.trust.safety import Comparison, compare

    outcome = compare(given, *both)
    if outcome is not Comparison.SAME:
        raise LocalError(f"{outcome.value}; nothing was changed")
