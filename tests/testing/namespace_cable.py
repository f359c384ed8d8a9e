"""Runs alone in a network namespace: sends numbered datagrams over a bad cable to a neighbour, who sends them back."""

from __future__ import annotations

import socket
import sys
import time

from p2pship.testing.cable import Cable
from p2pship.testing.line import Conditions
from p2pship.testing.namespace import Neighbour, ip

NEAR, FAR = "10.6.0.1", "10.6.0.2"
PORT = 7000
NUMBER = 400
LOSS = 0.2
DELAY = 0.05

ECHO = f"""
import socket, subprocess, sys
sys.stdin.readline()
for command in ("addr add {FAR}/24 dev end1", "link set end1 up"):
    subprocess.run(["ip", *command.split()], check=True)
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("{FAR}", {PORT}))
print("ready", flush=True)
while True:
    sock.sendto(*sock.recvfrom(2048))
"""


def round_trip(sock: socket.socket, number: int) -> float | None:
    """Return how long one datagram took there and back; None if it was lost."""
    began = time.monotonic()
    sock.sendto(number.to_bytes(4, "big"), (FAR, PORT))
    try:
        while int.from_bytes(sock.recv(2048), "big") != number:
            pass  # one that was given up too early
    except TimeoutError:
        return None
    return time.monotonic() - began


def echoed(sock: socket.socket) -> int:
    """Send all datagrams at once, and return how many came back."""
    for number in range(NUMBER):
        sock.sendto(number.to_bytes(4, "big"), (FAR, PORT))
    arrived = 0
    try:
        while sock.recv(2048):
            arrived += 1
    except TimeoutError:
        return arrived
    return arrived


def main() -> None:
    """Look at the cable's delay, then at its loss, and at how it is taken away."""
    neighbour = Neighbour(sys.executable, "-c", ECHO)
    cable = Cable("end0", "end1", Conditions(delay=DELAY))
    neighbour.take("end1")
    assert neighbour.process.stdin is not None
    print("the cable is there", file=neighbour.process.stdin, flush=True)
    neighbour.wait_for("ready")
    ip(f"addr add {NEAR}/24 dev end0")
    ip("link set end0 up")

    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(2)
    round_trip(sock, NUMBER)  # asks for the neighbour's hardware address first
    fastest = min(taken for taken in (round_trip(sock, number) for number in range(5)) if taken is not None)
    assert fastest >= 2 * DELAY, fastest

    cable.change(Conditions(loss=LOSS))
    sock.settimeout(2)
    share = echoed(sock) / NUMBER
    assert abs(share - (1 - LOSS) ** 2) < 0.12, share

    cable.change(Conditions(loss=1.0))
    sock.settimeout(0.5)
    assert echoed(sock) == 0
    carried = cable.close()
    assert carried.lost > NUMBER, carried
    assert carried.overflowed == 0, carried
    neighbour.close()
    print("as it should be")


main()
