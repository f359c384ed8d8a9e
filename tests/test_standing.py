"""What is asked of a node, and how much of it at a time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.candidate import FindOutcome
from p2pship.sip.names import OwnNames
from p2pship.standing import MOST_FINDS, Standing


class EndlessChain:
    """Searches that end when a test says so."""

    def __init__(self) -> None:
        self.receivers: list[Any] = []
        self.cancelled = 0

    def find(self, aor: str, own: object, receiver: Any) -> EndlessChain:
        """Begin one."""
        self.receivers.append(receiver)
        return self

    def cancel(self) -> None:
        """Count it."""
        self.cancelled += 1


class FindTests(SynchronousTestCase):
    """The command `find`."""

    def test_many_at_once(self) -> None:
        """So many names are looked for at a time; the others have their turn, and who hangs up leaves theirs."""
        chain = EndlessChain()
        telephony = SimpleNamespace(names=OwnNames("localhost", lambda: ()))
        desk = SimpleNamespace(keyring=SimpleNamespace(default=object()))
        nothing = cast(Any, None)
        standing = Standing(
            cast(Any, desk),
            publisher=nothing,
            bearers={},
            chain=cast(Any, chain),
            overlay=nothing,
            relays=nothing,
            telephony=cast(Any, telephony),
        )
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
