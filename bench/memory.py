"""Memory that a registration, a person, a peer without a call, and a call take, in a node's process.

What is counted is the memory that the process holds alone, before and after, divided by how many were added. A registration is
of one more phone, in turn for each of 60 names that have one already. A person is a name that is registered for the first
time: key pair, certificate, statement, what is published, and the phone. A peer is a person of another node whom somebody here
has called once; each has a name of their own and lives on one other node. A call is up, between two phones of one node, with
the ports of its two relays and with its transactions, which are kept for 32 s.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.figures import Figure
from bench.nodes import FORGOTTEN, RunningNode, nodes, wait_for
from bench.talk import Talk

KNOWN = 60
"Persons whose registrations are refreshed before the first measurement: a node takes ten a second for each name."

KNOWN_CALLS = 3
"Calls that are up at the first measurement."

REGISTER_EVERY = 0.011
"Seconds between two registrations from one address: just what a node takes."

ADDRESSES = 4
"From which phones register; a divisor of the number of known persons, so that each keeps its own."


def run(quick: bool) -> list[Figure]:
    """Measure each kind in nodes of its own, all at the same time."""
    registrations, peers, calls = (400, 20, 40) if quick else (900, 60, 500)
    growths = {
        "per_registration_kb": Growth(1, register_phones, KNOWN, registrations),
        "per_person_kb": Growth(1, register_people, KNOWN, registrations),
        "per_peer_kb": Growth(2, meet, 1, peers),
        "per_call_kb": Growth(1, talk, KNOWN_CALLS, calls, rehearse=False),
    }
    with ThreadPoolExecutor(len(growths)) as pool:
        found = list(pool.map(Growth.measure, growths.values()))
    return [Figure(name, each, "kB", "lower") for name, each in zip(growths, found, strict=True)]


@dataclass(frozen=True)
class Growth:
    """Nodes to which things of one kind are added; the first one is measured.

    What the adding itself takes for a while, such as transactions, is there at both measurements: first as much is done with
    things that are known, and when that is forgotten the new ones are added.
    """

    nodes: int
    adding: Callable[[RunningNode, RunningNode], Callable[[int], None]]
    "returns for the first and the last node what adds one, or does with a known one what adding takes; each has a number"
    known: int
    "those that are there at the first measurement"
    number: int
    "those that are added"
    rehearse: bool = True
    "whether it is done with known ones first; not where those that are there are never forgotten"

    def measure(self) -> float:
        """Return the kB that each of the new ones takes."""
        with nodes(self.nodes) as running:
            node = running[0]
            add = self.adding(node, running[-1])
            for at in range(self.number if self.rehearse else self.known):
                add(at % self.known)
            before = node.memory()
            if self.rehearse:
                wait_for(node.has_forgotten, "a node keeps something of what it was asked", FORGOTTEN)
            for at in range(self.known, self.known + self.number):
                add(at)
            return round((node.memory() - before) / self.number / 1000, 1)


def register_phones(node: RunningNode, _: RunningNode) -> Callable[[int], None]:
    """Return what registers one more phone of the known persons in turn."""
    return _registering(
        node, lambda phones, at: phones.be_called(f"person{at % KNOWN}@example.com", at // KNOWN)
    )


def register_people(node: RunningNode, _: RunningNode) -> Callable[[int], None]:
    """Return what registers one more person's first phone."""
    return _registering(node, lambda phones, at: phones.be_called(f"person{at}@example.com"))


def _registering(node: RunningNode, register: Callable[[Talk, int], None]) -> Callable[[int], None]:
    """Return what registers from several addresses in turn, as fast as a node takes it from each."""
    phones = [Talk(node.proxy, node.proxy) for _ in range(ADDRESSES)]

    def add(at: int) -> None:
        register(phones[at % ADDRESSES], at)
        time.sleep(REGISTER_EVERY / ADDRESSES)

    return add


def meet(node: RunningNode, other: RunningNode) -> Callable[[int], None]:
    """Return what calls a person of another node, and hangs up."""
    phones = Talk(node.proxy, other.proxy)
    for at in range(KNOWN + 1):
        phones.be_called(f"bob{at}@example.com")

    def add(at: int) -> None:
        phones.call(f"bob{at}@example.com")
        phones.hang_up()

    return add


def talk(node: RunningNode, _: RunningNode) -> Callable[[int], None]:
    """Return what sets up one more call between two phones of the node."""
    phones = Talk(node.proxy, node.proxy)
    return lambda _at: phones.call()
