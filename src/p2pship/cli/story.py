"""The story of one call in plain words: who was asked, what was tried, how long each stage took, how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from p2pship.status import AskedStory, BranchStory, CallStory, TriedStory

_ENDINGS = {
    "trying": "It is being set up.",
    "ringing": "It rings.",
    "up": "It is up.",
    "interrupted": "The node stopped before it had ended: how it went on is not known.",
    "missed": "Nobody answered.",
    "elsewhere": "It was answered on another phone or device.",
    "cancelled": "The caller gave it up before anybody answered.",
    "refused": "This node refused it.",
    "redirected": "The caller was sent elsewhere.",
    "failed": "It failed.",
}


def story_text(story: CallStory) -> str:
    """Print the answer to ``calls why``."""
    lines = [_head(story), *_indented(_happened(story)), *_indented(_ending(story))]
    return "\n".join(lines)


def _head(story: CallStory) -> str:
    began = datetime.fromtimestamp(story["began"]).astimezone()
    return (
        f"Call {story['id']}, {story['direction']}: {story['caller']} called {story['callee']} on "
        f"{began:%Y-%m-%d at %H:%M:%S %Z}."
    )


def _happened(story: CallStory) -> Iterator[str]:
    """Yield what happened up to the answer, in order."""
    yield from (_asked(one, story["callee"]) for one in story["asked"])
    yield from (f"An answer was not believed: {reason}." for reason in story["refused"])
    yield from _not_found(story)
    yield from (_tried(one, story["callee"]) for one in story["tried"])
    yield from _peer(story)
    for branch in story["branches"]:
        yield from _branch(branch)
    yield from (f"{note[:1].upper()}{note[1:]}." for note in story["notes"])


def _asked(asked: AskedStory, callee: str) -> str:
    lookup, seconds = f"The lookup {asked['lookup']}", _time(asked["seconds"])
    if asked["aor"] != callee:
        lookup = f"{lookup}, for {asked['aor']},"
    trouble = f": {_clause(asked['reason'])}" if asked["reason"] else ""
    return {
        "completed": f"{lookup} was asked, and had said all after {seconds}{trouble}.",
        "not asked": f"{lookup} was not asked: {_clause(asked['reason'])}.",
        "failed": f"{lookup} failed after {seconds}: {_clause(asked['reason'])}.",
        "timed out": f"{lookup} did not answer within {seconds}.",
    }.get(asked["answer"], f"{lookup} had not ended after {seconds}.")


def _not_found(story: CallStory) -> Iterator[str]:
    """Yield who was searched for and not found."""
    found = {tried["aor"] for tried in story["tried"]}
    for aor in dict.fromkeys(asked["aor"] for asked in story["asked"]):
        if aor not in found:
            never = "" if story["met"] else ", who was never met,"
            yield f"No device of {aor}{never} was found."


def _tried(tried: TriedStory, callee: str) -> str:
    whose = "" if tried["aor"] == callee else f" of {tried['aor']}"
    device = f"The device {tried['hit']}{whose}"
    if tried["lookup"] == "link":
        return f"{device} was connected already."
    found = "is this node itself" if tried["lookup"] == "local" else f"was found by {tried['lookup']}"
    where = f" at {', '.join(tried['locators'])}" if tried["locators"] else ""
    begun = f"{device} {found} after {_time(tried['lookup_seconds'])}{where}"
    if not tried["reached"]:
        return f"{begun}, was dialled for {_time(tried['dial_seconds'])}, and not reached: {_clause(tried['reason'])}."
    dialled, hello = _time(tried["dial_seconds"]), _time(tried["hello_seconds"])
    return f"{begun}, was dialled in {dialled}, and its hello took {hello}."


def _peer(story: CallStory) -> Iterator[str]:
    """Yield who the other side is, and how it is reached."""
    if not story["name_grade"]:
        return
    other = story["callee"] if story["direction"] == "outgoing" else story["caller"]
    why = f": {story['verdict']}" if story["verdict"] else ""
    yield f"The name {other} is {story['name_grade']}, and who bears it is a{_an(story['acquaintance'])}{why}."
    if story["path"]:
        secrecy = "encrypted" if story["encrypted"] else "NOT ENCRYPTED"
        yield f"It began over {story['path']}, {secrecy}."


def _an(acquaintance: str) -> str:
    return f"{'n' if acquaintance[:1] in 'aeio' else ''} {acquaintance}"


def _branch(branch: BranchStory) -> Iterator[str]:
    yield f"After {_time(branch['at'])} the call was sent to {branch['to']}."
    for heard in branch["heard"]:
        words = "it rings" if heard["status"] == 180 else heard["reason"]
        yield f"  After {_time(heard['at'])} it answered {heard['status']}, {words}."
    if branch["error"]:
        yield f"  It was given up: {branch['error']}."


def _ending(story: CallStory) -> Iterator[str]:
    """Yield how it ended, or how it is."""
    if story["answered"] is not None:
        yield f"It was answered after {_time(story['answered'])}."
    if story["state"] == "ended" and story["ended"] is not None:
        lasted = story["ended"] - (story["answered"] or 0.0)
        yield f"It lasted {_time(lasted)} and was ended by {story['ended_by']}: {_clause(story['reason'])}."
        return
    yield _ENDINGS.get(story["state"], story["state"])
    if story["rule"]:
        yield f"The rule was {story['rule']}."
    if story["status"] >= 300:
        after = f" after {_time(story['ended'])}" if story["ended"] is not None else ""
        yield f"The caller heard {story['status']}{after}: {_clause(story['reason'])}."


def _clause(reason: str) -> str:
    """Return a reason as the end of a sentence: some are sentences themselves."""
    return reason.removesuffix(".")


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _time(seconds: float) -> str:
    """Print seconds as people say them."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
