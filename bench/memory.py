"""Memory that a registration, a peer without a call, and a call take, in a node's process.

What is counted is the memory that the process holds alone, before and after, divided by how many were added. A peer is a
person of another node whom somebody here has called once; each has a name of their own and lives on one other node. A call is
up, between two phones of one node, with the ports of its two relays and with its transactions, which are kept for 32 s.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.figures import Figure
from bench.nodes import RunningNode, nodes
from bench.talk import Talk

KNOWN = 60
"Persons whose registrations are refreshed before the first measurement: a node takes ten a second for each name."

KNOWN_CALLS = 3
"Calls that are up at the first measurement."

REGISTER_EVERY = 0.011
"Seconds between two registrations: just what a node takes of one phone."

FORGOTTEN = 40.0
"Seconds after a call in which its transactions are forgotten."


def run(quick: bool) -> list[Figure]:
    """Measure each kind in nodes of its own, all at the same time."""
    registrations, peers, calls = (150, 20, 60) if quick else (900, 60, 500)
    with nodes(1) as (first,), nodes(2) as (second, other), nodes(1) as (third,):
        growths = {
            "registration": Growth(first, KNOWN, registrations, register(first)),
            "peer": Growth(second, 1, peers, meet(second, other, peers + 1)),
        }
        time.sleep(FORGOTTEN)
        growths["call"] = Growth(third, KNOWN_CALLS, calls, talk(third), rehearse=False)
        for growth in growths.values():
            growth.add()
        found = {name: growth.per_thing() for name, growth in growths.items()}
    return [
        Figure("per_registration_kb", found["registration"], "kB", "lower"),
        Figure("per_peer_kb", found["peer"], "kB", "lower"),
        Figure("per_call_kb", found["call"], "kB", "lower"),
    ]


class Growth:
    """A node to which things of one kind are added.

    What the adding itself takes for a while, such as transactions, is there at both measurements: first as much is done with
    things that are known, and when that is forgotten the new ones are added.
    """

    def __init__(
        self, node: RunningNode, known: int, number: int, add: Callable[[int], None], rehearse: bool = True
    ) -> None:
        """Add ``known`` of them, and with ``rehearse`` do with them what adding ``number`` more will take; each has a number."""
        for at in range(known):
            add(at)
        for at in range(number if rehearse else 0):
            add(at % known)
        self._node, self._known, self._number, self._add = node, known, number, add
        self._before = node.memory()

    def add(self) -> None:
        """Add the new ones."""
        for at in range(self._known, self._known + self._number):
            self._add(at)

    def per_thing(self) -> float:
        """Return the kB that each of them takes now."""
        return round((self._node.memory() - self._before) / self._number / 1000, 1)


def register(node: RunningNode) -> Callable[[int], None]:
    """Return what registers a person's phone, not more of them in a second than a node takes of one phone."""
    phones = Talk(node.proxy, node.proxy)

    def add(at: int) -> None:
        phones.be_called(f"person{at}@example.com")
        time.sleep(REGISTER_EVERY)

    return add


def meet(node: RunningNode, other: RunningNode, number: int) -> Callable[[int], None]:
    """Return what calls a person of another node, and hangs up."""
    phones = Talk(node.proxy, other.proxy)
    people = [f"bob{at}@example.com" for at in range(number)]
    for name in people:
        phones.be_called(name)

    def add(at: int) -> None:
        phones.call(people[at])
        phones.hang_up()

    return add


def talk(node: RunningNode) -> Callable[[int], None]:
    """Return what sets up one more call between two phones of the node."""
    phones = Talk(node.proxy, node.proxy)
    return lambda _at: phones.call()
