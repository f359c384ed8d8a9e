"""Starting other programs, and being sure that they end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, cast
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from p2pship.testing import programs
from p2pship.testing.programs import Program, ProgramFailed, free_ports, is_listening, require_program

HOST = "127.0.0.1"
WAITS = "import time; print('ready', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WAITS


class ProgramTests(TestCase):
    """Python itself is the program."""

    def program(self, code: str) -> Program:
        """Start Python with some code."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        program = Program(cast(Any, reactor), [sys.executable, "-c", code], folder, "python")
        self.addCleanup(program.stop)
        return program

    async def ready(self, code: str) -> Program:
        """Start Python, and wait until it says that it is ready."""
        program = self.program(code)
        while "ready" not in program.tail():
            await deferLater(cast(Any, reactor), 0.01)
        return program

    async def test_ends(self) -> None:
        """Its exit code is told, to those who ask before and after."""
        program = self.program("raise SystemExit(7)")
        self.assertEqual(await program.when_ended(), 7)
        self.assertEqual((await program.when_ended(), program.exit_code), (7, 7))

    async def test_output(self) -> None:
        """What it writes to either output is in its log; it has no input, and its folder is its home."""
        program = self.program(
            "import os, sys; print(os.getcwd() == os.environ['HOME'], flush=True); sys.stderr.write(repr(sys.stdin.read()))"
        )
        await program.when_ended()
        self.assertEqual(program.tail().split(), ["True", "''"])

    async def test_stop(self) -> None:
        """It ends when it is asked to; asking again is harmless."""
        program = await self.ready(WAITS)
        self.assertEqual(await program.stop(), -15)
        self.assertEqual(await program.stop(), -15)

    async def test_stubborn(self) -> None:
        """One that does not listen is killed."""
        program = await self.ready(STUBBORN)
        self.assertEqual(await program.stop(grace=0.1), -9)

    async def test_late(self) -> None:
        """Who waits in vain for the end is told so with the output, and the program runs on."""
        program = await self.ready(WAITS)
        error: Any = await self.assertFailure(program.when_ended(0.01), ProgramFailed)
        self.assertIn("ready", str(error))
        self.assertIsNone(program.exit_code)

    async def test_ends_with_the_reactor(self) -> None:
        """It is killed when the reactor stops, which is told through a trigger that goes when the program has ended."""
        program = await self.ready(WAITS)
        program._reactor_stops()
        self.assertEqual(await program.when_ended(), -9)


class RequireProgramTests(SynchronousTestCase):
    """Whether a test can be run here."""

    def test_installed(self) -> None:
        """The path of an installed program is returned."""
        self.assertTrue(Path(require_program("sh")).exists())

    def test_absent(self) -> None:
        """A test that needs a program which is not there is skipped."""
        self.assertRaises(SkipTest, require_program, "p2pship-no-such-program", {})

    def test_absent_in_ci(self) -> None:
        """Where nothing may be skipped it fails."""
        self.assertRaises(AssertionError, require_program, "p2pship-no-such-program", {"CI": "true"})


class PortTests(SynchronousTestCase):
    """Finding ports, and seeing who listens."""

    def bound(self, kind: socket.SocketKind, port: int) -> socket.socket:
        """Bind a socket that the test closes."""
        opened = socket.socket(socket.AF_INET, kind)
        self.addCleanup(opened.close)
        opened.bind((HOST, port))
        return opened

    def test_free_ports(self) -> None:
        """All ports of the row can be bound, for UDP and TCP, and the first is even."""
        first = free_ports(5)
        self.assertEqual(first % 2, 0)
        for port in range(first, first + 5):
            self.bound(socket.SOCK_DGRAM, port)
            self.bound(socket.SOCK_STREAM, port)

    def test_claimed(self) -> None:
        """Ports that one process was given are given to no other, though nothing listens there yet."""
        first = free_ports(5)
        script = f"from p2pship.testing import programs; print(programs._claim({first}, 5))"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        asked = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        self.assertEqual(asked.stdout.strip(), "False")

    def test_claims_are_given_back(self) -> None:
        """However often ports are asked for, there are some, and no more is held than a while needs."""
        for _ in range(2 * programs.MOST_CLAIMED):
            free_ports(20)
        self.assertLessEqual(len(programs._claimed), programs.MOST_CLAIMED)

    def test_too_many(self) -> None:
        """A row longer than the range is refused."""
        self.assertRaises(ProgramFailed, free_ports, 100000)

    def test_multicast_port_is_taken(self) -> None:
        """A port at which only a multicast group is listened to is not free: two tests would hear each other."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as group:
            group.bind(("239.255.55.66", 0))
            self.assertFalse(programs._is_free("127.0.0.1", group.getsockname()[1]))

    def test_is_listening(self) -> None:
        """A port listens from binding on for UDP, from listening on for TCP."""
        port = free_ports(1)
        self.assertFalse(is_listening("udp", port))
        self.bound(socket.SOCK_DGRAM, port)
        self.assertTrue(is_listening("udp", port))
        stream = self.bound(socket.SOCK_STREAM, port)
        self.assertFalse(is_listening("tcp", port))
        stream.listen()
        self.assertTrue(is_listening("tcp", port))
