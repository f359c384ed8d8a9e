"""The devices of a person one after the other, as they are reached."""

from __future__ import annotations

from twisted.internet.defer import Deferred, DeferredQueue
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.errors import RemoteError
from p2pship.interfaces import IIdentity, IOverlay, IPeer, IPeopleReceiver, IReaching
from p2pship.overlay.reach import ReachOutcome, Tried


@implementer(IPeopleReceiver)
class Seeking:
    """Reaches every device of a person, or the one of a HIT."""

    log = Logger()

    def __init__(self, overlay: IOverlay, aor: str, identity: IIdentity, hit: bytes | None) -> None:
        """Begin, on behalf of our ``identity``."""
        self._aor = aor
        self._queue: DeferredQueue[IPeer | None] = DeferredQueue()
        self._why = ""
        self._reaching: IReaching | None = None
        self._one: Deferred[IPeer] | None = None
        if hit is None:
            self._reaching = overlay.people(aor, identity, self)
        else:
            self._one = overlay.peer(aor, identity, hit)
            self._one.addCallbacks(self._only, self._not_reached)

    def next(self) -> Deferred[IPeer | None]:
        """Fire with the next device, or None when no more come; not to be asked again then."""
        return self._queue.get()

    def why_nobody(self) -> str:
        """Say why there was nobody, and what can be done."""
        why = f" ({self._why})" if self._why else ""
        return (
            f"no device of {self._aor} was reached{why}: see that it runs, and that both are in one network "
            f"or share a lookup; `p2pship find {self._aor}` says who was asked"
        )

    def cancel(self) -> None:
        """End it; harmless when it has ended."""
        if self._reaching is not None:
            self._reaching.cancel()
        if self._one is not None:
            self._one.cancel()

    def _only(self, peer: IPeer) -> None:
        self._queue.put(peer)
        self._queue.put(None)

    def _not_reached(self, failure: Failure) -> None:
        if not failure.check(RemoteError):
            self.log.failure("a device could not be reached", failure)
        self._why = failure.getErrorMessage()
        self._queue.put(None)

    # IPeopleReceiver

    def peer_reached(self, peer: IPeer, tried: Tried) -> None:
        self._queue.put(peer)

    def reach_ended(self, outcome: ReachOutcome) -> None:
        reasons = [tried.reason for tried in outcome.tried if tried.reason]
        if outcome.find is not None and outcome.find.ambiguous:
            reasons.append("several keys claim the name: use the QR code's URI, which names the device")
        self._why = "; ".join(dict.fromkeys(reasons))
        self._queue.put(None)
