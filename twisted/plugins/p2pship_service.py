"""The cards of the node, and of the rendezvous server, for ``twistd``."""

from twisted.application.service import ServiceMaker

p2pship = ServiceMaker(
    "p2pship", "p2pship.tap", "Calls between ordinary SIP phones, without a server.", "p2pship"
)
rendezvous = ServiceMaker(
    "p2pship rendezvous",
    "p2pship.rendezvoustap",
    "Where p2pship nodes publish where they are, and find each other.",
    "p2pship-rendezvous",
)
