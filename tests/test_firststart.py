"""The first start of a node by a person at a terminal, in a process of its own."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.mainline.consent import QUESTION
from p2pship.testing.nodeprocess import arguments
from p2pship.testing.programs import free_ports

RUNNING = b"is running"
"Of the start text."

NOBODY_ASKED = b"nobody has said yes"


PATIENCE = 60.0
"Seconds until something is seen; on a busy machine a start takes some of them."


class FirstStartTests(SynchronousTestCase):
    """A state folder of its own."""

    def setUp(self) -> None:
        self.state = Path(self.mktemp()).absolute()

    @contextmanager
    def started(self, terminal: int) -> Iterator[None]:
        """Run a node meanwhile that has this as its standard input and output."""
        command = arguments(self.state, free_ports(1))
        with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=subprocess.DEVNULL) as process:
            try:
                yield
            finally:
                process.kill()

    def until(self, terminal: int, words: bytes) -> bytes:
        """Return what is seen there until these words, and a little more, have come."""
        seen = b""
        while words not in seen:
            self.assertTrue(select.select([terminal], [], [], PATIENCE)[0], seen)
            seen += os.read(terminal, 65536)
        return seen

    def test_terminal(self) -> None:
        """The person is asked, and answers; the node starts, and the next time it asks nothing."""
        own, its = pty.openpty()
        self.addCleanup(os.close, own)
        self.addCleanup(os.close, its)
        with self.started(its):
            self.assertNotIn(RUNNING, self.until(own, QUESTION.encode()))
            os.write(own, b"no\n")
            self.until(own, RUNNING)
        with self.started(its):
            self.assertNotIn(QUESTION.encode(), self.until(own, RUNNING))

    def test_no_terminal(self) -> None:
        """A service is not asked; its start text says what is off."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        with self.started(writing):
            self.assertNotIn(QUESTION.encode(), self.until(reading, NOBODY_ASKED))
