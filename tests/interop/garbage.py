"""A hostile neighbour, as a program: throws seeded garbage at every socket on which a process listens.

``python garbage.py PID SEED EACH RATE``: EACH pieces for each socket that is found when it begins, and meanwhile as much
for those that come and go, such as media ports. It ends by printing what it threw at which kind of socket, as JSON.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import NamedTuple

import psutil

LOOK_EVERY = 20
"Pieces for each socket between two looks at which sockets there are."
LARGEST = 65_507
"Octets of the largest UDP datagram over IPv4."

SIP = """{method} sip:mad@example.com SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK{number};rport\r
Max-Forwards: 70\r
From: "Mad" <sip:mad@example.com>;tag={number}\r
To: <sip:mad@example.com>{tag}\r
Call-ID: garbage{number}@127.0.0.1\r
CSeq: {number} {method}\r
Contact: <sip:mad@127.0.0.1:9;transport=udp>\r
Route: <sip:127.0.0.1;lr>\r
Expires: 60\r
Content-Type: application/sdp\r
Content-Length: {length}\r
\r
{body}"""
SDP = """v=0\r
o=- 1 1 IN IP4 127.0.0.1\r
s=-\r
c=IN IP4 127.0.0.1\r
t=0 0\r
m=audio 4000 RTP/AVP 0 8 101\r
a=rtpmap:101 telephone-event/8000\r
"""
RESPONSE = """SIP/2.0 200 OK\r
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK{number}\r
From: <sip:alice@example.com>;tag=1\r
To: <sip:bob@example.com>;tag=2\r
Call-ID: garbage{number}@127.0.0.1\r
CSeq: 1 INVITE\r
Content-Length: 0\r
\r
"""
METHODS = (
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "MESSAGE",
    "SUBSCRIBE",
    "NOTIFY",
    "REFER",
    "REGISTER",
    "X",
)
COMMANDS = (
    b'{"command": "status"}\n',
    b'{"command": "find", "aor": "x"}\n',
    b"[]\n",
    b'{"command": 1}\n',
    b"{\n",
)


class Target(NamedTuple):
    """A socket that listens."""

    kind: str
    "``udp``, ``tcp`` or ``unix``"
    host: str
    "the address, or the path"
    port: int


class Neighbour:
    """Makes garbage, the same for the same seed, and throws it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.thrown: Counter[str] = Counter()
        self._makers: tuple[Callable[[], bytes], ...] = (
            self.noise,
            self.sip,
            self.response,
            self.hello,
            self.frame,
            self.handshake,
        )

    def noise(self) -> bytes:
        """Octets of any kind, mostly few."""
        most = self.random.choice((0, 1, 4, 40, 400, 1_400, LARGEST))
        return self.random.randbytes(self.random.randint(0, most))

    def sip(self) -> bytes:
        """A request that a phone might send."""
        number, body = self.random.randrange(10**9), self.random.choice(("", SDP))
        method, tag = self.random.choice(METHODS), self.random.choice(("", ";tag=1"))
        length = self.random.choice((len(body), len(body), len(body), 0, 10**6, -1))
        text = SIP.format(method=method, number=number, tag=tag, length=length, body=body)
        return text.encode()

    def response(self) -> bytes:
        """A response to nothing."""
        return RESPONSE.format(number=self.random.randrange(10**9)).encode()

    def hello(self) -> bytes:
        """What a TLS client says first."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = _client_context().wrap_bio(incoming, outgoing)
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            return outgoing.read()
        return b""

    def frame(self) -> bytes:
        """Octets behind a length, in one of the usual ways, or a command of the control socket."""
        body = self.random.randbytes(self.random.randint(0, 100))
        length = self.random.choice((len(body), len(body) + 1, 0, 2**31, 65_535))
        return self.random.choice(
            (struct.pack(">I", length) + body, struct.pack(">H", length & 0xFFFF) + body, *COMMANDS)
        )

    def handshake(self) -> bytes:
        """Octets that begin and are as long as the messages by which links in the clear begin."""
        rest = self.random.randbytes(self.random.choice((24, 65, 163, 199, 1_200)))
        return bytes([self.random.randint(0, 24)]) + rest

    def piece(self) -> bytes:
        """Something of any kind, as it is, damaged, cut off, doubled or huge."""
        data = bytearray(self.random.choice(self._makers)())
        for _ in range(self.random.choice((0, 0, 1, 3, 20))):
            self._damage(data)
        if self.random.random() < 0.01:
            data *= 200
        return bytes(data[:LARGEST])

    def _damage(self, data: bytearray) -> None:
        at = self.random.randint(0, len(data))
        how = self.random.randrange(4)
        if how == 0:
            del data[at:]
        elif how == 1:
            data[at : at + 1] = self.random.randbytes(1)
        elif how == 2:
            del data[at : at + self.random.randint(1, 30)]
        else:
            data[at:at] = data[max(0, at - 20) : at]

    def throw(self, target: Target) -> None:
        """Throw one piece; a target that is gone, or takes no more, is left alone."""
        self.thrown[target.kind] += 1
        try:
            if target.kind == "udp":
                self._datagram(target)
            else:
                self._stream(target)
        except OSError:
            self.thrown["refused"] += 1

    def _datagram(self, target: Target) -> None:
        family = socket.AF_INET6 if ":" in target.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            if family == socket.AF_INET:
                sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            sender.sendto(self.piece(), (target.host, target.port))

    def _stream(self, target: Target) -> None:
        family = (
            socket.AF_UNIX
            if target.kind == "unix"
            else socket.AF_INET6
            if ":" in target.host
            else socket.AF_INET
        )
        with socket.socket(family, socket.SOCK_STREAM) as sender:
            sender.settimeout(0.02)
            sender.connect(target.host if target.kind == "unix" else (target.host, target.port))
            if self.random.random() < 0.3:  # the connection is broken off, not closed
                sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sender.send(self.piece())
            if self.random.random() < 0.05:
                sender.recv(4_096)


def _client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def targets(process: psutil.Process) -> set[Target]:
    """Find every socket on which a process listens."""
    found = set()
    for each in process.net_connections(kind="all"):
        if each.family == socket.AF_UNIX:
            if each.laddr and not each.raddr:
                found.add(Target("unix", str(each.laddr), 0))
        elif each.type == socket.SOCK_DGRAM or each.status == psutil.CONN_LISTEN:
            here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(each.laddr.ip, each.laddr.ip)
            found.add(Target("udp" if each.type == socket.SOCK_DGRAM else "tcp", here, each.laddr.port))
    return found


def main(process: psutil.Process, seed: int, each: int, rate: int) -> dict[str, int]:
    """Throw so many pieces at each socket, so many a second in all."""
    neighbour, begun = Neighbour(seed), time.monotonic()
    known: set[Target] = set()
    for number in range(each):
        if number % LOOK_EVERY == 0:
            known = targets(process)
        for target in sorted(known):
            neighbour.throw(target)
        late = begun + neighbour.thrown.total() / rate - time.monotonic()
        time.sleep(max(0.0, late))
    return dict(neighbour.thrown)


if __name__ == "__main__":
    pid, seed, each, rate = map(int, sys.argv[1:])
    print(json.dumps(main(psutil.Process(pid), seed, each, rate)))
