"""Tests of listening ports that stay the same."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack
from pathlib import Path

from twisted.internet.error import CannotListenError
from twisted.trial.unittest import TestCase

from p2pship.storage.database import Database
from p2pship.storage.ports import HIGHEST_PORT, SCHEMA, TRIES, Chosen, NoPortFree, Ports


class PortsTests(TestCase):
    """Which port is tried, and which is kept."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.taken: set[int] = set()
        self.tried: list[int] = []
        self.error = errno.EADDRINUSE
        self.ports = self.reopened()

    def reopened(self) -> Ports:
        """Return the ports as the next run finds them."""
        database = Database(self.path, [SCHEMA])
        self.addCleanup(database.close)
        return Ports(database)

    def listen(self, port: int) -> str:
        """Listen in memory."""
        self.tried.append(port)
        if port in self.taken:
            raise CannotListenError("127.0.0.1", port, OSError(self.error, "in use"))
        return f"listening on {port}"

    def choose(self, preferred: int, name: str = "tls") -> Chosen[str]:
        """Choose as a caller does."""
        return self.ports.choose(name, preferred, "127.0.0.1", "tcp", self.listen)

    def test_preferred(self) -> None:
        """The first time it is the preferred port, and nobody had been told another."""
        self.assertEqual(self.choose(5566), Chosen(5566, "listening on 5566", None))

    def test_next_free(self) -> None:
        """Where the preferred one is taken, it is the next free one above."""
        self.taken = {5566, 5567}
        self.assertEqual(self.choose(5566), Chosen(5568, "listening on 5568", None))

    def test_kept(self) -> None:
        """The choice is kept for the next run, though the preferred one is free again."""
        self.taken = {5566}
        self.choose(5566)
        self.taken.clear()
        self.ports = self.reopened()
        self.assertEqual(self.choose(5566), Chosen(5567, "listening on 5567", None, kept=True))

    def test_configured_anew(self) -> None:
        """Who configures another port gets it, and is told of the change; and back again."""
        self.choose(5566)
        self.ports = self.reopened()
        self.assertEqual(self.choose(7000), Chosen(7000, "listening on 7000", 5566))
        self.assertEqual(self.choose(7000), Chosen(7000, "listening on 7000", None, kept=True))
        self.assertEqual(self.choose(5566), Chosen(5566, "listening on 5566", 7000))
        self.taken = {6000, 6001, 6002}
        self.choose(6000)
        self.taken.clear()
        self.assertEqual(self.choose(6003), Chosen(6003, "listening on 6003", None, kept=True))
        self.assertEqual(self.choose(6000), Chosen(6000, "listening on 6000", 6003))

    def test_moved(self) -> None:
        """When the kept one is taken, the caller learns from where it moved; the new one is kept from then on."""
        self.choose(5566)
        self.taken = {5566}
        self.assertEqual(self.choose(5566), Chosen(5567, "listening on 5567", 5566))
        self.assertEqual(self.choose(5566), Chosen(5567, "listening on 5567", None, kept=True))

    def test_order(self) -> None:
        """Kept, preferred, and up from there; none is tried twice."""
        self.taken = {5566, 5567}
        self.choose(5566)
        self.tried.clear()
        self.taken = {5566, 5567, 5568}
        self.choose(5566)
        self.assertEqual(self.tried, [5568, 5566, 5567, 5569])

    def test_names_apart(self) -> None:
        """Each listener has its own."""
        self.choose(5566, "tls")
        self.choose(5060, "sip")
        self.taken = {5566, 5060}
        moved = [self.choose(5566, "tls").moved_from, self.choose(5060, "sip").moved_from]
        self.assertEqual(moved, [5566, 5060])

    def test_none_free(self) -> None:
        """After a hundred it is given up, with the first reason, and what was kept stays kept."""
        self.choose(5566)
        self.taken = set(range(HIGHEST_PORT + 1))
        self.tried.clear()
        error = self.assertRaises(NoPortFree, self.choose, 5566)
        self.assertEqual(len(self.tried), TRIES)
        for part in ("tls", "tcp", "127.0.0.1", "5566", "in use"):
            self.assertIn(part, str(error))
        self.taken = {5566}
        self.assertEqual(self.choose(5566).moved_from, 5566)

    def test_what_to_do(self) -> None:
        """An address that the machine does not have, and a port that takes root, are said to be so, with the way out."""
        self.taken = set(range(HIGHEST_PORT + 1))
        for self.error, words in (
            (errno.EADDRNOTAVAIL, "on 127.0.0.1 for tls: this machine does not have that address"),
            (errno.EACCES, "name a higher one"),
        ):
            self.assertIn(words, str(self.assertRaises(NoPortFree, self.choose, 80)))

    def test_highest(self) -> None:
        """No port above 65535 is tried."""
        self.taken = set(range(HIGHEST_PORT + 1))
        self.assertRaises(NoPortFree, self.choose, HIGHEST_PORT - 1)
        self.assertEqual(self.tried, [HIGHEST_PORT - 1, HIGHEST_PORT])

    def test_any(self) -> None:
        """Port 0 leaves it to the operating system, and nothing is kept."""
        self.assertEqual(self.choose(0), Chosen(0, "listening on 0", None))
        self.assertEqual(self.choose(5566).port, 5566)

    def test_other_errors(self) -> None:
        """An error that is not about the port is the caller's to see."""

        def broken(port: int) -> None:
            raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, self.ports.choose, "x", 5566, "127.0.0.1", "udp", broken)

    def test_two_sockets(self) -> None:
        """UDP and TCP on one number: a number of which only one part is free is passed over."""

        def both(port: int) -> ExitStack:
            with ExitStack() as stack:
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    part = stack.enter_context(socket.socket(socket.AF_INET, kind))
                    try:
                        part.bind(("127.0.0.1", port))
                    except OSError as error:
                        raise CannotListenError("127.0.0.1", port, error) from error
                return stack.pop_all()

        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
            other.bind(("127.0.0.1", 0))
            taken = other.getsockname()[1]
            chosen = self.ports.choose("sip", taken, "127.0.0.1", "udp and tcp", both)
            self.addCleanup(chosen.listening.close)
            self.assertNotEqual(chosen.port, taken)
