"""One transaction that is alive: a machine, the hop that it talks to, and what carries out the machine's effects."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, ClassVar, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pship.errors import RemoteError
from p2pship.interfaces import ISIPHop
from p2pship.journal import Journal
from p2pship.sip.deadlines import Deadlines
from p2pship.sip.message import Message, Request
from p2pship.sip.transaction import Effect, Event, Input, Kind, Machine, State


class Keeper(Protocol):
    """What a live transaction needs of the layer that keeps it."""

    clock: IReactorTime
    random: Callable[[int], bytes]
    journal: Journal
    deadlines: Deadlines[LiveTransaction]

    def forget(self, transaction: LiveTransaction) -> None:
        """Let go of a transaction that has ended."""

    def accepted(self, transaction: LiveTransaction) -> None:
        """Hear that an INVITE that was received has had a 2xx: it asks for nothing any more."""


class LiveTransaction:
    """The shell of one machine.

    What a user is told is never told from within a call that the user makes, except by a hop that answers at once.
    """

    log = Logger()
    carries_out: ClassVar[Mapping[Effect, str]] = {}
    "the method for each effect"

    def __init__(self, kind: Kind, request: Request, hop: ISIPHop, key: Hashable, keeper: Keeper) -> None:
        self.request = request
        self.hop = hop
        self.key = key
        self._keeper = keeper
        self._machine = Machine(kind, hop.reliable)
        self._trouble = ""
        "what is told about a message that could not be sent"

    def __repr__(self) -> str:
        return f"<{self._machine.kind.name} {self.request.method} with {self.hop.description}: {self.state.name}>"

    @property
    def state(self) -> State:
        """Where the transaction is."""
        return self._machine.state

    def start(self) -> None:
        """Begin; the layer has it in its table already."""
        self._carry_out(self._machine.start(self._keeper.clock.seconds()))

    def start_again(self) -> None:
        """Begin anew, with another hop, where nothing has come over the first one."""
        self._machine = Machine(self._machine.kind, self.hop.reliable)
        self.start()

    def feed(self, event: Event) -> None:
        """Let something happen."""
        self._carry_out(self._machine.received(event, self._keeper.clock.seconds()))

    def expire(self, now: float) -> None:
        """Let the timers fire whose time has come."""
        self._carry_out(self._machine.timer_fired(now))

    def hop_lost(self, reason: str) -> None:
        """Hear that the hop is gone."""
        self._trouble = reason
        self.feed(Input.HOP_LOST)

    def _carry_out(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            getattr(self, self.carries_out[effect])()
        if self._machine.state is State.TERMINATED:
            self._keeper.deadlines.set(self, None)
            self._keeper.forget(self)
            self._release()
            return
        self._keeper.deadlines.set(self, self._machine.due())

    def _release(self) -> None:
        """Let go of what holds this in turn, so that it goes without a search for cycles, which would stop the node."""

    def _transmit(self, message: Message) -> Deferred[None] | None:
        """Send to the hop; returns what waits to be sent. A failure is a transport error, heard in a later turn."""
        try:
            sending = self.hop.send(message)
        except Exception:  # noqa: BLE001 (a hop may be anybody's code)
            self._unsent(Failure())
            return None
        return None if sending is None else sending.addErrback(self._unsent)

    def _unsent(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        if not failure.check(RemoteError):
            self.log.failure("{hop} failed to send", failure, hop=self.hop.description)
            failure = Failure(RemoteError("the hop failed"))
        self._keeper.journal.count("sip.unsent")
        self._keeper.clock.callLater(0, self._feed_error, failure.getErrorMessage())

    def _feed_error(self, reason: str) -> None:
        self._trouble = reason
        self.feed(Input.TRANSPORT_ERROR)

    def _tell(self, call: Callable[..., None], *arguments: Any) -> bool:
        """Call the user; False if that failed, which is logged and harms nobody else."""
        try:
            call(*arguments)
        except Exception:  # noqa: BLE001 (a user that fails must not take the layer down)
            self.log.failure("the user of {transaction!r} failed", transaction=self)
            self._keeper.journal.count("sip.user_failed")
            return False
        return True
