"""Runs alone in a network namespace: a call over HIP between the real phones of two machines, to which something happens.

Arguments: what happens, some of :data:`HAPPENINGS` one after the other with commas between them, and a folder; with ``far`` after
them it is the other machine.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from p2pship.testing.line import Conditions
from p2pship.testing.namespace import ip
from tests.interop.callmachine import LARGE, CallMachine, FarMachine, serve
from tests.interop.intime import check_in_time
from tests.interop.machine import FAR, NEAR
from tests.interop.scene import ADDRESSES, LEFT, TALK, Scene
from tests.scale import ALONE

LINE = Conditions(delay=0.01)
"A round trip of 20 ms."

LINES = {
    "rekey disordered": Conditions(delay=0.1, jitter=0.1),
    "video 1500": Conditions(delay=0.01, largest=1514),
    "video 1280": Conditions(delay=0.01, largest=1294),
}
"Others; an Ethernet frame has 14 octets more than its IP packet, and nobody says that one was too long."

CABLES = {"hold": 2, "one way": 2}
"How many there are, if not one."

VERSIONS = {"another version": (4, 6)}
"Of which versions of IP the machines have addresses, if not of the fourth."

NEW = 10
"What is added to a machine's number when it gets another address."

KEYS_LAST = 40
"Packets of one key where keys change: less than a second of talk."

REKEYS = 3
"How often keys change at least."

MOVED = {"move": 0.3, "both move": 2.0}
"The longest silence after addresses changed, if not the first of these."

UNDISTURBED = 0.15 if ALONE else 0.3
"The longest silence when nothing should be noticed."

AUDIBLE = 0.5
"The longest silence after a call was resumed."

UP_AGAIN = 2.0
"Seconds until a call is up to somebody whose node was restarted, which the caller's node does not know."

KNOWN = 5.0
"Seconds until the phone that is left hears that the other's node was restarted."

LARGE_PACKETS = 25
"How many are sent in each of two media before the move, and after it."


def machine(reactor: Any, happens: str, folder: Path, name: str) -> CallMachine:
    """Describe a machine."""
    keys_last = KEYS_LAST if happens.startswith("rekey") else None
    return CallMachine(
        reactor,
        folder,
        name,
        keys_last,
        answer="auto" if name == "bob" else "manual",
        video=happens.startswith("video"),
    )


async def held(scene: Scene, happens: str) -> None:
    """Both hold the call, so that nothing flows, and one cable dies; then they talk on."""
    await scene.both("hold")
    await scene.fall_silent(scene.near, scene.far)
    since = scene.now()
    await scene.talk(0.5)
    await scene.cut()
    assert [one["packets"] for one in await scene.both("heard", since)] == [0, 0]
    await scene.near.do("resume")
    await scene.far.do("resume")
    since = scene.now()
    await scene.talk()
    await scene.check_heard(since, AUDIBLE, lossless=True)


async def one_way(scene: Scene, happens: str) -> None:
    """One phone is silent, so that media flows one way; one cable dies; then both talk."""
    await scene.near.do("signal", "STOP")
    await scene.fall_silent(scene.far)
    since = scene.now()
    await scene.talk(0.5)
    await scene.cut()
    await scene.talk()
    hears, hears_nothing = await scene.both("heard", since)
    assert hears_nothing["packets"] == 0, (hears, hears_nothing)
    check_in_time(hears["gap"], LEFT, hears)
    await scene.near.do("signal", "CONT")
    await scene.talk(0.3)
    since = scene.now()
    await scene.talk(0.5)
    await scene.check_heard(since, AUDIBLE)


async def killed(scene: Scene, happens: str) -> None:
    """The other's node is killed and started again: the phone that is left hears of it, and the next call is up at once."""
    await scene.far.do("kill")
    await scene.far.do("start_again")
    since = scene.now()
    await scene.near.do("when", "CALL_CLOSED", 4 * KNOWN)
    check_in_time(scene.now() - since, KNOWN)
    assert await scene.near.do("was_told", 'Reason: SIP;cause=480;text="the other node was restarted"')
    await scene.far.do("hangup")
    await scene.far.do("when", "CALL_CLOSED")
    await check_call(scene)


async def killed_idle(scene: Scene, happens: str) -> None:
    """One node is killed and started again when nobody talks: the one called, or the caller's own."""
    machine = scene.near if happens == "killed caller" else scene.far
    await scene.hang_up()
    await scene.talk(0.3)
    await machine.do("kill")
    await machine.do("start_again")
    await check_call(scene)


async def check_call(scene: Scene) -> None:
    """See that the next call is up soon, and heard on both sides."""
    took = await scene.call()
    print("up after", took)
    check_in_time(took, UP_AGAIN)
    since = scene.now()
    await scene.talk(0.5)
    await scene.check_heard(since, AUDIBLE)


async def rekeyed(scene: Scene, happens: str) -> None:
    """The keys change again and again."""
    since = scene.now()
    await scene.talk(3 * TALK)
    assert min(await scene.both("rekeys")) >= REKEYS
    await scene.check_heard(since, 2 * LINES.get(happens, LINE).jitter + UNDISTURBED, lossless=True)


async def moved(scene: Scene, happens: str) -> None:
    """One machine's address changes, or both machines' at the same moment, after which only the lookup knows where they are."""
    asked = await scene.both("asked")
    since, limit = scene.now(), MOVED.get(happens, MOVED["move"])
    moving = [(scene.near, "near0", NEAR), (scene.far, "far0", FAR)]
    for each, interface, number in moving[: 2 if happens == "both move" else 1]:
        await each.do("ip", f"addr del {ADDRESSES[4].format(0, number)} dev {interface}")
        await each.do("ip", f"addr add {ADDRESSES[4].format(0, number + NEW)} dev {interface}")
    await scene.talk(limit + AUDIBLE)
    await scene.check_heard(since, limit)
    assert await scene.both("asked") == asked, "no phone was asked for anything"


async def seen(scene: Scene, happens: str) -> None:
    """A call with pictures: large packets arrive whole, before and after the caller's address is another one."""
    await scene.both("cast", LARGE_PACKETS, LARGE)
    await scene.talk(0.2)
    await moved(scene, happens)
    await scene.both("cast", LARGE_PACKETS, LARGE)
    await scene.talk(0.2)
    heard = await scene.both("heard", 0)
    assert [one["media"] for one in heard] == [2, 2], heard
    assert [one["large"] for one in heard] == [4 * LARGE_PACKETS] * 2, heard


async def another_version(scene: Scene, happens: str) -> None:
    """The address of the version of IP in use goes, and comes back when the call has gone over to the other; then that one's."""
    for _ in range(2):
        since = scene.now()
        version = 6 if "[" in await scene.near.do("path") else 4
        address = ADDRESSES[version].format(0, NEAR)
        await scene.near.do("ip", f"addr del {address} dev near0")
        await scene.talk(0.5)
        await scene.check_heard(since, MOVED["move"])
        assert ("[" in await scene.near.do("path")) == (version == 4)
        await scene.near.do("ip", f"addr add {address} dev near0")
        await scene.talk()


HAPPENINGS = {
    "hold": held,
    "one way": one_way,
    "killed": killed,
    "killed idle": killed_idle,
    "killed caller": killed_idle,
    "rekey": rekeyed,
    "rekey disordered": rekeyed,
    "move": moved,
    "both move": moved,
    "video 1500": seen,
    "video 1280": seen,
    "another version": another_version,
}


async def play(reactor: Any, happens: Sequence[str], folder: Path) -> None:
    """Be the machine that calls, and have it happen."""
    far = FarMachine(__file__, *sys.argv[1:], "far")
    near = machine(reactor, happens[0], folder, "alice")
    cables = max(CABLES.get(each, 1) for each in happens)
    scene = Scene(reactor, near, far, cables, LINES.get(happens[0], LINE), VERSIONS.get(happens[0], (4,)))
    await scene.begin()
    print("up after", await scene.call())
    await scene.talk()
    for each in happens:
        await HAPPENINGS[each](scene, each)
    await scene.hang_up()
    await scene.end()
    print("as it should be")


def main(reactor: Any, arguments: Sequence[str]) -> Deferred[None]:
    """Be one of the machines."""
    wanted, folder, *role = arguments
    happens = wanted.split(",")
    if not role:
        return Deferred.fromCoroutine(play(reactor, happens, Path(folder)))
    ip("link set lo up")
    return Deferred.fromCoroutine(serve(machine(reactor, happens[0], Path(folder), "bob")))


react(main, [sys.argv[1:]])
