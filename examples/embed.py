"""A node inside your own Twisted application: run it with ``twistd -n --pidfile= -y examples/embed.py``."""

from pathlib import Path

from twisted.application.service import Application
from twisted.internet import reactor

from p2pship.config import load
from p2pship.node import Node
from p2pship.sections import sections

CONFIG = Path("doorbell.toml")  # the node's options, if you want other ones than the defaults

config = load(CONFIG if CONFIG.exists() else None, sections(), ["sip.port=5070"])
node = Node(reactor, config, Path("doorbell-state"))
node.journal.watch(lambda fact: print(f"The node says: {fact}"))

application = Application("doorbell")
node.setServiceParent(application)
