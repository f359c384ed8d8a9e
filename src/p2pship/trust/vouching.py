"""Asking the vouchers: those that answer at once, and those that take their time."""

from __future__ import annotations

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


class Vouching:
    """All vouchers at once."""

    log = Logger()

    def __init__(self, vouchers: Sequence[IVoucher], clock: IReactorTime) -> None:
        self._vouchers = tuple(vouchers)
        self._clock = clock

    def at_once(self, papers: Papers, own: IIdentity, late: Callable[[], None]) -> Vouch:
        """Return what is known at once; ``late`` is called when somebody vouches for the name afterwards."""
        return _Answers(self._asked(papers, own), late).so_far()

    def ask(self, papers: Papers, own: IIdentity, late: Callable[[], None]) -> Deferred[Vouch]:
        """Ask, and wait a little where nobody vouches at once; ``late`` as above. Cancelling ends the waiting only."""
        answers = _Answers(self._asked(papers, own), late)
        so_far = answers.so_far()
        if so_far or so_far.revoked or not answers.open:
            return succeed(so_far)
        return answers.wait(self._clock)

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

    def __init__(self, answers: Sequence[Vouch | Deferred[Vouch]], late: Callable[[], None]) -> None:
        self._late = late
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
        """Return what all that came says together: who vouches first, and every reason."""
        reasons = tuple(reason for vouch in self._came for reason in vouch.reasons)
        for vouch in self._came:
            if vouch.revoked:
                return Vouch("", reasons, vouch.until, revoked=True)
        for vouch in self._came:
            if vouch:
                return Vouch(vouch.by, reasons, vouch.until)
        return Vouch("", reasons)

    def wait(self, clock: IReactorTime) -> Deferred[Vouch]:
        """Return what fires when somebody vouches, nobody is left who could, or it takes too long."""
        self._waiting = Deferred(self._cancelled)
        self._timer = clock.callLater(PATIENCE, self._tell)
        return self._waiting

    def _answered(self, vouch: Vouch) -> None:
        self.open -= 1
        self._came.append(vouch)
        if self._waiting is not None:
            if vouch or vouch.revoked or not self.open:
                self._tell()
        elif self._told and (vouch or vouch.revoked):
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
