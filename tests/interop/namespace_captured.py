"""Runs alone in a network namespace: two machines on one cable, on which somebody listens while their people call and write.

Arguments: a folder; with ``answer`` after it, it is the other machine. What went over the cable is searched for names.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.internet.threads import deferToThread

from p2pship.testing.namespace import Neighbour, ip
from p2pship.testing.nodeprocess import NodeProcess
from p2pship.testing.phone import AT_ONCE, Phone
from tests.interop.machine import EVERYWHERE, FAR, LAN_PORT, NEAR, connect
from tests.lookup.test_privacy import writings

DOMAIN = "hidden-household.example.com"
ALICE, BOB = f"alice.liddell@{DOMAIN}", f"bob.the.builder@{DOMAIN}"
DISPLAYS = {ALICE: "Alice in Wonderland", BOB: "Uncle Robert"}
TEXT, STATUS, PRESENCE = "meet me at the old mill", "gone fishing till monday", "at the riverside"
SECRETS = (
    ALICE,
    BOB,
    *(aor.partition("@")[0] for aor in (ALICE, BOB)),
    DOMAIN,
    *DISPLAYS.values(),
    TEXT,
    STATUS,
    PRESENCE,
    "INVITE sip:",
    "z9hG4bK",
    "m=audio ",
    "a=rtpmap:",
)
"What nobody on the cable may read: who they are, and what they say."

ALL_PROTOCOLS = 3
"ETH_P_ALL: a packet socket gets everything, both ways (packet(7))."

PACKETS = 20
"Packets of sound that each hears before the call is ended."


class Listener:
    """Keeps every frame on an interface."""

    def __init__(self, interface: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.bind((interface, 0))
        self._socket.setblocking(False)

    def frames(self) -> list[bytes]:
        """Return what has come since this was last asked."""
        frames = []
        while True:
            try:
                frames.append(self._socket.recv(65_535))
            except BlockingIOError:
                return frames


def found(frames: Sequence[bytes]) -> set[str]:
    """Return the secrets that somebody who has these frames can read, in whatever writing and case."""
    heard = b"\0".join(frames)
    lower = heard.lower()
    return {
        secret
        for secret in SECRETS
        for writing in writings(secret)
        if writing in heard or writing.lower() in lower
    }


async def machine(reactor: Any, folder: Path, aor: str, settings: Sequence[str]) -> tuple[NodeProcess, Phone]:
    """Start a node and a phone of somebody, who shows a display name and has a status."""
    node = NodeProcess(reactor, folder / aor.partition("@")[0], LAN_PORT, (*EVERYWHERE, *settings))
    await node.start()
    phone = Phone(reactor, aor, proxy=node.proxy, display=DISPLAYS[aor], answering=AT_ONCE)
    phone.start()
    await phone.register()
    await node.ask("identity status", aor=aor, say=STATUS)
    return node, phone


async def answer(reactor: Any, folder: Path, settings: Sequence[str]) -> None:
    """Be the other machine, until what it is told."""
    sys.stdin.readline()
    connect("veth1", 4, FAR)
    node, phone = await machine(reactor, folder, BOB, settings)
    await node.ask("contact add", aor=ALICE, name=DISPLAYS[ALICE])
    print("ready", flush=True)
    await phone.until(lambda: len(phone.texts) > 0)
    assert phone.texts[0].text == TEXT
    await deferToThread(sys.stdin.readline)
    await phone.stop()
    await node.stop()
    print("over", flush=True)


async def talk(phone: Phone) -> None:
    """Call, hear, hang up, write, and ask whether the other is there."""
    call = phone.call(f"sip:{BOB}")
    await call.answered
    await call.media.until(lambda: len(call.media.packets) >= PACKETS)
    await call.hang_up()
    assert (await phone.message(f"sip:{BOB}", TEXT)).status == 200
    await phone.request(
        "SUBSCRIBE", f"sip:{BOB}", [("Event", "presence"), ("Subject", PRESENCE), ("Expires", "60")]
    )


async def call(reactor: Any, folder: Path, settings: Sequence[str]) -> None:
    """Be the machine that calls, and the one who listens on its cable."""
    other = Neighbour(sys.executable, __file__, str(folder), *settings, "answer")
    ip("link add veth0 type veth peer name veth1")
    other.take("veth1")
    assert other.process.stdin is not None
    print("the cable is there", file=other.process.stdin, flush=True)
    connect("veth0", 4, NEAR)
    listener = Listener("veth0")
    node, phone = await machine(reactor, folder, ALICE, settings)
    await deferToThread(other.wait_for, "ready")
    await talk(phone)
    (peer,) = (await node.status())["peers"]
    await phone.stop()
    await node.stop()
    report(listener.frames(), peer["path"])
    print("over", file=other.process.stdin, flush=True)
    await deferToThread(other.wait_for, "over")
    other.close()


def report(frames: Sequence[bytes], path: str) -> None:
    """Print what went over the cable, and what could be read of it."""
    lan = sum(1 for frame in frames if LAN_PORT.to_bytes(2, "big") in frame[34:38])
    print(f"{len(frames)} frames, {lan} of the LAN lookup, over {path}")
    print("read:", sorted(found(frames)))


def main(reactor: Any, arguments: Sequence[str]) -> Deferred[None]:
    """Be one of the machines."""
    folder, *settings = arguments
    be = call
    if settings and settings[-1] == "answer":
        settings.pop()
        be = answer
    return Deferred.fromCoroutine(be(reactor, Path(folder), settings))


if __name__ == "__main__":
    react(main, [sys.argv[1:]])
