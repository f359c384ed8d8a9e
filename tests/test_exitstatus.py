"""Whoever starts a program that cannot start hears of it: its status, words, and nothing left behind."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[1]

PATIENCE = 60
"Seconds for a program, which takes one, on a busy machine."


class ExitStatusTests(SynchronousTestCase):
    """The real twistd."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def started(self, name: str, *arguments: str) -> tuple[subprocess.Popen[str], int]:
        """Start twistd with a pid file and a log of this name; return it, and a pipe that it has open while any of it runs."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        twistd = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
        files = [f"--pidfile={name}.pid", f"--logfile={name}.log"]
        program = subprocess.Popen(
            [*twistd, *files, *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            pass_fds=[writing],
        )
        os.close(writing)
        return program, reading

    def ended(self, started: tuple[subprocess.Popen[str], int], name: str) -> str:
        """Return what it said at the end, on the terminal and in its log; it has failed, and left no pid file."""
        program, running = started
        pid_file = self.folder / f"{name}.pid"
        self.addCleanup(self.kill, program, pid_file)
        _, said = program.communicate(timeout=PATIENCE)
        select.select([running], [], [], PATIENCE)
        said += (self.folder / f"{name}.log").read_text()
        self.assertEqual(program.returncode, 1, said)
        self.assertFalse(pid_file.exists())
        return said

    def kill(self, program: subprocess.Popen[str], pid_file: Path) -> None:
        """End what should not run any more, in the background too."""
        program.kill()
        if pid_file.exists():
            os.kill(int(pid_file.read_text()), signal.SIGKILL)

    def test_cannot_start(self) -> None:
        """A port that is taken is found out when the reactor runs, addresses that nobody has before: in the background too."""
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        port = taken.getsockname()[1]
        options = ["--set", f"rendezvous.port={port}", "--set", 'rendezvous.listen=["127.0.0.1"]']
        server = self.started("server", "--nodaemon", "p2pship-rendezvous", "--state", "a", *options)
        off = ["lookup.lan.enabled=false", "lookup.dns.enabled=false", "bearer.hip.enabled=false"]
        settings = ["sip.port=0", *off, 'bearer.tls.listen=["203.0.113.1"]']
        options = [part for setting in settings for part in ("--set", setting)]
        node = self.started("node", "p2pship", "--state", "b", *options)
        self.assertIn(f"cannot listen on 127.0.0.1 port {port}", self.ended(server, "server"))
        self.assertIn(
            "p2pship cannot start: this machine has none of the addresses", self.ended(node, "node")
        )
