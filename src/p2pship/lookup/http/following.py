"""Following a lookup key: every server is asked to push what is there, and what comes.

Theory of operation. There is one stream to each server. One that ends, or brings nothing for a while, not even the comments
by which servers keep it alive, is opened again when the server may be asked again; it begins with all slots, so nothing is missed.
As long as one stream is open, or is being opened for the first time, following goes on; when there is none, it ends, and
whoever wants to know has to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.interfaces import ISearch, ISearchReceiver
from p2pship.lookup.candidate import Candidate, Question
from p2pship.lookup.http.eventwire import BadEvents, EventReader
from p2pship.lookup.http.machine import Inquiry
from p2pship.lookup.http.remote import Remote, ServerFailed
from p2pship.lookup.http.wire import EVENT_NAME, BadSlot, SignedSlot, parse_event

SILENCE = 65.0
"Seconds without a comment or an event after which a stream is dead: servers write a comment every 20 s."

AGAIN, LAST_AGAIN = 0.5, 300.0
"Seconds, at least, until a stream that ended is opened again: doubled each time that it ended soon."


class Stream:
    """The stream from one server, opened again and again until it is stopped."""

    log = Logger()

    def __init__(
        self, reactor: Any, remote: Remote, lookup_key: bytes, taken: Callable[[Remote, SignedSlot], None]
    ) -> None:
        """``taken`` gets each slot; it raises ServerFailed if the server is not to be believed."""
        self._reactor = reactor
        self.remote = remote
        self._lookup_key = lookup_key
        self._taken = taken
        self._body: _EventBody | None = None
        self._listening: Deferred[None] | None = None
        self._timer: Any = None
        self._delay = AGAIN
        self._ended: Callable[[], None] = lambda: None
        self.tried = False
        "whether it was open once, or could not be"

    @property
    def open(self) -> bool:
        """Whether slots are pushed now."""
        return self._body is not None

    def begin(self, ended: Callable[[], None]) -> None:
        """Open it; ``ended`` is called whenever it is not open any longer, or could not be opened."""
        self._ended = ended
        self._open()

    def begin_anew(self) -> None:
        """Open it again at once, on another connection."""
        self._hang_up()
        self._delay, self.tried = AGAIN, False
        self._open()

    def stop(self) -> None:
        """Open it no more."""
        self._ended = lambda: None
        self._hang_up()

    def _hang_up(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.cancel()

    def _open(self) -> None:
        self._listening = Deferred.fromCoroutine(self._listen())
        self._listening.addErrback(self._failed)

    async def _listen(self) -> None:
        began = self._reactor.seconds()
        try:
            response = await self.remote.events(self._lookup_key)
            self._body = _EventBody(self._reactor, self._received)
            response.deliverBody(self._body)
            reason = await self._body.done
            self.remote.hung_up()
            raise self.remote.failed(reason)
        finally:
            self._body = None
            self.tried = True
            lasted = self._reactor.seconds() - began
            self._delay = AGAIN if lasted > SILENCE else min(2 * self._delay, LAST_AGAIN)

    def _received(self, kind: str, data: str) -> None:
        if kind == EVENT_NAME:
            self._taken(self.remote, parse_event(data))

    def _failed(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        if failure.check(ServerFailed) is None:
            self.log.failure("a rendezvous server could not be followed", failure)
        if self._listening is not None:
            self._timer = self._reactor.callLater(self.remote.wait() + self._delay, self._open)
        self._ended()


class _EventBody(Protocol):
    """The answer that goes on for as long as somebody listens; ``done`` fires with the reason when it ended."""

    def __init__(self, reactor: Any, received: Callable[[str, str], None]) -> None:
        self._reader = EventReader()
        self._received = received
        self._silence = reactor.callLater(SILENCE, self._end, f"it pushed nothing for {SILENCE:.0f} s")
        self.done: Deferred[str] = Deferred(lambda _: self._hang_up())

    def dataReceived(self, data: bytes) -> None:
        if not self._silence.active():  # it has ended already
            return
        self._silence.reset(SILENCE)
        try:
            for kind, text in self._reader.received(data):
                self._received(kind, text)
        except (BadEvents, BadSlot, ServerFailed) as error:
            self._end(str(error))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end("it ended what it pushed")

    def _end(self, reason: str) -> None:
        if not self.done.called:
            self._hang_up()
            self.done.callback(reason)

    def _hang_up(self) -> None:
        if self._silence.active():
            self._silence.cancel()
        if self.transport is not None:
            self.transport.loseConnection()


@implementer(ISearch)
class Following:
    """A lookup key that is followed on several servers; see the module's theory of operation."""

    def __init__(
        self,
        reactor: Any,
        remotes: Sequence[Remote],
        question: Question,
        receiver: ISearchReceiver,
        lookup: str,
        over: Callable[[Following], None],
    ) -> None:
        """``over`` is called when it ends, by itself or by being cancelled."""
        self._reactor = reactor
        self._receiver = receiver
        self._lookup = lookup
        self._over = over
        self._inquiry = Inquiry(question)
        self._streams = [Stream(reactor, each, question.lookup_key, self._taken) for each in remotes]
        self._ended = False

    def begin(self) -> None:
        """Open the streams."""
        for stream in self._streams:
            if not self._ended:
                stream.begin(self._stream_ended)

    def cancel(self) -> None:
        """Tell nothing more; harmless when it has ended."""
        if self._ended:
            return
        self._ended = True
        for stream in self._streams:
            stream.stop()
        self._over(self)

    def begin_anew(self) -> None:
        """Hear that there is another network: streams may hang, and servers that could not be reached may be there."""
        for stream in self._streams:
            if not self._ended:
                stream.begin_anew()

    def end(self, reason: str) -> None:
        """End it, and say why."""
        if not self._ended:
            self.cancel()
            self._receiver.search_ended(ServerFailed(reason))

    def _taken(self, remote: Remote, slot: SignedSlot) -> None:
        if self._ended:  # by whoever was told the slot before, which came with this one
            return
        for believed in self._inquiry.received(slot, self._reactor.seconds()):
            self._receiver.candidate_received(
                Candidate(believed.sealed, self._lookup, source=str(remote.address))
            )
        reason, self._inquiry.refused = self._inquiry.refused, ""
        if reason:
            raise ServerFailed(reason)

    def _stream_ended(self) -> None:
        if all(stream.tried and not stream.open for stream in self._streams):
            self.end("; ".join(stream.remote.trouble or "it was given up" for stream in self._streams))
