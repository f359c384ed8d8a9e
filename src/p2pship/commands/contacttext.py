"""What the commands about people answer, and how it reads."""

from __future__ import annotations

from typing import TypedDict

from p2pship.commands.columns import aligned, day, minute


class PinnedStatus(TypedDict):
    """The key by which a person is known."""

    aor: str
    fingerprint: str
    since: float
    how: str
    "by which act: contact, call, confirmed or verified"
    verified_by: str
    "who verified the name then: ``ca:`` and 16 digits, ``domain``, ``self``; empty if nobody did"
    confirmed: bool
    "whether the safety number was compared"


class NewPin(PinnedStatus):
    """The answer to ``contact pin``."""

    replaced: PinnedStatus | None
    "the key that was known before, if it was another one"


class ContactStatus(TypedDict):
    """One contact, in the answer to ``contact list``."""

    aor: str
    name: str
    note: str
    added: float
    pin: PinnedStatus | None
    keys: int
    "other keys that somebody by the name has shown lately, and that are not believed: `contact show` has them"


class ListedPattern(TypedDict):
    """One pattern of names."""

    list: str
    "``block`` or ``allow``; empty when it was taken off"
    pattern: str
    note: str


class ContactList(TypedDict):
    """The answer to ``contact list``."""

    own: str
    contacts: list[ContactStatus]
    patterns: list[ListedPattern]


class OfferedKey(TypedDict):
    """A key that somebody by the name has shown, and that is not believed."""

    fingerprint: str
    seen: float
    name_grade: str
    reasons: list[str]


class ContactDetails(TypedDict):
    """The answer to ``contact show`` and ``contact add``."""

    own: str
    aor: str
    name: str
    note: str
    contact: bool
    pin: PinnedStatus | None
    safety_number: str
    "60 digits in groups of five; empty as long as no key is known"
    safety_uri: str
    "what a QR code of it holds"
    qr: bool
    "whether the terminal shows the QR code"
    keys: list[OfferedKey]
    paired: bool
    "whether there is a secret by which the two find each other: `identity privacy` calls such a contact a friend"
    introduced_by: list[str]
    blocked: str
    "the pattern that blocks them"
    allowed: str
    warnings: list[str]
    reason: str
    "why no key is known; empty if one is, or nobody was found"


class PairingStatus(TypedDict):
    """The answer to ``contact pair``: a window that is open, or a new secret."""

    own: str
    aor: str
    paired: bool
    code: str
    uri: str
    qr: str
    until: float


def added_text(result: ContactDetails) -> str:
    """Print what became of adding a person."""
    shown = result["name"] if result["name"] == result["aor"] else f"{result['name']} ({result['aor']})"
    lines = [f"{shown} is a contact of {result['own']}."]
    lines += [f"Careful: {warning}." for warning in result["warnings"]]
    pin = result["pin"]
    if pin is not None:
        lines.append(f"They are known by the key {pin['fingerprint']}{_confirmed(pin)}.")
    else:
        why = f": {result['reason']}" if result["reason"] else ""
        lines.append(f"Not confirmed yet{why}. {_how_known(result['aor'])}")
    return "\n".join(lines)


def _how_known(aor: str) -> str:
    return (
        "Your first call to them that is answered makes their key known, "
        f"or `p2pship contact pin {aor}` when their node can be found."
    )


def list_text(result: ContactList) -> str:
    """Print people and patterns."""
    parts = []
    if result["contacts"]:
        parts.append(aligned([("NAME", "AOR", "KEY", "VERIFIED BY", "NOTE"), *map(_row, result["contacts"])]))
    if result["patterns"]:
        rows2 = [("LIST", "PATTERN", "NOTE")]
        rows2 += [(each["list"], each["pattern"], each["note"]) for each in result["patterns"]]
        parts.append(aligned(rows2))
    return "\n\n".join(parts) or f"{result['own']} has no contacts yet: `p2pship contact add` adds one."


def _row(each: ContactStatus) -> tuple[str, str, str, str, str]:
    key = _key(each["pin"]) + (", ANOTHER ONE SEEN: contact show" if each["keys"] else "")
    by = each["pin"]["verified_by"] if each["pin"] is not None else ""
    return each["name"], each["aor"], key, by or "-", each["note"]


_BY = {"contact": ", when they became a contact", "call": ", by a call"}
"How a key became known; of the other ways another line tells."


def show_text(result: ContactDetails) -> str:
    """Print everything about a person."""
    rows = [("name", result["name"] if result["contact"] else "no contact"), ("AOR", result["aor"])]
    pin = result["pin"]
    rows.append(("key", _key(pin)))
    if pin is not None:
        rows.append(("fingerprint", pin["fingerprint"]))
        rows.append(("known since", day(pin["since"]) + _BY.get(pin["how"], "")))
        rows += [("verified by", pin["verified_by"])] if pin["verified_by"] else []
    for label, text in (
        ("friend", "you find each other by a secret that only you two have" if result["paired"] else ""),
        ("note", result["note"]),
        ("blocked", result["blocked"]),
        ("allowed", result["allowed"]),
    ):
        rows += [(label, text)] if text else []
    rows += [("introduced by", who) for who in result["introduced_by"]]
    rows += [("careful", warning) for warning in result["warnings"]]
    lines = [aligned(rows)]
    if pin is None and not result["keys"]:
        lines.append(f"\n{_how_known(result['aor'])}")
    for key in result["keys"]:
        why = "; ".join(key["reasons"])
        lines.append(
            f"\n{'Seen' if pin is None else 'Also seen'}: key {key['fingerprint']}, {minute(key['seen'])}, {key['name_grade']}: {why}"
        )
        if pin is None:
            lines.append(
                f"If it is theirs: p2pship contact pin {result['aor']} --fingerprint {key['fingerprint']}"
            )
    if result["safety_number"]:
        lines.append(
            f"\nsafety number of {result['own']} and {result['aor']}:\n{_groups(result['safety_number'])}"
        )
        lines += [_comparing(result), *_code(result)]
    return "\n".join(lines)


def _comparing(result: ContactDetails) -> str:
    """Say what the safety number is good for; where there is another key, how to compare the number of that one."""
    pin, aor = result["pin"], result["aor"]
    others = [
        key["fingerprint"]
        for key in result["keys"]
        if pin is None or key["fingerprint"] != pin["fingerprint"]
    ]
    if others:
        return (
            "It is that of the key that you know. If they say that they have a new key, let them read you their number: "
            f"p2pship contact pin {aor} --fingerprint {others[0]} --safety 'THEIR NUMBER'"
        )
    same = "Both of you see the same number if nobody is between you."
    if pin is not None and pin["confirmed"]:
        return same
    return f"{same} Compare it by voice or face to face, then: p2pship contact pin {aor} --confirmed"


def _code(result: ContactDetails) -> list[str]:
    if not result["qr"]:
        return []
    from p2pship.relations.qr import qr_text

    uri = result["safety_uri"]
    return [
        f"\n{qr_text(uri)}\n{uri}",
        "Who scans or copies this from the other's screen has it compared: "
        f"p2pship contact pin {result['aor']} --safety 'p2pship:safety?...'",
    ]


def pinned_text(result: NewPin) -> str:
    """Print what became of pinning a key."""
    old = result["replaced"]
    instead = f" It took the place of {old['fingerprint']}{_confirmed(old)}." if old is not None else ""
    line = f"{result['aor']} is known by the key {result['fingerprint']}{_confirmed(result)}.{instead}"
    if result["confirmed"]:
        return line
    return f"{line}\nTo be sure that it is theirs, compare the safety number: p2pship contact show {result['aor']}"


def pair_text(result: PairingStatus) -> str:
    """Print an open window, or that a secret was agreed on."""
    if result["paired"]:
        return f"{result['own']} and {result['aor']} have a new secret by which they find each other."
    return (
        f"{result['qr']}\n\nUntil {minute(result['until'])}, on the node of {result['aor']}:\n"
        f"    p2pship contact pair {result['own']} --code {result['code']}\n"
        f"or scan the code above: {result['uri']}"
    )


def pattern_text(result: ListedPattern) -> str:
    """Print what became of a pattern."""
    if not result["list"]:
        return f"{result['pattern']} is on no list any more."
    done = (
        "refused everything"
        if result["list"] == "block"
        else "allowed everything, if the name is known or verified"
    )
    return f"From now on {result['pattern']} is {done}."


def _key(pin: PinnedStatus | None) -> str:
    if pin is None:
        return "not confirmed yet"
    return "safety number compared" if pin["confirmed"] else "known"


def _confirmed(pin: PinnedStatus) -> str:
    return ", whose safety number you compared" if pin["confirmed"] else ""


def _groups(number: str) -> str:
    groups = number.split()
    return "\n".join(f"    {' '.join(groups[at : at + 4])}" for at in range(0, len(groups), 4))
