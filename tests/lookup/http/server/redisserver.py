"""A real Redis server in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.task import deferLater

from p2pship.testing.programs import Program, ProgramFailed, free_ports, require_program

START = 60.0
"Seconds until it listens."


class RedisServer:
    """``redis-server`` as a rendezvous server needs it, unless it is told otherwise."""

    def __init__(self, reactor: Any, folder: Path, **options: str) -> None:
        """``options`` are those of its configuration, with _ for each -.

        :raises SkipTest: if it is not installed.
        """
        self._program_path = require_program("redis-server")
        self._reactor = reactor
        self._folder = folder
        self.port = free_ports(1)
        self.url = f"redis://127.0.0.1:{self.port}/0"
        chosen = {"appendonly": "yes", "appendfsync": "always", **options}
        self._options = [
            part for name, value in chosen.items() for part in (f"--{name.replace('_', '-')}", value)
        ]
        self.program: Program | None = None

    async def start(self) -> None:
        """Start it, and return when it answers that it has read its file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        fixed = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        arguments = [self._program_path, *fixed, *self._options]
        self.program = Program(self._reactor, arguments, self._folder, "redis")
        last = self._reactor.seconds() + START
        while "Ready to accept connections" not in self.program.tail():
            if self.program.exit_code is not None or self._reactor.seconds() > last:
                raise ProgramFailed(f"Redis did not start: {self.program.tail()}")
            await deferLater(self._reactor, 0.01)

    async def kill(self) -> None:
        """End it as a crash does; harmless when it has ended."""
        if self.program is not None:
            self.program.signal("KILL")
            await self.program.when_ended(START)
