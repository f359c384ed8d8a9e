"""Tests for what a start loads: what a node may need later is loaded later."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pship.testing.programs import free_ports

SCRIPT = """
import sys
from pathlib import Path
from twisted.internet import reactor
from p2pship.config import load
from p2pship.node import Node
from p2pship.sections import sections
settings = ["sip.port=0", "bearer.tls.port=0", "lookup.lan.port=%s" % sys.argv[2], 'lookup.lan.interfaces=["lo"]']
node = Node(reactor, load(None, sections(), settings), Path(sys.argv[1]))
def started(_):
    print("\\n".join(sorted({name.partition(".")[0] for name in sys.modules} | {"."}
        | {name for name in sys.modules if name.startswith("p2pship.")})))
    node.stopService().addCallback(lambda _: reactor.stop())
def go():
    node.startService()
    node.when_started().addCallback(started)
reactor.callWhenRunning(go)
reactor.run()
"""

TOO_HEAVY = {
    "av",
    "construct_typed",
    "cwt",
    "hypothesis",
    "jinja2",
    "libtorrent",
    "numpy",
    "pyroute2",
    "redis",
}
"Libraries of 5 MB and more, or of tests, that no idle node needs."

ROOT = Path(__file__).parents[1]


class StartTests(SynchronousTestCase):
    """A started node with the default plug-ins on."""

    def loaded(self) -> set[str]:
        """Start a node in a process of its own, and return the modules that are loaded then."""
        with tempfile.TemporaryDirectory() as folder:
            arguments = [sys.executable, "-c", SCRIPT, str(Path(folder) / "state"), str(free_ports(1))]
            environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
            ended = subprocess.run(
                arguments, capture_output=True, text=True, timeout=60, env=environment, check=False
            )
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return set(ended.stdout.split())

    def test_only_what_is_needed(self) -> None:
        """No optional library, nothing of tests, of commands or of a server's work is loaded; the default plug-ins are."""
        loaded = self.loaded()
        self.assertLessEqual(
            {"p2pship.lookup.lan.protocol", "p2pship.bearer.tls", "p2pship.sip.proxy"}, loaded
        )
        self.assertEqual(loaded & TOO_HEAVY, set())
        self.assertEqual(
            {name for name in loaded if name.startswith(("p2pship.testing", "p2pship.cli"))}, set()
        )
        self.assertNotIn("p2pship.lookup.http.server.service", loaded)
