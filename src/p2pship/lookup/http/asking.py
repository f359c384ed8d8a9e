"""Asking one rendezvous server in a search: what it tells and is believed goes to whoever searches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.interfaces import ISearch, ISearchReceiver
from p2pship.lookup.candidate import Candidate, Question
from p2pship.lookup.http.machine import Inquiry
from p2pship.lookup.http.remote import ASK_TIME, Remote, ServerFailed
from p2pship.lookup.http.wire import SignedSlot

LEAST_TIME = 0.25
"Seconds for the second questions of a search, if the first has taken nearly all."


@implementer(ISearch)
class Asking:
    """One question to one server under way."""

    log = Logger()

    def __init__(
        self,
        remote: Remote,
        question: Question,
        receiver: ISearchReceiver,
        lookup: str,
        seconds: Callable[[], float],
    ) -> None:
        """``lookup`` is the name of who asks; ``seconds`` tells the Unix time."""
        self._question = question
        self._receiver = receiver
        self._lookup = lookup
        self._seconds = seconds
        self._inquiry = Inquiry(question)
        self._over = False
        self._asking: Deferred[None] | None = None
        self.remote = remote
        self.completed = False
        "whether the server has told everything"
        self.told: set[bytes] = set()
        "the publication keys of the slots that were told"

    def begin(self) -> None:
        """Ask. The receiver may be told before this has returned."""
        self._receiver.noted(f"asks {self.remote.address}")
        asking = Deferred.fromCoroutine(self._ask())
        self._asking = asking
        asking.addCallbacks(lambda _: self._end(None), self._failed)

    def cancel(self) -> None:
        """End it, and tell nothing more; harmless when it is over."""
        self._over = True
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> None:
        key, began = self._question.lookup_key, self._seconds()
        slots = await self.remote.listed(key)
        self._tell(self._inquiry.listed(slots, self._seconds()))
        if self._over:  # cancelled by who was told
            return
        try:
            left = max(LEAST_TIME, ASK_TIME - (self._seconds() - began))
            asking = [Deferred.fromCoroutine(self._ask_for(each, left)) for each in self._inquiry.more]
            await gatherResults(asking, True)
        except FirstError as error:
            error.subFailure.raiseException()
        if self._inquiry.refused and not self._inquiry.believed:
            raise self.remote.failed(self._inquiry.refused)

    async def _ask_for(self, publication_key: bytes, seconds: float) -> None:
        slot = await self.remote.one(self._question.lookup_key, publication_key, seconds)
        if slot is not None:
            self._tell(self._inquiry.received(slot, self._seconds()))

    def _tell(self, slots: Iterable[SignedSlot]) -> None:
        for slot in slots:
            if self._over:  # the receiver has what it wanted
                return
            self.told.add(slot.publication_key)
            source = str(self.remote.address)
            candidate = Candidate(slot.sealed, self._lookup, source=source, signer=slot.publication_key)
            self._receiver.candidate_received(candidate)

    def _failed(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        if failure.check(ServerFailed) is None:
            self.log.failure("a rendezvous server could not be asked", failure)
        self._end(failure.value)

    def _end(self, error: BaseException | None) -> None:
        if not self._over:
            self._over = True
            self.completed = error is None
            self._receiver.search_ended(error if isinstance(error, Exception) else None)


@implementer(ISearch)
class AskingAll:
    """One question to several servers at once; it completes if one of them answers."""

    def __init__(
        self,
        remotes: Sequence[Remote],
        question: Question,
        receiver: ISearchReceiver,
        lookup: str,
        seconds: Callable[[], float],
        over: Callable[[AskingAll], None],
    ) -> None:
        """``over`` is called when it ends, by itself or by being cancelled."""
        self._receiver = receiver
        self._over = over
        self._ended = False
        self._reasons: list[str] = []
        self.askings = [Asking(each, question, _Part(self), lookup, seconds) for each in remotes]
        "those of the single servers"
        self._left = len(self.askings)

    def begin(self) -> None:
        """Ask them all. The receiver may be told before this has returned."""
        for asking in self.askings:
            if not self._ended:
                asking.begin()

    def cancel(self) -> None:
        """End it, and tell nothing more; harmless when it is over."""
        if self._ended:
            return
        self._ended = True
        for asking in self.askings:
            asking.cancel()
        self._over(self)

    def end(self, error: Exception | None) -> None:
        """End it now, and tell the receiver; harmless when it is over."""
        if not self._ended:
            self.cancel()
            self._receiver.search_ended(error)

    def candidate_received(self, candidate: Candidate) -> None:
        """Take what one server told."""
        if not self._ended:
            self._receiver.candidate_received(candidate)

    def noted(self, words: str) -> None:
        """Pass on whom one asks."""
        self._receiver.noted(words)

    def one_ended(self, error: Exception | None) -> None:
        """Hear that one server has told everything, or why it has not."""
        self._left -= 1
        if error is not None:
            self._reasons.append(str(error))
            self._receiver.noted(str(error))
        if not self._left:
            failed = len(self._reasons) == len(self.askings)
            self.end(ServerFailed("; ".join(self._reasons)) if failed else None)


@implementer(ISearchReceiver)
class _Part:
    """What one server tells in a search of several."""

    def __init__(self, whole: AskingAll) -> None:
        self._whole = whole

    def candidate_received(self, candidate: Candidate) -> None:
        self._whole.candidate_received(candidate)

    def noted(self, words: str) -> None:
        self._whole.noted(words)

    def search_ended(self, error: Exception | None) -> None:
        self._whole.one_ended(error)


def ask(
    remote: Remote,
    question: Question,
    receiver: ISearchReceiver,
    seconds: Callable[[], float],
    lookup: str = "http",
) -> Asking:
    """Ask one server for what is under a lookup key, on behalf of a lookup of this name.

    The search ends with an error if the server does not answer, within 2.5 s, or told only what nobody signed.
    """
    asking = Asking(remote, question, receiver, lookup, seconds)
    asking.begin()
    return asking
