"""One machine for the four kinds of SIP transaction (RFC 3261 §17): no I/O and no clock.

Theory of operation. A machine follows a table (:mod:`p2pship.sip.transaction_kinds`): what is received in a state
leads to the next state and to effects, which the layer (:mod:`p2pship.sip.transactions`) carries out in their order.
What a table does not mention is absorbed: no effect, same state. Each state says which timers run in it: entering a
state starts those that do not run yet and stops all others, so a timer that two neighbouring states share (E and F)
goes on. A timer of no length has fired as soon as it starts, which is how a reliable hop skips the states that only
absorb retransmissions (D, I, J and K are 0 there); A, E and G do not run there at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

T1 = 0.5
"seconds: the estimate of a round trip (§17.1.1.1)"
T2 = 4.0
"seconds: the longest interval between retransmissions of a request other than INVITE, and of a final response"
T4 = 5.0
"seconds: how long a message may stay in the network"
TIMEOUT = 64 * T1
"seconds: how long a client waits, timers B, F, H, J, L and M"
TRYING_AFTER = 7 * T1
"seconds: when timer E of a client is reset to T2, after T1 + 2*T1 + 4*T1 (RFC 4320 §4.1)"


class _Word(Enum):
    """A word of the machine; hashed as any object is, in a tenth of the time: words are looked up for each message."""

    __hash__ = object.__hash__


class State(_Word):
    """Where a transaction is."""

    CALLING = auto()
    CANCEL_WAITS = auto()
    TRYING = auto()
    PROCEEDING = auto()
    CANCELLED = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    ACCEPTED = auto()
    TERMINATED = auto()


class Input(_Word):
    """What happens to a transaction, besides its timers."""

    PROVISIONAL = auto()
    "a 1xx: received by a client, or given to a server by its user"
    SUCCESS = auto()
    "a 2xx"
    FAILURE = auto()
    "a 300 to 699"
    TIMEOUT_RESPONSE = auto()
    "a 408 that the user gives to a server other than INVITE"
    REQUEST = auto()
    "a retransmission of the request"
    ACK = auto()
    CANCEL = auto()
    "the user of an INVITE client wants it cancelled"
    TRANSPORT_ERROR = auto()
    "a message could not be sent (§18.4)"
    HOP_LOST = auto()
    "nothing can be sent to, nor will come from, the hop any more"


class Timer(_Word):
    """The timers of RFC 3261 §17 and RFC 6026, and three of our own."""

    A = auto()
    B = auto()
    D = auto()
    E = auto()
    F = auto()
    G = auto()
    H = auto()
    I = auto()  # noqa: E741 (its name in the RFC)
    J = auto()
    K = auto()
    L = auto()
    M = auto()
    CANCEL = auto()
    "how long a cancelled INVITE may go on without a final response (§9.1)"
    TRYING = auto()
    "when a request other than INVITE that is not yet answered gets a 100"
    EXPIRY = auto()
    "when a request other than INVITE can no longer be answered in time"


class Effect(_Word):
    """What the layer has to do."""

    SEND = auto()
    "client: send the request; server: send the response that the user has just given"
    RESEND = auto()
    "server: send the last response again, if there is one"
    SEND_TRYING = auto()
    "server: send a 100"
    SEND_ACK = auto()
    "client: acknowledge the final response (§17.1.1.3)"
    SEND_CANCEL = auto()
    "client: send a CANCEL, in a transaction of its own"
    TELL_RESPONSE = auto()
    "client: pass the response to the user"
    TELL_TIMEOUT = auto()
    "tell the user that the other side did not answer, or not acknowledge, in time"
    TELL_UNSENT = auto()
    "tell the user that a message could not be sent"
    TELL_ACK = auto()
    "server: pass the ACK to the user"


@dataclass(frozen=True, slots=True)
class Step:
    """What a table says about one event in one state."""

    state: State
    effects: tuple[Effect, ...] = ()


Event = Input | Timer
Table = Mapping[State, Mapping[Event, Step]]
Runs = Mapping[State, frozenset[Timer]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the four machines."""

    name: str
    first: State
    "the state in which it begins"
    begins: tuple[Effect, ...]
    "what is done at the beginning"
    table: Table
    runs: Runs
    "the timers that run in each state; none in one that is not listed"


LENGTHS: Mapping[Timer, float] = {
    Timer.A: T1,
    Timer.B: TIMEOUT,
    Timer.D: TIMEOUT,
    Timer.E: T1,
    Timer.F: TIMEOUT,
    Timer.G: T1,
    Timer.H: TIMEOUT,
    Timer.I: T4,
    Timer.J: TIMEOUT,
    Timer.K: T4,
    Timer.L: TIMEOUT,
    Timer.M: TIMEOUT,
    Timer.CANCEL: TIMEOUT,
    Timer.TRYING: TRYING_AFTER,
    Timer.EXPIRY: TIMEOUT,
}
"seconds until each timer fires for the first time, over an unreliable hop; D is at least 32 s (§17.1.1.2)"

RETRANSMIT = frozenset({Timer.A, Timer.E, Timer.G})
"the timers that start again when they have fired, and do not run over a reliable hop"
ABSORB = frozenset({Timer.D, Timer.I, Timer.J, Timer.K})
"the timers that are 0 over a reliable hop"


def response_input(status: int) -> Input:
    """Return what a response is to a machine, by its status code."""
    if status < 200:
        return Input.PROVISIONAL
    return Input.SUCCESS if status < 300 else Input.FAILURE


class Machine:
    """One transaction. Times are seconds of any clock that does not go back."""

    __slots__ = ("_due", "_interval", "kind", "reliable", "state")

    def __init__(self, kind: Kind, reliable: bool) -> None:
        self.kind = kind
        self.reliable = reliable
        self.state = kind.first
        self._due: dict[Timer, float] = {}
        self._interval = T1  # of the one timer of RETRANSMIT that the kind has

    def start(self, now: float) -> tuple[Effect, ...]:
        """Begin; returns what is to be done."""
        self._run_timers(now)
        return self.kind.begins

    def received(self, event: Event, now: float) -> tuple[Effect, ...]:
        """Take an event; returns what is to be done, in order. ``state`` is then already the next one."""
        step = self.kind.table.get(self.state, {}).get(event)
        if step is None:
            return ()
        if step.state is self.state:
            return step.effects
        self.state = step.state
        return step.effects + self._run_timers(now)

    def due(self) -> float | None:
        """Return when ``timer_fired`` is to be called next, or None while no timer runs."""
        return min(self._due.values()) if self._due else None

    def timer_fired(self, now: float) -> tuple[Effect, ...]:
        """Let every timer fire whose time has come; returns what is to be done, in order."""
        return tuple(effect for timer in self._expired(now) for effect in self._fire(timer, now))

    def _expired(self, now: float) -> Iterator[Timer]:
        for timer in sorted(self._due, key=self._due.__getitem__):
            if self._due.get(timer, now + 1) <= now:
                yield timer

    def _fire(self, timer: Timer, now: float) -> tuple[Effect, ...]:
        del self._due[timer]
        if timer in RETRANSMIT:
            self._due[timer] = now + self._next_interval(timer)
        return self.received(timer, now)

    def _next_interval(self, timer: Timer) -> float:
        """A doubles without end (§17.1.1.2), E and G up to T2, and E is T2 after a provisional response (§17.1.2.2)."""
        doubled = 2 * self._interval
        if timer is not Timer.A:
            doubled = min(doubled, T2)
        if timer is Timer.E and self.state is State.PROCEEDING:
            doubled = T2
        self._interval = doubled
        return doubled

    def _run_timers(self, now: float) -> tuple[Effect, ...]:
        """Start and stop timers as the state that was entered wants; those of no length fire at once."""
        runs, ran = self.kind.runs.get(self.state, ()), self._due
        self._due = {}
        for timer in runs:
            if self.reliable and timer in ABSORB:
                return self.received(timer, now)
            if not (self.reliable and timer in RETRANSMIT):
                self._due[timer] = ran.get(timer) or now + LENGTHS[timer]
        return ()
