"""``p2pship vouch``: what friends say about third people, and what you say about some to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from p2pship.commands.columns import aligned, day
from p2pship.commands.own import AS, need_node, own_identity
from p2pship.commands.verb import Argument, Kind, Verb

if TYPE_CHECKING:
    from p2pship.desk import Desk

DAY = 24 * 3600
MOST_DAYS = 365


class VouchLine(TypedDict):
    """One line of ``vouch list``."""

    what: str
    "asked, question, given, taken back or received"
    subject: str
    "whom it is about"
    friend: str
    "whom it is from, or to"
    until: int
    "Unix time until which a vouch holds; of a question, when it was asked"


_LASTING = ("given", "taken back", "received")
"Of these the line says until when they hold, of the others since when they wait."


class VouchDone(TypedDict):
    """What was done."""

    own: str
    subject: str
    friend: str
    received: bool
    "whether the friend's vouch is here"


async def _ask(desk: Desk, given: dict[str, Any]) -> VouchDone:
    own = own_identity(desk, given["own"]).aor
    await need_node(desk).introductions.ask(own, given["subject"], given["of"])
    return _done(desk, own, given["subject"], given["of"])


async def _give(desk: Desk, given: dict[str, Any]) -> VouchDone:
    from p2pship.errors import LocalError

    own, days = own_identity(desk, given["own"]).aor, given["days"]
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise LocalError(f"--days {days}: a vouch holds 1 to {MOST_DAYS} days")
    await need_node(desk).introductions.give(own, given["subject"], given["to"], (days or MOST_DAYS) * DAY)
    return _done(desk, own, given["subject"], given["to"])


def _refuse(desk: Desk, given: dict[str, Any]) -> VouchDone:
    from p2pship.errors import LocalError

    own = own_identity(desk, given["own"]).aor
    if not need_node(desk).introductions.refuse(own, given["subject"], given["to"]):
        raise LocalError(
            f"{given['to']} has not asked about {given['subject']}: `p2pship vouch list` shows who has"
        )
    return _done(desk, own, given["subject"], given["to"])


async def _revoke(desk: Desk, given: dict[str, Any]) -> VouchDone:
    own = own_identity(desk, given["own"]).aor
    await need_node(desk).introductions.take_back(own, given["subject"], given["to"])
    return _done(desk, own, given["subject"], given["to"])


def _done(desk: Desk, own: str, subject: str, friend: str) -> VouchDone:
    vouches = desk.trust.introductions.all(own)
    received = any((one.subject, one.voucher) == (subject, friend) for one in vouches)
    return {"own": own, "subject": subject, "friend": friend, "received": received}


def _list(desk: Desk, given: dict[str, Any]) -> list[VouchLine]:
    own = own_identity(desk, given["own"]).aor
    introductions = need_node(desk).introductions
    lines = [_line("question", one.subject, one.asker, one.asked) for one in introductions.questions(own)]
    lines += [_line("asked", *each) for each in introductions.asked(own)]
    lines += [
        _line("received", one.subject, one.voucher, one.expires) for one in desk.trust.introductions.all(own)
    ]
    for one in introductions.given(own):
        what = "taken back" if one.revoked else "given"
        lines.append(_line(what, one.vouch.subject, one.vouch.audience, one.vouch.expires))
    return lines


def _line(what: str, subject: str, friend: str, until: int) -> VouchLine:
    return {"what": what, "subject": subject, "friend": friend, "until": until}


def _listed(lines: list[VouchLine]) -> str:
    if not lines:
        return "Nobody has asked for a vouch, and nobody has given one."
    rows = [(line["what"], line["subject"], line["friend"], _when(line)) for line in lines]
    table = aligned([("WHAT", "ABOUT", "FRIEND", "WHEN"), *rows])
    question = next((line for line in lines if line["what"] == "question"), None)
    if question is None:
        return table
    answer = f"{question['subject']} --to {question['friend']}"
    return f"{table}\n\nTo answer: `p2pship vouch give {answer}`, or `p2pship vouch refuse {answer}`."


def _when(line: VouchLine) -> str:
    return f"{'until' if line['what'] in _LASTING else 'since'} {day(line['until'])}"


def _asked(done: VouchDone) -> str:
    if done["received"]:
        return f"{done['friend']} vouches for {done['subject']}."
    return (
        f"{done['friend']} decides whether to vouch for {done['subject']}; this node asks again each day, "
        "and `p2pship vouch list` shows what came."
    )


_SUBJECT = Argument("subject", "the third person's name", Kind.AOR)
_TO = Argument("to", "the friend who asked, or was told", Kind.AOR, option=True)

VERBS = (
    Verb(
        "vouch",
        "ask",
        "ask a contact whether a third person's name is theirs",
        run=_ask,
        text=_asked,
        arguments=(_SUBJECT, Argument("of", "the contact who may know them", Kind.AOR, option=True), AS),
    ),
    Verb(
        "vouch",
        "list",
        "list what was asked, given and received",
        run=_list,
        text=_listed,
        arguments=(AS,),
    ),
    Verb(
        "vouch",
        "give",
        "vouch for a contact of yours to a contact who has asked",
        run=_give,
        text=lambda done: f"{done['friend']} is told that {done['subject']} has the key that you know.",
        arguments=(
            _SUBJECT,
            _TO,
            Argument("days", "how long it holds, 365 at most", Kind.NUMBER, option=True, optional=True),
            AS,
        ),
    ),
    Verb(
        "vouch",
        "refuse",
        "do not vouch; who asked hears nothing of it",
        run=_refuse,
        text=lambda done: f"{done['friend']} is told nothing about {done['subject']}.",
        arguments=(_SUBJECT, _TO, AS),
    ),
    Verb(
        "vouch",
        "revoke",
        "take back what you have vouched for",
        run=_revoke,
        text=lambda done: f"You no longer vouch for {done['subject']} to {done['friend']}.",
        arguments=(_SUBJECT, _TO, AS),
    ),
)
