"""A real node at the far end of a cable, in a network namespace of its own; this end is the namespace of a script."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from p2pship.cli.client import NoNode, Refused, ask
from p2pship.testing.namespace import Neighbour, ip
from p2pship.testing.nodeprocess import arguments

NODE, MOVED_NODE, HERE, ELSEWHERE = (f"10.6.0.{number}" for number in (1, 21, 2, 3))
NODE6, MOVED_NODE6, HERE6, ELSEWHERE6 = (f"fd56::{number}" for number in (1, 21, 2, 3))

SETTINGS = (
    'bearer.hip.listen=["0.0.0.0","::"]',
    "bearer.hip.port=10500",
    "bearer.hip.raw=true",
    "bearer.hip.legacy=true",
    "bearer.hip.opportunistic=true",
    "bearer.tls.enabled=false",
)
REKEYING = Path(__file__).with_name("rekeying_node.py")
WORN = 8
"Packets after which the keys of a rekeying node are worn out."

START = 60.0
"Seconds for the node to start."


class Node:
    """The node, in a network of its own."""

    def __init__(self, folder: Path) -> None:
        self._state, self._log = folder / "state", (folder / "node.log").open("w")
        self._network = Neighbour("sleep", "infinity")
        ip("link add near type veth peer name far")
        self._network.take("far")
        for command in ("link set lo up", "link set far up", *adding("far", NODE, NODE6)):
            self._network.ip(command)
        for command in ("link set near up", *adding("near", HERE, ELSEWHERE, HERE6, ELSEWHERE6)):
            ip(command)
        self.start()
        self.hits = [octets(self.ask("hip show")["identities"][0]["hit"])]
        for algorithm in ("p384", "rsa-2048"):
            self.hits.append(octets(self.ask("device key create", algorithm=algorithm)["hit"]))

    def start(self, *script: str) -> None:
        """Start it; a script takes the place of ``-m twisted``."""
        python, *words = arguments(self._state, 5566, SETTINGS)
        words = [python, *script, *words[2:]] if script else [python, *words]
        inside = ["nsenter", "-n", "-t", str(self._network.process.pid), *words]
        self._process = subprocess.Popen(inside, stdout=self._log, stderr=self._log)
        end = monotonic() + START
        while True:
            try:
                self.ask("status")
                return
            except NoNode:
                assert monotonic() < end, "the node does not start"
                sleep(0.05)

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def move(self, there: bool) -> None:
        """Give it other addresses in place of those that it has, or the first ones again."""
        old, new = ((NODE, NODE6), (MOVED_NODE, MOVED_NODE6))[:: 1 if there else -1]
        for command in (*adding("far", *old, word="del"), *adding("far", *new)):
            self._network.ip(command)

    def ask(self, command: str, **values: Any) -> Any:
        """Give a command, and wait for its result."""
        return ask(self._state, command, values)

    def begin(self, command: str, **values: Any) -> list[Any]:
        """Give a command while the other host goes on; its result, or the error, will be in the list."""
        found: list[Any] = []

        def run() -> None:
            try:
                found.append(self.ask(command, **values))
            except Refused as error:
                found.append(error)

        threading.Thread(target=run, daemon=True).start()
        return found

    def association(self, hit: bytes) -> Any:
        """Return what it says of its only association with a host; None if there is none."""
        found = [each for each in self.ask("hip associations") if octets(each["peer"]) == hit]
        assert len(found) < 2, found
        return found[0] if found else None


def adding(interface: str, *addresses: str, word: str = "add") -> Iterator[str]:
    """Yield the ``ip`` commands that give an interface addresses, or take them."""
    for address in addresses:
        tail = "/64 nodad" if ":" in address and word == "add" else "/64" if ":" in address else "/24"
        yield f"addr {word} {address}{tail} dev {interface}"


def octets(hit: str) -> bytes:
    """Return the octets of a HIT."""
    return ip_address(hit).packed


def node_at(address: str) -> tuple[str, int]:
    """Return where the node is, of an address's family."""
    return (NODE6 if ":" in address else NODE), 10500
