"""The examples are whole programs that fit the code as it is."""

from __future__ import annotations

import runpy
from pathlib import Path

from twisted.application.service import IServiceCollection
from twisted.trial.unittest import SynchronousTestCase

from p2pship.node import Node

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


class EmbedTests(SynchronousTestCase):
    """A node in somebody's own service."""

    def test_application(self) -> None:
        """It makes a Twisted application, in which the node is a part of the service."""
        application = runpy.run_path(str(EXAMPLES / "embed.py"))["application"]
        (doorbell,) = IServiceCollection(application)
        (node,) = doorbell
        self.assertIsInstance(node, Node)
