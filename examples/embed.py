"""A node inside your own Twisted service: run it with ``twistd -n --pidfile= -y examples/embed.py``."""

from pathlib import Path

from twisted.application.service import Application, MultiService
from twisted.internet import reactor

from p2pship.config import load
from p2pship.journal import Fact
from p2pship.node import Node
from p2pship.sections import sections


class Doorbell(MultiService):
    """Your service: the node is one of its parts, and what happens in the node is told to it."""

    def __init__(self, state: Path) -> None:
        super().__init__()
        self.node = Node(reactor, load(None, sections(), ["sip.port=5070"]), state)
        self.node.setServiceParent(self)
        self.node.journal.watch(self.happened)

    def happened(self, fact: Fact) -> None:
        """Take what happened: a phone registered, a call started, a peer was lost."""
        print(f"The node says: {fact}")


application = Application("doorbell")
Doorbell(Path("doorbell-state")).setServiceParent(application)
