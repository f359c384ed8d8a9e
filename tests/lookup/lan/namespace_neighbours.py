"""Runs alone in a network namespace: two machines on one cable find each other, while interfaces come and go.

With the argument ``neighbour`` it is the other machine: it publishes ITEM, and says so.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import react

from p2pship.journal import Journal
from p2pship.lookup.candidate import Candidate, Question
from p2pship.lookup.lan.protocol import LANLookup
from p2pship.lookup.lan.settings import LANSettings
from p2pship.network import NetworkWatcher
from p2pship.testing.lookup import unsigned_slot
from p2pship.testing.namespace import Neighbour, ip
from tests.lookup.recording import RecordingReceiver

KEY = b"k" * 32
ITEM = b"item of the neighbour"
MOST_SEARCHES = 15
"A new IPv6 address may not be used for a second or two, so that the first searches may find nothing."


def lookup(reactor: Any) -> LANLookup:
    """Return a lookup as a node has it."""
    return LANLookup(reactor, LANSettings(), NetworkWatcher(reactor), os.urandom, Journal())


async def neighbour(reactor: Any) -> None:
    """Publish until killed."""
    made = lookup(reactor)
    await made.start()
    await made.publish(unsigned_slot(KEY, b"d" * 32), ITEM)
    print("ready", flush=True)
    await Deferred()


async def search(made: LANLookup) -> tuple[list[Candidate], Exception | None]:
    """Search once; return what was found and how it ended."""
    receiver = RecordingReceiver()
    made.find(Question(KEY), receiver)
    await receiver.ended
    return receiver.candidates, receiver.ends[0]


async def found(made: LANLookup) -> None:
    """Search until the neighbour is found."""
    for _ in range(MOST_SEARCHES):
        receiver = RecordingReceiver()
        searching = made.find(Question(KEY), receiver)
        either: list[Deferred[Any]] = [receiver.first, receiver.ended]
        await DeferredList(either, fireOnOneCallback=True)
        searching.cancel()
        if candidates := receiver.candidates:
            assert set(candidates) == {Candidate(ITEM, "lan", over_loopback=False, on_link=True)}, candidates
            return
    raise AssertionError("the neighbour was not found")


async def main(reactor: Any) -> None:
    made = lookup(reactor)
    await made.start()
    other = Neighbour(sys.executable, __file__, "neighbour")
    other.wait_for("ready")
    ip("link add veth0 type veth peer name veth1")
    other.take("veth1")

    ip("link set veth0 up")
    other.ip("link set veth1 up")
    await found(made)  # by IPv6, as nobody has an IPv4 address
    print("found by IPv6")

    Path("/proc/sys/net/ipv6/conf/veth0/disable_ipv6").write_text("1")
    ip("addr add 10.5.0.1/24 dev veth0")
    other.ip("addr add 10.5.0.2/24 dev veth1")
    await found(made)
    print("found by IPv4")

    ip("link set veth0 down")
    assert await search(made) == ([], None), "loopback was still asked, and nobody answered"
    ip("link set veth0 up")
    await found(made)
    print("found again")

    other.ip("addr del 10.5.0.2/24 dev veth1")
    other.ip("addr add 10.66.0.2/24 dev veth1")
    assert await search(made) == ([], None), "a machine of another network is not answered"
    other.ip("addr add 10.5.0.3/24 dev veth1")
    await found(made)
    print("found on the second network of the link")

    await made.stop()
    other.close()


role = neighbour if "neighbour" in sys.argv else main
react(lambda reactor: Deferred.fromCoroutine(role(reactor)))
