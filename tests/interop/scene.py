"""Two machines with cables between them, and a call that one script has happen at both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from p2pship.testing.cable import Cable
from p2pship.testing.line import Conditions
from tests.interop.callmachine import FarMachine, Machine
from tests.interop.intime import check_in_time
from tests.interop.machine import BOB, FAR, NEAR

ADDRESSES = {4: "10.5.{}.{}/24", 6: "fd55:5{}::{}/64"}
"By the numbers of the cable and the machine."

TALK = 1.2
"Seconds of talk before something happens, and after it."

SILENT = 0.2
"Seconds without a packet after which none is thought to be on its way."

LEFT = 1.0
"Seconds in which a path that is silently dead must have been left."


class Scene:
    """Both machines and the cables between them."""

    def __init__(
        self,
        reactor: Any,
        near: Machine,
        far: FarMachine,
        cables: int,
        line: Conditions,
        versions: Sequence[int],
    ) -> None:
        """Lay so many cables; the machines will have addresses of these versions of IP."""
        self.near: Machine = near
        self.far: Machine = far
        self._reactor = reactor
        self._neighbour = far.neighbour
        self._versions = versions
        self._cables = [Cable(f"near{number}", f"far{number}", line) for number in range(cables)]
        for number in range(cables):
            self._neighbour.take(f"far{number}")

    async def begin(self) -> None:
        """Connect both machines, and start their nodes and phones."""
        for cable in range(len(self._cables)):
            await self._connect(self.near, f"near{cable}", cable, NEAR)
            await self._connect(self.far, f"far{cable}", cable, FAR)
        await self.both("begin")

    async def _connect(self, machine: Machine, interface: str, cable: int, number: int) -> None:
        await machine.do("use_ipv6", interface, 6 in self._versions)
        for version in self._versions:
            await machine.do("ip", f"addr add {ADDRESSES[version].format(cable, number)} dev {interface}")
        await machine.do("ip", f"link set {interface} up")

    async def both(self, what: str, *words: Any) -> list[Any]:
        """Have both machines do the same at a time; returns both answers."""
        return await self.together(self.near.do(what, *words), self.far.do(what, *words))

    async def together(self, *things: Any) -> list[Any]:
        """Wait for several things."""
        return list(await gatherResults(map(Deferred.fromCoroutine, things)))

    async def call(self, callee: str = BOB) -> float:
        """Bring a call up, and return how many seconds that takes."""
        began = self.now()
        await self.near.do("dial", f"sip:{callee}")
        await self.both("when", "CALL_ESTABLISHED")
        return self.now() - began

    async def hang_up(self) -> None:
        """End the call."""
        await self.near.do("hangup")
        await self.both("when", "CALL_CLOSED")

    async def talk(self, seconds: float = TALK) -> None:
        """Let time pass."""
        await deferLater(self._reactor, seconds)

    async def fall_silent(self, *machines: Machine) -> None:
        """Wait until nothing comes to these phones: what was told to the others takes a moment to be done."""
        for each in machines:
            while (await each.do("heard", self.now() - SILENT))["packets"]:
                await self.talk(SILENT)

    def now(self) -> float:
        """Return Unix time."""
        return float(self._reactor.seconds())

    async def cut(self) -> None:
        """Lose everything on the cable that the caller uses, silently, and see that whoever uses it leaves it in time."""
        paths = await self.both("path")
        network = paths[0].rpartition(".")[0]
        self._cables[int(network.rpartition(".")[2])].change(Conditions(loss=1.0))
        since = self.now()
        users = [
            each for each, path in zip((self.near, self.far), paths, strict=True) if path.startswith(network)
        ]
        took = [
            at - since for at in await self.together(*(each.do("path_outside", network) for each in users))
        ]
        print("left after", took)
        check_in_time(max(took), LEFT, took)

    async def check_heard(self, since: float, longest: float, lossless: bool = False) -> None:
        """See that no phone had a longer silence than that, and none was asked for anything."""
        heard = await self.both("heard", since)
        print(heard)
        assert not lossless or [one["missing"] for one in heard] == [0, 0], heard
        check_in_time(max(one["gap"] for one in heard), longest, heard)

    async def end(self) -> None:
        """Stop everything."""
        await self.both("end")
        self._neighbour.close()
        for cable in self._cables:
            cable.close()
