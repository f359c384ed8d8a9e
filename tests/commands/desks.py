"""Desks without a network, and commands given at them as the control socket gives them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.commands.table import commands
from p2pship.config import load
from p2pship.desk import Desk
from p2pship.sections import sections
from p2pship.storage import wrapping

NOW = 1_800_000_000.0


class DeskTestCase(SynchronousTestCase):
    """A desk in a new state folder."""

    def setUp(self) -> None:
        self.patch(wrapping, "COST", 4)  # a quarter of a second each time, otherwise
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.clock = Clock()
        self.clock.advance(NOW)
        self.desk = self.open_desk("state")

    def open_desk(self, name: str) -> Desk:
        """Open another desk, that of another machine; it is closed at the end of the test."""
        desk = Desk(self.clock, load(None, sections()), self.folder / name)
        self.addCleanup(desk.close)
        return desk

    def give(self, command: str, desk: Desk | None = None, **arguments: Any) -> Any:
        """Give a command at a desk; its arguments are as in a request."""
        return commands(lambda: desk or self.desk)[command](arguments)
