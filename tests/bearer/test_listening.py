"""Tests for p2pship.bearer.listening, over real sockets on loopback."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import TestCase

from p2pship.bearer.listening import NoSuchAddress, listen_everywhere, port_of

HOST = "127.0.0.1"
ELSEWHERE = "203.0.113.1"


class ListenEverywhereTests(TestCase):
    """One port number on several addresses, or nothing at all."""

    def listen(self, hosts: Sequence[str], port: int = 0) -> Sequence[Any]:
        """Listen until the test is over."""
        listeners = listen_everywhere(reactor, "tls", hosts, port, Factory())
        for listener in listeners:
            self.addCleanup(listener.stopListening)
        return listeners

    def test_one_number(self) -> None:
        """Several addresses are listened on with the same port number, though the system chose it."""
        listeners = self.listen([HOST, "127.0.0.2"])
        addresses = [(listener.getHost().host, listener.getHost().port) for listener in listeners]
        self.assertEqual(addresses, [(HOST, port_of(listeners)), ("127.0.0.2", port_of(listeners))])

    def test_taken(self) -> None:
        """Where the port is taken on one address, none is listened on, and no descriptor stays open."""
        port = port_of(self.listen(["127.0.0.2"]))
        before = os.listdir("/proc/self/fd")
        self.assertRaises(CannotListenError, self.listen, [HOST, "127.0.0.2"], port)
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(before))
        with socket.socket() as free:
            free.bind((HOST, port))

    def test_address_that_is_not_here(self) -> None:
        """It is passed over with one line in the log, if there is another."""
        with capturedLogs() as events:
            listeners = self.listen([ELSEWHERE, HOST])
        self.assertEqual(len(listeners), 1)
        warnings = [event["hosts"] for event in events if event["log_level"] is LogLevel.warn]
        self.assertEqual(warnings, [ELSEWHERE])

    def test_none_here(self) -> None:
        """Where the machine has none of them, that is no matter of the port: the addresses are named."""
        error = self.assertRaises(NoSuchAddress, self.listen, [ELSEWHERE, "203.0.113.2"])
        self.assertIn("203.0.113.1, 203.0.113.2", str(error))

    def test_none_at_all(self) -> None:
        """Where all addresses are meant and the machine has none, it is said that the network is down, loopback too."""
        error = self.assertRaises(NoSuchAddress, self.listen, [])
        self.assertRegex(
            str(error), "has no address to listen on for .bearer.tls.: its network is down, loopback too"
        )
