"""A node gone mad, as a program: reaches a person as any node does, and sends requests over the link as fast as it can.

``python hostile_peer.py STATE LAN_PORT AOR SECONDS``: it ends by printing how many requests it sent.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, cast

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react
from zope.interface import implementer

from p2pship.config import load
from p2pship.interfaces import IPeer, IPeopleReceiver
from p2pship.node import Node
from p2pship.overlay.reach import ReachOutcome, Tried
from p2pship.sections import sections
from p2pship.testing.nodeprocess import arguments

MAD = "mad@example.com"

TURN = 50
"Requests in one turn of its reactor, which has to send them and to take the answers, too."

REQUEST = """OPTIONS sip:{aor} SIP/2.0\r
Via: SIP/2.0/P2P [::1];branch=z9hG4bKmad{number}\r
Max-Forwards: 70\r
From: <sip:{mad}>;tag={number}\r
To: <sip:{aor}>\r
Call-ID: {number}@mad\r
CSeq: 1 OPTIONS\r
Contact: <sip:{mad}>\r
Content-Length: 0\r
\r
"""


@implementer(IPeopleReceiver)
class First:
    """Waits for the first device of a person."""

    def __init__(self) -> None:
        self.reached: Deferred[IPeer] = Deferred()

    def peer_reached(self, peer: IPeer, tried: Tried) -> None:
        """Take the first."""
        if not self.reached.called:
            self.reached.callback(peer)

    def reach_ended(self, outcome: ReachOutcome) -> None:
        """Give up if there was none."""
        if not self.reached.called:
            self.reached.errback(RuntimeError(str(outcome)))


async def rage(reactor: Any, state: str, lan_port: str, aor: str, seconds: str) -> None:
    """Send for so long."""
    options = [each for each in arguments(Path(state), int(lan_port)) if "=" in each]
    node = Node(reactor, load(None, sections(), options), Path(state))
    node.startService()
    await node.when_started()
    identity = node.keyring.create(MAD)
    first = First()
    node.overlay.people(aor, identity, first)
    peer = await first.reached
    until, number = reactor.seconds() + float(seconds), 0
    while reactor.seconds() < until:
        for _ in range(TURN):
            number += 1
            peer.send("sip", REQUEST.format(aor=aor, mad=MAD, number=number).encode()).addErrback(
                lambda _: None
            )
        await deferLater(reactor, 0)
    print(number, flush=True)
    await node.stopService()


def main(reactor: Any, *words: str) -> Deferred[None]:
    """Run until it is over."""
    return Deferred.fromCoroutine(rage(reactor, *words))


if __name__ == "__main__":
    os.nice(10)  # it would have a machine of its own, and not this one's processors
    react(main, sys.argv[1:], cast(Any, _reactor))
