"""The session timer as a proxy keeps it (RFC 4028 §8): a call whose refreshes stop is over.

The node of the caller asks for a timer where the phone has not. The first node on the way back that sees that the one
called knows no timer has the caller's phone refresh, if it can. Each node then holds its own phone to what was agreed:
when the time is over it forgets the call, as a proxy may, and its media with it. Therefore, and unlike a proxy (§8.3), it
also sends its own phone a BYE: one that knows no timer would wait for ever in a call without sound.
"""

from __future__ import annotations

import re

from p2pship.sip.message import BadMessage, Message, Request, Response

SHORTEST = 90
"Seconds: the least that a Min-SE may say (RFC 4028 §5)."

OURS = 1_800
"Seconds that this node asks for where a phone does not say (RFC 4028 §4 recommends half an hour)."

REFRESHES = frozenset({"INVITE", "UPDATE"})
"Methods that refresh a session (RFC 4028 §3)."

_SECONDS = re.compile("[0-9]{1,9}")


def check(request: Request) -> None:
    """Look that the interval asked for is long enough, or make it so where its sender would not understand (§8.1).

    What is below the sender's own Min-SE becomes that.

    :raises BadMessage: with status 422 and Min-SE.
    """
    asked = _seconds(request, "Session-Expires")
    least = max(SHORTEST, _seconds(request, "Min-SE") or 0)
    if asked is None or asked >= least:
        return
    if not supports_timer(request):
        request.set("Min-SE", str(least))
    elif asked < SHORTEST:
        raise BadMessage(422, "Session Interval Too Small", request, [("Min-SE", str(SHORTEST))])
    _, semicolon, parameters = (request.first("Session-Expires") or "").partition(";")
    request.set("Session-Expires", f"{least}{semicolon}{parameters}")


def ask(request: Request) -> None:
    """Ask for a timer in an INVITE that asks for none (§8.1)."""
    if request.method == "INVITE" and "Session-Expires" not in request:
        request.append("Session-Expires", str(max(OURS, _seconds(request, "Min-SE") or 0)))


def agree(response: Response, request: Request) -> float | None:
    """Complete what a 2xx says about the timer, and return the session interval; None without one (§8.2).

    ``request`` is as this node sent it on.
    """
    granted = _seconds(response, "Session-Expires")
    if granted is not None:
        return max(granted, SHORTEST)
    asked = _seconds(request, "Session-Expires")
    if asked is None or not supports_timer(request):
        return None
    response.set("Session-Expires", f"{asked};refresher=uac")  # what cannot be read is not left beside it
    response.append("Require", "timer")
    return asked


def supports_timer(message: Message) -> bool:
    """Tell whether the sender knows session timers."""
    return "supported" in message and "timer" in [each.lower() for each in message.values("Supported")]


def _seconds(message: Message, name: str) -> int | None:
    """Read delta-seconds with parameters; None if there are none or they cannot be read."""
    if name not in message:
        return None
    value = (message.first(name) or "").partition(";")[0].strip()
    return int(value) if _SECONDS.fullmatch(value) else None
