"""Other people's programs that a test, the demo or a benchmark starts: SIP phones, load generators."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IReactorCore, IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

GRACE = 10.0
"Seconds that a program has to end by itself when it is asked to."

TEST_PORTS = range(10000, 16384)
"Below the ports of the media relays, and below those that Linux gives to any program that asks for one."

BLOCK = 16
"Ports that are claimed together: what a phone with its media needs."

MOST_CLAIMED = 32
"Blocks that a process has claimed at a time; the oldest are given back, as the tests that used them have ended."

_claimed: deque[socket.socket] = deque()  # abstract Unix sockets, which the system forgets with the process

LISTENING = {"udp": "07", "tcp": "0A"}
"How Linux writes in /proc/net that a socket takes whatever comes."


class ProgramFailed(Exception):
    """A program did not do what it was started for."""


def require_program(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return the path of an installed program.

    :raises SkipTest: if it is not installed; where ``CI`` is set in the environment everything must be there, and it is
        an AssertionError.
    """
    path = shutil.which(name)
    if path is not None:
        return path
    if environment.get("CI"):
        raise AssertionError(f"{name} is not installed, and no test may be skipped here")
    raise SkipTest(f"{name} is not installed")


def free_ports(count: int, host: str = "127.0.0.1") -> int:
    """Return the first, even, of ``count`` ports in a row that nobody has at ``host``, neither for UDP nor for TCP.

    They are ours for a while also when nothing listens there: no other process that asks in this way gets them.

    :raises ProgramFailed: if there is no such row.
    """
    blocks = range(TEST_PORTS.start, TEST_PORTS.stop - count, BLOCK)
    first = secrets.randbelow(len(blocks) or 1)
    for turn in range(len(blocks)):
        start = blocks[(first + turn) % len(blocks)]
        if _claim(start, count) and all(_is_free(host, start + offset) for offset in range(count)):
            return start
    raise ProgramFailed(f"there are no {count} free ports in a row at {host}")


def _claim(start: int, count: int) -> bool:
    """Claim the blocks of some ports; false if another process has one of them, or we have given it out already."""
    claims: list[socket.socket] = []
    for block in range(start, start + count, BLOCK):
        claim = socket.socket(socket.AF_UNIX)
        claims.append(claim)
        try:
            claim.bind(f"\0p2pship-test-ports-{block}")
        except OSError:
            for each in claims:
                each.close()
            return False
    _claimed.extend(claims)
    while len(_claimed) > MOST_CLAIMED:
        _claimed.popleft().close()
    return True


def _is_free(host: str, port: int) -> bool:
    if is_listening(
        "udp", port
    ):  # at any address: a multicast group's socket does not keep ours from binding
        return False
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def is_listening(transport: str, port: int) -> bool:
    """Tell whether some process of this machine listens at a port for ``udp`` or ``tcp``, without touching the port."""
    state = LISTENING[transport]
    for table in (Path("/proc/net", transport), Path("/proc/net", f"{transport}6")):
        rows = [line.split() for line in table.read_text().splitlines()[1:]] if table.exists() else []
        if any(row[1].endswith(f":{port:04X}") and row[3] == state for row in rows):
            return True
    return False


class Program(ProcessProtocol):
    """A program that runs in a folder of its own, where its output goes to a file.

    It ends with :meth:`stop`, and at the latest with the reactor.
    """

    def __init__(self, reactor: IReactorProcess, arguments: Sequence[str], folder: Path, name: str) -> None:
        """Start it.

        :param arguments: the program's path, and what follows it on its command line
        :param folder: exists; it becomes the program's current and home folder, its output goes to ``NAME.log`` there
        """
        self.log = folder / f"{name}.log"
        "its output"
        self.exit_code: int | None = None
        "what it ended with; negative for a signal; None while it runs"
        self._core: Any = IReactorCore(reactor)
        self._clock = IReactorTime(reactor)
        self._name = name
        self._waiting: list[Deferred[int]] = []
        self._trigger = self._core.addSystemEventTrigger("during", "shutdown", self._reactor_stops)
        with self.log.open("wb") as log, open(os.devnull, "rb") as nothing:
            self._process = reactor.spawnProcess(
                self,
                arguments[0],
                list(arguments),
                env={**os.environ, "HOME": str(folder)},
                path=str(folder),
                childFDs={0: nothing.fileno(), 1: log.fileno(), 2: log.fileno()},
            )

    def signal(self, name: str) -> None:
        """Send a signal, such as ``TERM``; harmless when it has ended."""
        if self.exit_code is None:
            try:
                self._process.signalProcess(signal.Signals[f"SIG{name}"])
            except ProcessExitedAlready:
                return

    def when_ended(self, seconds: float | None = None) -> Deferred[int]:
        """Return a Deferred of the exit code; it fails with :class:`ProgramFailed` if ``seconds`` pass first."""
        waiting: Deferred[int] = Deferred()
        if self.exit_code is not None:
            waiting.callback(self.exit_code)
            return waiting
        self._waiting.append(waiting)
        if seconds is not None:
            waiting.addTimeout(seconds, self._clock, self._late)
        return waiting

    def _late(self, cancelled: object, limit: float) -> Failure:
        return Failure(ProgramFailed(f"{self._name} still ran after {limit:.0f} s:\n{self.tail()}"))

    def stop(self, grace: float = GRACE) -> Deferred[int]:
        """Ask it to end, kill it if it does not within ``grace`` seconds, and fire with its exit code."""
        self.signal("TERM")
        ended = self.when_ended(grace)
        return ended.addErrback(self._kill)

    def _kill(self, failure: Failure) -> Deferred[int]:
        failure.trap(ProgramFailed)
        self.signal("KILL")
        return self.when_ended()

    def _reactor_stops(self) -> None:
        self._trigger = None  # it has fired: there is nothing to remove any more
        self.signal("KILL")

    def tail(self, characters: int = 2000) -> str:
        """Return the end of its output."""
        return self.log.read_text("utf-8", "replace")[-characters:]

    def processEnded(self, reason: Failure) -> None:
        """Note the exit code, and tell those who wait."""
        status: Any = reason.value
        self.exit_code = -status.signal if status.signal else status.exitCode
        if self._trigger is not None:
            self._core.removeSystemEventTrigger(self._trigger)
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.called:
                one.callback(self.exit_code)
