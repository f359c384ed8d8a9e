"""Under which name our phone sees who calls: the user's own entry for them, or what cannot be taken for another's."""

from __future__ import annotations

from dataclasses import replace

from p2pship.identity.verdict import Acquaintance, Verdict
from p2pship.interfaces import IPeer
from p2pship.journal import printable
from p2pship.sip.message import Request
from p2pship.sip.privacy import is_anonymous, keeps_name
from p2pship.sip.uri import NameAddr

LONGEST_DISPLAY = 120
"Characters that are shown of a name that the user has not written: an AOR and a few words."

_ENTERED = frozenset({Acquaintance.OWN, Acquaintance.CONTACT})


def shown_sender(sender: NameAddr, peer: IPeer) -> NameAddr:
    """Return a From as our phone is to see it.

    The display name is the one under which the user has entered the person. Of everybody else it ends with the AOR, as
    anybody can make one up; and it says so if the AOR is easily taken for another.
    """
    if is_anonymous(sender.uri):
        return sender
    display = _display(sender.display, peer.aor, peer.verdict)
    return sender if display == sender.display else replace(sender, display=display)


def show_sender(request: Request, peer: IPeer) -> None:
    """Show our phone who a peer is, and assert it (RFC 3325), unless privacy was asked for (RFC 3323 §4.2)."""
    shown = shown_sender(request.from_, peer)
    if shown != request.from_:
        request.set("From", str(shown))
    if not keeps_name(request):
        display = _display("", peer.aor, peer.verdict)
        request.append("P-Asserted-Identity", str(NameAddr(display, f"sip:{peer.aor}")))


def _display(given: str, aor: str, verdict: Verdict) -> str:
    if verdict.display and verdict.acquaintance in _ENTERED:
        return verdict.display
    shown = given if not given or given.endswith(aor) else f"{given} {aor}"
    if not verdict.warnings:
        return shown
    return printable(f"{verdict.warnings[0]}: {shown or aor}", LONGEST_DISPLAY)
