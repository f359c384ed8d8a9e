"""Runs alone in a network namespace: two machines on one cable, each with a node and a phone, and a call between them.

Arguments: a folder; 4 or 6, the version of IP that the cable carries, the other one being switched off; and what
happens: ``call``, or ``cut``, where the cable is cut while they talk. With ``answer`` instead it is the other machine.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from p2pship.testing.audio import Sound, speech
from p2pship.testing.baresip import Baresip
from p2pship.testing.baresipcontrol import Text
from p2pship.testing.namespace import Neighbour, ip
from tests.interop.machine import ADDRESSES, ALICE, BOB, FAR, NEAR, check_heard, connect, machine

KEY, ASKED, ANSWERED = "5", "please hang up", "done"

TALK = 4.5
"Seconds until the call is ended, or the cable cut."

HEARD = 3
"Whole seconds that must have been heard of it."

CUT_NOTICED = 40.0
"Seconds after which both phones must know that the cable was cut."

SEEDS = {"alice": 1, "bob": 2}
VOICE = {"call": 15, "cut": 60}
"Seconds of what they say: longer than the call, which ends with it."


def voice(name: str, happens: str) -> Sound:
    """Return what somebody says."""
    return speech(VOICE[happens], SEEDS[name])


async def check_cut(phone: Baresip) -> None:
    """Check that a phone is told in time that the other side is gone, and why (RFC 3326)."""
    await phone.when("CALL_CLOSED", CUT_NOTICED)
    assert "\nReason: SIP;cause=480;" in phone.log(), phone.log()


async def call_again(phone: Baresip) -> None:
    """Press a key, hold and resume, and write; the other person hangs up then, and writes back."""
    await phone.dial(f"sip:{BOB}")
    await phone.when("CALL_ESTABLISHED")
    await phone.dtmf(KEY)
    await phone.hold()
    await phone.resume()
    await phone.message(BOB, ASKED)
    await phone.when("CALL_CLOSED")
    assert await phone.when_text() == Text(BOB, ANSWERED), phone.log()


async def take_another_call(phone: Baresip) -> None:
    """Be called again: hear the key, and do what is asked in writing."""
    await phone.when("CALL_ESTABLISHED")
    pressed = await phone.when("CALL_DTMF_START")
    assert pressed.param == KEY, phone.log()
    assert await phone.when_text() == Text(ALICE, ASKED), phone.log()
    await phone.hangup()
    await phone.when("CALL_CLOSED")
    await phone.message(ALICE, ANSWERED)
    sys.stdin.readline()  # a phone that is ended at once sends nothing


async def answer(reactor: Any, folder: Path, version: int, happens: str) -> None:
    """Be the other machine: answer one call, and say when it is over and all was as it should be."""
    sys.stdin.readline()
    connect("veth1", version, FAR)
    node, phone = await machine(
        reactor, folder, "bob", voice("bob", happens), answer="auto", contacts=[ALICE]
    )
    print("ready", flush=True)
    await phone.when("CALL_ESTABLISHED")
    await deferLater(reactor, TALK)
    if happens == "cut":
        await check_cut(phone)
    else:
        await phone.when("CALL_CLOSED")
        await check_heard(voice("alice", happens), phone, HEARD)
        print("heard", flush=True)  # only now may another call begin to record
        await take_another_call(phone)
    print("as it should be", flush=True)
    await phone.stop()
    await node.stop()


async def call(reactor: Any, folder: Path, version: int, happens: str) -> None:
    """Be the machine that calls."""
    other = Neighbour(sys.executable, __file__, str(folder), str(version), happens, "answer")
    ip("link add veth0 type veth peer name veth1")
    other.take("veth1")
    assert other.process.stdin is not None
    print("the cable is there", file=other.process.stdin, flush=True)
    connect("veth0", version, NEAR)
    node, phone = await machine(reactor, folder, "alice", voice("alice", happens), contacts=[BOB])
    other.wait_for("ready")

    await phone.dial(f"sip:{BOB}")
    await phone.when("CALL_ESTABLISHED")
    await deferLater(reactor, TALK)
    (up,) = await node.calls()
    assert up["path"].startswith("hip "), "the default, though both have tls as well"
    assert ADDRESSES[version].format(FAR) in up["path"], up
    if happens == "cut":
        other.ip("link set veth1 down")
        await check_cut(phone)
    else:
        await phone.hangup()
        await phone.when("CALL_CLOSED")
        await check_heard(voice("bob", happens), phone, HEARD)
        other.wait_for("heard")
        await call_again(phone)
        print("it was read", file=other.process.stdin, flush=True)
    other.wait_for("as it should be")
    counts = (await node.status())["counts"]
    assert (counts["relays"], counts["dialogs"], counts["pending"]) == (0, 0, 0), counts
    await phone.stop()
    await node.stop()
    other.close()
    print("as it should be")


def main(reactor: Any, arguments: Sequence[str]) -> Deferred[None]:
    """Be one of the machines."""
    folder, version, happens, *role = arguments
    be = answer if role else call
    return Deferred.fromCoroutine(be(reactor, Path(folder), int(version), happens))


react(main, [sys.argv[1:]])
