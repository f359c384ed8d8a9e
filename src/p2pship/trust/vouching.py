"""Asking the vouchers: those that answer at once, and those that take their time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pship.identity.papers import Papers
from p2pship.interfaces import IIdentity, IVoucher
from p2pship.trust.vouch import SILENT, Vouch

PATIENCE = 0.35
"""Seconds that a judgement waits for those who ask others: a web server is asked in that time where it is near, and a caller
does not notice. What comes later is told, and believed from then on."""

ONCE_IN = 3.0
"Seconds in which one key of a name is waited for once: a hello follows the search, and the same question is still under way."

AT_LEAST = 0.01
"Seconds that are worth waiting for."

MOST_WAITED = 1_000
"Keys that are remembered for that: more have come only in a flood, in which some wait again."


class Vouching:
    """All vouchers at once."""

    log = Logger()

    def __init__(self, vouchers: Sequence[IVoucher], clock: IReactorTime) -> None:
        self._vouchers = tuple(vouchers)
        self._clock = clock
        self._waited: OrderedDict[tuple[bytes, str, bytes], float] = OrderedDict()
        "since when keys of names are waited for, on behalf of those on each device of ours"

    def at_once(self, papers: Papers, own: IIdentity, late: Callable[[], None]) -> Vouch:
        """Return what is known at once; ``late`` is called when somebody vouches for the name afterwards."""
        return _Answers(self._asked(papers, own), late).so_far()

    def ask(
        self, papers: Papers, own: IIdentity, late: Callable[[], None], wanted: str = ""
    ) -> Deferred[Vouch]:
        """Ask, and wait a little, once, where nobody vouches at once; ``late`` as above. Cancelling ends the waiting only.

        ``wanted`` is who vouched for the name before, as in :attr:`Vouch.by`: of several it is the one that counts, and waited for.
        """
        answers = _Answers(self._asked(papers, own), late, wanted)
        so_far = answers.so_far()
        if answers.enough or not answers.open:
            return succeed(so_far)
        patience = self._patience(papers, own)
        return answers.wait(self._clock, patience) if patience > AT_LEAST else succeed(so_far)

    def _patience(self, papers: Papers, own: IIdentity) -> float:
        """Return how long to wait: what is left since the same was first asked."""
        who, now = (own.device.hit, papers.aor, papers.statement.key), self._clock.seconds()
        since = now - self._waited.get(who, 0.0)
        if 0 <= since < ONCE_IN:
            return PATIENCE - since
        self._waited[who] = now
        self._waited.move_to_end(who)
        if len(self._waited) > MOST_WAITED:
            self._waited.popitem(last=False)
        return PATIENCE

    def _asked(self, papers: Papers, own: IIdentity) -> list[Vouch | Deferred[Vouch]]:
        return [self._ask(voucher, papers, own) for voucher in self._vouchers]

    def _ask(self, voucher: IVoucher, papers: Papers, own: IIdentity) -> Vouch | Deferred[Vouch]:
        try:
            answer = voucher.vouch(papers, own)
        except Exception:  # noqa: BLE001 (a voucher may be anybody's code)
            self.log.failure("the voucher {voucher} failed", voucher=voucher.name)
            return SILENT
        if isinstance(answer, Deferred):
            answer.addErrback(self._failed, voucher.name)
        return answer

    def _failed(self, failure: Failure, name: str) -> Vouch:
        if not failure.check(CancelledError):
            self.log.failure("the voucher {voucher} failed", failure, voucher=name)
        return SILENT


class _Answers:
    """The answers to one question."""

    def __init__(
        self, answers: Sequence[Vouch | Deferred[Vouch]], late: Callable[[], None], wanted: str = ""
    ) -> None:
        self._late = late
        self._wanted = wanted
        self._came: list[Vouch] = []
        self._waiting: Deferred[Vouch] | None = None
        self._timer: Any = None
        self._told = False
        self.open = 0
        "how many have not answered yet"
        for answer in answers:
            if isinstance(answer, Deferred):
                self.open += 1
                answer.addCallback(self._answered)
            else:
                self._came.append(answer)
        self._told = True

    def so_far(self) -> Vouch:
        """Return what all that came says together: who is wanted or vouches first, and every reason."""
        reasons = tuple(reason for vouch in self._came for reason in vouch.reasons)
        for vouch in self._came:
            if vouch.revoked:
                return Vouch("", reasons, vouch.until, revoked=True)
        for vouch in sorted(filter(None, self._came), key=lambda vouch: vouch.by != self._wanted):
            return Vouch(vouch.by, reasons, vouch.until)
        return Vouch("", reasons, contradicted=any(vouch.contradicted for vouch in self._came))

    @property
    def enough(self) -> bool:
        """Whether nothing that is still to come would change what is said."""
        so_far = self.so_far()
        return so_far.revoked or (so_far.by == self._wanted if self._wanted else bool(so_far))

    def wait(self, clock: IReactorTime, seconds: float) -> Deferred[Vouch]:
        """Return what fires when somebody vouches, nobody is left who could, or it takes longer than that."""
        self._waiting = Deferred(self._cancelled)
        self._timer = clock.callLater(seconds, self._tell)
        return self._waiting

    def _answered(self, vouch: Vouch) -> None:
        self.open -= 1
        self._came.append(vouch)
        if self._waiting is not None:
            if self.enough or not self.open:
                self._tell()
        elif self._told and (vouch or vouch.revoked or vouch.contradicted):
            self._late()

    def _tell(self) -> None:
        waiting = self._stop()
        if waiting is not None:
            waiting.callback(self.so_far())

    def _cancelled(self, _: Deferred[Vouch]) -> None:
        self._stop()

    def _stop(self) -> Deferred[Vouch] | None:
        waiting, self._waiting = self._waiting, None
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        return waiting
