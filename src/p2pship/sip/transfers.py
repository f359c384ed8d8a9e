"""The subscriptions that REFER makes within a call (RFC 3515 §2.4.4): a call may be over before they are.

Who was asked to call somebody tells how that goes with NOTIFY in the dialog of the call. Whoever asked mostly hangs up
at once, which ends the call, but not the dialog (RFC 5057 §4.2): that lives until the last NOTIFY has passed.
"""

from __future__ import annotations

import re

from p2pship.sip.calls import Calls
from p2pship.sip.dialog import Dialog, Subscription
from p2pship.sip.message import Request, Response
from p2pship.sip.parameters import BadURI, Parameters

LASTS = 300.0
"Seconds from the last NOTIFY, or the REFER, to the next: longer than anything rings (RFC 3261 §16.6, timer C)."

MOST = 32
"Transfers of one call that are told about at a time: of more, the first are forgotten."

STILL_NOTICES = frozenset({"NOTIFY", "SUBSCRIBE"})
"What may come in a dialog whose call is over."

GONE = frozenset({404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604})
"Answers to NOTIFY that end its subscription (RFC 6665 §4.2.2, RFC 5057 §5.1)."


def subscribes(response: Response) -> bool:
    """Tell whether a 2xx to REFER begins a subscription; its sender may have wished for none (RFC 4488 §4)."""
    return (response.first("Refer-Sub") or "").partition(";")[0].strip().lower() != "false"


def begun(dialog: Dialog, request: Request, by_phone: bool, now: float) -> None:
    """Take a REFER or NOTIFY that is sent on within a call: its subscription lives on. ``by_phone`` says who sent it."""
    if not dialog.is_call:
        return
    if request.method == "REFER":
        if len(dialog.transfers) >= MOST:
            del dialog.transfers[next(iter(dialog.transfers))]
        dialog.transfers[by_phone, request.cseq[0]] = now + LASTS
    elif request.method == "NOTIFY":
        subscription = _subscription(dialog, request, by_phone)
        if subscription is not None:
            dialog.transfers[subscription] = now + LASTS


def answered(calls: Calls, dialog: Dialog, request: Request, by_phone: bool, response: Response) -> None:
    """Take the final response to a REFER or NOTIFY within a call, which may end the subscription."""
    if request.method == "REFER":
        if response.status >= 300 or not subscribes(response):
            calls.transfer_ended(dialog, (by_phone, request.cseq[0]))
    elif request.method == "NOTIFY":
        subscription = _subscription(dialog, request, by_phone)
        if subscription is not None and (_is_last(request) or response.status in GONE):
            calls.transfer_ended(dialog, subscription)


def _subscription(dialog: Dialog, notify: Request, by_phone: bool) -> Subscription | None:
    """Return the subscription that a NOTIFY is about: that of the other side's REFER whose CSeq is its ``id``, or else of
    the other side's first (§2.4.6)."""
    event, _, rest = (notify.first("Event") or "").partition(";")
    theirs = [each for each in dialog.transfers if each[0] is not by_phone]
    if event.strip().lower() != "refer" or not theirs:
        return None
    try:
        number = Parameters.of_header(f";{rest}" if rest else "").get("id")
    except BadURI:
        return None
    if number is None:
        return min(theirs)
    named = (not by_phone, int(number)) if re.fullmatch("[0-9]{1,10}", number) else None
    return named if named in theirs else None


def _is_last(notify: Request) -> bool:
    return (notify.first("Subscription-State") or "").strip().lower().startswith("terminated")
