"""Nodes and other programs in processes of their own, and the processor time that they take."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from p2pship.address import HostPort
from p2pship.cli.client import NoNode, ask
from p2pship.testing.nodeprocess import arguments
from p2pship.testing.programs import free_ports

HOST = "127.0.0.1"

PATIENCE = 60.0
"Seconds for anything: what takes longer is broken, not slow."

CORES = sorted(os.sched_getaffinity(0))
"The processors that we may use."

PLAIN = (sys.executable, "-m", "twisted")
"How a user starts a node."

FORGOTTEN = 45.0
"Seconds in which all of a call is forgotten: its transactions live for 32 (RFC 3261 §17.2.2)."

OFTEN = 0.05
"Seconds between two questions whether something is so."


@dataclass(frozen=True)
class Served:
    """A program that is measured, all its processes included."""

    process: psutil.Process

    def cpu(self) -> float:
        """Return the processor time that it has taken until now, user and system, in seconds."""
        return sum(sum(each.cpu_times()[:2]) for each in self._all())

    def memory(self) -> int:
        """Return the memory that it has made, in octets.

        Pages of files, such as libraries, are not counted: whether they are its own depends on who else runs.
        """
        return sum(_anonymous(each.pid) for each in self._all())

    def _all(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


def _anonymous(pid: int) -> int:
    rollup = Path("/proc", str(pid), "smaps_rollup").read_text()
    return sum(
        1024 * int(kb) for kb in re.findall(r"^(?:Anonymous|Swap): +([0-9]+) kB", rollup, re.MULTILINE)
    )


@dataclass(frozen=True)
class RunningNode(Served):
    """A node."""

    state: Path
    proxy: HostPort
    "where phones register"

    def ask(self, command: str) -> Any:
        """Give a command over the control socket."""
        return ask(self.state, command)

    def counts(self) -> dict[str, int]:
        """Return what it counts."""
        counts: dict[str, int] = self.ask("status")["counts"]
        return counts

    def has_forgotten(self) -> bool:
        """Tell whether nothing of calls and registrations is under way any more, nor kept for what may be repeated."""
        counts = self.counts()
        return not (counts["client_transactions"] + counts["server_transactions"] + counts["relays"])


@contextmanager
def nodes(
    number: int, settings: Sequence[str] = (), through: Sequence[str] = PLAIN
) -> Iterator[list[RunningNode]]:
    """Run nodes meanwhile that find each other; each has the first processor to itself and the other nodes.

    ``through`` is what stands before a node's own arguments, in place of Python and Twisted.
    """
    lan_port = free_ports(1)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        states = [Path(folder) / f"node{at}" for at in range(number)]
        commands = [[*through, *arguments(state, lan_port, settings)[len(PLAIN) :]] for state in states]
        started = [stack.enter_context(program(command)) for command in commands]
        yield [
            RunningNode(process, state, _proxy(state)) for process, state in zip(started, states, strict=True)
        ]


def _proxy(state: Path) -> HostPort:
    def answered() -> HostPort | None:
        try:
            return HostPort.parse(ask(state, "status")["sip"]["udp"])
        except NoNode:
            return None

    found: HostPort = wait_for(answered, "a node did not start")
    return found


@contextmanager
def program(command: Sequence[str], core: int = 0) -> Iterator[psutil.Process]:
    """Run a program meanwhile, on one processor where there are two, so that measuring does not disturb what is measured."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        pin(process.pid, core)
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def pin(pid: int, core: int) -> None:
    """Keep a process, 0 for this one, on the first (0) or second (1) processor that we may use, where there are two."""
    if len(CORES) > 1:
        os.sched_setaffinity(pid, {CORES[core]})


def wait_for(found: Callable[[], Any], otherwise: str, seconds: float = PATIENCE) -> Any:
    """Ask until something is found, and return it; what is not found in time ends the benchmark."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        answer = found()
        if answer:
            return answer
        time.sleep(OFTEN)
    raise SystemExit(otherwise)
