"""LAN lookups on loopback for tests, each on a port of its own, and others who say what they like there."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.trial.unittest import TestCase

from p2pship.journal import Journal
from p2pship.lookup.candidate import Question
from p2pship.lookup.lan import machine
from p2pship.lookup.lan.protocol import LANLookup
from p2pship.lookup.lan.settings import LANSettings
from p2pship.testing.lookup import unsigned_slot
from p2pship.testing.network import StaticNetwork, loopback
from p2pship.testing.programs import free_ports
from tests.lookup.recording import RecordingReceiver

KEY, OTHER_KEY, FENCE_KEY = b"k" * 32, b"o" * 32, b"f" * 32
QUESTION = Question(KEY)
OTHER_QUESTION = Question(OTHER_KEY)
SLOT = unsigned_slot(KEY, b"d" * 32)

OVER = 1.5
"Seconds until a question is over here, which is with its last repetition: on loopback nothing is lost, and nobody sleeps."


class Outsider(DatagramProtocol):
    """A program on this machine that says what it likes."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.on_datagram: Deferred[bytes] = Deferred()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.heard.append(datagram)
        if not self.on_datagram.called:
            self.on_datagram.callback(datagram)


class LANTestCase(TestCase):
    """Makes lookups on loopback, and stops them."""

    def setUp(self) -> None:
        self.patch(machine, "QUESTION_TIME", OVER)
        self.settings = LANSettings(port=free_ports(1))
        self.journals: list[Journal] = []

    async def lookup(self, network: StaticNetwork | None = None, **changes: Any) -> LANLookup:
        """Return a lookup that has started."""
        self.journals.append(Journal())
        settings = replace(self.settings, **changes)
        made = LANLookup(
            reactor, settings, network or StaticNetwork(loopback()), os.urandom, self.journals[-1]
        )
        await made.start()
        self.addCleanup(made.stop)
        return made

    def outsider(self, host: str = "127.0.0.1") -> tuple[Outsider, Any]:
        """Return somebody with a socket on loopback who can send to the group, and its port."""
        protocol = Outsider()
        port: Any = reactor.listenUDP(0, protocol, interface=host, maxPacketSize=2000)  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        port.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(host))
        return protocol, port

    async def found_by(self, asker: LANLookup, holder: LANLookup) -> list[bytes]:
        """Return the items that ``asker`` finds under KEY.

        Nobody waits until the search is over: another is begun after it for something that ``holder`` surely has, and
        when that is found all answers to the first are there.
        """
        slot = unsigned_slot(FENCE_KEY, b"x" * 32)
        await holder.publish(slot, b"fence")
        receiver, fence = RecordingReceiver(), RecordingReceiver()
        searches = [asker.find(QUESTION, receiver), asker.find(Question(FENCE_KEY), fence)]
        await fence.first
        for search in searches:
            search.cancel()
        await holder.withdraw(slot)
        return [candidate.item for candidate in receiver.candidates]

    @property
    def group(self) -> tuple[str, int]:
        """Where questions go."""
        return self.settings.group, self.settings.port
