"""Questions to the DNS that are given up after a time: what is not answered is not known, and keeps nobody from what is."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from p2pship.trust.dnssec import Ask, DNSFailed

if TYPE_CHECKING:
    from dns.message import Message

Wanted: TypeAlias = tuple[str, str]
"A name with the last dot, and the type of the records."


class Asker:
    """Asks with ``ask``; None is for no answer."""

    def __init__(self, ask: Ask, clock: IReactorTime) -> None:
        self._ask = ask
        self._clock = clock

    def all(self, wanted: Sequence[Wanted], seconds: float) -> Deferred[list[Message | None]]:
        """Return the answers, in this order, each of which may take so many seconds."""
        return gatherResults([self._begun(each, seconds) for each in wanted], consumeErrors=True)

    async def all_and_rare(
        self, rare: Wanted, usual: Sequence[Wanted], seconds: float, least: float
    ) -> list[Message | None]:
        """Return the answer for records that few have, and those to the usual questions, each of which may take so many seconds.

        Some routers at home never answer for rare types, and a resolver that has to ask far away needs about as long for each. So the
        rare one is waited for as long again as the usual ones took, ``least`` seconds in all at the least.
        """
        began = self._clock.seconds()
        asked = self._begun(rare, seconds)
        try:
            answers = await self.all(usual, seconds)
            took = self._clock.seconds() - began
            asked.addTimeout(max(took, least - took), self._clock).addErrback(_no_answer)
            return [await asked, *answers]
        finally:
            asked.addErrback(_given_up).cancel()

    def _begun(self, wanted: Wanted, seconds: float) -> Deferred[Message | None]:
        asked: Deferred[Message | None] = Deferred.fromCoroutine(_answer(self._ask(*wanted)))
        return asked.addTimeout(seconds, self._clock).addErrback(_no_answer)


async def _answer(asked: Awaitable[Message]) -> Message:
    return await asked


def _no_answer(failure: Failure) -> None:
    failure.trap(DNSFailed, TimeoutError)


def _given_up(failure: Failure) -> None:
    failure.trap(CancelledError)
