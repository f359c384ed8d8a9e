"""``twistd p2pship-rendezvous``: the options of the command, and the service that they make."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import platformdirs
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.failure import Failure

from p2pship.config import load, print_documented
from p2pship.descriptors import allow_more
from p2pship.errors import ConfigError
from p2pship.exitstatus import CannotStart, end_as_failure
from p2pship.leaps import SteadyCalls
from p2pship.lookup.http.server.service import RendezvousServer, make_server
from p2pship.lookup.http.server.settings import ServerSettings
from p2pship.storage.state import StateFolder

SECTION = "rendezvous"

CONFIG_FILE = "rendezvous.toml"
"The configuration file in the state folder, read if it is there and no other is named."


def default_folder() -> Path:
    """Return the state folder of who named none."""
    return platformdirs.user_data_path("p2pship-rendezvous", appauthor=False)


class Options(usage.Options):
    """The command line; :attr:`state` and :attr:`settings` are what came of it."""

    synopsis = "[options]"
    longdesc = (
        "Runs a rendezvous server, where p2pship nodes publish, encrypted, where they are, and find each other. "
        "--print-config prints every option that a configuration file can have."
    )
    optParameters: ClassVar[list[list[Any]]] = [
        ["state", None, None, f"The folder where slots are kept. [default: {default_folder()}]"],
        [
            "config",
            "c",
            None,
            f"The configuration file. [default: {CONFIG_FILE} in the state folder, if it is there]",
        ],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.overrides: list[str] = []
        self.state = default_folder()
        self.settings = ServerSettings()

    def opt_set(self, assignment: str) -> None:
        """Set one option, as --set rendezvous.port=5580, over what the file says; may be repeated."""
        self.overrides.append(assignment)

    def opt_print_config(self) -> None:
        """Print a configuration file with every option and its default, and end."""
        print(print_documented({SECTION: ServerSettings}), end="")
        raise SystemExit(0)

    def postOptions(self) -> None:
        """Read the configuration; a command that cannot be run ends here, in words."""
        if self["state"] is not None:
            self.state = Path(self["state"]).expanduser().absolute()
        try:
            config = load(self._file(), {SECTION: ServerSettings}, self.overrides)
        except ConfigError as error:
            raise SystemExit(f"p2pship-rendezvous cannot start:\n{error}") from None
        self.settings = config.get(ServerSettings)

    def _file(self) -> Path | None:
        if self["config"] is not None:
            return Path(self["config"]).expanduser().absolute()
        own = self.state / CONFIG_FILE
        return own if own.exists() else None


class RendezvousService(MultiService):
    """A rendezvous server with a state folder of its own; if it cannot start, so that is said and the process ends."""

    log = Logger()

    def __init__(
        self, reactor: Any, state: Path, server: RendezvousServer, failed: Callable[[], None]
    ) -> None:
        """``failed`` is called when it cannot start, before the reactor is stopped."""
        super().__init__()
        self._reactor = reactor
        self._failed = failed
        self._path = state
        self._folder: StateFolder | None = None
        self._server = server
        server.setServiceParent(self)

    def startService(self) -> None:
        """Take the folder, in the process that serves, and begin."""
        try:
            self._folder = StateFolder(self._path)
        except ConfigError as error:
            raise CannotStart(f"p2pship-rendezvous cannot start: {error}") from None
        super().startService()
        self._server.when_started().addErrback(self._end)

    def stopService(self) -> Deferred[Any]:
        """End, and leave the folder to others."""
        return maybeDeferred(super().stopService).addBoth(self._leave)

    def _leave(self, result: Any) -> Any:
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.close()
        return result

    def _end(self, failure: Failure) -> None:
        self._failed()
        self._reactor.callWhenRunning(self._reactor.stop)


def makeService(options: Options) -> RendezvousService:
    """Return the service for twistd."""
    from twisted.internet import reactor

    allow_more()
    try:
        server = make_server(reactor, options.settings, options.state, os.urandom)
    except ImportError as error:
        way_out = f"{sys.executable} -m pip install redis"
        raise SystemExit(f"p2pship-rendezvous cannot start: {error}; {way_out}") from None
    SteadyCalls(reactor, lambda: None)
    return RendezvousService(reactor, options.state, server, end_as_failure)
