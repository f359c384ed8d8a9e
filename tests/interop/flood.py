"""A phone gone mad, as a program: sends prepared requests at a steady rate, and listens to nothing that is answered.

``python flood.py HOST PORT RATE SECONDS KIND PORTS``: KIND is a method, sent from so many PORTS of one address in turn, or
``nothing`` for empty datagrams. HOST may be a group, which is reached over loopback. It ends by printing how many it sent.
"""

from __future__ import annotations

import socket
import sys
import time
from ipaddress import ip_address

LOOPBACK = "127.0.0.1"

PREPARED = 512
"Different requests that are prepared: each has its own branch and Call-ID, until they come again."

REQUEST = """{method} sip:{whom} SIP/2.0\r
Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{number:x}mad{started:x};rport\r
Max-Forwards: 70\r
From: <sip:mad@example.com>;tag={number}\r
To: <sip:mad@example.com>\r
Call-ID: {number}.{started}@mad\r
CSeq: {number} {method}\r
Contact: <sip:mad@{host}:{port}>\r
Expires: 600\r
Content-Length: 0\r
\r
"""


def prepare(method: str, host: str, port: int) -> list[bytes]:
    """Make the requests of one port."""
    if method == "nothing":
        return [b""] * PREPARED
    whom = "example.com" if method == "REGISTER" else "bob@example.com"
    started = time.time_ns()
    return [
        REQUEST.format(
            method=method, whom=whom, host=host, port=port, number=number, started=started
        ).encode()
        for number in range(1, PREPARED + 1)
    ]


def flood(host: str, port: int, rate: int, seconds: float, method: str, ports: int) -> int:
    """Send for so long, and return how many were sent."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(ports)]
    for each in sockets:
        if ip_address(host).is_multicast:
            each.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LOOPBACK))
        else:
            each.bind((host, 0))
        each.connect((host, port))
    requests = [prepare(method, host, each.getsockname()[1]) for each in sockets]
    begun, sent = time.monotonic(), 0
    while (passed := time.monotonic() - begun) < seconds:
        due = int(passed * rate)
        while sent < due:
            sockets[sent % ports].send(requests[sent % ports][sent // ports % PREPARED])
            sent += 1
        time.sleep(0.001)
    return sent


if __name__ == "__main__":
    host, port, rate, seconds, method, ports = sys.argv[1:]
    print(flood(host, int(port), int(rate), float(seconds), method, int(ports)))
