"""What other HIPv2 programs do where the RFCs leave a choice, as captures show it; and the sockets that they do it with."""

from __future__ import annotations

import select
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from tests.interop import otherwire as w

PORT = 10500


@dataclass(frozen=True)
class Habits:
    """What a program sends where the RFCs leave it a choice, and where it takes one."""

    groups: Sequence[int] = (8, 7, 3)
    ciphers: Sequence[int] = (4, 2, 1)
    suites: Sequence[int] = (9, 8, 7)
    hit_suites: bytes = b"\x10\x20\x30"
    formats: Sequence[int] = (0x0FFF,)
    domain: bytes = b"host.example.org"
    domain_type: int = 2
    counter: int | None = None
    "R1_COUNTER"
    keeps_r1: bool = False
    "one R1 for all, with one value of Diffie-Hellman and one #I"
    k: int = 8
    lifetime: int = 37
    copied_lifetime: bool = False
    "the lifetime of PUZZLE stands in the reserved octet of SOLUTION"
    encrypted: bool = False
    "HOST_ID of an I2"
    nat_modes: Sequence[int] = ()
    signed_request: int = 0
    unsigned_request: int = 0
    "octets of the echo requests in an R1"
    locators: bool = False
    "a LOCATOR_SET stands in R1, I2 and R2"
    first_id: int = 1
    "first Update ID: RFC 7401 has 0"
    nonce_signed: bool = False
    "whether an address is verified with ECHO_REQUEST_SIGNED"
    nonce: int = 4
    separate_ack: bool = False
    "an UPDATE is acknowledged by itself, before it is answered"
    filler: bytes = b"\0"
    "what is left in padding"
    closes_too: bool = False
    "CLOSE is answered by CLOSE_ACK, and a CLOSE of its own"


PYTHONIC = Habits(closes_too=True)
"As the captures ``raw-*``: I1 to CLOSE_ACK of a program in Python."

OLD = Habits(
    groups=(8, 7, 3, 4),
    ciphers=(2, 4, 6, 7),
    suites=(8, 9, 7, 1),
    hit_suites=b"\x10",
    domain=b"localhost"[:8],
    domain_type=1,
    counter=11,
    keeps_r1=True,
    k=10,
    lifetime=39,
    copied_lifetime=True,
    encrypted=True,
    first_id=0,
    filler=b"\xa5",
)
"As the captures ``udp-*``: a program in C."

FULL = Habits(
    groups=(7, 8, 11),
    suites=(8,),
    domain=b"relay.example.org\0",
    domain_type=1,
    counter=2**40,
    nat_modes=(1,),
    signed_request=4,
    unsigned_request=40,
    locators=True,
    nonce_signed=True,
    nonce=8,
    separate_ack=True,
    formats=(0x0FFF, 0x0FFE),
)
"All that an R1 may have, suite 8 only, and acknowledgements that come by themselves."


@dataclass
class Carrier:
    """Sockets at one address, for UDP or for IP itself."""

    address: str
    raw: bool = False
    port: int = PORT

    def __post_init__(self) -> None:
        self._family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        if self.raw:
            self._sockets = [self._open(socket.SOCK_RAW, number) for number in (w.PROTOCOL, w.ESP_PROTOCOL)]
        else:
            self._sockets = [self._open(socket.SOCK_DGRAM, 0)]

    def _open(self, kind: int, protocol: int) -> socket.socket:
        opened = socket.socket(self._family, kind, protocol)
        opened.bind((self.address, 0 if self.raw else self.port))
        return opened

    def send(self, data: bytes, target: tuple[str, int], esp: bool = False) -> None:
        """Send a control packet, or one of ESP."""
        if self.raw:
            shown = data if esp else w.with_checksum(data, self.address, target[0])
            self._sockets[esp].sendto(shown, (target[0], 0))
        else:
            self._sockets[0].sendto(data if esp else bytes(4) + data, target)

    def receive(self, seconds: float) -> tuple[bytes, tuple[str, int], bool] | None:
        """Return a packet, whence it came and whether it is of ESP; None if none came."""
        ready, _, _ = select.select(self._sockets, [], [], max(0.0, seconds))
        if not ready:
            return None
        data, (host, port, *_) = ready[0].recvfrom(65535)
        if not self.raw:
            esp = data[:4] != bytes(4)
            return (data if esp else data[4:]), (host, port), esp
        data = data[20:] if self._family == socket.AF_INET else data
        esp = ready[0] is self._sockets[1]
        if not esp:
            plain = data[:4] + b"\0\0" + data[6:]
            w.check(w.with_checksum(plain, host, self.address) == data, "checksum")
        return data, (host, 0), esp

    def close(self) -> None:
        """Give the sockets back."""
        for opened in self._sockets:
            opened.close()
