"""Tests of a node that runs within somebody else's service, with all its real parts."""

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

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "embed.py"


class EmbeddingTests(TestCase):
    """``examples/embed.py``, which begins in the folder that the tests run in."""

    timeout = 30

    async def test_runs(self) -> None:
        """A phone registers with the node in it, the service is told, and all of it stops."""
        service: Any
        (service,) = IServiceCollection(runpy.run_path(str(EXAMPLE))["application"])
        printed = StringIO()
        with redirect_stdout(printed):
            service.startService()
            self.addCleanup(service.stopService)
            await service.node.when_started()
            port = service.node.status()["sip"]["port"]
            phone = Phone(reactor, "alice@example.com", proxy=HostPort("127.0.0.1", port))
            phone.start()
            self.addCleanup(phone.stop)
            await phone.register()
        self.assertIn("The node says: made an identity for alice@example.com", printed.getvalue())
