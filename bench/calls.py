"""Calls that a node carries for each second of processor time, and how soon the other phone rings; beside Kamailio.

A call is INVITE, 180, ACK, BYE and what answers them, from a phone over the node to another phone: SIPp calls SIPp, both
registered. The node screens it, rewrites both descriptions, opens and closes the ports of two relays, and tells its journal,
which goes to the log. Kamailio is a proxy that records its route and does nothing of this; its figure counts all its
processes. A rate is clean only if no call failed and nothing had to be sent twice; one that was nearly so is tried once more, as
the machine may have had something else to do. ``p99_ms`` is from INVITE to 180, of a phone that rings at once, at 70 % of the highest
clean rate. The node and SIPp have a processor each where there are two.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure
from bench.kamailio import available, kamailio
from bench.load import Outcome, Phones
from bench.nodes import FORGOTTEN, RunningNode, Served, nodes, pin

FIRST_RATE = 100
"Calls a second with which it begins: what every machine can do."

EASY = 0.7
"Of the highest rate, at which the time until it rings is measured."

STEPS = (1.2, 1.0, 0.85, 0.7, 0.55)
"Of what the processor time of the first calls lets expect: the rates that are tried until one is clean. More calls take less each."

NEARLY = 0.01
"Flaws for each call, up to which a rate is tried once more: above that the node is too slow, not the machine busy for a moment."

SELDOM = 1.0
"Seconds between two questions whether all is forgotten: the node's time to answer counts, too."

KAMAILIO_RATE = 1000
"Calls a second that Kamailio gets: at higher rates SIPp has not enough left of its own processor."


@dataclass(frozen=True)
class Lengths:
    """Seconds for which calls are made."""

    warm_up: float
    trial: float
    "of each rate that is tried"
    easy: float
    "of the 70 %"
    search: float
    "after which no other rate is tried: the first, of which every machine is capable, counts then"
    forget: bool
    "whether the time that it takes to forget the calls is counted, too"


@dataclass(frozen=True)
class Trial:
    """Calls at one rate."""

    rate: int
    "calls a second"
    outcome: Outcome
    per_cpu_s: list[float]
    "of each program, calls for each second of its processor time"


QUICK = Lengths(1.5, 2.5, 3.0, 12.0, False)
FULL = Lengths(5.0, 20.0, 30.0, 120.0, True)


def run(quick: bool) -> list[Figure]:
    """Measure one node, two nodes with a link, and Kamailio."""
    if shutil.which("sipp") is None:
        print("sipp is not installed: there is nothing to call with", file=sys.stderr)
        return []
    lengths = QUICK if quick else FULL
    pin(0, 1)
    with tempfile.TemporaryDirectory() as folder:
        peer = _kamailio(Path(folder), lengths) if available() else None
        if peer is None:
            print("kamailio is not installed: nothing is compared with it", file=sys.stderr)
        return [*_one_node(Path(folder), lengths, peer), *_two_nodes(Path(folder), lengths)]


def _kamailio(folder: Path, lengths: Lengths) -> float:
    with kamailio() as (served, at):
        phones = Phones(folder, at, at)
        phones.call(KAMAILIO_RATE // 2, 1.0)
        return _measure([served], phones, KAMAILIO_RATE, lengths.trial).per_cpu_s[0]


def _one_node(folder: Path, lengths: Lengths, peer: float | None) -> list[Figure]:
    with nodes(1) as served:
        phones = Phones(folder, served[0].proxy, served[0].proxy)
        highest = _highest(served, phones, lengths)
        easy = phones.call(round(highest.rate * EASY), lengths.easy)
    if not easy.ringing:
        raise SystemExit(
            f"at {highest.rate * EASY:.0f} calls a second nobody's phone rang: something else takes the time"
        )
    name = None if peer is None else "kamailio"
    return [
        Figure("calls_per_s_core", round(highest.per_cpu_s[0]), "1/s", "higher", name, peer and round(peer)),
        Figure("highest_rate", highest.rate, "1/s", "higher"),
        Figure("highest_clean", int(highest.outcome.clean), "", "higher"),
        Figure("p99_ms", round(1000 * easy.p99, 1), "ms", "lower"),
        Figure("p99_clean", int(easy.clean), "", "higher"),
    ]


def _two_nodes(folder: Path, lengths: Lengths) -> list[Figure]:
    with nodes(2) as served:
        phones = Phones(folder, served[0].proxy, served[1].proxy)
        highest = _highest(served, phones, lengths)
    caller, callee = highest.per_cpu_s
    return [
        Figure("caller_calls_per_s_core", round(caller), "1/s", "higher"),
        Figure("callee_calls_per_s_core", round(callee), "1/s", "higher"),
        Figure("both_calls_per_s_core", round(1 / (1 / caller + 1 / callee)), "1/s", "higher"),
    ]


def _highest(served: Sequence[RunningNode], phones: Phones, lengths: Lengths) -> Trial:
    """Return the highest rate that was clean, or else the first."""
    phones.call(FIRST_RATE // 2, lengths.warm_up)
    first = _measure(served, phones, FIRST_RATE, lengths.warm_up)
    most = 1 / sum(1 / each for each in first.per_cpu_s)
    give_up = time.monotonic() + lengths.search
    for step in STEPS:
        rate = round(most * step)
        trial = _measure(served, phones, rate, lengths.trial, lengths.forget)
        if not trial.outcome.clean and trial.outcome.flaws <= NEARLY * lengths.trial * rate:
            trial = _measure(served, phones, rate, lengths.trial, lengths.forget)
        if trial.outcome.clean:
            return trial
        if time.monotonic() > give_up:
            break
    return first


def _measure(
    served: Sequence[Served], phones: Phones, rate: int, seconds: float, forget: bool = False
) -> Trial:
    before = [each.cpu() for each in served]
    outcome = phones.call(rate, seconds)
    if forget and outcome.clean:
        _wait_until_forgotten(served)
    taken = [each.cpu() - start for each, start in zip(served, before, strict=True)]
    return Trial(rate, outcome, [outcome.calls / seconds for seconds in taken])


def _wait_until_forgotten(served: Sequence[Served]) -> None:
    """Wait; calls that came to nothing in a trial before may be kept for longer, and are not waited for."""
    give_up = time.monotonic() + FORGOTTEN
    while time.monotonic() < give_up:
        if all(node.has_forgotten() for node in served if isinstance(node, RunningNode)):
            return
        time.sleep(SELDOM)
