"""An authoritative DNS server that is not ours: dnspython's zones behind a UDP socket, in a thread. It imports nothing of p2pship."""

from __future__ import annotations

import socket
from threading import Thread

import dns.flags
import dns.message
import dns.rcode
import dns.zone


class OtherDNS:
    """Serves one zone."""

    def __init__(self, at: tuple[str, int], origin: str, text: str) -> None:
        self.zone = dns.zone.from_text(text, origin, relativize=False, check_origin=False)
        self.asked: list[str] = []
        "names and types of all questions"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(at)
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            octets, sender = self._socket.recvfrom(4096)
            self._socket.sendto(self._answer(dns.message.from_wire(octets)).to_wire(), sender)

    def _answer(self, asked: dns.message.Message) -> dns.message.Message:
        answer, (question,) = dns.message.make_response(asked, recursion_available=True), asked.question
        self.asked.append(f"{question.name} {dns.rdatatype.to_text(question.rdtype)}")
        answer.flags |= dns.flags.AA
        found = self.zone.get_rrset(question.name, question.rdtype)
        if found is not None:
            answer.answer.append(found)
        elif question.name not in self.zone.nodes:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer
