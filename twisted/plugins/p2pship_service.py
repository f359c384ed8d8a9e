"""The card of the node for ``twistd``."""

from twisted.application.service import ServiceMaker

p2pship = ServiceMaker(
    "p2pship", "p2pship.tap", "Calls between ordinary SIP phones, without a server.", "p2pship"
)
