"""Runs alone in a network namespace: a call over HIP between two machines, whose addresses change while they talk.

Arguments: a folder, and who moves: ``caller``, or ``both`` at the same moment, after which only the lookup knows where they are;
with ``answer`` after them it is the other machine.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react
from twisted.internet.threads import deferToThread

from p2pship.testing.audio import speech
from p2pship.testing.baresip import Baresip
from p2pship.testing.cable import Cable
from p2pship.testing.line import Conditions
from p2pship.testing.namespace import Neighbour, ip
from tests.interop.machine import ADDRESSES, BOB, FAR, NEAR, check_heard, connect, machine

LINE = Conditions(delay=0.01)
"A round trip of 20 ms."

TALK = 3.0
"Seconds until they move, and from then to the end."

NEW = 10
"What is added to a machine's number when it gets another address."

LIMITS = {"caller": 0.3, "both": 2.0}
"Seconds that may be lost."

RTP = 0.02
"Seconds of sound in a packet."

VOICES = {name: speech(3 * TALK + 10, seed) for seed, name in enumerate(("alice", "bob"))}


def move(machine: Callable[[str], None], interface: str, number: int) -> None:
    """Give a machine another address, and no other."""
    machine(f"addr del {ADDRESSES[4].format(number)}/24 dev {interface}")
    machine(f"addr add {ADDRESSES[4].format(number + NEW)}/24 dev {interface}")


async def check_undisturbed(phone: Baresip, lost: float) -> None:
    """Check that a phone was asked for nothing, and missed no more than it may."""
    asked = re.findall(r"^INVITE ", phone.log(), re.MULTILINE)
    assert len(asked) <= 1, phone.log()
    _, received = await phone.packets()
    print("packets", received, "of", round(2 * TALK / RTP), file=sys.stderr)
    assert received >= (2 * TALK - lost) / RTP - 15, (received, phone.log())


async def answer(reactor: Any, folder: Path, who: str) -> None:
    """Be the other machine: answer, and hear."""
    sys.stdin.readline()
    connect("end1", 4, FAR)
    node, phone = await machine(reactor, folder, "bob", VOICES["bob"], answer="auto")
    print("ready", flush=True)
    await phone.when("CALL_ESTABLISHED")
    await deferToThread(sys.stdin.readline)
    await check_undisturbed(phone, LIMITS[who])
    print("heard", flush=True)
    await phone.when("CALL_CLOSED")
    await phone.stop()
    await node.stop()
    print("as it should be", flush=True)


async def call(reactor: Any, folder: Path, who: str) -> None:
    """Be the machine that calls."""
    other = Neighbour(sys.executable, __file__, *sys.argv[1:], "answer")
    cable = Cable("end0", "end1", LINE)
    other.take("end1")
    assert other.process.stdin is not None
    print("the cable is there", file=other.process.stdin, flush=True)
    connect("end0", 4, NEAR)
    node, phone = await machine(reactor, folder, "alice", VOICES["alice"])
    await deferToThread(other.wait_for, "ready")
    await phone.dial(f"sip:{BOB}")
    await phone.when("CALL_ESTABLISHED")
    await deferLater(reactor, TALK)
    move(ip, "end0", NEAR)
    if who == "both":
        move(other.ip, "end1", FAR)
    await deferLater(reactor, TALK)
    (up,) = await node.calls()
    place = ADDRESSES[4].format(FAR + (NEW if who == "both" else 0))
    assert up["path"].startswith(f"hip {place}:"), up
    await check_undisturbed(phone, LIMITS[who])
    print("check", file=other.process.stdin, flush=True)
    await deferToThread(other.wait_for, "heard")
    await phone.hangup()
    await phone.when("CALL_CLOSED")
    if who == "caller":
        await check_heard(VOICES["bob"], phone, round(TALK) - 1)
    await deferToThread(other.wait_for, "as it should be")
    await phone.stop()
    await node.stop()
    cable.close()
    other.close()
    print("as it should be")


def main(reactor: Any, arguments: Sequence[str]) -> Deferred[None]:
    """Be one of the machines."""
    folder, who, *role = arguments
    return Deferred.fromCoroutine((answer if role else call)(reactor, Path(folder), who))


react(main, [sys.argv[1:]])
