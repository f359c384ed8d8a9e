"""Tests of a node that runs within somebody else's application, with all its real parts."""

from __future__ import annotations

import runpy
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.application.service import IServiceCollection
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.address import HostPort
from p2pship.testing.phone import Phone
from p2pship.testing.programs import free_ports

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "embed.py"


class EmbeddingTests(TestCase):
    """``examples/embed.py``, which begins in the folder that the tests run in."""

    async def test_runs(self) -> None:
        """A phone registers with the node in it, the application is told, and all of it stops."""
        lan = f'[lookup.lan]\nport = {free_ports(1)}\ninterfaces = ["lo"]\n'
        config = Path("doorbell.toml")
        lan += "[lookup.dns]\nenabled = false\n"
        config.write_text(lan + '[bearer.tls]\nport = 0\nlisten = ["127.0.0.1"]\n')
        self.addCleanup(config.unlink)
        node: Any
        (node,) = IServiceCollection(runpy.run_path(str(EXAMPLE))["application"])
        printed = StringIO()
        with redirect_stdout(printed):
            node.startService()
            self.addCleanup(node.stopService)
            await node.when_started()
            port = node.status()["sip"]["port"]
            phone = Phone(reactor, "alice@example.com", proxy=HostPort("127.0.0.1", port))
            phone.start()
            self.addCleanup(phone.stop)
            await phone.register()
        self.assertIn("The node says: made an identity for alice@example.com", printed.getvalue())
