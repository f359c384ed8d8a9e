"""Who may say what: whether a request's sender may send it in that name, to that person (RFC 3261 §22 does not help
between peers: here the link has already proven who the peer is)."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.identity.aor import BadAOR, canonical_aor
from p2pship.identity.verdict import Acquaintance
from p2pship.interfaces import IPeer
from p2pship.sip.message import BadMessage, Request
from p2pship.sip.privacy import ANONYMOUS, is_anonymous
from p2pship.sip.references import References, take_out_commands
from p2pship.sip.uri import NameAddr


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not let through."""

    status: int
    "the SIP status to answer with"
    rule: str
    "the name of the rule, for the counters"
    reason: str
    "in words, for the log"


class Screen:
    """Looks at what peers send before any phone hears of it."""

    def __init__(self, references: References, anonymous: bool) -> None:
        """``anonymous`` says whether callers may leave out their name."""
        self._references = references
        self._anonymous = anonymous

    def new(self, request: Request, peer: IPeer) -> Refusal | None:
        """Screen a peer's request outside a dialog; None lets it pass.

        It must be for the one of our persons whom the peer called: it is never passed on to another peer.

        :raises BadMessage: if what names people in it cannot be read.
        """
        refusal = self.sender(request, peer)
        if refusal is not None:
            return refusal
        if _aor_or_none(request.uri) != peer.identity.aor:
            return Refusal(403, "open-relay", f"the peer {peer.aor} asked for {request.uri[:120]}")
        if request.method == "REGISTER":
            return Refusal(403, "remote-register", f"the peer {peer.aor} tried to register")
        if request.method == "REFER":
            return self.refer(request, peer) or self.unasked_refer(peer)
        return None

    def sender(self, request: Request, peer: IPeer) -> Refusal | None:
        """Screen the From, which must be the peer's own, or nobody's where that is taken (RFC 5079)."""
        sender = _aor_or_none(request.from_.uri)
        if sender not in (peer.aor, ANONYMOUS):
            return Refusal(403, "forged-from", f"the peer {peer.aor} says to be {request.from_.uri[:120]}")
        if sender == ANONYMOUS and peer.aor != ANONYMOUS and not self._anonymous:
            return Refusal(433, "anonymous", f"the peer {peer.aor} does not show its name")
        return None

    def refer(self, request: Request, peer: IPeer) -> Refusal | None:
        """Screen a peer's REFER, in a dialog or not: who it says to refer, and where to (RFC 3515 §4, RFC 3892 §5).

        What no URI may ask a phone to say is taken out of it.

        :raises BadMessage: if there is not exactly one Refer-To (RFC 3515 §2.4.2).
        :raises BadURI: if it cannot be read.
        """
        targets = request.values("Refer-To")
        if len(targets) != 1:
            raise BadMessage(400, "there must be exactly one Refer-To", request)
        for value in request.values("Referred-By"):
            uri = NameAddr.parse(value).uri
            if _aor_or_none(uri) != peer.aor and not is_anonymous(uri):
                return Refusal(
                    403, "forged-referrer", f"the peer {peer.aor} refers in the name of {uri[:120]}"
                )
        target = NameAddr.parse(targets[0]).uri
        if self._references.leads_here(target):
            return Refusal(403, "refer-here", f"the peer {peer.aor} refers to this machine: {target[:120]}")
        take_out_commands(request)
        return None

    def notice(self, request: Request, peer: IPeer) -> Refusal | None:
        """Screen a peer's NOTIFY or SUBSCRIBE within a call: other events than a transfer's have some phones answer (``talk``) or
        restart (``check-sync``), or tell whether somebody is there, which is screened outside of calls."""
        events = [line.partition(";")[0].strip().lower() for line in request.lines("Event")]
        if events == ["refer"] or peer.verdict.acquaintance is not Acquaintance.STRANGER:
            return None
        return Refusal(
            489, "strangers-event", f"the stranger {peer.aor} sends {request.method} of {events!r:.120}"
        )

    def unasked_refer(self, peer: IPeer) -> Refusal | None:
        """Screen a REFER to somebody who has not talked with the peer: some phones call whom it names without asking."""
        if peer.verdict.acquaintance is Acquaintance.STRANGER:
            return Refusal(403, "strangers-refer", f"the stranger {peer.aor} asks our phone to call")
        return None


def _aor_or_none(uri: str) -> str | None:
    try:
        return canonical_aor(uri)
    except BadAOR:
        return None
