"""Runs alone in a network namespace: the first call over HIP between two machines that have never met, on a line that loses.

It says how long it takes to be up, and looks at what both hear, and that each frame of the link arrives once and in order. Arguments: a
folder, the line's conditions in JSON, and what its fates are drawn from; with ``answer`` after them it is the other machine.

Each machine knows the other's Ethernet address: its kernel would ask for it over the same line, and repeat a lost question after a
second, which no program can hasten.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react
from twisted.internet.threads import deferToThread

from p2pship.testing.audio import compare, speech
from p2pship.testing.baresip import Baresip
from p2pship.testing.cable import Cable
from p2pship.testing.line import Conditions
from p2pship.testing.namespace import Neighbour, ip
from p2pship.testing.nodeprocess import NodeProcess
from p2pship.testing.programs import ProgramFailed
from tests.interop.machine import ADDRESSES, BOB, EVERYWHERE, FAR, LAN_PORT, NEAR, connect

PATIENCE = 10.0
"Seconds until a call has come to nothing."

TALK = 3.5
"Seconds until it is ended."

HEARD = 2
"Whole seconds that must have been heard of it."

SAME_VOICE = 0.4
"The correlation with what was said, of which a tenth is missing, so that how loud a second is says nothing; with the other voice it is 0.05."

SETTLED = 8.0
"Seconds in which the last frame of the call has arrived, however often it was lost."

STEP = 0.1
"Seconds between looks."

ETHERNET = "02:00:00:00:00:0{}"
"By the machine's number."

PUBLISHED = "published {}@example.com on lan"
"What a node logs when whoever asks for its person is answered: a moment after the phone has registered."

SETTINGS = (*EVERYWHERE, "bearer.tls.enabled=false")

FRAMES_NODE = Path(__file__).with_name("frames_node.py")

VOICES = {name: speech(TALK + 10, seed) for seed, name in enumerate(("alice", "bob"))}


def book(folder: Path, name: str) -> Path:
    """Return where somebody's node writes down the frames."""
    return folder / f"frames-{name}"


def frames(folder: Path, name: str, way: str) -> list[str]:
    """Return what somebody's node has sent (``>``) or received (``<``)."""
    lines = (line.split() for line in book(folder, name).read_text().splitlines())
    return [frame for sign, frame in lines if sign == way]


def meet(interface: str, number: int, other: int) -> None:
    """Connect this machine, and know the other's Ethernet address."""
    ip(f"link set {interface} address {ETHERNET.format(number)}")
    connect(interface, 4, number)
    there = f"{ADDRESSES[4].format(other)} lladdr {ETHERNET.format(other)}"
    ip(f"neigh add {there} dev {interface} nud permanent")


async def machine(reactor: Any, folder: Path, name: str, **options: Any) -> tuple[NodeProcess, Baresip]:
    """Start a node that writes down its frames, and a phone, and wait until the node answers questions for its person."""
    node = NodeProcess(reactor, folder / f"node-{name}", LAN_PORT, SETTINGS)
    node._arguments[1:3] = [str(FRAMES_NODE), str(book(folder, name))]
    await node.start()
    phone = Baresip(reactor, folder / name, f"{name}@example.com", node.proxy, voice=VOICES[name], **options)
    await phone.start()
    while PUBLISHED.format(name) not in node.log():
        await deferLater(reactor, STEP)
    return node, phone


async def check_frames(reactor: Any, folder: Path) -> int:
    """Check that each node has received what the other sent, each frame once and in order; returns how many there were."""
    give_up = reactor.seconds() + SETTLED
    while True:
        sent = [frames(folder, name, ">") for name in ("alice", "bob")]
        received = [frames(folder, name, "<") for name in ("bob", "alice")]
        if sent == received:
            return sum(map(len, sent))
        assert reactor.seconds() < give_up, (sent, received)
        await deferLater(reactor, STEP)


async def check_voice(name: str, listener: Baresip) -> None:
    """Check that a phone heard what somebody said."""
    found = compare(VOICES[name], await listener.heard())
    assert found.correlation > SAME_VOICE and found.seconds >= HEARD, f"{found}\n{listener.log()}"
    print(found, file=sys.stderr)


async def answer(reactor: Any, folder: Path) -> None:
    """Be the other machine: answer, and hear."""
    sys.stdin.readline()
    meet("end1", FAR, NEAR)
    node, phone = await machine(reactor, folder, "bob", answer="auto")
    print("ready", flush=True)
    await phone.when("CALL_CLOSED", PATIENCE + TALK)
    await check_voice("alice", phone)
    print("heard", flush=True)
    await deferToThread(sys.stdin.readline)
    await phone.stop()
    await node.stop()
    print("as it should be", flush=True)


async def call(reactor: Any, folder: Path, conditions: Conditions, seed: int) -> None:
    """Be the machine that calls."""
    other = Neighbour(sys.executable, __file__, *sys.argv[1:], "answer")
    cable = Cable("end0", "end1", conditions, seed)
    other.take("end1")
    print("the cable is there", file=other.process.stdin, flush=True)
    meet("end0", NEAR, FAR)
    node, phone = await machine(reactor, folder, "alice")
    await deferToThread(other.wait_for, "ready")

    began = reactor.seconds()
    await phone.dial(f"sip:{BOB}")
    try:
        await phone.when("CALL_ESTABLISHED", PATIENCE)
    except ProgramFailed as error:
        print(f"up after inf s: {error}")
        return
    took = reactor.seconds() - began
    await deferLater(reactor, TALK)
    (up,) = await node.calls()
    await phone.hangup()
    await phone.when("CALL_CLOSED")
    await check_voice("bob", phone)
    await deferToThread(other.wait_for, "heard")
    counted = await check_frames(reactor, folder)
    print("it was", file=other.process.stdin, flush=True)
    await phone.stop()
    await node.stop()
    await deferToThread(other.wait_for, "as it should be")
    carried = cable.close()
    other.close()
    stages = {name: seconds for name, seconds in (up["stages"] or {}).items() if seconds}
    print(f"up after {took:.2f} s {stages}, {counted} frames, {carried}")
    assert up["path"].startswith("hip"), up
    assert carried.lost, carried


def main(reactor: Any, arguments: Sequence[str]) -> Deferred[None]:
    """Be one of the machines."""
    folder, conditions, seed, *role = arguments
    if role:
        return Deferred.fromCoroutine(answer(reactor, Path(folder)))
    line = Conditions(**json.loads(conditions))
    return Deferred.fromCoroutine(call(reactor, Path(folder), line, int(seed)))


react(main, [sys.argv[1:]])
