"""Calls that a node carries for each second of processor time, and how soon the other phone rings; beside Kamailio.

A call is INVITE, 180, ACK, BYE and what answers them, from a phone over the node to another phone: SIPp calls SIPp, both
registered. The node screens it, rewrites both descriptions, opens and closes the ports of two relays, and tells its journal,
which goes to the log. Kamailio is a proxy that records its route and does nothing of this; its figure counts all its
processes. A rate counts only if no call failed and nothing had to be sent twice. ``p99_ms`` is from INVITE to 180, of a phone
that rings at once, at 70 % of the highest such rate. The node and SIPp have a processor each where there are two.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure
from bench.kamailio import available, kamailio
from bench.load import Outcome, Phones
from bench.nodes import RunningNode, Served, nodes, pin, wait_for

FIRST_RATE = 100
"Calls a second with which it begins: what every machine can do."

EASY = 0.7
"Of the highest rate, at which the time until it rings is measured."

STEPS = (1.3, 1.15, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
"Of what the processor time of the first calls lets expect: the rates that are tried until one is clean. More calls take less each."

KAMAILIO_RATE = 1000
"Calls a second that Kamailio gets: at higher rates SIPp has not enough left of its own processor."

FORGOTTEN = 45.0
"Seconds in which all of a call is forgotten: its transactions live for 32 (RFC 3261 §17.2.2)."


@dataclass(frozen=True)
class Lengths:
    """Seconds for which calls are made."""

    warm_up: float
    trial: float
    "of each rate that is tried"
    easy: float
    "of the 70 %"
    forget: bool
    "whether the time that it takes to forget the calls is counted, too"


QUICK = Lengths(1.5, 3.0, 4.0, False)
FULL = Lengths(5.0, 20.0, 30.0, True)


def run(quick: bool) -> list[Figure]:
    """Measure one node, two nodes with a link, and Kamailio."""
    if shutil.which("sipp") is None:
        print("sipp is not installed: there is nothing to call with", file=sys.stderr)
        return []
    lengths = QUICK if quick else FULL
    pin(0, 1)
    with tempfile.TemporaryDirectory() as folder:
        peer = _kamailio(Path(folder), lengths) if available() else None
        return [*_one_node(Path(folder), lengths, peer), *_two_nodes(Path(folder), lengths)]


def _kamailio(folder: Path, lengths: Lengths) -> float:
    with kamailio() as (served, at):
        phones = Phones(folder, at, at)
        phones.call(KAMAILIO_RATE // 2, 1.0)
        _outcome, per_cpu_s = _measure([served], phones, KAMAILIO_RATE, lengths.trial)
        return sum(per_cpu_s)


def _one_node(folder: Path, lengths: Lengths, peer: float | None) -> list[Figure]:
    with nodes(1) as served:
        phones = Phones(folder, served[0].proxy, served[0].proxy)
        rate, (best,) = _highest(served, phones, lengths)
        easy = phones.call(round(rate * EASY), lengths.easy)
    name = None if peer is None else "kamailio"
    return [
        Figure("calls_per_s_core", round(best), "1/s", "higher", name, peer and round(peer)),
        Figure("highest_rate", rate, "1/s", "higher"),
        Figure("p99_ms", round(1000 * easy.p99, 1), "ms", "lower"),
        Figure("p99_clean", int(easy.clean), "", "higher"),
    ]


def _two_nodes(folder: Path, lengths: Lengths) -> list[Figure]:
    with nodes(2) as served:
        phones = Phones(folder, served[0].proxy, served[1].proxy)
        _rate, (caller, callee) = _highest(served, phones, lengths)
    return [
        Figure("caller_calls_per_s_core", round(caller), "1/s", "higher"),
        Figure("callee_calls_per_s_core", round(callee), "1/s", "higher"),
        Figure("both_calls_per_s_core", round(1 / (1 / caller + 1 / callee)), "1/s", "higher"),
    ]


def _highest(served: Sequence[RunningNode], phones: Phones, lengths: Lengths) -> tuple[int, list[float]]:
    """Return the highest clean rate, and for each node the calls a second of processor time at it."""
    phones.call(FIRST_RATE // 2, lengths.warm_up)
    _outcome, expected = _measure(served, phones, FIRST_RATE, lengths.warm_up)
    most = 1 / sum(1 / each for each in expected)
    for step in STEPS:
        rate = round(most * step)
        outcome, per_cpu_s = _measure(served, phones, rate, lengths.trial, lengths.forget)
        if outcome.clean:
            return rate, per_cpu_s
    raise SystemExit(f"not even {rate} calls a second passed without a failure or a retransmission")


def _measure(
    served: Sequence[Served], phones: Phones, rate: int, seconds: float, forget: bool = False
) -> tuple[Outcome, list[float]]:
    before = [each.cpu() for each in served]
    outcome = phones.call(rate, seconds)
    if forget:
        _wait_until_forgotten(served)
    taken = [each.cpu() - start for each, start in zip(served, before, strict=True)]
    return outcome, [outcome.calls / seconds for seconds in taken]


def _wait_until_forgotten(served: Sequence[Served]) -> None:
    for node in served:
        if isinstance(node, RunningNode):
            wait_for(_has_forgotten(node), "a node keeps something of its calls", FORGOTTEN)


def _has_forgotten(node: RunningNode) -> Callable[[], bool]:
    def found() -> bool:
        counts = node.counts()
        return not (counts["client_transactions"] + counts["server_transactions"] + counts["relays"])

    return found
