"""Under which name our phone sees who calls: the user's own entry for them, or what cannot be taken for another's."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

from p2pship.identity.verdict import Acquaintance, Verdict
from p2pship.interfaces import IPeer
from p2pship.journal import printable
from p2pship.sip.message import Request
from p2pship.sip.privacy import is_anonymous, keeps_name
from p2pship.sip.uri import NameAddr

LONGEST_DISPLAY = 120
"Characters that are shown of a name that the user has not written: an AOR and a few words."

LONGEST_GIVEN = 32
"Characters of a name that people give themselves: the AOR behind it must be seen, and phones show the beginning of a long name."

NOBODY = "Anonymous"
"What is shown of who shows no name (RFC 3323 §4.1.1.3), whatever else stands there."

_ENTERED = frozenset({Acquaintance.OWN, Acquaintance.CONTACT})


def shown_sender(sender: NameAddr, peer: IPeer) -> NameAddr:
    """Return a From as our phone is to see it.

    The display name is the one under which the user has entered the person. Of everybody else it ends with the AOR, as
    anybody can make one up; and it says so if the AOR is easily taken for another.
    """
    if is_anonymous(sender.uri):
        return replace(sender, display=NOBODY) if sender.display not in ("", NOBODY) else sender
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
    name = _name(given.removesuffix(aor))
    shown = f"{name} {aor}" if name else aor * bool(given)
    if not verdict.warnings:
        return shown
    return printable(f"{verdict.warnings[0]}: {shown or aor}", LONGEST_DISPLAY)


def _name(given: str) -> str:
    """Return a name that somebody gave themselves, as far as it cannot pass for the AOR, push it away, or turn it round."""
    name = " ".join(unicodedata.normalize("NFKC", given).split())
    return "" if "@" in name else printable(name, LONGEST_GIVEN).strip()
