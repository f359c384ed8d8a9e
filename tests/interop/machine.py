"""One of two machines on one cable, each in a network namespace, with a node and a phone that speaks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from p2pship.testing.audio import ALIKE, Sound, compare
from p2pship.testing.baresip import Baresip
from p2pship.testing.namespace import ip
from p2pship.testing.nodeprocess import NodeProcess

ALICE, BOB = "alice@example.com", "bob@example.com"

LAN_PORT = 5565
EVERYWHERE = (
    "lookup.lan.interfaces=[]",
    *(f'bearer.{name}.listen=["0.0.0.0","::"]' for name in ("hip", "tls")),
)
"A node's defaults, which node processes of tests do not use."

ADDRESSES = {4: "10.5.0.{}", 6: "fd55::{}"}
NEAR, FAR = 1, 2
"The machines' numbers in these addresses."


def connect(interface: str, version: int, number: int) -> None:
    """Give this machine an address, and use its end of the cable."""
    conf = Path("/proc/sys/net/ipv6/conf", interface)
    (conf / "accept_dad").write_text("0")  # an address can be used at once
    (conf / "disable_ipv6").write_text(str(int(version == 4)))
    ip("link set lo up")
    ip(f"addr add {ADDRESSES[version].format(number)}/{24 if version == 4 else 64} dev {interface}")
    ip(f"link set {interface} up")


async def machine(
    reactor: Any, folder: Path, name: str, said: Sound, settings: Sequence[str] = EVERYWHERE, **options: Any
) -> tuple[NodeProcess, Baresip]:
    """Start a node and a phone."""
    node = NodeProcess(reactor, folder / f"node-{name}", LAN_PORT, settings)
    await node.start()
    phone = Baresip(reactor, folder / name, f"{name}@example.com", node.proxy, voice=said, **options)
    await phone.start()
    return node, phone


async def check_heard(said: Sound, listener: Baresip, seconds: int, least: float = ALIKE) -> None:
    """Check that a phone heard, in the call that has ended, so many seconds at least of what the other person said.

    ``least`` is the correlation; where packets are lost it is lower.
    """
    found = compare(said, await listener.heard())
    same = found.correlation > least and found.as_loud and found.seconds >= seconds
    assert same, f"{found}\n{listener.log()}"
