"""Reading a SIP INVITE, changing what a proxy changes, and writing it; beside ``twisted.protocols.sip``."""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.protocols.sip import MessagesParser, Request, Response

from bench.figures import Figure, median
from p2pship.sip.message import parse

INVITE = (
    b"""INVITE sip:bob@example.com SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKabcdef;rport
Max-Forwards: 70
From: "Alice" <sip:alice@example.com>;tag=1928301774
To: <sip:bob@example.com>
Call-ID: a84b4c76e66710@pc33.example.com
CSeq: 314159 INVITE
Contact: <sip:alice@127.0.0.1:5070;transport=udp>
Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, REFER, NOTIFY, MESSAGE
Supported: replaces, timer, gruu
Route: <sip:127.0.0.1:5060;lr>
User-Agent: a phone
Content-Type: application/sdp
Content-Length: 130

""".replace(b"\n", b"\r\n")
    + b"x" * 130
)
ROUNDS = 5


def run(quick: bool) -> list[Figure]:
    """Measure messages a second, one after another."""
    count = 200 if quick else 20_000
    return [
        Figure("unchanged", _rate(_unchanged, count), "1/s", "higher", "twisted", _rate(_twisted, count)),
        Figure("proxied", _rate(_proxied, count), "1/s", "higher"),
        Figure("typed", _rate(_typed, count), "1/s", "higher"),
    ]


def _rate(work: Callable[[], object], count: int) -> float:
    rates = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(count):
            work()
        rates.append(count / (time.perf_counter() - begun))
    return median(rates)


def _unchanged() -> bytes:
    return parse(INVITE).encode()


def _proxied() -> bytes:
    message = parse(INVITE)
    message.set("Max-Forwards", str((message.max_forwards or 70) - 1))
    message.pop("Route")
    message.prepend("Record-Route", "<sip:127.0.0.1;lr>")
    message.prepend("Via", f"SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{message.via.branch}")
    return message.encode()


def _typed() -> object:
    message = parse(INVITE)
    return message.via, message.from_, message.to, message.call_id, message.cseq, message.max_forwards


def _twisted() -> str:
    whole: list[Request | Response] = []
    parser = MessagesParser(whole.append)
    parser.dataReceived(INVITE)
    parser.dataDone()
    return str(whole[0].toString())
