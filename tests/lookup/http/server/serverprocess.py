"""A server in a process of its own, started as a user starts it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.internet.task import deferLater

from p2pship.testing.programs import Program, ProgramFailed, free_ports, is_listening
from tests.lookup.http.server.browsing import Browser

START = 60.0
"Seconds until it answers; on a busy machine a start takes some of them."


class ServerProcess:
    """``twistd p2pship-rendezvous`` on a port that stays the same."""

    def __init__(self, reactor: Any, folder: Path, settings: tuple[str, ...] = ()) -> None:
        """``settings`` are such as ``rendezvous.slots=10``."""
        self._reactor = reactor
        self._folder = folder
        self.port = free_ports(1)
        own = ('rendezvous.listen=["127.0.0.1"]', f"rendezvous.port={self.port}", *settings)
        options = [part for setting in own for part in ("--set", setting)]
        state = str(folder / "state")
        self._arguments = [sys.executable, "-m", "twisted", "p2pship-rendezvous", "--state", state, *options]
        self.program: Program | None = None

    async def start(self) -> None:
        """Start it, and return when it listens."""
        self._folder.mkdir(parents=True, exist_ok=True)
        program = self.program = Program(self._reactor, self._arguments, self._folder, "server")
        last = self._reactor.seconds() + START
        while not is_listening("tcp", self.port):
            if program.exit_code is not None or self._reactor.seconds() > last:
                raise ProgramFailed(f"the server did not start: {program.tail()}")
            await deferLater(self._reactor, 0.02)

    async def kill(self) -> None:
        """End it as a crash does."""
        assert self.program is not None
        self.program.signal("KILL")
        await self.program.when_ended(START)

    async def stop(self) -> None:
        """End it as a user does."""
        assert self.program is not None
        await self.program.stop()

    def browser(self) -> Browser:
        """Return somebody who asks it."""
        return Browser(self._reactor, f"http://127.0.0.1:{self.port}")
