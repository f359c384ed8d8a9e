"""Tests of the settings of the lookup on rendezvous servers, and of how it is made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.config import load
from p2pship.errors import ConfigError
from p2pship.interfaces import INode
from p2pship.journal import Journal
from p2pship.lookup.clockdoubt import ClockDoubt
from p2pship.lookup.http.card import make
from p2pship.lookup.http.settings import MOST_SERVERS, HTTPSettings
from p2pship.testing.network import StaticNetwork

SERVER = "https://r.example.com"
NODE = cast(
    INode,
    SimpleNamespace(
        random=lambda length: bytes(length),
        journal=Journal(),
        network=StaticNetwork(),
        clock_doubt=ClockDoubt(),
    ),
)


class SettingsTests(SynchronousTestCase):
    """What can be configured."""

    def read(self, *assignments: str) -> HTTPSettings:
        """Read the section."""
        config = load(None, {"lookup.http": HTTPSettings}, [f"lookup.http.{each}" for each in assignments])
        return config.get(HTTPSettings)

    def test_servers(self) -> None:
        """Servers are taken as they are written; by default there is none."""
        self.assertEqual(self.read().servers, ())
        self.assertEqual(self.read(f'servers=["{SERVER}"]').servers, (SERVER,))

    def test_wrong(self) -> None:
        """What is no server, too many of them, or the same one twice, is refused at the start."""
        many = [f"https://r{each}.example.com" for each in range(MOST_SERVERS + 1)]
        for servers in (["r.example.com"], [SERVER, f"{SERVER}:443/"], many):
            self.assertRaises(ConfigError, self.read, f"servers={servers}")


class MakingTests(SynchronousTestCase):
    """The lookup of a node."""

    def made(self, **settings: Any) -> Any:
        """Make it."""
        return make(Clock(), HTTPSettings(**settings), NODE)

    def test_made(self) -> None:
        """With a server there is a lookup, without none."""
        self.assertEqual(self.made(servers=(SERVER,)).name, "http")
        self.assertIsNone(self.made())

    def test_authorities(self) -> None:
        """A file of authorities that cannot be used keeps the node from starting."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "empty.pem").write_text("\n")
        (folder / "wrong.pem").write_text("hello")
        for file, why in (("missing", "cannot be read"), ("empty", "is empty"), ("wrong", "no certificates")):
            error = self.assertRaises(
                ConfigError, self.made, servers=(SERVER,), ca_file=str(folder / f"{file}.pem")
            )
            self.assertIn(why, str(error))

    def test_nothing_loaded(self) -> None:
        """A node without servers loads no web client: that would take a tenth of the time in which it starts."""
        script = (
            "import sys; from p2pship.lookup.http.card import SETTINGS, make; assert make(None, SETTINGS(), None) is None; "
            "assert 'twisted.web.client' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", script], check=True)
