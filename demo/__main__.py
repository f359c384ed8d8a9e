"""``python -m demo`` starts two nodes and two phones, lets them call each other twice, and shows what each stage took.

The phones are two baresip where it is installed, else two of the test phones of :mod:`p2pship.testing`, which speak real
SIP and RTP too. Everything stays on loopback, in a temporary folder, and is ended with the demo.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater, react
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)

from demo.phones import BaresipPair, Pair, PhonePair
from p2pship.status import StagesStatus
from p2pship.testing import baresip
from p2pship.testing.nodeprocess import NodeProcess
from p2pship.testing.programs import free_ports

TALK = 4.0
"Seconds of each call."

SETTLE = 0.5
"Seconds after the phones have registered: their records are out then."

PAIRS: dict[str, type[Pair]] = {"baresip": BaresipPair, "test": PhonePair}

ALICE, BOB = "alice@example.com", "bob@example.com"

STAGES: tuple[Literal["lookup", "dial", "hello", "remote", "total"], ...] = (
    "lookup",
    "dial",
    "hello",
    "remote",
    "total",
)


def say(text: str) -> None:
    """Print a line now."""
    print(text, flush=True)


class Demo:
    """Two nodes and two phones."""

    def __init__(self, reactor: Any, folder: Path, pair: type[Pair]) -> None:
        self._reactor = reactor
        lan_port = free_ports(1)
        self.nodes = [NodeProcess(reactor, folder / name, lan_port) for name in ("alice", "bob")]
        self._folder = folder
        self._pair = pair
        self.phones: Pair | None = None

    async def run(self) -> bool:
        """Run it; tells whether both heard each other."""
        say("Starting two nodes …")
        await gatherResults([node.start() for node in self.nodes])
        for name, node in zip(("Alice", "Bob"), self.nodes, strict=True):
            say(f"  {name}'s node: phones register at {node.proxy}")
        missing = "" if baresip.available() else " (baresip is not installed)"
        say(f"Starting two phones: {self._pair.description}{missing} …")
        first, second = (node.proxy for node in self.nodes)
        self.phones = self._pair(self._reactor, self._folder, (ALICE, first), (BOB, second))
        await self.phones.start()
        await deferLater(self._reactor, SETTLE)
        cold, heard = await self.call("cold: nobody has met")
        warm, heard_again = await self.call("warm: the link is up")
        table(cold, warm)
        return heard and heard_again

    async def call(self, kind: str) -> tuple[StagesStatus, bool]:
        """Let Alice call Bob, talk, and hang up; returns the stages and whether both heard each other."""
        assert self.phones is not None
        say(f"\n{ALICE} calls {BOB} ({kind})")
        await self.phones.call(BOB)
        (call,) = await self.nodes[0].calls()
        say(
            f"  up over {call['path']}, {'encrypted' if call['encrypted'] else 'NOT ENCRYPTED'}; they talk for {TALK:.0f} s"
        )
        await deferLater(self._reactor, TALK)
        await self.phones.hang_up()
        heard = True
        for name, comparison in await self.phones.heard():
            heard = heard and comparison.alike
            say(
                f"  {name} heard the other's voice: {comparison.seconds} s, correlation {comparison.correlation:.3f}, "
                f"level within {comparison.worst_level_difference:.1f} dB{'' if comparison.alike else ': NOT THE SAME'}"
            )
        assert call["stages"] is not None
        return call["stages"], heard

    async def stop(self) -> None:
        """End the phones, which unregister, then the nodes."""
        if self.phones is not None:
            await self.phones.stop()
        await gatherResults([node.stop() for node in self.nodes], consumeErrors=True)


def table(cold: StagesStatus, warm: StagesStatus) -> None:
    """Print what each stage of the two set-ups took."""
    say("\nFrom INVITE to ringing, in milliseconds")
    say(f"  {'stage':8}{'cold':>9}{'warm':>9}")
    for stage in STAGES:
        say(f"  {stage:8}{cold[stage] * 1000:9.1f}{warm[stage] * 1000:9.1f}")


async def main(reactor: Any, phones: str | None) -> None:
    """Run the demo with these phones, or the best that there are, and say how it ended."""
    pair = PAIRS[phones or ("baresip" if baresip.available() else "test")]
    with tempfile.TemporaryDirectory(prefix="p2pship-demo-") as folder:
        demo = Demo(reactor, Path(folder), pair)
        try:
            good = await demo.run()
        finally:
            await demo.stop()
    say("\nBoth heard each other." if good else "\nThe voices did not arrive as they were sent.")
    if not good:
        raise SystemExit(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m demo", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--phones", choices=PAIRS, help="which phones; baresip where it is installed")
    options = parser.parse_args()
    globalLogBeginner.beginLoggingTo(
        [FilteringLogObserver(textFileLogObserver(sys.stderr), [LogLevelFilterPredicate(LogLevel.warn)])],
        redirectStandardIO=False,
    )
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, options.phones)))
