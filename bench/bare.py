"""A relay with nothing but Twisted's DatagramProtocol: ``python -m bench.bare`` is the peer that relays are compared with.

Standard input is a line of JSON, two phones' ports for each call; so is standard output, the two ports that they are to
send to.
"""

from __future__ import annotations

import json
import sys
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.protocol import DatagramProtocol

HOST = "127.0.0.1"


class Side(DatagramProtocol):
    """What one phone sends comes here, and leaves for the other phone from the other side."""

    transport: Any
    other: Side

    def __init__(self, phone: tuple[str, int]) -> None:
        self.phone = phone

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Pass it on."""
        self.other.transport.write(datagram, self.other.phone)


def relay(phones: tuple[int, int]) -> list[int]:
    """Open both sides of a call, and return their ports."""
    sides = [Side((HOST, port)) for port in phones]
    sides[0].other, sides[1].other = sides[1], sides[0]
    opened = [cast(Any, reactor).listenUDP(0, side, interface=HOST) for side in sides]
    return [port.getHost().port for port in opened]


if __name__ == "__main__":
    print(json.dumps([relay(phones) for phones in json.loads(sys.stdin.readline())]), flush=True)
    cast(Any, reactor).run()
