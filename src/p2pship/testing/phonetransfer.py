"""What a test phone does when it is asked to call somebody else, or when a call takes the place of another
(RFC 3515, 3891, 5589)."""

from __future__ import annotations

from urllib.parse import quote, unquote

from p2pship.sip.message import Request, Response, response_to
from p2pship.sip.uri import NameAddr, parse_uri
from p2pship.testing.incomingcall import IncomingCall
from p2pship.testing.outgoingcall import OutgoingCall
from p2pship.testing.phone import Phone
from p2pship.testing.phonecall import Call, State
from p2pship.testing.phonedialog import Dialog

FRAGMENT = ("Content-Type", "message/sipfrag;version=2.0")


def refer_to(call: Call) -> str:
    """Return the Refer-To that has somebody take this phone's place in a call: the other side's Contact and the dialog."""
    dialog = call.dialog
    replaces = f"{dialog.call_id};to-tag={dialog.remote.tag};from-tag={dialog.local.tag}"
    return f"<{dialog.target}?Replaces={quote(replaces, safe='')}>"


def obey(call: Call) -> list[OutgoingCall]:
    """Let a phone do what REFERs within a call ask, and tell how it goes; returns the list of the calls that it places."""
    placed: list[OutgoingCall] = []

    def asked(request: Request) -> Response | None:
        if request.method != "REFER":
            return None
        new = place(call.phone, request)
        placed.append(new)
        report(new, call.dialog)
        return accepted(request, call.dialog.local.tag or "", call.phone)

    call.on_request = asked
    return placed


def accepted(request: Request, tag: str, phone: Phone) -> Response:
    """Return the answer of a phone that does what a REFER asks."""
    response = response_to(request, 202, to_tag=tag)
    for route in request.lines("Record-Route"):
        response.append("Record-Route", route)
    response.append(*phone.line.contact_header)
    return response


def place(phone: Phone, refer: Request) -> OutgoingCall:
    """Place the call that a REFER asks for (RFC 3515 §2.4.2, RFC 3892 §3)."""
    target = parse_uri(NameAddr.parse(refer.first("Refer-To") or "").uri)
    headers = [(name, unquote(value)) for name, value in target.headers]
    referrer = refer.first("Referred-By")
    if referrer is not None:
        headers.append(("Referred-By", referrer))
    bare = str(target).partition("?")[0]
    return phone.call(bare, headers)


def report(new: OutgoingCall, dialog: Dialog) -> None:
    """Tell in a dialog how a call that was asked for goes (RFC 3515 §2.4.4): that it is tried, and how it ended up."""
    phone = new.phone

    def notify(state: str, line: str) -> None:
        headers = [("Event", "refer"), ("Subscription-State", state), FRAGMENT, phone.line.contact_header]
        told = phone.line.transact(dialog.request("NOTIFY", headers, f"SIP/2.0 {line}\r\n".encode()))
        told.addErrback(lambda _: None)  # nobody has to listen

    def ended(_: object) -> None:
        final = new.responses[-1] if new.responses else None
        line = "503 Service Unavailable" if final is None else f"{final.status} {final.reason}"
        notify("terminated;reason=noresource", line)

    notify("active;expires=60", "100 Trying")
    new.answered.addBoth(ended)


def yield_to_replacing(phone: Phone) -> None:
    """Let a phone answer a call that replaces one of its own at once, and end that one (RFC 3891 §3)."""

    def called(call: IncomingCall) -> None:
        replaced = _replaced(phone, call.invite)
        if replaced is not None:
            call.answer().addCallback(lambda _: replaced.hang_up())

    phone.on_call = called


def _replaced(phone: Phone, invite: Request) -> Call | None:
    call_id, *tags = (invite.first("Replaces") or "").split(";")
    for call in phone.calls:
        named = {f"to-tag={call.dialog.local.tag}", f"from-tag={call.dialog.remote.tag}"}
        if call.dialog.call_id == call_id and named <= set(tags) and call.state is not State.ENDED:
            return call
    return None
