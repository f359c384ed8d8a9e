"""Tests of the transaction machines, against the figures of RFC 3261 and RFC 6026 written out once more."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip.transaction import (
    T1,
    T2,
    T4,
    TIMEOUT,
    Effect,
    Event,
    Input,
    Kind,
    Machine,
    State,
    Timer,
    response_input,
)
from p2pship.sip.transaction_kinds import CLIENT, INVITE_CLIENT, INVITE_SERVER, SERVER

EVENTS: dict[str, Event] = {
    **{f"timer {timer.name}": timer for timer in Timer},
    **{each.name: each for each in Input},
}

# Each line: state, event, next state, effects. What is not listed leaves the state and does nothing.
FIGURES = {
    INVITE_CLIENT.name: """
        CALLING       timer A          CALLING       SEND
        CALLING       timer B          TERMINATED    TELL_TIMEOUT
        CALLING       PROVISIONAL      PROCEEDING    TELL_RESPONSE
        CALLING       SUCCESS          ACCEPTED      TELL_RESPONSE
        CALLING       FAILURE          COMPLETED     SEND_ACK TELL_RESPONSE
        CALLING       CANCEL           CANCEL_WAITS
        CALLING       TRANSPORT_ERROR  TERMINATED    TELL_UNSENT
        CALLING       HOP_LOST         TERMINATED    TELL_UNSENT
        CANCEL_WAITS  timer A          CANCEL_WAITS  SEND
        CANCEL_WAITS  timer B          TERMINATED    TELL_TIMEOUT
        CANCEL_WAITS  PROVISIONAL      CANCELLED     SEND_CANCEL TELL_RESPONSE
        CANCEL_WAITS  SUCCESS          ACCEPTED      TELL_RESPONSE
        CANCEL_WAITS  FAILURE          COMPLETED     SEND_ACK TELL_RESPONSE
        CANCEL_WAITS  TRANSPORT_ERROR  TERMINATED    TELL_UNSENT
        CANCEL_WAITS  HOP_LOST         TERMINATED    TELL_UNSENT
        PROCEEDING    PROVISIONAL      PROCEEDING    TELL_RESPONSE
        PROCEEDING    SUCCESS          ACCEPTED      TELL_RESPONSE
        PROCEEDING    FAILURE          COMPLETED     SEND_ACK TELL_RESPONSE
        PROCEEDING    CANCEL           CANCELLED     SEND_CANCEL
        PROCEEDING    TRANSPORT_ERROR  TERMINATED    TELL_UNSENT
        PROCEEDING    HOP_LOST         TERMINATED    TELL_UNSENT
        CANCELLED     timer CANCEL     TERMINATED    TELL_TIMEOUT
        CANCELLED     PROVISIONAL      CANCELLED     TELL_RESPONSE
        CANCELLED     SUCCESS          ACCEPTED      TELL_RESPONSE
        CANCELLED     FAILURE          COMPLETED     SEND_ACK TELL_RESPONSE
        CANCELLED     TRANSPORT_ERROR  TERMINATED    TELL_UNSENT
        CANCELLED     HOP_LOST         TERMINATED    TELL_UNSENT
        COMPLETED     timer D          TERMINATED
        COMPLETED     FAILURE          COMPLETED     SEND_ACK
        COMPLETED     TRANSPORT_ERROR  TERMINATED
        COMPLETED     HOP_LOST         TERMINATED
        ACCEPTED      timer M          TERMINATED
        ACCEPTED      SUCCESS          ACCEPTED      TELL_RESPONSE
        ACCEPTED      HOP_LOST         TERMINATED
    """,
    CLIENT.name: """
        TRYING        timer E          TRYING        SEND
        TRYING        timer F          TERMINATED    TELL_TIMEOUT
        TRYING        PROVISIONAL      PROCEEDING    TELL_RESPONSE
        TRYING        SUCCESS          COMPLETED     TELL_RESPONSE
        TRYING        FAILURE          COMPLETED     TELL_RESPONSE
        TRYING        TRANSPORT_ERROR  TERMINATED    TELL_UNSENT
        TRYING        HOP_LOST         TERMINATED    TELL_UNSENT
        PROCEEDING    timer E          PROCEEDING    SEND
        PROCEEDING    timer F          TERMINATED    TELL_TIMEOUT
        PROCEEDING    PROVISIONAL      PROCEEDING    TELL_RESPONSE
        PROCEEDING    SUCCESS          COMPLETED     TELL_RESPONSE
        PROCEEDING    FAILURE          COMPLETED     TELL_RESPONSE
        PROCEEDING    TRANSPORT_ERROR  TERMINATED    TELL_UNSENT
        PROCEEDING    HOP_LOST         TERMINATED    TELL_UNSENT
        COMPLETED     timer K          TERMINATED
        COMPLETED     HOP_LOST         TERMINATED
    """,
    INVITE_SERVER.name: """
        PROCEEDING    REQUEST          PROCEEDING    RESEND
        PROCEEDING    PROVISIONAL      PROCEEDING    SEND
        PROCEEDING    SUCCESS          ACCEPTED      SEND
        PROCEEDING    FAILURE          COMPLETED     SEND
        PROCEEDING    TRANSPORT_ERROR  PROCEEDING    TELL_UNSENT
        PROCEEDING    HOP_LOST         TERMINATED    TELL_UNSENT
        COMPLETED     timer G          COMPLETED     RESEND
        COMPLETED     timer H          TERMINATED    TELL_TIMEOUT
        COMPLETED     REQUEST          COMPLETED     RESEND
        COMPLETED     ACK              CONFIRMED
        COMPLETED     TRANSPORT_ERROR  COMPLETED     TELL_UNSENT
        COMPLETED     HOP_LOST         TERMINATED    TELL_UNSENT
        CONFIRMED     timer I          TERMINATED
        CONFIRMED     HOP_LOST         TERMINATED
        ACCEPTED      timer L          TERMINATED
        ACCEPTED      SUCCESS          ACCEPTED      SEND
        ACCEPTED      ACK              ACCEPTED      TELL_ACK
        ACCEPTED      TRANSPORT_ERROR  ACCEPTED      TELL_UNSENT
        ACCEPTED      HOP_LOST         TERMINATED    TELL_UNSENT
    """,
    SERVER.name: """
        TRYING        timer TRYING     PROCEEDING    SEND_TRYING
        TRYING        timer EXPIRY     TERMINATED    TELL_TIMEOUT
        TRYING        SUCCESS          COMPLETED     SEND
        TRYING        FAILURE          COMPLETED     SEND
        TRYING        TIMEOUT_RESPONSE COMPLETED
        TRYING        HOP_LOST         TERMINATED    TELL_UNSENT
        PROCEEDING    timer EXPIRY     TERMINATED    TELL_TIMEOUT
        PROCEEDING    REQUEST          PROCEEDING    RESEND
        PROCEEDING    SUCCESS          COMPLETED     SEND
        PROCEEDING    FAILURE          COMPLETED     SEND
        PROCEEDING    TIMEOUT_RESPONSE COMPLETED
        PROCEEDING    TRANSPORT_ERROR  PROCEEDING    TELL_UNSENT
        PROCEEDING    HOP_LOST         TERMINATED    TELL_UNSENT
        COMPLETED     timer J          TERMINATED
        COMPLETED     REQUEST          COMPLETED     RESEND
        COMPLETED     TRANSPORT_ERROR  COMPLETED     TELL_UNSENT
        COMPLETED     HOP_LOST         TERMINATED
    """,
}

WAYS: dict[str, dict[State, tuple[Event, ...]]] = {
    INVITE_CLIENT.name: {
        State.CALLING: (),
        State.CANCEL_WAITS: (Input.CANCEL,),
        State.PROCEEDING: (Input.PROVISIONAL,),
        State.CANCELLED: (Input.PROVISIONAL, Input.CANCEL),
        State.COMPLETED: (Input.FAILURE,),
        State.ACCEPTED: (Input.SUCCESS,),
        State.TERMINATED: (Input.HOP_LOST,),
    },
    CLIENT.name: {
        State.TRYING: (),
        State.PROCEEDING: (Input.PROVISIONAL,),
        State.COMPLETED: (Input.SUCCESS,),
        State.TERMINATED: (Input.HOP_LOST,),
    },
    INVITE_SERVER.name: {
        State.PROCEEDING: (),
        State.COMPLETED: (Input.FAILURE,),
        State.CONFIRMED: (Input.FAILURE, Input.ACK),
        State.ACCEPTED: (Input.SUCCESS,),
        State.TERMINATED: (Input.HOP_LOST,),
    },
    SERVER.name: {
        State.TRYING: (),
        State.PROCEEDING: (Timer.TRYING,),
        State.COMPLETED: (Input.SUCCESS,),
        State.TERMINATED: (Input.HOP_LOST,),
    },
}
"how each state is reached from the first"

KINDS = (INVITE_CLIENT, CLIENT, INVITE_SERVER, SERVER)


def figure(kind: Kind) -> dict[tuple[State, Event], tuple[State, tuple[Effect, ...]]]:
    """Read a figure."""
    lines: dict[tuple[State, Event], tuple[State, tuple[Effect, ...]]] = {}
    for line in FIGURES[kind.name].strip().splitlines():
        state, *words = line.split()
        event = words.pop(0)
        event = f"timer {words.pop(0)}" if event == "timer" else event
        following, *effects = words
        lines[State[state], EVENTS[event]] = State[following], tuple(Effect[effect] for effect in effects)
    return lines


def machine_in(kind: Kind, state: State, reliable: bool = False) -> Machine:
    """Bring a machine into a state at time 0."""
    machine = Machine(kind, reliable)
    machine.start(0.0)
    for event in WAYS[kind.name][state]:
        machine.received(event, 0.0)
    return machine


def run(machine: Machine, until: float) -> list[tuple[float, tuple[Effect, ...]]]:
    """Let the timers fire exactly when they are due; returns when each did, and what it wanted."""
    fired = []
    while (due := machine.due()) is not None and due <= until:
        fired.append((due, machine.timer_fired(due)))
    return fired


class FigureTests(SynchronousTestCase):
    """Each event in each state."""

    def test_every_state_can_be_reached(self) -> None:
        """The ways lead where they say, so that the other tests test what they mean to."""
        for kind in KINDS:
            for state in WAYS[kind.name]:
                self.assertIs(machine_in(kind, state).state, state, kind.name)
            self.assertEqual(set(WAYS[kind.name]), {*kind.table, State.TERMINATED})

    def test_every_event_in_every_state(self) -> None:
        """Over an unreliable hop each machine does what its figure shows, and absorbs what that does not show."""
        for kind in KINDS:
            shown = figure(kind)
            for state in WAYS[kind.name]:
                for event in EVENTS.values():
                    machine = machine_in(kind, state)
                    effects = machine.received(event, 1.0)
                    expected = shown.get((state, event), (state, ()))
                    self.assertEqual((machine.state, effects), expected, f"{kind.name}: {event} in {state}")

    def test_beginning(self) -> None:
        """A client begins by sending its request, a server with nothing."""
        begins = {kind.name: Machine(kind, False).start(0.0) for kind in KINDS}
        self.assertEqual(begins[INVITE_CLIENT.name], (Effect.SEND,))
        self.assertEqual(begins[CLIENT.name], (Effect.SEND,))
        self.assertEqual(begins[INVITE_SERVER.name], ())
        self.assertEqual(begins[SERVER.name], ())

    def test_no_timer_is_left_at_the_end(self) -> None:
        """A machine that has ended wants no more calls, however it came to its end."""
        for kind in KINDS:
            for state in WAYS[kind.name]:
                for event in EVENTS.values():
                    machine = machine_in(kind, state)
                    machine.received(event, 1.0)
                    if machine.state is State.TERMINATED:
                        self.assertIsNone(machine.due(), f"{kind.name}: {event} in {state}")

    def test_status_codes(self) -> None:
        """Status codes are told apart at 200 and 300."""
        classes = [response_input(status) for status in (100, 199, 200, 299, 300, 408, 699)]
        provisional, success, failure = Input.PROVISIONAL, Input.SUCCESS, Input.FAILURE
        self.assertEqual(classes, [provisional, provisional, success, success, failure, failure, failure])


class UnreliableTimerTests(SynchronousTestCase):
    """The timers over UDP."""

    def test_timer_a_and_b(self) -> None:
        """An INVITE is sent seven times in all, at intervals that double, and given up after 64*T1."""
        fired = run(machine_in(INVITE_CLIENT, State.CALLING), 1000)
        sends = [at for at, effects in fired if effects == (Effect.SEND,)]
        self.assertEqual(sends, [0.5, 1.5, 3.5, 7.5, 15.5, 31.5])
        self.assertEqual(fired[-1], (TIMEOUT, (Effect.TELL_TIMEOUT,)))

    def test_timer_a_goes_on_while_a_cancel_waits(self) -> None:
        """A CANCEL that waits for a provisional response does not stop the INVITE from being sent again."""
        machine = machine_in(INVITE_CLIENT, State.CALLING)
        run(machine, 1.5)
        machine.received(Input.CANCEL, 2.0)
        fired = run(machine, 1000)
        self.assertEqual([at for at, _ in fired], [3.5, 7.5, 15.5, 31.5, TIMEOUT])

    def test_invite_rests_once_it_proceeds(self) -> None:
        """After a provisional response nothing is sent again, and no timer of the transaction ends it."""
        self.assertIsNone(machine_in(INVITE_CLIENT, State.PROCEEDING).due())

    def test_timer_of_a_cancelled_invite(self) -> None:
        """A cancelled INVITE without a final response is given up 64*T1 after the CANCEL (§9.1)."""
        machine = machine_in(INVITE_CLIENT, State.PROCEEDING)
        machine.received(Input.CANCEL, 60.0)
        machine.received(Input.PROVISIONAL, 70.0)
        self.assertEqual(run(machine, 1000), [(60.0 + TIMEOUT, (Effect.TELL_TIMEOUT,))])

    def test_timer_d_and_m(self) -> None:
        """A client INVITE that was answered stays for 32 s to meet retransmissions."""
        self.assertEqual(run(machine_in(INVITE_CLIENT, State.COMPLETED), 1000), [(32.0, ())])
        self.assertEqual(run(machine_in(INVITE_CLIENT, State.ACCEPTED), 1000), [(32.0, ())])

    def test_timer_e_and_f(self) -> None:
        """Another request is sent at intervals that double up to T2, and given up after 64*T1."""
        fired = run(machine_in(CLIENT, State.TRYING), 1000)
        sends = [at for at, effects in fired if effects == (Effect.SEND,)]
        self.assertEqual(sends, [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5])
        self.assertEqual(fired[-1], (TIMEOUT, (Effect.TELL_TIMEOUT,)))

    def test_timer_e_after_a_provisional_response(self) -> None:
        """It goes on as it was set and is T2 from then on, and timer F is not put off (§17.1.2.2)."""
        machine = machine_in(CLIENT, State.TRYING)
        run(machine, 0.5)
        machine.received(Input.PROVISIONAL, 1.0)
        fired = run(machine, 1000)
        self.assertEqual([at for at, _ in fired[:3]], [1.5, 1.5 + T2, 1.5 + 2 * T2])
        self.assertEqual(fired[-1], (TIMEOUT, (Effect.TELL_TIMEOUT,)))

    def test_timer_k(self) -> None:
        """A request that was answered stays for T4."""
        self.assertEqual(run(machine_in(CLIENT, State.COMPLETED), 1000), [(T4, ())])

    def test_timer_g_and_h(self) -> None:
        """A failure of an INVITE is sent until its ACK comes, at intervals up to T2, at most for 64*T1."""
        fired = run(machine_in(INVITE_SERVER, State.COMPLETED), 1000)
        sends = [at for at, effects in fired if effects == (Effect.RESEND,)]
        self.assertEqual(sends, [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5])
        self.assertEqual(fired[-1], (TIMEOUT, (Effect.TELL_TIMEOUT,)))

    def test_timer_i(self) -> None:
        """The ACK ends retransmissions; more of its kind are absorbed for T4."""
        machine = machine_in(INVITE_SERVER, State.COMPLETED)
        machine.received(Input.ACK, 1.0)
        machine.received(Input.ACK, 2.0)
        self.assertEqual(run(machine, 1000), [(1.0 + T4, ())])

    def test_timer_l(self) -> None:
        """An INVITE that was accepted stays for 64*T1, whatever is sent meanwhile (RFC 6026 §7.1)."""
        machine = machine_in(INVITE_SERVER, State.ACCEPTED)
        machine.received(Input.SUCCESS, 3.0)
        machine.received(Input.ACK, 4.0)
        self.assertEqual(run(machine, 1000), [(TIMEOUT, ())])

    def test_timer_j(self) -> None:
        """The answer to another request is kept for 64*T1."""
        self.assertEqual(run(machine_in(SERVER, State.COMPLETED), 1000), [(TIMEOUT, ())])

    def test_trying_and_expiry(self) -> None:
        """A 100 goes out when timer E of a client has reached T2, and after 64*T1 it is too late (RFC 4320)."""
        fired = run(machine_in(SERVER, State.TRYING), 1000)
        self.assertEqual(fired, [(7 * T1, (Effect.SEND_TRYING,)), (TIMEOUT, (Effect.TELL_TIMEOUT,))])

    def test_late_reactor(self) -> None:
        """A reactor that comes late meets all that was due, in order, and retransmits once, not many times."""
        machine = machine_in(INVITE_CLIENT, State.CALLING)
        self.assertEqual(machine.timer_fired(20.0), (Effect.SEND,))
        self.assertEqual(machine.due(), 21.0)
        self.assertEqual(machine.timer_fired(40.0), (Effect.SEND, Effect.TELL_TIMEOUT))

    def test_early_reactor(self) -> None:
        """A call before anything is due does nothing."""
        machine = machine_in(CLIENT, State.TRYING)
        self.assertEqual(machine.timer_fired(0.4), ())
        self.assertEqual(machine.due(), T1)


class ReliableTimerTests(SynchronousTestCase):
    """The timers over TCP and over links."""

    def test_nothing_is_retransmitted(self) -> None:
        """A, E and G do not run: only the limits of B, F and H are left."""
        timeout = [(TIMEOUT, (Effect.TELL_TIMEOUT,))]
        self.assertEqual(run(machine_in(INVITE_CLIENT, State.CALLING, True), 1000), timeout)
        self.assertEqual(run(machine_in(CLIENT, State.TRYING, True), 1000), timeout)
        self.assertEqual(run(machine_in(INVITE_SERVER, State.COMPLETED, True), 1000), timeout)

    def test_nothing_is_absorbed(self) -> None:
        """D, I, J and K are 0: the transaction ends at once, after all that was to be done."""
        cases = (
            (INVITE_CLIENT, State.CALLING, Input.FAILURE, (Effect.SEND_ACK, Effect.TELL_RESPONSE)),
            (CLIENT, State.TRYING, Input.SUCCESS, (Effect.TELL_RESPONSE,)),
            (CLIENT, State.PROCEEDING, Input.FAILURE, (Effect.TELL_RESPONSE,)),
            (INVITE_SERVER, State.COMPLETED, Input.ACK, ()),
            (SERVER, State.TRYING, Input.SUCCESS, (Effect.SEND,)),
            (SERVER, State.PROCEEDING, Input.TIMEOUT_RESPONSE, ()),
        )
        for kind, state, event, effects in cases:
            machine = machine_in(kind, state, True)
            self.assertEqual(machine.received(event, 1.0), effects, kind.name)
            self.assertIs(machine.state, State.TERMINATED, kind.name)
            self.assertIsNone(machine.due())

    def test_accepted_state_stays(self) -> None:
        """L and M run all the same: each 2xx of a fork, and its ACK, comes end to end (RFC 6026)."""
        self.assertEqual(run(machine_in(INVITE_CLIENT, State.ACCEPTED, True), 1000), [(TIMEOUT, ())])
        self.assertEqual(run(machine_in(INVITE_SERVER, State.ACCEPTED, True), 1000), [(TIMEOUT, ())])

    def test_cancelled_invite(self) -> None:
        """The limit after a CANCEL holds over any hop."""
        fired = run(machine_in(INVITE_CLIENT, State.CANCELLED, True), 1000)
        self.assertEqual(fired, [(TIMEOUT, (Effect.TELL_TIMEOUT,))])

    def test_trying(self) -> None:
        """The 100 to another request waits as long as over UDP, as RFC 4320 §2.1 advises."""
        fired = run(machine_in(SERVER, State.TRYING, True), 1000)
        self.assertEqual(fired[0], (7 * T1, (Effect.SEND_TRYING,)))
