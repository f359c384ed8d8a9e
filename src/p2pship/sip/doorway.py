"""Asks screening whether a peer's request may reach our phones.

Whoever may not hears exactly what one hears when no phone is registered: the same fork is made and begun, and no branch is
added. Only the journal, which screening tells, and the call's story say more.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pship.identity.verdict import NameGrade
from p2pship.interfaces import IPeer, IScreening
from p2pship.journal import Journal
from p2pship.sip.fork import Fork
from p2pship.sip.leg import Leg
from p2pship.sip.notices import Notices
from p2pship.trust.wish import Decision, Wish

WISHES = {
    "MESSAGE": Wish.MESSAGE,
    "SUBSCRIBE": Wish.PRESENCE,
    "NOTIFY": Wish.PRESENCE,
    "PUBLISH": Wish.PRESENCE,
}
"""What the sender of a request wants; of every other method it is a call, or something that belongs to one. OPTIONS asks
whether an INVITE would be taken (RFC 3261 §11.2), so that it is let in where one would be, and tells nobody else anything."""

FAILED = Decision(False, "failure", "screening failed: the log says how")
"What is decided where a rule fails: what is not known to be allowed is not."


class Doorway:
    """Lets the requests of peers in, or not."""

    log = Logger()

    def __init__(self, screening: IScreening, journal: Journal, notices: Notices) -> None:
        self._screening = screening
        self._journal = journal
        self._notices = notices

    def enter(
        self, fork: Fork, peer: IPeer, groups: Sequence[Sequence[Leg]], nobody: tuple[int, str]
    ) -> None:
        """Let the request of a fork go on to our phones if it may, now or when that is known.

        ``nobody`` is the status and reason of the answer where no phone is there, or none may be rung.
        """
        method = fork.transaction.request.method
        wish = WISHES.get(method, Wish.CALL)
        decision = self._screening.decide(peer.identity.aor, peer.aor, peer.verdict, wish)
        if not isinstance(decision, Deferred):
            self._take(decision, fork, peer, groups, nobody)
            return
        decision.addErrback(self._failed)
        decision.addCallback(self._take, fork, peer, groups, nobody)
        decision.addErrback(lambda failure: self.log.failure("a request could not be let in", failure))

    def _take(
        self,
        decision: Decision,
        fork: Fork,
        peer: IPeer,
        groups: Sequence[Sequence[Leg]],
        nobody: tuple[int, str],
    ) -> None:
        """Add the branches. A fork that was cancelled meanwhile takes none."""
        if decision.allowed:
            fork.queue(groups)
            fork.complete(None if groups else fork.own(*nobody))
            return
        self._refused(decision, fork, peer)
        for leg in (leg for group in groups for leg in group):
            leg.ended(False)
        fork.complete(fork.own(*nobody))

    def _refused(self, decision: Decision, fork: Fork, peer: IPeer) -> None:
        self._journal.count(f"screen.{decision.rule.replace(' ', '-')}")
        if fork.trail is not None:
            fork.trail.refused(decision.rule)
        fork.reasons.append(f"{decision.reason} ({decision.rule})")
        if peer.verdict.name is NameGrade.CHANGED:
            self._notices.changed(peer.identity.aor, peer.aor)

    def _failed(self, failure: Failure) -> Decision:
        self.log.failure("a rule of the screening failed", failure)
        return FAILED
