"""Runs alone in a network namespace: a link over HIP between two machines, and what becomes of a call's packets when things happen.

Arguments: what happens, and the line's conditions in JSON; with ``answer`` after them it is the other machine. What happens:

- ``move``: one machine's address is another one from one moment to the next; ``move back`` it is the other machine's.
- ``cut``: the cable that is used silently loses everything, and there is another one; ``cut held`` when neither sends, so that
  nothing but questions passes; ``cut one way`` when only the caller speaks.
- ``both``: both machines' addresses change at the same moment, and where they are is known a little later.
- ``rekey``: the keys change, several times.
- ``ipv6``, ``raw``, ``raw ipv6``: nothing happens to a link over IPv6, or in IP itself (protocols 139 and 50).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react
from twisted.internet.threads import deferToThread

from p2pship.address import Locator
from p2pship.bearer.hip.numbers import UDP_PORT
from p2pship.interfaces import ILink
from p2pship.testing.cable import Cable
from p2pship.testing.line import Conditions
from p2pship.testing.namespace import Neighbour, ip
from tests.interop.hipends import STEP, Talk, bearer
from tests.interop.intime import check_in_time
from tests.interop.machine import FAR, NEAR
from tests.scale import ALONE

ADDRESSES = {4: "10.5.{}.{}", 6: "fd55:5{}::{}"}
PREFIXES = {4: 24, 6: 64}
"By the numbers of the cable and the machine."

NOBODY = 9
"A UDP port where nobody listens."

NEW = 10
"What is added to a machine's number when it gets another address."

BEFORE = 0.6
"Seconds of talk before anything happens: both know all of each other's addresses then."

AFTER = 0.7
"Seconds of talk after it, or after the silence that is allowed."

LIMITS = {
    "move": 0.3,
    "move back": 0.3,
    "cut": 1.0,
    "cut held": 1.0,
    "cut one way": 1.0,
    "both": 2.0,
    "rekey": 0.3,  # as long as a machine that does something else may take: none is lost, which counts
}
UNDISTURBED = 0.1 if ALONE else 0.3
"The longest silence that is allowed, in seconds: others may use the same processors, and that no packet is lost says the most."

SPOKEN = 0.3
"The longest silence when both begin to speak after a cut that only questions have noticed."

QUIET = ("cut held", "cut one way")
"When the other machine says nothing before."

REKEYS = 4

DROPPED = Conditions(loss=1.0)


def place(cable: int, number: int, happens: str = "") -> Locator:
    """Return where a machine listens; where it is to be reached in IP itself, nobody listens at its UDP port."""
    host = ADDRESSES[6 if "ipv6" in happens else 4].format(cable, number)
    return Locator("hip", host, NOBODY if "raw" in happens else UDP_PORT)


def connect(name: str, number: int, happens: str) -> None:
    """Give this machine its addresses, all of one version: there is no other way to it."""
    ip("link set lo up")
    version = 6 if "ipv6" in happens else 4
    quick = "nodad " if version == 6 else ""  # can be used at once
    for cable in range(cables_of(happens)):
        host = ADDRESSES[version].format(cable, number)
        ip(f"addr add {host}/{PREFIXES[version]} {quick}dev {name}{cable}")
        ip(f"link set {name}{cable} up")


def move(machine: Any, name: str, number: int) -> None:
    """Give a machine another address, and no other."""
    machine(f"addr del {place(0, number).host}/24 dev {name}0")
    machine(f"addr add {place(0, number + NEW).host}/24 dev {name}0")


def cables_of(happens: str) -> int:
    """Return how many cables there are."""
    return 2 if happens.startswith("cut") else 1


async def answer(reactor: Any, happens: str) -> None:
    """Be the other machine."""
    sys.stdin.readline()
    connect("far", FAR, happens)
    bob, device = bearer(reactor, raw="raw" in happens)
    made: list[ILink] = []
    await bob.listen(made.append, lambda: None)
    print(device.key.hex(), flush=True)
    while not made:
        await deferLater(reactor, STEP)
    talk = Talk(reactor, made[0])
    talk.ear.places = [place(0, NEAR + NEW)]
    if happens not in QUIET:
        talk.speak()
    while (said := (await deferToThread(sys.stdin.readline)).strip()) == "speak":
        talk.speak()
    print(json.dumps(report(talk, float(said), len(made))), flush=True)
    await deferToThread(sys.stdin.readline)


def report(talk: Talk, since: float, links: int) -> dict[str, Any]:
    """Return what became of the packets since a moment."""
    ear = talk.ear
    return {
        "gap": ear.gap(since),
        "missing": ear.missing,
        "twice": ear.twice,
        "stalls": ear.stalls,
        "losses": ear.losses,
        "links": links,
    }


async def happen(happens: str, talk: Talk, cables: Sequence[Cable], other: Neighbour) -> None:
    """Let it happen."""
    if happens in ("move", "both"):
        move(ip, "near", NEAR)
    if happens in ("move back", "both"):
        move(other.ip, "far", FAR)
    if happens.startswith("cut"):
        used = next(number for number in range(len(cables)) if f"10.5.{number}." in talk.link.path)
        cables[used].change(DROPPED)
    if happens == "rekey":
        for _ in range(REKEYS):
            talk.rekey()
            await talk.wait(0.4)


async def call(reactor: Any, happens: str, conditions: Conditions) -> None:
    """Be the machine that dials."""
    other = Neighbour(sys.executable, __file__, *sys.argv[1:], "answer")
    numbers = range(cables_of(happens))
    cables = [Cable(f"near{number}", f"far{number}", conditions) for number in numbers]
    for number in numbers:
        other.take(f"far{number}")
    assert other.process.stdin is not None and other.process.stdout is not None
    print("the cables are there", file=other.process.stdin, flush=True)
    connect("near", NEAR, happens)
    key = other.process.stdout.readline()
    alice, device = bearer(reactor, raw="raw" in happens)
    await alice.listen(lambda link: None, lambda: None)
    talk = Talk(reactor, await alice.dial(bytes.fromhex(key), [place(0, FAR, happens)], device))
    talk.ear.places = [place(0, FAR + NEW)]
    if happens != "cut held":
        talk.speak()
    talk.link.send(b"hello")
    await talk.wait(BEFORE)
    since = reactor.seconds()
    await happen(happens, talk, cables, other)
    if happens in QUIET:
        await talk.wait(LIMITS[happens])
        talk.speak()
        print("speak", file=other.process.stdin, flush=True)
        since = since if happens == "cut one way" else reactor.seconds()
    await talk.wait(AFTER if happens in QUIET else LIMITS.get(happens, 0.0) + AFTER)
    assert ("raw" in happens) == talk.link.path.endswith(":0"), talk.link.path
    own = report(talk, reactor.seconds() - AFTER if happens in QUIET else since, 1)
    print(since, file=other.process.stdin, flush=True)
    theirs = json.loads(await deferToThread(other.process.stdout.readline))
    other.close()
    carried = [cable.close() for cable in cables]
    print(happens, "near", own, "far", theirs, carried)
    for each in (own, theirs):
        check(happens, each)
    print("as it should be")


def check(happens: str, found: dict[str, Any]) -> None:
    """Look whether a machine heard what it should."""
    limit = SPOKEN if happens == "cut held" else LIMITS.get(happens, UNDISTURBED)
    check_in_time(found["gap"], limit, found)
    assert (found["twice"], found["stalls"], found["losses"], found["links"]) == (0, 0, [], 1), found
    assert found["missing"] == 0 or (happens in LIMITS and happens != "rekey"), found


def main(reactor: Any, arguments: Sequence[str]) -> Deferred[None]:
    """Be one of the machines."""
    happens, conditions, *role = arguments
    if role:
        return Deferred.fromCoroutine(answer(reactor, happens))
    return Deferred.fromCoroutine(call(reactor, happens, Conditions(**json.loads(conditions))))


react(main, [sys.argv[1:]])
