"""Where a new request goes: a person's devices over the overlay, or the phones registered here."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

from twisted.logger import Logger
from zope.interface import implementer

from p2pship.interfaces import IIdentity, IOverlay, IPeer, IPeopleReceiver, IReaching
from p2pship.journal import CallSetUp, printable
from p2pship.lookup.candidate import Answer, FindOutcome
from p2pship.overlay.reach import ReachOutcome, Tried
from p2pship.sip.bindings import Binding
from p2pship.sip.fork import Fork
from p2pship.sip.leg import Leg
from p2pship.sip.message import Response
from p2pship.sip.notices import Notices
from p2pship.sip.parameters import quote

DEVICES_MORE = 1
"""Devices of a person that are thought to be reached after each: the first gets half of the breadth, which is enough to
ring the phones of three homes, and the sixth, the last that a person can publish, still gets one."""

LONGEST_OF_LOOKUP = 100
"Characters of why one lookup failed, so that each has room in a Warning; all of it is in the trace of the call."


@implementer(IPeopleReceiver)
class PersonRoute:
    """Adds a branch for each device of a person as it is reached."""

    log = Logger()

    def __init__(
        self,
        fork: Fork,
        leg_for: Callable[[IPeer], Leg],
        notices: Notices,
        device: bytes | None = None,
    ) -> None:
        """``device`` is the HIT of the only device that is asked for, as by a GRUU (RFC 5627 §6.1)."""
        self._fork = fork
        self._leg_for = leg_for
        self._notices = notices
        self._device = device
        self._search: IReaching | None = None
        self._ended = False
        self._aor = ""
        self._own = ""
        self._reached: Tried | None = None

    def begin(self, overlay: IOverlay, aor: str, identity: IIdentity) -> None:
        """Search for the person on behalf of one of our own."""
        self._aor, self._own = aor, identity.aor
        search: IReaching = overlay.people(aor, identity, self)
        if not self._ended:
            self._search = search

    def cancel(self) -> None:
        """End the search; no branch is added any more."""
        self._ended = True
        search, self._search = self._search, None
        if search is None:
            return
        if self._fork.trail is not None:
            self._fork.trail.searched(self._aor, search.so_far())
        search.cancel()

    def peer_reached(self, peer: IPeer, tried: Tried) -> None:
        """Add a branch to one device."""
        if self._ended or self._device not in (None, peer.hit):
            return
        self._reached = self._reached or tried
        if self._fork.trail is not None:
            self._fork.trail.reached(peer, tried)
        self._fork.add(self._leg_for(peer), DEVICES_MORE)

    @property
    def has_reached(self) -> bool:
        """Whether a branch was added."""
        return self._reached is not None

    def stages(self, call_id: str, caller: str, callee: str) -> CallSetUp:
        """Return how long each stage of the set-up took, up to the first ringing, or the answer if none rang."""
        tried = self._reached
        stages = (tried.lookup_seconds, tried.dial_seconds, tried.hello_seconds) if tried else (0.0, 0.0, 0.0)
        total = self._fork.elapsed
        return CallSetUp(call_id, caller, callee, *stages, max(0.0, total - sum(stages)), total)

    def reach_ended(self, outcome: ReachOutcome) -> None:
        """Tell the fork that no more branches come, and the truth if there were none."""
        if self._ended:
            return
        self._ended = True
        self._search = None
        if self._fork.trail is not None:
            self._fork.trail.searched(self._aor, outcome)
        self._fork.complete(None if self._reached else self._failure(outcome))

    def _failure(self, outcome: ReachOutcome) -> Response:
        if not outcome.changed:
            return self._fork.own(*status_for(outcome))
        self._notices.changed(self._own, self._aor)
        return changed_key(self._fork, self._aor)


def changed_key(fork: Fork, aor: str) -> Response:
    """Return the answer to our phone where all who are found under a name have another key than its user knows, or its domain names.

    Telephones show the reason phrase, some of them the Warning (RFC 3261 §20.43) or the Reason (RFC 3326).
    """
    words = f"{aor} has another key than you know, or its domain names"
    response = fork.own(403, f"{words}: see p2pship contact pin")
    response.reason = f"{words} - not connected"
    response.append("Reason", f"SIP;cause=403;text={quote(words)}")
    return response


def status_for(outcome: ReachOutcome) -> tuple[int, str]:
    """Return the status and reason for a person none of whose devices was reached.

    404 only where somebody could be asked, nobody knows the name, and it was never met; 500 where nobody could be
    asked. Whose papers are over, or not true, is known, and not there.
    """
    if outcome.tried:
        return 480, "; ".join(
            tried.reason for tried in outcome.tried if tried.reason
        ) or "no device could be reached"
    find = outcome.find
    if find is None:
        return 480, "no device could be reached"
    if find.ambiguous:
        return 480, "several keys claim this name and none is proven: nobody was dialled"
    if find.doubted:
        why = "; ".join(find.refused) or "there was no time to look at it"
        return 480, f"what was found of this name is not believed: {why}"
    if outcome.met:
        return 480, f"known, but not found now ({_asked(find)})"
    if any(asked.answer is Answer.COMPLETED for asked in find.asked):
        return 404, f"nobody of this name was found ({_asked(find)})"
    return 500, f"no lookup could be asked ({_asked(find)})"


def _asked(find: FindOutcome) -> str:
    if not find.asked:
        return "no lookup is on"
    return ", ".join(
        f"{asked.lookup} {asked.answer.value} after {asked.seconds:.1f} s"
        + (f": {printable(asked.reason, LONGEST_OF_LOOKUP)}" if asked.reason else "")
        for asked in find.asked
    )


def groups_of(bindings: list[Binding]) -> list[list[Binding]]:
    """Sort phones into groups that ring together, the highest q first (RFC 3261 §16.6, §20.10)."""
    ordered = sorted(bindings, key=lambda binding: -binding.q)
    return [list(group) for _q, group in groupby(ordered, key=lambda binding: binding.q)]
