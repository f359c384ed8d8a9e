"""Who may say what: whether a request's sender may send it in that name, to that person (RFC 3261 §22 does not help
between peers: here the link has already proven who the peer is)."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.identity.aor import BadAOR, canonical_aor
from p2pship.interfaces import IPeer
from p2pship.sip.message import Request

ANONYMOUS = "anonymous@anonymous.invalid"
"The AOR of those who do not tell theirs (RFC 3323 §4.1.1.3)."


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not let through."""

    status: int
    "the SIP status to answer with"
    rule: str
    "the name of the rule, for the counters"
    reason: str
    "in words, for the log"


def screen_peer(request: Request, peer: IPeer) -> Refusal | None:
    """Screen a peer's request outside a dialog; None lets it pass.

    The From must be the peer's own, or anonymous; the request must be for the one of our persons whom the peer called:
    it is never passed on to another peer.

    :raises BadMessage: if From cannot be read.
    """
    sender = _aor_or_none(request.from_.uri)
    if sender not in (peer.aor, ANONYMOUS):
        return Refusal(403, "forged-from", f"the peer {peer.aor} says to be {request.from_.uri[:120]}")
    if _aor_or_none(request.uri) != peer.identity.aor:
        return Refusal(403, "open-relay", f"the peer {peer.aor} asked for {request.uri[:120]}")
    if request.method == "REGISTER":
        return Refusal(403, "remote-register", f"the peer {peer.aor} tried to register")
    return None


def _aor_or_none(uri: str) -> str | None:
    try:
        return canonical_aor(uri)
    except BadAOR:
        return None
