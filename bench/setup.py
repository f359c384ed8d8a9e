"""How long after INVITE a phone hears that the other one rings, when it is known, and when it was never met.

The called phone rings at once. ``warm_added_ms`` is what two nodes add to the same two phones without any; its peer is that
direct call. ``cold_lan_ms`` is a first call between nodes that have never met, the lookup's collecting time included.
"""

from __future__ import annotations

import select
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.figures import Figure, median
from bench.talk import new_request
from p2pship.address import HostPort
from p2pship.cli.client import NoNode, ask
from p2pship.sip.message import Message, Request, Response, parse, request, response_to
from p2pship.testing.nodeprocess import arguments
from p2pship.testing.programs import free_ports

HOST = "127.0.0.1"

PATIENCE = 60.0
"Seconds for anything: what takes longer is broken, not slow."

SETTLE = 0.3
"Seconds from a registration to the first call: the record is out then."

ALICE, BOB = "alice@example.com", "bob@example.com"

SDP = (
    f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n".encode()
)


def run(quick: bool) -> list[Figure]:
    """Measure both; quick is 60 warm and 3 cold calls, else 400 and 9."""
    warm, direct = warm_calls(60 if quick else 400)
    cold = [first_call() for _ in range(3 if quick else 9)]
    added = Figure("warm_added_ms", _ms(warm - direct), "ms", "lower", "direct call", _ms(direct))
    return [added, Figure("cold_lan_ms", _ms(median(cold)), "ms", "lower")]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def warm_calls(number: int) -> tuple[float, float]:
    """Return the median seconds through two nodes and directly, the two kinds of call in turn."""
    through: list[float] = []
    directly: list[float] = []
    with nodes() as (first, second), Phones() as phones:
        phones.register(first, second)
        phones.ring_time(first)  # the first call makes the link
        for _ in range(number):
            through.append(phones.ring_time(first))
            directly.append(phones.ring_time(phones.callee_address))
    return median(through), median(directly)


def first_call() -> float:
    """Return the seconds that the first call of two new nodes takes."""
    with nodes() as (first, second), Phones() as phones:
        phones.register(first, second)
        return phones.ring_time(first)


@contextmanager
def nodes() -> Iterator[tuple[HostPort, HostPort]]:
    """Run two nodes meanwhile; gives where phones register with each."""
    lan_port = free_ports(1)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        states = [Path(folder) / name for name in ("first", "second")]
        for state in states:
            stack.enter_context(_running(arguments(state, lan_port)))
        first, second = (_proxy(state) for state in states)
        yield first, second


@contextmanager
def _running(command: list[str]) -> Iterator[None]:
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _proxy(state: Path) -> HostPort:
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        try:
            return HostPort.parse(ask(state, "status")["sip"]["udp"])
        except NoNode:
            time.sleep(0.05)
    raise SystemExit("a node did not start")


class Phones:
    """A phone that calls and one that rings at once, on two sockets of one thread, so that nothing else is measured."""

    def __init__(self) -> None:
        self._caller, self._callee = (_socket() for _ in range(2))
        self.callee_address = HostPort(*self._callee.getsockname())
        self._number = 0

    def __enter__(self) -> Phones:
        return self

    def __exit__(self, *_: object) -> None:
        self._caller.close()
        self._callee.close()

    def register(self, first: HostPort, second: HostPort) -> None:
        """Register the caller with the first node and the callee with the second."""
        for sock, aor, node in ((self._caller, ALICE, first), (self._callee, BOB, second)):
            _send(sock, self._request(sock, "REGISTER", aor, aor), node)
            self._until(sock, lambda message: isinstance(message, Response) and message.status == 200)
        time.sleep(SETTLE)

    def ring_time(self, to: HostPort) -> float:
        """Call, wait for the ringing, and cancel; returns the seconds from INVITE to 180."""
        invite = self._request(self._caller, "INVITE", ALICE, BOB, SDP)
        began = time.perf_counter()
        _send(self._caller, invite, to)
        self._until(self._caller, lambda message: isinstance(message, Response) and message.status == 180)
        seconds = time.perf_counter() - began
        self._cancel(invite, to)
        return seconds

    def _cancel(self, invite: Request, to: HostPort) -> None:
        cancel = request(
            "CANCEL",
            invite.uri,
            [(name, invite.first(name) or "") for name in ("Via", "From", "To", "Call-ID")],
        )
        cancel.append("CSeq", f"{invite.cseq[0]} CANCEL")
        cancel.append("Max-Forwards", "70")
        _send(self._caller, cancel, to)
        final = self._until(
            self._caller, lambda message: isinstance(message, Response) and message.status == 487
        )
        ack = request(
            "ACK", invite.uri, [(name, invite.first(name) or "") for name in ("Via", "From", "Call-ID")]
        )
        ack.append("To", final.first("To") or "")
        ack.append("CSeq", f"{invite.cseq[0]} ACK")
        _send(self._caller, ack, to)

    def _until(self, wanted_at: socket.socket, wanted: Callable[[Message], bool]) -> Message:
        """Serve both phones until the one wanted has come."""
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            for sock in select.select([self._caller, self._callee], [], [], 1.0)[0]:
                data, source = sock.recvfrom(65535)
                message = parse(data)
                if isinstance(message, Request):
                    self._serve(sock, message, HostPort(*source))
                elif sock is wanted_at and wanted(message):
                    return message
        raise SystemExit("a call did not ring")

    def _serve(self, sock: socket.socket, asked: Request, source: HostPort) -> None:
        if asked.method == "INVITE":
            self._invite = asked
            self._answer(sock, asked, 180, source)
        elif asked.method == "CANCEL":
            self._answer(sock, asked, 200, source)
            self._answer(sock, self._invite, 487, source)

    def _answer(self, sock: socket.socket, asked: Request, status: int, to: HostPort) -> None:
        response = response_to(asked, status, to_tag="callee")
        response.append("Contact", f"<sip:bob@{self.callee_address}>")
        _send(sock, response, to)

    def _request(self, sock: socket.socket, method: str, sender: str, to: str, body: bytes = b"") -> Request:
        self._number += 1
        return new_request(sock, f"{self._number} {method}", sender, to, body)


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((HOST, 0))
    return made


def _send(sock: socket.socket, message: Message, to: HostPort) -> None:
    sock.sendto(message.encode(), (to.host, to.port))
