"""The exchange of hellos that opens a peer number, from each side.

Theory of operation. Who wants to reach a peer sends a hello and waits; the other side looks at it, and answers with its
own or with a refusal. When both send one for the same peer at once (a glare), that of the smaller HIT counts: its sender
holds the other's hello until its own is answered, and then gives it back, or, if its own came to nothing, answers it
after all. The sender with the larger HIT answers the hello that comes and takes back its own. So both sides end up with
the same link, whichever order things arrive in. A hello that comes while the peer has another link means that the other
side has lost that one: the new one is used.

Refusals are all alike: the same octets, sent a fixed time after the hello arrived or a multiple of that, whatever the
cause, so that nobody can learn who lives here or who is blocked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pship.errors import HelloRefused, LinkLost, PeerLost, RemoteError
from p2pship.overlay.peer import Peer
from p2pship.overlay.vetting import Vetted, Vetting
from p2pship.overlay.wire import BadFrame, Ending, Frame, Hello, Received, Refused

if TYPE_CHECKING:
    from p2pship.overlay.conduit import Conduit

REFUSAL_DELAY = 0.03
"Seconds from a hello to its refusal: signatures and the keyring take a millisecond, so every cause fits well below."

VETTING_SECONDS = 5.0
"Seconds that looking at a hello may take: its sender waits no longer."


class Greeting:
    """A hello of ours and the wait for its answer."""

    def __init__(self, conduit: Conduit, peer: Peer, vetting: Vetting, person: bytes | None) -> None:
        """Prepare to greet ``peer``; ``person`` is the identity key that must answer, None if any will do."""
        self.done: Deferred[None] = Deferred(lambda _: self._take_back("it is not wanted any longer"))
        "fires when the peer has a link; cancelled, the hello is taken back"
        self._conduit = conduit
        self._peer = peer
        self._vetting = vetting
        self._person = person
        self._number = 0
        self._looking: Deferred[None] | None = None

    def begin(self) -> Deferred[None]:
        """Send the hello and return ``done``; it fails with a RemoteError.

        :raises NotReached: if the link takes no more peers.
        """
        if self._peer.greeting is not None:
            self._peer.greeting.done.cancel()
        hello = self._vetting.hello(self._peer, self._conduit.link, accepted=False)
        self._number = self._conduit.take_number(self)
        self._peer.greeting = self
        self._conduit.send(hello, self._number)
        return self.done

    def frame_received(self, number: int, frame: Frame) -> None:
        """Take the answer."""
        if isinstance(frame, Refused) and self._looking is None:
            self._conduit.release(self._number)
            self._fail(Failure(HelloRefused()))
        elif isinstance(frame, Hello) and self._looking is None:
            self._looking = Deferred.fromCoroutine(self._look(frame.body))
            self._looking.addErrback(self._disbelieved)
        else:
            raise BadFrame(f"a {type(frame).__name__} frame came in place of the answer to a hello")

    async def _look(self, body: bytes) -> None:
        vetted = await self._vetting.answer(body, self._conduit.link, self._peer, self._person)
        if self._peer.over:
            raise PeerLost(self._peer.over)
        self._vetting.accept(vetted.papers, self._conduit.link, vetted.keep_for(self._peer))
        self._peer.meet(vetted.hello, vetted.papers, vetted.verdict)
        self._peer.admitted = vetted.admitted
        self._conduit.send(Received(self._peer.session.confirm()), self._number)
        self._conduit.attach(self._number, self._peer, corked=False)
        self._end_well()

    def _disbelieved(self, failure: Failure) -> None:
        if self._looking is None:
            return
        if failure.check(RemoteError):
            self._conduit.tell_refused(failure.getErrorMessage())
        self._conduit.leave(self._number, Ending.PAUSED, "the hello was not accepted")
        self._fail(failure)

    def closed(self, reason: str, ending: Ending | None) -> None:
        """Hear that the link or the number is gone."""
        self._stop_looking()
        self._fail(Failure(LinkLost(reason)))

    def overtaken(self) -> None:
        """Take the hello back because the peer has got a link by the other side's."""
        self._leave("the other hello counts")
        self._end_well()

    def _take_back(self, reason: str) -> None:
        self._leave(reason)
        self._forget()

    def _leave(self, reason: str) -> None:
        self._stop_looking()
        self._conduit.leave(self._number, Ending.PAUSED, reason)

    def _stop_looking(self) -> None:
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()

    def _end_well(self) -> None:
        self._peer.greeting = None
        held, self._peer.held = self._peer.held, None
        if held is not None:
            held.give_back()
        self.done.callback(None)

    def _fail(self, failure: Failure) -> None:
        """Fail, unless the other side's hello was held and has led to a link now."""
        before = self._peer.berth
        self._forget()
        if self._peer.berth is not before:
            self.done.callback(None)
        else:
            self.done.errback(failure)

    def _forget(self) -> None:
        self._peer.greeting = None
        held, self._peer.held = self._peer.held, None
        if held is not None:
            held.answer()


class Arrival:
    """A hello of the other side, until it is answered."""

    log = Logger()

    def __init__(
        self,
        conduit: Conduit,
        number: int,
        vetting: Vetting,
        claim: Callable[[Vetted], Peer],
        reactor: IReactorTime,
        wait: float = 0.0,
    ) -> None:
        """Prepare for the hello that opened ``number``, which has its turn in ``wait`` seconds; ``claim`` returns the peer that it is of."""
        self._conduit = conduit
        self._number = number
        self._vetting = vetting
        self._claim = claim
        self._reactor = reactor
        self._wait = wait
        self._came = reactor.seconds() + wait
        self._looking: Deferred[None] | None = None
        self._refusing: IDelayedCall | None = None
        self._vetted: Vetted | None = None
        self._peer: Peer | None = None

    def begin(self, body: bytes) -> None:
        """Look at the hello, and answer or refuse it."""
        self._looking = Deferred.fromCoroutine(self._look(body)).addCallback(self._believed)
        self._looking.addTimeout(VETTING_SECONDS, self._reactor)
        self._looking.addErrback(self._disbelieved)

    async def _look(self, body: bytes) -> Vetted:
        if self._wait:
            await deferLater(self._reactor, self._wait)
            self._came = self._reactor.seconds()
        return await self._vetting.caller(body, self._conduit.link)

    def _believed(self, vetted: Vetted) -> None:
        peer = self._claim(vetted)
        self._vetted, self._peer = vetted, peer
        if peer.greeting is None or not peer.leads:
            self.answer()
            return
        if peer.held is not None:
            peer.held.give_back()
        peer.held = self

    def answer(self) -> None:
        """Accept the hello."""
        assert self._vetted is not None and self._peer is not None
        try:
            self._accept(self._vetted, self._peer)
        except RemoteError as error:
            self._refuse(str(error))

    def _accept(self, vetted: Vetted, peer: Peer) -> None:
        if peer.over:
            raise PeerLost(peer.over)
        self._vetting.accept(vetted.papers, self._conduit.link, vetted.keep_for(peer))
        peer.meet(vetted.hello, vetted.papers, vetted.verdict)
        peer.admitted = vetted.admitted
        self._conduit.send(self._vetting.hello(peer, self._conduit.link, accepted=True), self._number)
        self._conduit.attach(self._number, peer, corked=True)
        if peer.greeting is not None:
            peer.greeting.overtaken()

    def give_back(self) -> None:
        """Leave the hello unanswered: ours counts."""
        self._conduit.leave(self._number, Ending.PAUSED, "the other hello counts")

    def _disbelieved(self, failure: Failure) -> None:
        if self._looking is None:
            return
        if failure.check(TimedOut):
            self._refuse("looking at its hello took too long")
            return
        if not failure.check(RemoteError):
            self.log.failure("a hello could not be looked at", failure)
        self._refuse(failure.getErrorMessage())

    def _refuse(self, reason: str) -> None:
        self._conduit.tell_refused(reason)
        late = (self._reactor.seconds() - self._came) % REFUSAL_DELAY
        self._refusing = self._reactor.callLater(REFUSAL_DELAY - late, self._say_refused)

    def _say_refused(self) -> None:
        self._conduit.send(Refused(), self._number)
        self._conduit.turn_away(self._number)

    def frame_received(self, number: int, frame: Frame) -> None:
        """Refuse everything: nothing may come before the answer."""
        raise BadFrame(f"a {type(frame).__name__} frame came before the hello was answered")

    def closed(self, reason: str, ending: Ending | None) -> None:
        """Hear that the link or the number is gone."""
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
        if self._refusing is not None and self._refusing.active():
            self._refusing.cancel()
        if self._peer is not None and self._peer.held is self:
            self._peer.held = None
