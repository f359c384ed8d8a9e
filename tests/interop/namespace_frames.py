"""Runs alone in a network namespace: two bearers send each other frames over a line that loses nearly a third of all packets.

Arguments: the bearer's name, how many frames each sends, their largest size in octets, and the line's conditions in JSON; with
``answer`` after them it is the other machine.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from random import Random
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react
from twisted.internet.threads import deferToThread

from p2pship.address import Locator
from p2pship.errors import NotReached
from p2pship.interfaces import IBearer, ILink
from p2pship.journal import Journal
from p2pship.network import NetworkWatcher
from p2pship.storage.database import Database
from p2pship.storage.ports import SCHEMA, Ports
from p2pship.testing.cable import Cable
from p2pship.testing.line import Conditions
from p2pship.testing.namespace import Neighbour
from tests.bearer.fakes import FakeDevice, FakeKeyring, Recorder
from tests.interop.machine import ADDRESSES, FAR, NEAR, connect
from tests.scale import SEED

DIALS = 10
"Times that are tried: a handshake has a few seconds, and needs several packets."

LONG = 600
"Seconds that the other machine still takes part, until it is ended."

STEP = 0.05
"Seconds between looks."


def frames(number: int, largest: int, seed: int) -> Iterator[bytes]:
    """Give frames of all sizes, the same for the same seed."""
    random = Random(seed)
    return (random.randbytes(random.randint(1, largest)) for _ in range(number))


def bearer(reactor: Any, name: str) -> tuple[IBearer, FakeDevice]:
    """Make a bearer that listens everywhere, on a machine of its own; returns its device too."""
    device = FakeDevice()
    module = import_module("p2pship.bearer.hip.bearer" if name == "hip" else f"p2pship.bearer.{name}")
    node = SimpleNamespace(
        keyring=FakeKeyring(device),
        network=NetworkWatcher(reactor),
        journal=Journal(),
        random=os.urandom,
        ports=Ports(Database(":memory:", [SCHEMA])),
    )
    made: IBearer = module.make(reactor, module.SETTINGS(listen=("0.0.0.0",), port=5566), node)
    return made, device


def place(bob: IBearer) -> Locator:
    """Return where the other machine is reached over the cable."""
    host = ADDRESSES[4].format(FAR)
    return next(locator for locator in bob.locators() if locator.host == host)


class Talk:
    """One end: sends its frames, and hears those of the other."""

    def __init__(self, reactor: Any, number: int, largest: int) -> None:
        self._reactor = reactor
        self._number = number
        self._largest = largest
        self.heard = Recorder()

    async def run(self, link: ILink, own: int, other: int) -> None:
        """Send all, wait for all, and look that each came once and in order."""
        link.start(self.heard)
        for frame in frames(self._number, self._largest, own):
            while not link.writable:
                await deferLater(self._reactor, STEP)
            link.send(frame)
        while len(self.heard.frames) < self._number:
            assert not self.heard.losses, self.heard.losses
            await deferLater(self._reactor, STEP)
        assert self.heard.frames == list(frames(self._number, self._largest, other))


async def dial(alice: IBearer, key: bytes, locator: Locator, own: FakeDevice) -> ILink:
    """Dial, and again if need be."""
    for _ in range(DIALS):
        try:
            return await alice.dial(key, [locator], own)
        except NotReached as error:
            why = error
    raise why


async def answer(reactor: Any, name: str, number: int, largest: int) -> None:
    """Be the other machine."""
    sys.stdin.readline()
    connect("end1", 4, FAR)
    bob, device = bearer(reactor, name)
    made: list[ILink] = []
    await bob.listen(made.append, lambda: None)
    print(json.dumps([str(place(bob)), device.key.hex()]), flush=True)
    while not made:  # the last one is used: those before it were given up
        await deferLater(reactor, STEP)
    await Talk(reactor, number, largest).run(made[-1], FAR, NEAR)
    print("as it should be", flush=True)
    await deferLater(reactor, LONG)


async def call(reactor: Any, name: str, number: int, largest: int, conditions: Conditions) -> None:
    """Be the machine that dials."""
    other = Neighbour(sys.executable, __file__, *sys.argv[1:], "answer")
    cable = Cable("end0", "end1", conditions, SEED)
    other.take("end1")
    assert other.process.stdin is not None and other.process.stdout is not None
    print("the cable is there", file=other.process.stdin, flush=True)
    connect("end0", 4, NEAR)
    locator, key = json.loads(other.process.stdout.readline())
    alice, own = bearer(reactor, name)
    await alice.listen(lambda link: None, lambda: None)
    link = await dial(alice, bytes.fromhex(key), Locator.parse(locator), own)
    await Talk(reactor, number, largest).run(link, NEAR, FAR)
    await deferToThread(other.wait_for, "as it should be")
    carried = cable.close()
    other.close()
    assert carried.lost, carried
    print("as it should be", carried)


def main(reactor: Any, arguments: Sequence[str]) -> Deferred[None]:
    """Be one of the machines."""
    name, number, largest, conditions, *role = arguments
    if role:
        return Deferred.fromCoroutine(answer(reactor, name, int(number), int(largest)))
    bad = Conditions(**json.loads(conditions))
    return Deferred.fromCoroutine(call(reactor, name, int(number), int(largest), bad))


react(main, [sys.argv[1:]])
