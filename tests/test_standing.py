"""What is asked of a node, and how much of it at a time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.candidate import FindOutcome
from p2pship.lookup.trace import NO_TRACE, Trace
from p2pship.sip.names import OwnNames
from p2pship.standing import MOST_FINDS, Standing


class EndlessChain:
    """Searches that end when a test says so."""

    def __init__(self) -> None:
        self.receivers: list[Any] = []
        self.traces: list[Trace] = []
        self.cancelled = 0

    def find(self, aor: str, own: object, receiver: Any, trace: Trace = NO_TRACE) -> EndlessChain:
        """Begin one."""
        self.traces.append(trace)
        self.receivers.append(receiver)
        return self

    def cancel(self) -> None:
        """Count it."""
        self.cancelled += 1


class FindTests(SynchronousTestCase):
    """The command `find`."""

    def setUp(self) -> None:
        self.chain = EndlessChain()
        self.clock = Clock()
        telephony = SimpleNamespace(names=OwnNames("localhost", lambda: ()))
        desk = SimpleNamespace(keyring=SimpleNamespace(default=object()), clock=self.clock)
        nothing = cast(Any, None)
        self.standing = Standing(
            cast(Any, desk),
            publisher=nothing,
            bearers={},
            chain=cast(Any, self.chain),
            overlay=nothing,
            relays=nothing,
            telephony=cast(Any, telephony),
        )

    def test_trace_of_who_waited(self) -> None:
        """The times in a trace are those since the search began, not since it had to wait for its turn."""
        first, *_, last = [
            self.standing.find({"aor": f"p{n}@example.com", "trace": True}) for n in range(MOST_FINDS + 1)
        ]
        self.clock.advance(3)
        self.chain.receivers[0].find_ended(FindOutcome((), 0))
        self.successResultOf(first)
        trace = self.chain.traces[-1]
        trace.noted("dns", "asks")
        self.clock.advance(0.5)
        trace.ambiguous()
        self.chain.receivers[-1].find_ended(FindOutcome((), 0))
        self.assertEqual([step["at"] for step in self.successResultOf(last)["trace"]], [0.0, 0.5])

    def test_many_at_once(self) -> None:
        """So many names are looked for at a time; the others have their turn, and who hangs up leaves theirs."""
        chain, standing = self.chain, self.standing
        finds = [standing.find({"aor": f"p{n}@example.com"}) for n in range(MOST_FINDS + 3)]
        self.assertEqual(len(chain.receivers), MOST_FINDS)
        finds[-1].cancel()
        self.failureResultOf(finds[-1])
        finds[0].cancel()
        self.assertEqual((len(chain.receivers), chain.cancelled), (MOST_FINDS + 1, 1))
        self.failureResultOf(finds[0])
        for receiver in chain.receivers[1:]:
            receiver.find_ended(FindOutcome((), 0))
        chain.receivers[-1].find_ended(FindOutcome((), 0))
        for find in finds[1:-1]:
            self.assertEqual(self.successResultOf(find)["devices"], [])
