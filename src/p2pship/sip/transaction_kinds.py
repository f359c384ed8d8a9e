"""The four kinds of SIP transaction, as tables (RFC 3261 §17, with RFC 6026 and RFC 4320).

What differs from the figures of RFC 3261 and RFC 6026, and why:

- A CANCEL is part of the INVITE client machine: ``CANCEL_WAITS`` until a provisional response permits to send it, then
  ``CANCELLED``, which lasts 64*T1 at most (§9.1).
- A transport error in the COMPLETED state of a client says nothing that its user could act on, as the final response
  has been told: the machine just ends.
- A server that could not send keeps its state, also for requests other than INVITE: RFC 6026 §7.1 gives the reason,
  that a retransmission must not be taken for a new request. When the whole hop is lost nothing comes any more, and
  the machine ends.
- To requests other than INVITE no provisional response goes out but the 100 that timer TRYING sends, once timer E of a
  client would have reached T2 (RFC 4320 §4.1), and never a 408 (§4.2). Timer EXPIRY ends what was not answered in the
  time that a client waits: an answer would come too late.

Timer C belongs to the proxy (§16.6), the 100 to an INVITE and retransmissions of a 2xx to the transaction user.
"""

from __future__ import annotations

from collections.abc import Mapping

from p2pship.sip.transaction import Effect, Event, Input, Kind, State, Step, Timer

END = Step(State.TERMINATED)
UNSENT = Step(State.TERMINATED, (Effect.TELL_UNSENT,))
TIMED_OUT = Step(State.TERMINATED, (Effect.TELL_TIMEOUT,))

_INVITE_ANSWERED: Mapping[Event, Step] = {
    Input.SUCCESS: Step(State.ACCEPTED, (Effect.TELL_RESPONSE,)),
    Input.FAILURE: Step(State.COMPLETED, (Effect.SEND_ACK, Effect.TELL_RESPONSE)),
    Input.TRANSPORT_ERROR: UNSENT,
    Input.HOP_LOST: UNSENT,
}

INVITE_CLIENT = Kind(
    name="INVITE client",  # RFC 6026 figure 5
    first=State.CALLING,
    begins=(Effect.SEND,),
    table={
        State.CALLING: {
            **_INVITE_ANSWERED,
            Timer.A: Step(State.CALLING, (Effect.SEND,)),
            Timer.B: TIMED_OUT,
            Input.PROVISIONAL: Step(State.PROCEEDING, (Effect.TELL_RESPONSE,)),
            Input.CANCEL: Step(State.CANCEL_WAITS),
        },
        State.CANCEL_WAITS: {
            **_INVITE_ANSWERED,
            Timer.A: Step(State.CANCEL_WAITS, (Effect.SEND,)),
            Timer.B: TIMED_OUT,
            Input.PROVISIONAL: Step(State.CANCELLED, (Effect.SEND_CANCEL, Effect.TELL_RESPONSE)),
        },
        State.PROCEEDING: {
            **_INVITE_ANSWERED,
            Input.PROVISIONAL: Step(State.PROCEEDING, (Effect.TELL_RESPONSE,)),
            Input.CANCEL: Step(State.CANCELLED, (Effect.SEND_CANCEL,)),
        },
        State.CANCELLED: {
            **_INVITE_ANSWERED,
            Timer.CANCEL: TIMED_OUT,
            Input.PROVISIONAL: Step(State.CANCELLED, (Effect.TELL_RESPONSE,)),
        },
        State.COMPLETED: {
            Timer.D: END,
            Input.FAILURE: Step(State.COMPLETED, (Effect.SEND_ACK,)),
            Input.TRANSPORT_ERROR: END,
            Input.HOP_LOST: END,
        },
        State.ACCEPTED: {
            Timer.M: END,
            Input.SUCCESS: Step(State.ACCEPTED, (Effect.TELL_RESPONSE,)),
            Input.HOP_LOST: END,
        },
    },
    runs={
        State.CALLING: frozenset({Timer.A, Timer.B}),
        State.CANCEL_WAITS: frozenset({Timer.A, Timer.B}),
        State.CANCELLED: frozenset({Timer.CANCEL}),
        State.COMPLETED: frozenset({Timer.D}),
        State.ACCEPTED: frozenset({Timer.M}),
    },
)

_ANSWERED: Mapping[Event, Step] = {
    Timer.F: TIMED_OUT,
    Input.PROVISIONAL: Step(State.PROCEEDING, (Effect.TELL_RESPONSE,)),
    Input.SUCCESS: Step(State.COMPLETED, (Effect.TELL_RESPONSE,)),
    Input.FAILURE: Step(State.COMPLETED, (Effect.TELL_RESPONSE,)),
    Input.TRANSPORT_ERROR: UNSENT,
    Input.HOP_LOST: UNSENT,
}

CLIENT = Kind(
    name="client",  # RFC 3261 figure 6
    first=State.TRYING,
    begins=(Effect.SEND,),
    table={
        State.TRYING: {**_ANSWERED, Timer.E: Step(State.TRYING, (Effect.SEND,))},
        State.PROCEEDING: {**_ANSWERED, Timer.E: Step(State.PROCEEDING, (Effect.SEND,))},
        State.COMPLETED: {Timer.K: END, Input.HOP_LOST: END},
    },
    runs={
        State.TRYING: frozenset({Timer.E, Timer.F}),
        State.PROCEEDING: frozenset({Timer.E, Timer.F}),
        State.COMPLETED: frozenset({Timer.K}),
    },
)

INVITE_SERVER = Kind(
    name="INVITE server",  # RFC 6026 figure 7
    first=State.PROCEEDING,
    begins=(),
    table={
        State.PROCEEDING: {
            Input.REQUEST: Step(State.PROCEEDING, (Effect.RESEND,)),
            Input.PROVISIONAL: Step(State.PROCEEDING, (Effect.SEND,)),
            Input.SUCCESS: Step(State.ACCEPTED, (Effect.SEND,)),
            Input.FAILURE: Step(State.COMPLETED, (Effect.SEND,)),
            Input.TRANSPORT_ERROR: Step(State.PROCEEDING, (Effect.TELL_UNSENT,)),
            Input.HOP_LOST: UNSENT,
        },
        State.COMPLETED: {
            Timer.G: Step(State.COMPLETED, (Effect.RESEND,)),
            Timer.H: TIMED_OUT,
            Input.REQUEST: Step(State.COMPLETED, (Effect.RESEND,)),
            Input.ACK: Step(State.CONFIRMED),
            Input.TRANSPORT_ERROR: Step(State.COMPLETED, (Effect.TELL_UNSENT,)),
            Input.HOP_LOST: UNSENT,
        },
        State.CONFIRMED: {Timer.I: END, Input.HOP_LOST: END},
        State.ACCEPTED: {
            Timer.L: END,
            Input.SUCCESS: Step(State.ACCEPTED, (Effect.SEND,)),
            Input.ACK: Step(State.ACCEPTED, (Effect.TELL_ACK,)),
            Input.TRANSPORT_ERROR: Step(State.ACCEPTED, (Effect.TELL_UNSENT,)),
            Input.HOP_LOST: UNSENT,
        },
    },
    runs={
        State.COMPLETED: frozenset({Timer.G, Timer.H}),
        State.CONFIRMED: frozenset({Timer.I}),
        State.ACCEPTED: frozenset({Timer.L}),
    },
)

_UNANSWERED: Mapping[Event, Step] = {
    Timer.EXPIRY: TIMED_OUT,
    Input.SUCCESS: Step(State.COMPLETED, (Effect.SEND,)),
    Input.FAILURE: Step(State.COMPLETED, (Effect.SEND,)),
    Input.TIMEOUT_RESPONSE: Step(State.COMPLETED),
    Input.HOP_LOST: UNSENT,
}

SERVER = Kind(
    name="server",  # RFC 3261 figure 8
    first=State.TRYING,
    begins=(),
    table={
        State.TRYING: {
            **_UNANSWERED,
            Timer.TRYING: Step(State.PROCEEDING, (Effect.SEND_TRYING,)),
        },
        State.PROCEEDING: {
            **_UNANSWERED,
            Input.REQUEST: Step(State.PROCEEDING, (Effect.RESEND,)),
            Input.TRANSPORT_ERROR: Step(State.PROCEEDING, (Effect.TELL_UNSENT,)),
        },
        State.COMPLETED: {
            Timer.J: END,
            Input.REQUEST: Step(State.COMPLETED, (Effect.RESEND,)),
            Input.TRANSPORT_ERROR: Step(State.COMPLETED, (Effect.TELL_UNSENT,)),
            Input.HOP_LOST: END,
        },
    },
    runs={
        State.TRYING: frozenset({Timer.TRYING, Timer.EXPIRY}),
        State.PROCEEDING: frozenset({Timer.EXPIRY}),
        State.COMPLETED: frozenset({Timer.J}),
    },
)
