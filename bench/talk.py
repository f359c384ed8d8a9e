"""Calls that are up, between two phones of which each has as many lines as one likes, set up by SIP through nodes."""

from __future__ import annotations

import os
import re
import select
import socket
import time

from bench.nodes import HOST, PATIENCE
from bench.voice import Voice
from p2pship.address import HostPort
from p2pship.sip.message import Message, Request, Response, parse, request, response_to
from p2pship.sip.uri import NameAddr

ALICE, BOB = "alice@example.com", "bob@example.com"

SETTLE = 0.3
"Seconds from a registration to the first call: the record is out then."

_AUDIO = re.compile(rb"\r\nm=audio ([0-9]+) ")
_HOST = re.compile(rb"\r\nc=IN IP4 ([0-9.]+)")


def description(voice: Voice) -> bytes:
    """Return the SDP of a phone that has one codec."""
    at = voice.address
    return (
        f"v=0\r\no=- 1 1 IN IP4 {at.host}\r\ns=-\r\nc=IN IP4 {at.host}\r\nt=0 0\r\nm=audio {at.port} RTP/AVP 0\r\n"
    ).encode()


def media_address(body: bytes) -> tuple[str, int]:
    """Return where an SDP wants voice."""
    port, host = _AUDIO.search(body), _HOST.search(body)
    if port is None or host is None:
        raise SystemExit(f"there is no address for voice in {body!r}")
    return host[1].decode(), int(port[1])


class Talk:
    """Alice and Bob, each at a node; every call gives each of them one more line."""

    def __init__(self, alices: HostPort, bobs: HostPort) -> None:
        self._alices = alices
        self._alice, self._bob = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self._number = 0
        self._ringing: Voice | None = None
        self._latest: tuple[Request, Message]
        self.voices: list[Voice] = []
        "two for each call"
        self._bobs = bobs
        for sock in (self._alice, self._bob):
            sock.bind((HOST, 0))
        self._register(self._alice, ALICE, alices)
        self.be_called(BOB)
        time.sleep(SETTLE)

    def be_called(self, aor: str, phone: int = 0) -> None:
        """Give Bob one more name, or with another number one more phone of that name."""
        self._register(self._bob, aor, self._bobs, phone)

    def call(self, to: str = BOB) -> None:
        """Set up one more call."""
        calling, self._ringing = Voice(), Voice()
        self.voices += [calling, self._ringing]
        invite = self._request(self._alice, "INVITE", ALICE, to, description(calling))
        self._send(self._alice, invite, self._alices)
        answer = self._until(self._alice, 200)
        calling.to = media_address(answer.body)
        self._latest = invite, answer
        self._send(self._alice, self._within("ACK"), self._alices)

    def hang_up(self) -> None:
        """End the latest call."""
        self._send(self._alice, self._within("BYE"), self._alices)
        self._until(self._alice, 200)

    def _register(self, sock: socket.socket, aor: str, node: HostPort, phone: int = 0) -> None:
        asked = self._request(sock, "REGISTER", aor, aor)
        if phone:
            asked.set("Contact", f"<sip:phone{phone}@{HostPort(*sock.getsockname())}>")
        self._send(sock, asked, node)
        self._until(sock, 200)

    def close(self) -> None:
        """Let go of all sockets."""
        for voice in self.voices:
            voice.close()
        self._alice.close()
        self._bob.close()

    def _within(self, method: str) -> Request:
        """Make a request within the latest call's dialog."""
        invite, answer = self._latest
        own = HostPort(*self._alice.getsockname())
        headers = [
            ("Via", f"SIP/2.0/UDP {own};branch=z9hG4bK{os.urandom(8).hex()};rport"),
            ("Max-Forwards", "70"),
            *[("Route", route) for route in answer.values("Record-Route")],
            ("From", invite.first("From") or ""),
            ("To", answer.first("To") or ""),
            ("Call-ID", invite.call_id),
            ("CSeq", f"{invite.cseq[0] + (method != 'ACK')} {method}"),
        ]
        return request(method, NameAddr.parse(answer.first("Contact") or "").uri, headers)

    def _until(self, wanted_at: socket.socket, status: int) -> Message:
        """Serve both phones until a response of that status has come."""
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            for sock in select.select([self._alice, self._bob], [], [], 1.0)[0]:
                data, source = sock.recvfrom(65535)
                message = parse(data)
                if isinstance(message, Request):
                    self._serve(message, HostPort(*source))
                elif sock is wanted_at and isinstance(message, Response) and message.status == status:
                    return message
        raise SystemExit(f"no {status} came")

    def _serve(self, asked: Request, source: HostPort) -> None:
        """Answer: an INVITE is for the phone that rings, and an ACK needs no answer."""
        if asked.method != "INVITE" or self._ringing is None:
            if asked.method != "ACK":
                self._send(self._bob, response_to(asked, 200), source)
            return
        self._ringing.to = media_address(asked.body)
        answer = response_to(asked, 200, to_tag=os.urandom(4).hex())
        for route in asked.values("Record-Route"):
            answer.append("Record-Route", route)
        answer.append("Contact", f"<sip:bob@{HostPort(*self._bob.getsockname())}>")
        answer.append("Content-Type", "application/sdp")
        answer.body = description(self._ringing)
        self._send(self._bob, answer, source)

    def _send(self, sock: socket.socket, message: Message, to: HostPort) -> None:
        sock.sendto(message.encode(), (to.host, to.port))

    def _request(self, sock: socket.socket, method: str, sender: str, to: str, body: bytes = b"") -> Request:
        self._number += 1
        return new_request(sock, f"{self._number} {method}", sender, to, body)


def new_request(sock: socket.socket, cseq: str, sender: str, to: str, body: bytes = b"") -> Request:
    """Make a request that begins a dialog, from the phone at a socket."""
    own = HostPort(*sock.getsockname())
    headers = [
        ("Via", f"SIP/2.0/UDP {own};branch=z9hG4bK{os.urandom(8).hex()};rport"),
        ("Max-Forwards", "70"),
        ("From", f"<sip:{sender}>;tag={os.urandom(4).hex()}"),
        ("To", f"<sip:{to}>"),
        ("Call-ID", os.urandom(8).hex()),
        ("CSeq", cseq),
        ("Contact", f"<sip:{sender.partition('@')[0]}@{own}>"),
    ]
    if body:
        headers.append(("Content-Type", "application/sdp"))
    return request(cseq.partition(" ")[2], f"sip:{to}", headers, body)
