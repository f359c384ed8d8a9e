"""Two machines, each in a network namespace, with a node, a phone that speaks, and an ear on what the phone gets.

Both do what one script tells them, so that what happens is written down in one place and in its order. The far one is a process of
its own, told over its standard input.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from p2pship.testing.audio import speech
from p2pship.testing.baresip import RTP_PORTS, Baresip
from p2pship.testing.namespace import NamespaceScriptFailed, Neighbour, ip
from p2pship.testing.nodeprocess import NodeProcess
from tests.interop.machine import EVERYWHERE, LAN_PORT
from tests.interop.tap import Tap

STEP = 0.02
"Seconds between looks, and between packets."

VOICE_SECONDS = 30
"Longer than any call here, which would end with it."

SEEDS = {"alice": 1, "bob": 2}

LARGE = 1460
"Octets of a large RTP packet, as of video: more than one datagram of a link over Ethernet takes."

PORTS = ("sip.port=5060", "bearer.hip.port=10500")
"As by default: a node that is started again has the same, so that the phone finds it."

REKEYING = Path(__file__).with_name("rekeying_node.py")


class Machine(Protocol):
    """A machine, near or far."""

    async def do(self, what: str, *words: Any) -> Any:
        """Do one of the things that a :class:`CallMachine` does."""


class CallMachine:
    """The machine on which this runs. What is given and returned is what JSON has."""

    def __init__(
        self,
        reactor: Any,
        folder: Path,
        name: str,
        keys_last: int | None = None,
        settings: Sequence[str] = (),
        domain: str = "example.com",
        **options: Any,
    ) -> None:
        """Describe it; ``domain`` is that of its person's name.

        ``options`` are the phone's, ``settings`` more of the node's, and ``keys_last`` is how many packets one key of its links lasts.
        """
        self._reactor = reactor
        self._name, self._aor = name, f"{name}@{domain}"
        self._folder = folder
        self._options = {"voice": speech(VOICE_SECONDS, SEEDS[name]), **options}
        self._node = NodeProcess(reactor, folder / f"node-{name}", LAN_PORT, (*EVERYWHERE, *PORTS, *settings))
        if keys_last is not None:
            self._node._arguments[1:3] = [str(REKEYING), str(keys_last)]

    async def do(self, what: str, *words: Any) -> Any:
        """Do what one of the other methods does, or else one of the phone's, whose answer is not told."""
        own = getattr(self, what, None)
        if own is not None:
            return await own(*words)
        await getattr(self._phone, what)(*words)
        return None

    async def begin(self) -> None:
        """Start the node and the phone."""
        await self._node.start()
        folder = self._folder / self._name
        self._phone = Baresip(self._reactor, folder, self._aor, self._node.proxy, **self._options)
        self._tap = Tap(self._reactor, range(self._phone.port + 4, self._phone.port + 4 + RTP_PORTS))
        await self._phone.start()

    async def end(self) -> None:
        """Stop both."""
        await self._phone.stop()
        await self._node.stop()

    async def kill(self) -> None:
        """End the node as a crash does."""
        await self._node.kill()

    async def start_again(self) -> None:
        """Start the node again, as it was."""
        await self._node.start()

    async def signal(self, name: str) -> None:
        """Send the phone a signal: with STOP it is silent until CONT."""
        assert self._phone._program is not None
        self._phone._program.signal(name)

    async def ask(self, command: str, values: dict[str, Any]) -> Any:
        """Give the node a command, and return its answer."""
        return await self._node.ask(command, **values)

    async def path(self) -> str:
        """Return which way the call goes; the node has no other call."""
        (up,) = await self._node.calls()
        return str(up["path"])

    async def path_outside(self, beginning: str) -> float:
        """Wait until the call goes a way that does not begin like this, and return when (Unix time)."""
        while (await self.path()).startswith(beginning):
            await deferLater(self._reactor, STEP)
        return float(self._reactor.seconds())

    async def story(self) -> Any:
        """Return what the node tells of its last call."""
        last, *_ = await self._node.ask("calls recent")
        return await self._node.ask("calls why", id=last["id"])

    async def rekeys(self) -> int:
        """Return how often the keys of the node's only association have changed."""
        (association,) = await self._node.ask("hip associations")
        return int(association["rekeys"])

    async def cast(self, number: int, size: int) -> None:
        """Send so many RTP packets of a size in each of the call's media, in the phone's name."""
        for count in range(number):
            self._tap.speak(count, size)
            await deferLater(self._reactor, STEP)

    async def heard(self, since: float) -> dict[str, Any]:
        """Return which RTP has come to the phone since a moment."""
        sizes = [size for packets in self._tap.packets(since) for _, _, size in packets]
        return {
            "gap": self._tap.gap(since),
            "missing": self._tap.missing(since),
            "packets": len(sizes),
            "media": len(self._tap.ways),
            "large": sum(size >= LARGE for size in sizes),
        }

    async def asked(self) -> int:
        """Return how many INVITEs the phone has sent and got; repetitions count."""
        return len(re.findall(r"^INVITE ", self._phone.log(), re.MULTILINE))

    async def was_told(self, text: str) -> bool:
        """Return whether this has been in a message that the phone has got."""
        return text in self._phone.log()

    async def use_ipv6(self, interface: str, wanted: bool) -> None:
        """Switch IPv6 on or off at an interface; an address can be used at once."""
        conf = Path("/proc/sys/net/ipv6/conf", interface)
        (conf / "accept_dad").write_text("0")
        (conf / "disable_ipv6").write_text(str(int(not wanted)))

    async def ip(self, command: str) -> None:
        """Run ``ip COMMAND``."""
        ip(command)


class FarMachine:
    """The other machine."""

    def __init__(self, *command: str) -> None:
        """Start it; ``command`` is a script that calls :func:`serve`, and its arguments."""
        self.neighbour = Neighbour(sys.executable, *command)

    async def do(self, what: str, *words: Any) -> Any:
        """Have it do something, and return the answer.

        :raises NamespaceScriptFailed: if it has ended; why is in its standard error.
        """
        pipes = self.neighbour.process
        assert pipes.stdin is not None and pipes.stdout is not None
        print(json.dumps([what, *words]), file=pipes.stdin, flush=True)
        answer = await deferToThread(pipes.stdout.readline)
        if not answer:
            raise NamespaceScriptFailed(f"the other machine failed: {what}")
        return json.loads(answer)


async def serve(machine: CallMachine) -> None:
    """Do what is told, line by line, until there is no more."""
    while line := await deferToThread(sys.stdin.readline):
        print(json.dumps(await machine.do(*json.loads(line))), flush=True)
