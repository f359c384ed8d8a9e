"""``twistd p2pship-rendezvous`` understands its options, and says in words why it cannot start."""

from __future__ import annotations

import importlib
import io
import os
import re
import sys
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import ServerFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from p2pship.config import load
from p2pship.exitstatus import CannotStart
from p2pship.lookup.http.server import redisstore
from p2pship.lookup.http.server.service import make_server
from p2pship.lookup.http.server.settings import ServerSettings
from p2pship.rendezvoustap import SECTION, Options, RendezvousService, default_folder, makeService
from p2pship.storage.state import StateFolder


class OptionsTests(SynchronousTestCase):
    """The command line becomes a state folder and settings."""

    def setUp(self) -> None:
        self.state = Path(self.mktemp()).absolute()
        self.state.mkdir()

    def parse(self, *arguments: str) -> Options:
        """Read a command line."""
        options = Options()
        options.parseOptions(["--state", str(self.state), *arguments])
        return options

    def test_nothing(self) -> None:
        """Without options every option has its default."""
        self.assertEqual(Options().state, default_folder())
        self.assertEqual(self.parse().settings, ServerSettings())

    def test_file(self) -> None:
        """The file in the state folder is read, another one if it is named, and --set goes over both."""
        (self.state / "rendezvous.toml").write_text("[rendezvous]\nport = 7\nslots = 5\n")
        self.assertEqual(self.parse("--set", "rendezvous.port=8").settings, ServerSettings(port=8, slots=5))
        other = self.state / "other.toml"
        other.write_text("[rendezvous]\nport = 9\n")
        self.assertEqual(self.parse("--config", str(other)).settings, ServerSettings(port=9))

    def test_wrong(self) -> None:
        """What cannot be used ends the program in words."""
        stop = self.assertRaises(SystemExit, self.parse, "--set", "rendezvous.storage=floppy")
        self.assertIn("p2pship-rendezvous cannot start:", str(stop.code))

    def test_no_redis(self) -> None:
        """Where its package is missing, it is said how to install it, into this very environment."""
        self.patch(
            redisstore.RedisStore, "__init__", lambda *_, **__: importlib.import_module("absent_package")
        )
        options = self.parse("--set", "rendezvous.storage=redis://127.0.0.1:6379/0")
        stop = self.assertRaises(SystemExit, makeService, options)
        self.assertIn(f"'absent_package'; {sys.executable} -m pip install redis", str(stop.code))

    def test_documented(self) -> None:
        """The printed file has every option, and is one that can be used."""
        printed = io.StringIO()
        with redirect_stdout(printed):
            self.assertRaises(SystemExit, self.parse, "--print-config")
        path = self.state / "all.toml"
        path.write_text(re.sub(r"(?m)^#(?=\w)", "", printed.getvalue()))
        config = load(path, {SECTION: ServerSettings})
        self.assertEqual(config.get(ServerSettings), ServerSettings())


class ServiceTests(TestCase):
    """A server with a folder of its own."""

    def setUp(self) -> None:
        self.state = Path(self.mktemp()).absolute()
        self.failures: list[int] = []

    def service(self, stopper: MemoryReactorClock, port: int = 0) -> RendezvousService:
        """Return the service of a server on loopback."""
        settings = ServerSettings(listen=("127.0.0.1",), port=port)
        server = make_server(reactor, settings, self.state, os.urandom)
        return RendezvousService(stopper, self.state, server, partial(self.failures.append, 1))

    async def test_folder(self) -> None:
        """Its folder is its own while it runs, and nobody else may read what is in it."""
        service = self.service(MemoryReactorClock())
        service.startService()
        (server,) = service.services
        await server.when_started()
        second = self.service(MemoryReactorClock())
        stop = self.assertRaises(CannotStart, second.startService)
        self.assertIn(f"in use by process {os.getpid()}", str(stop.code))
        self.assertEqual({path.stat().st_mode & 0o77 for path in (self.state, *self.state.iterdir())}, {0})
        await service.stopService()
        StateFolder(self.state).close()

    async def test_cannot_start(self) -> None:
        """A server that cannot listen stops the program, which has failed."""
        stopper = StoppedReactor()
        listening: Any = reactor
        port = listening.listenTCP(0, ServerFactory(), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        service = self.service(stopper, port.getHost().port)
        service.startService()
        for run, positional, keywords in stopper.whenRunningHooks:
            run(*positional, **keywords)
        self.assertEqual((stopper.stops, self.failures), (1, [1]))
        await service.stopService()


class StoppedReactor(MemoryReactorClock):
    """Counts how often it was stopped."""

    stops = 0

    def stop(self) -> None:
        self.stops += 1
