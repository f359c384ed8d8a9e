"""Runs alone in a network namespace: a call between two machines over a bad line, by one bearer.

Arguments: a folder, the bearer's name, and the line's conditions in JSON; with ``answer`` after them it is the other machine.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from p2pship.testing.audio import speech
from p2pship.testing.baresip import Baresip
from p2pship.testing.cable import SEED, Cable
from p2pship.testing.line import Conditions
from p2pship.testing.namespace import Neighbour
from p2pship.testing.nodeprocess import BEARERS
from p2pship.testing.programs import ProgramFailed
from tests.interop.machine import BOB, FAR, NEAR, check_heard, connect, machine

TALK = 6.5
"Seconds until the call is ended."

HEARD = 4
"Whole seconds that must have been heard of it."

SAME_VOICE = 0.6
"The correlation with what was said, of which a tenth is missing: it is 0.80 to 0.89, and 0.05 with the other voice."

CALLS = 3
"Times that the caller tries: a first call may fail when the same packet is lost again and again, and people call again."

SET_UP = 10.0
"Seconds in which a call must be up, or has failed: on a bad line messages are repeated."

SEEDS = {"hip": 3}
"What the packets' fates are drawn from: how much of speech is left depends on which of its sounds are lost, for every bearer."

VOICES = {name: speech(TALK + 10, seed) for seed, name in enumerate(("alice", "bob"))}


def only(bearer: str) -> list[str]:
    """Return the settings of a node that listens everywhere, by one bearer alone."""
    switches = [f"bearer.{name}.enabled={str(name == bearer).lower()}" for name in BEARERS]
    return ["lookup.lan.interfaces=[]", f'bearer.{bearer}.listen=["0.0.0.0"]', *switches]


async def answer(reactor: Any, folder: Path, bearer: str) -> None:
    """Be the other machine: answer, and hear."""
    sys.stdin.readline()
    connect("end1", 4, FAR)
    node, phone = await machine(reactor, folder, "bob", VOICES["bob"], only(bearer), answer="auto")
    print("ready", flush=True)
    await phone.when("CALL_CLOSED", CALLS * SET_UP + TALK)
    await check_heard(VOICES["alice"], phone, HEARD, SAME_VOICE)
    print("as it should be", flush=True)
    await phone.stop()
    await node.stop()


async def set_up(phone: Baresip) -> None:
    """Call, and again if need be."""
    for _ in range(CALLS):
        await phone.dial(f"sip:{BOB}")
        try:
            await phone.when("CALL_ESTABLISHED", SET_UP)
        except ProgramFailed as error:
            why = error
        else:
            return
    raise why


async def call(reactor: Any, folder: Path, bearer: str, conditions: Conditions) -> None:
    """Be the machine that calls."""
    other = Neighbour(sys.executable, __file__, *sys.argv[1:], "answer")
    cable = Cable("end0", "end1", conditions, SEEDS.get(bearer, SEED))
    other.take("end1")
    assert other.process.stdin is not None
    print("the cable is there", file=other.process.stdin, flush=True)
    connect("end0", 4, NEAR)
    node, phone = await machine(reactor, folder, "alice", VOICES["alice"], only(bearer))
    other.wait_for("ready")

    await set_up(phone)
    await deferLater(reactor, TALK)
    (up,) = await node.calls()
    assert up["path"].startswith(bearer), up
    await phone.hangup()
    await phone.when("CALL_CLOSED")
    await check_heard(VOICES["bob"], phone, HEARD, SAME_VOICE)
    other.wait_for("as it should be")
    await phone.stop()
    await node.stop()
    carried = cable.close()
    other.close()
    assert carried.lost, carried
    print("as it should be", carried)


def main(reactor: Any, arguments: Sequence[str]) -> Deferred[None]:
    """Be one of the machines."""
    folder, bearer, conditions, *role = arguments
    if role:
        return Deferred.fromCoroutine(answer(reactor, Path(folder), bearer))
    return Deferred.fromCoroutine(call(reactor, Path(folder), bearer, Conditions(**json.loads(conditions))))


react(main, [sys.argv[1:]])
