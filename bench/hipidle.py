"""A host with many idle associations: ``python -m bench.hipidle`` is the process whose memory is measured.

It prints the port and the key at which it is dialled. At each line of standard input it forgets everything that belongs to base exchanges
alone, and answers with how many links it has, and the octets of memory that it has made.
"""

from __future__ import annotations

import gc
import json
import os
import select
import sys
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from psutil import Process

from bench.hipends import Device, End, Receiver
from bench.nodes import Served

A_BATCH = 0.015
"Seconds that pass with each batch of packets: some 40 links come in a second, which is no load, and none of them gets old."

SOON = 0.01
"Seconds until what is to be done without a packet is done."

FORGOTTEN = 120.0
"Seconds in which an exchange is forgotten: its puzzle, and the key of its R1."


class Echo(Receiver):
    """Answers a frame with the same."""

    def __init__(self, link: Any) -> None:
        super().__init__()
        self._link = link

    def frame_received(self, frame: bytes) -> None:
        """Send it back."""
        self._link.send(frame)


def serve() -> None:
    """Accept links, and answer questions, until standard input ends."""
    host = End(Device(ec.generate_private_key(ec.SECP256R1())))
    host.listen()
    print(json.dumps([host.bearer.locators()[0].port, host.device.key.hex()]), flush=True)
    count = 0
    while True:
        ready, _, _ = select.select([*host.sockets.readers, sys.stdin], [], [], SOON)
        if sys.stdin in ready:
            if not sys.stdin.readline():
                return
            for _ in range(int(FORGOTTEN / 10)):
                host.turn(10.0)
            gc.collect()
            print(json.dumps([count, Served(Process(os.getpid())).memory()]), flush=True)
        host.turn(A_BATCH)
        for link in host.links:
            count += 1
            link.start(Echo(link))
        host.links.clear()


if __name__ == "__main__":
    serve()
