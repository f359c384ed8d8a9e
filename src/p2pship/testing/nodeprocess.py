"""A node in a process of its own, started as a user starts it, and asked over its control socket."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool

from p2pship.address import HostPort
from p2pship.cli.client import NoNode, ask
from p2pship.status import CallStatus, Status
from p2pship.testing.programs import Program, ProgramFailed

BEARERS = ("hip", "tls", "tcp", "udp")
"Whose sockets are kept on loopback, switched on or not."

ASKS_NOBODY = ("lookup.dns.enabled=false", "trust.domains=false", "trust.dnssec=false")
"Of a node that asks neither the DNS of the machine nor a domain of the real world."

START = 60.0
"Seconds until its control socket answers; on a busy machine a start takes some of them: 20 were too few on two processors for twelve."


def arguments(state: Path, lan_port: int, settings: Sequence[str] = ()) -> list[str]:
    """Return the command that starts a node which is heard on loopback only, by those with the same LAN port, and asks nobody else."""
    own = [
        "sip.port=0",
        *[f"bearer.{name}.port=0" for name in BEARERS],
        *[f'bearer.{name}.listen=["127.0.0.1"]' for name in BEARERS],
        f"lookup.lan.port={lan_port}",
        'lookup.lan.interfaces=["lo"]',
        *ASKS_NOBODY,
    ]
    options = [part for setting in (*own, *settings) for part in ("--set", setting)]
    return [sys.executable, "-m", "twisted", "p2pship", "--state", str(state), *options]


class NodeProcess:
    """One node; its output is in ``node.log`` of its folder."""

    def __init__(self, reactor: Any, folder: Path, lan_port: int, settings: Sequence[str] = ()) -> None:
        """Describe the node; :meth:`start` starts it.

        :param reactor: provides IReactorProcess, IReactorTime and IReactorThreads
        :param folder: a folder of its own, which is made
        :param lan_port: the UDP port of the LAN lookup: nodes find each other that have the same one
        :param settings: more of the configuration, each as ``sip.domain=example.com``
        """
        self.state = folder / "state"
        self._reactor = reactor
        self._folder = folder
        self._arguments = arguments(self.state, lan_port, settings)
        self._program: Program | None = None
        self.proxy = HostPort("127.0.0.1", 0)
        "where phones register, once it has started"

    def start(self) -> Deferred[Status]:
        """Start it; fires with its status when phones can register, fails with ProgramFailed if it ends or is late."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._program = Program(self._reactor, self._arguments, self._folder, "node")
        started = Deferred.fromCoroutine(self._answers())
        return started.addTimeout(START, self._reactor)

    def stop(self) -> Deferred[int]:
        """End it as a user does, and fire with its exit code."""
        assert self._program is not None
        return self._program.stop()

    def kill(self) -> Deferred[int]:
        """End it as a crash does."""
        assert self._program is not None
        self._program.signal("KILL")
        return self._program.when_ended(START)

    def status(self) -> Deferred[Status]:
        """Ask how it is."""
        return self.ask("status")

    def calls(self) -> Deferred[list[CallStatus]]:
        """Ask for its live calls."""
        return self.ask("calls")

    def ask(self, command: str, **values: Any) -> Deferred[Any]:
        """Give any command over the control socket."""
        return deferToThreadPool(
            self._reactor, self._reactor.getThreadPool(), ask, self.state, command, values
        )

    def log(self) -> str:
        """Return the end of its output."""
        return self._program.tail(20_000) if self._program else ""

    async def _answers(self) -> Status:
        assert self._program is not None
        while self._program.exit_code is None:
            try:
                status: Status = await self.status()
            except NoNode:
                await deferLater(self._reactor, 0.05)
                continue
            self.proxy = HostPort.parse(status["sip"]["udp"])
            return status
        raise ProgramFailed(f"the node ended with {self._program.exit_code}:\n{self.log()}")
