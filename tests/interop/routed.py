"""Two machines that share no network: this one is a router with a cable to each, and what is multicast on one is not on the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from p2pship.testing.cable import Cable
from p2pship.testing.line import Conditions
from p2pship.testing.namespace import ip
from tests.interop.callmachine import FarMachine
from tests.interop.intime import check_in_time
from tests.interop.machine import BOB
from tests.interop.scene import Scene

NETWORKS = {"alice": "55.5.101.{}", "bob": "55.5.102.{}"}
"Of each person's cable: addresses that mean the same everywhere, as others are not published for everybody."

ROUTER, OWN = 1, 2
"The last octets of the addresses there."

UP = 3.0
"Seconds until the first call is up: lookups are asked and who they name, and HIP and the overlay say hello."

AUDIBLE = 0.5
"The longest silence, in seconds."

LINE = Conditions(delay=0.005)
"Of each cable: a round trip of 20 ms from one person to the other."


class RoutedScene(Scene):
    """Two machines, each with a cable to this one."""

    def __init__(self, reactor: Any, *command: str) -> None:
        """Start them; ``command`` is a script, and its arguments but the last, which is the person's name."""
        self._reactor = reactor
        self._cables = [Cable(f"to{name}", name, LINE) for name in NETWORKS]
        self._machines = {name: FarMachine(*command, name) for name in NETWORKS}
        self.near, self.far = self._machines.values()

    async def begin(self) -> None:
        """Connect both machines, and start their nodes and phones."""
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        for name, network in NETWORKS.items():
            ip(f"addr add {network.format(ROUTER)}/24 dev to{name}")
            ip(f"link set to{name} up")
            neighbour = self._machines[name].neighbour
            neighbour.take(name)
            for command in (
                "link set lo up",
                f"addr add {network.format(OWN)}/24 dev {name}",
                f"link set {name} up",
                f"route add default via {network.format(ROUTER)}",
            ):
                neighbour.ip(command)
        await self.both("begin")

    async def call_over_hip(self, lookup: str, callee: str = BOB) -> dict[str, Any]:
        """Have a call that is up in time, is heard on both sides, and leads over HIP to who was found by that lookup alone.

        Returns what the caller's node says of it.
        """
        took = await self.call(callee)
        print("up after", took)
        check_in_time(took, UP)
        since = self.now()
        await self.talk()
        await self.check_heard(since, AUDIBLE)
        path = await self.near.do("path")
        assert "hip" in path and NETWORKS["bob"].format(OWN) in path, path
        await self.hang_up()
        story: dict[str, Any] = await self.near.do("story")
        assert [tried["lookup"] for tried in story["tried"]] == [lookup], story
        return story

    async def end(self) -> None:
        """Stop everything."""
        await self.both("end")
        for each in self._machines.values():
            each.neighbour.close()
        for cable in self._cables:
            cable.close()
